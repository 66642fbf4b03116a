package gitsource

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// Entry is one file of a commit.
type Entry struct {
	Path string
	Hash string // blob id
	Kind Kind
	// Reason says why an entry that is not Regular is not used.
	Reason string
}

// List returns all files of a commit below the source's folders, ordered by path, with those that must not be used.
// Hidden files and folders (a leading dot) are left out. Errors are those of Changes.
func (m *Mirror) List(ctx context.Context, commit string) (_ []Entry, err error) {
	defer func() { err = m.wrap("list", err) }()
	defer contain(&err)
	c, err := m.commitBySHA(ctx, commit)
	if err != nil {
		return nil, err
	}
	return m.list(ctx, m, c.TreeHash)
}

// list lists the files of a tree below the source's folders.
func (m *Mirror) list(ctx context.Context, trees treeReader, tree plumbing.Hash) ([]Entry, error) {
	l := &lister{differ: *m.newDiffer(trees)}
	for _, root := range m.roots {
		e, err := rootEntry(ctx, trees, tree, root)
		if err != nil {
			return nil, err
		}
		if err := l.walk(ctx, root, e, 0); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(l.out, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return l.out, nil
}

type lister struct {
	differ
	out []Entry
}

func (l *lister) walk(ctx context.Context, p string, e treeEntry, depth int) error {
	if e.kind == "" {
		return nil
	}
	if e.kind != folder {
		l.out = append(l.out, Entry{Path: safePath(p), Hash: e.hash.String(), Kind: e.kind, Reason: e.reason})
		return nil
	}
	if depth > maxTreeDepth {
		return fmt.Errorf("%w: folders deeper than %d", ErrTooLarge, maxTreeDepth)
	}
	entries, err := l.read(ctx, e)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := l.walk(ctx, join(p, e.name), e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Read returns a file's content at a commit. The path counts from the repository's root and may lie outside the
// source's folders. Errors wrap fs.ErrNotExist, ErrNotRegular for links, submodules, folders and bad names,
// ErrTooLarge beyond Limits.MaxBlobBytes, ErrNotFetched, or ErrCorrupt.
func (m *Mirror) Read(ctx context.Context, commit, path string) (_ []byte, err error) {
	defer func() {
		if err != nil {
			err = m.wrap("read "+safePath(path)+" of", err)
		}
	}()
	defer contain(&err)
	c, err := m.commitBySHA(ctx, commit)
	if err != nil {
		return nil, err
	}
	e, err := findFile(ctx, m, c.TreeHash, path)
	if err != nil {
		return nil, err
	}
	return m.blob(ctx, e.hash)
}

// findFile returns the entry of a regular file at a path below a tree.
func findFile(ctx context.Context, trees treeReader, root plumbing.Hash, path string) (treeEntry, error) {
	e, err := find(ctx, trees, root, path)
	switch {
	case err != nil:
		return treeEntry{}, err
	case !e.valid():
		return treeEntry{}, fmt.Errorf("%w: %s", ErrNotRegular, e.reason)
	case e.kind != Regular:
		return treeEntry{}, fmt.Errorf("%w: it is a folder", ErrNotRegular)
	}
	return e, nil
}

func (m *Mirror) blob(ctx context.Context, h plumbing.Hash) ([]byte, error) {
	b, err := m.store().get(ctx, plumbing.BlobObject, h)
	if errors.Is(err, errMissing) {
		if m.filtered.Load() {
			// The server was asked to leave out what is too large to read.
			return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, m.limits.MaxBlobBytes)
		}
		return nil, m.missing(h)
	}
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > m.limits.MaxBlobBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), m.limits.MaxBlobBytes)
	}
	return bytes.Clone(b), nil
}
