package gitsource

import (
	"bufio"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/hash"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// localSession serves a repository of this machine in process: no Git binary is started, and nothing of the
// repository's configuration is obeyed. go-git's own server lists every object behind both commits for each fetch;
// this one looks only at what lies between them.
type localSession struct {
	repo  *filesystem.Storage
	limit int64 // larger files are left out
	omit  func() error
}

func (m *Mirror) connectLocal() (*connection, error) {
	dir := m.remote.path
	if info, err := os.Stat(filepath.Join(dir, ".git")); err == nil && info.IsDir() {
		dir = filepath.Join(dir, ".git")
	}
	if info, err := os.Stat(filepath.Join(dir, "objects")); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%w: no Git repository there", ErrRepositoryNotFound)
	}
	repo := filesystem.NewStorageWithOptions(osfs.New(dir), cache.NewObjectLRU(16*cache.MiByte),
		filesystem.Options{KeepDescriptors: true, LargeObjectThreshold: m.limits.MaxObjectBytes})
	return &connection{
		UploadPackSession: &localSession{repo: repo, limit: m.limits.MaxBlobBytes, omit: m.noteFilter},
		watch:             new(watch), redact: func(s string) string { return s },
	}, nil
}

// AdvertisedReferences returns the branches and pull requests of the repository.
func (s *localSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext returns the branches and pull requests of the repository.
func (s *localSession) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	it, err := s.repo.IterReferences()
	if err != nil {
		return nil, err
	}
	err = it.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference && (r.Name().IsBranch() || pullRef.MatchString(r.Name().String())) {
			refs.References[r.Name().String()] = r.Hash()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	refs.Shallows, err = s.repo.Shallow()
	return refs, err
}

// UploadPack returns a pack of what is wanted and not had.
func (s *localSession) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	objects, err := s.missing(ctx, req.Wants, req.Haves)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(s.send(ctx, w, objects))
	}()
	return packp.NewUploadPackResponseWithPackfile(req, &localPack{PipeReader: r, done: done}), nil
}

// localPack is the reading end of a pack that is being made.
type localPack struct {
	*io.PipeReader
	done chan struct{}
}

// Close stops the writer and waits for it.
func (p *localPack) Close() error {
	err := p.PipeReader.Close()
	<-p.done
	return err
}

// Close closes the repository's files.
func (s *localSession) Close() error { return s.repo.ObjectStorage.Close() }

// send writes a pack of whole objects; there is no need for deltas between two folders of one machine.
func (s *localSession) send(ctx context.Context, w io.Writer, objects []plumbing.Hash) (err error) {
	defer contain(&err)
	buffered := bufio.NewWriterSize(w, 64<<10)
	sum := hash.New(hash.CryptoType)
	out := io.MultiWriter(buffered, sum)
	if _, err := out.Write(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(objects)))); err != nil {
		return err
	}
	z, err := zlib.NewWriterLevel(out, zlib.BestSpeed)
	if err != nil {
		return err
	}
	for _, h := range objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.sendObject(out, z, h); err != nil {
			return err
		}
	}
	if _, err := buffered.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return buffered.Flush()
}

func (s *localSession) sendObject(out io.Writer, z *zlib.Writer, h plumbing.Hash) error {
	o, err := s.repo.EncodedObject(plumbing.AnyObject, h)
	if err != nil {
		return err
	}
	if _, err := out.Write(entryHeader(o.Type(), o.Size())); err != nil {
		return err
	}
	r, err := o.Reader()
	if err != nil {
		return err
	}
	z.Reset(out)
	_, err = io.Copy(z, r)
	return errors.Join(err, r.Close(), z.Close())
}

// entryHeader is the head of an object in a pack: its type and size.
func entryHeader(typ plumbing.ObjectType, size int64) []byte {
	c := byte(typ)<<4 | byte(size&0x0f)
	var out []byte
	for size >>= 4; size > 0; size >>= 7 {
		out = append(out, c|0x80)
		c = byte(size & 0x7f)
	}
	return append(out, c)
}

var _ transport.UploadPackSession = (*localSession)(nil)
