package gitsource

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"
)

const packHeaderLen, packTrailerLen = 12, 20

// repack joins the smaller packs into one when there are more than Limits.MaxPacks. Each fetched pack stands by
// itself: its deltas name their bases by distance or by hash, so the bodies can be put one after the other as they
// are, and nothing is inflated. It answers how many packs it joined.
func (s *packStore) repack(ctx context.Context) (int, error) {
	s.mu.RLock()
	small := s.smallPacks()
	s.mu.RUnlock()
	if len(small) == 0 {
		return 0, nil
	}
	whole, err := s.join(ctx, small)
	if err != nil {
		return 0, err
	}
	// Packs are only added and removed under Mirror.fetching, so nothing has changed meanwhile.
	s.mu.Lock()
	s.packs = slices.DeleteFunc(s.packs, func(p *pack) bool { return slices.Contains(small, p) })
	s.add(whole)
	s.mu.Unlock()
	var errs error
	for _, p := range small {
		errs = errors.Join(errs, p.file.Close(), os.Remove(p.path+".pack"), os.Remove(p.path+".idx"))
	}
	return len(small), errs
}

// smallPacks returns the packs to join: all but those that are larger than everything smaller together, so that a
// large history is not copied each time.
func (s *packStore) smallPacks() []*pack {
	if len(s.packs) <= s.limits.MaxPacks {
		return nil
	}
	bySize := slices.SortedFunc(slices.Values(s.packs), func(a, b *pack) int { return int(min(max(a.size-b.size, -1), 1)) })
	sum := int64(0)
	for i, p := range bySize {
		if i >= 2 && p.size > 2*sum && i > len(bySize)/2 {
			return bySize[:i]
		}
		sum += p.size
	}
	return bySize
}

func (s *packStore) join(ctx context.Context, packs []*pack) (_ *pack, err error) {
	tmp, err := os.CreateTemp(s.dir, tempPrefix+"pack_*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), removeIfThere(tmp.Name()))
		}
	}()
	name, size, err := writeJoined(ctx, tmp, packs)
	if err != nil {
		return nil, err
	}
	entries, err := joinedEntries(packs)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, "pack-"+name.String())
	if err := removeIfThere(path + ".idx"); err != nil {
		return nil, err
	}
	idx, err := writeIndex(entries, name, path+".idx")
	if err != nil {
		return nil, err
	}
	if err := os.Rename(tmp.Name(), path+".pack"); err != nil {
		return nil, err
	}
	return &pack{name: name, path: path, file: tmp, size: size, idx: idx}, nil
}

func writeJoined(ctx context.Context, w io.Writer, packs []*pack) (name plumbing.Hash, size int64, err error) {
	var count uint32
	for _, p := range packs {
		var b [4]byte
		if _, err := p.file.ReadAt(b[:], 8); err != nil {
			return name, 0, err
		}
		count += binary.BigEndian.Uint32(b[:])
	}
	buffered := bufio.NewWriterSize(w, 256<<10)
	sum := hash.New(hash.CryptoType)
	out := io.MultiWriter(buffered, sum)
	head := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), count)
	if _, err := out.Write(head); err != nil {
		return name, 0, err
	}
	size = packHeaderLen + packTrailerLen
	for _, p := range packs {
		if err := ctx.Err(); err != nil {
			return name, 0, err
		}
		n, err := io.Copy(out, io.NewSectionReader(p.file, packHeaderLen, p.bodyLen()))
		if err != nil || n != p.bodyLen() {
			return name, 0, fmt.Errorf("copy pack: %w", firstOf(err, io.ErrUnexpectedEOF))
		}
		size += n
	}
	copy(name[:], sum.Sum(nil))
	if _, err := buffered.Write(name[:]); err != nil {
		return name, 0, err
	}
	return name, size, buffered.Flush()
}

func (p *pack) bodyLen() int64 { return p.size - packHeaderLen - packTrailerLen }
