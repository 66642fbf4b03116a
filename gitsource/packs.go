package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// Bounds on the inflated objects that one mirror keeps in memory: trees and commits, which are read again and again,
// and files. A tree's files are each asked for once, and what they lean on was mostly read a moment ago.
const (
	readCache = 14 * cache.MiByte
	fileCache = 1 * cache.MiByte
)

const tempPrefix = "tmp_"

// pack is one installed pack with its descriptor open and its index in memory.
type pack struct {
	name plumbing.Hash
	path string // without .pack or .idx
	file *os.File
	size int64
	idx  *idxfile.MemoryIndex
	seq  int64 // distinguishes packs in the cache
}

// packStore is the mirror's object store: packs only, never a loose object.
type packStore struct {
	dir    string
	limits Limits
	cache  *cache.BufferLRU
	files  *cache.BufferLRU

	decoded *decoded // trees and commits

	mu    sync.RWMutex // held for reading while packs are read, for writing while the set of packs changes
	packs []*pack
	seq   int64

	reads   atomic.Int64 // objects read, for tests and metrics
	damaged atomic.Bool  // an object did not read; the next fetch starts over
	closed  bool
}

// openPacks opens the packs of a folder and removes what a killed process left half written. Any damage that shows
// without inflating objects is an error that wraps ErrCorrupt.
func openPacks(dir string, limits Limits) (*packStore, error) {
	s := &packStore{dir: dir, limits: limits, cache: cache.NewBufferLRU(readCache), files: cache.NewBufferLRU(fileCache), decoded: newDecoded()}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, tempPrefix):
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return nil, fmt.Errorf("sweep temporary files: %w", err)
			}
		case strings.HasSuffix(name, ".pack"):
			p, err := openPack(filepath.Join(dir, strings.TrimSuffix(name, ".pack")))
			if err != nil {
				return nil, errors.Join(err, s.close())
			}
			s.add(p)
		}
	}
	return s, nil
}

func openPack(path string) (*pack, error) {
	f, err := os.Open(path + ".pack")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	p, err := checkPack(path, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: pack or index is damaged", ErrCorrupt), err, f.Close())
	}
	return p, nil
}

// checkPack compares what name, index and trailer say of a pack, without reading all of it.
func checkPack(path string, f *os.File) (*pack, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < 32 {
		return nil, errors.New("pack is too short")
	}
	p := &pack{path: path, file: f, size: info.Size(), idx: idxfile.NewMemoryIndex()}
	if _, err := f.ReadAt(p.name[:], info.Size()-20); err != nil {
		return nil, err
	}
	x, err := os.Open(path + ".idx")
	if err != nil {
		return nil, err
	}
	err = idxfile.NewDecoder(x).Decode(p.idx)
	if err = errors.Join(err, x.Close()); err != nil {
		return nil, err
	}
	if p.idx.PackfileChecksum != p.name || filepath.Base(path) != "pack-"+p.name.String() {
		return nil, errors.New("pack, index and name do not belong together")
	}
	return p, nil
}

func (s *packStore) add(p *pack) {
	s.seq++
	p.seq = s.seq
	s.packs = append(s.packs, p)
}

// has reports whether some pack holds the object.
func (s *packStore) has(h plumbing.Hash) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.packs, func(p *pack) bool { ok, err := p.idx.Contains(h); return ok && err == nil })
}

// errMissing says that no pack holds an object.
var errMissing = errors.New("object is not in the mirror")

// usable is an error when nothing is to be read any more.
func (s *packStore) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isClosed() {
		return ErrClosed
	}
	return nil
}

// get returns an object of the wanted type, checked against its hash. The content must not be changed.
func (s *packStore) get(ctx context.Context, want plumbing.ObjectType, h plumbing.Hash) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	s.reads.Add(1)
	for _, p := range slices.Backward(s.packs) {
		offset, err := p.idx.FindOffset(h)
		if err != nil {
			continue
		}
		r := &packReader{
			file: p.file, size: p.size - 20, key: p.seq << 40, cache: s.cache, files: s.files, max: s.limits.MaxObjectBytes,
			base: func(h plumbing.Hash) (int64, bool) { o, err := p.idx.FindOffset(h); return o, err == nil },
		}
		typ, content, err := r.object(ctx, offset)
		if err != nil || plumbing.ComputeHash(typ, content) != h {
			s.damaged.Store(true)
			return nil, fmt.Errorf("%w: object %s does not read", ErrCorrupt, h)
		}
		if typ != want {
			return nil, fmt.Errorf("%w: object %s is a %s, not a %s", ErrMalformed, h, typ, want)
		}
		return content, nil
	}
	return nil, errMissing
}

// receive stores a pack: it is scanned as it arrives, its deltas are resolved, and only then it becomes visible.
// A stream of more than limit bytes is refused.
func (s *packStore) receive(ctx context.Context, stream io.Reader, limit int64, explain func(error) error) (err error) {
	tmp, err := os.CreateTemp(s.dir, tempPrefix+"pack_*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	capped := &cappedStream{r: stream, max: limit, explain: explain}
	file := &fileWriter{f: tmp}
	scan, err := scanPack(ctx, io.TeeReader(capped, file), s.limits)
	if err != nil {
		return firstOf(file.err, err)
	}
	// The scanner reads ahead, so what follows the pack may already be in the file; nothing may follow.
	rest, err := io.Copy(io.Discard, io.TeeReader(capped, file))
	if err != nil {
		return firstOf(file.err, err)
	}
	var trailer plumbing.Hash
	if _, err := tmp.ReadAt(trailer[:], file.n-20); err != nil {
		return err
	}
	if rest > 0 || trailer != scan.checksum {
		return fmt.Errorf("%w: bytes after the end of the pack", ErrMalformed)
	}
	if err := scan.resolve(ctx, tmp, file.n-20); err != nil {
		return err
	}
	return s.install(scan, tmp, file.n)
}

// install gives a checked pack its name. The index goes first: a pack counts from the moment it is called .pack.
func (s *packStore) install(scan *packScan, tmp *os.File, size int64) error {
	path := filepath.Join(s.dir, "pack-"+scan.checksum.String())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if slices.ContainsFunc(s.packs, func(p *pack) bool { return p.name == scan.checksum }) {
		return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
	}
	if err := removeIfThere(path + ".idx"); err != nil {
		return err
	}
	idx, err := writeIndex(scan.indexEntries(), scan.checksum, path+".idx")
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path+".pack"); err != nil {
		return err
	}
	s.add(&pack{name: scan.checksum, path: path, file: tmp, size: size, idx: idx})
	return nil
}

// bytes returns the size of all packs.
func (s *packStore) bytes() (n int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.packs {
		n += p.size
	}
	return n
}

func (s *packStore) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

func (s *packStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, p := range s.packs {
		err = errors.Join(err, p.file.Close())
	}
	s.packs, s.closed = nil, true
	return err
}

// fileWriter remembers an error of the disk, to tell it from an error of the stream.
type fileWriter struct {
	f   *os.File
	n   int64
	err error
}

// Write appends to the file.
func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.n += int64(n)
	if err != nil {
		w.err = fmt.Errorf("write the mirror: %w", err)
	}
	return n, err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
