package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluicehq/sluice/gitsource/textmerge"
)

// Merge is what merging one commit into another would give. Nothing is checked out and nothing is stored; the trees
// and files that the merge makes are held in memory. It stays good as long as the mirror has both commits.
//
// It is the merge that Git makes, with these differences: renames are not followed, so that a file renamed on one side
// and changed on the other is a conflict; merge drivers of .gitattributes are not asked; and where two commits have several best common
// ancestors (a criss-cross), one of them is taken instead of their merge.
type Merge struct {
	// Base is the common ancestor, Into and From the two commits.
	Base, Into, From string
	// Conflicts are the paths that do not merge, in order, also outside of the source's folders. The result has them as Into has them.
	Conflicts []string

	m       *Mirror
	objects *mergedObjects
	before  plumbing.Hash // tree of Into
	after   plumbing.Hash // tree of the result
	clash   map[string]string
}

// Merge merges commit from into commit into. When from is behind into already there are no changes. Errors wrap
// ErrNotFetched, ErrUnrelated, ErrTooManyCommits when the common ancestor lies too far back, ErrTooLarge or ErrCorrupt; a conflict is no error.
func (m *Mirror) Merge(ctx context.Context, into, from string) (_ *Merge, err error) {
	defer func() { err = m.wrap("merge commits of", err) }()
	defer contain(&err)
	ours, err := m.commitBySHA(ctx, into)
	if err != nil {
		return nil, err
	}
	theirs, err := m.commitBySHA(ctx, from)
	if err != nil {
		return nil, err
	}
	base, err := m.mergeBase(ctx, ours.Hash, theirs.Hash)
	if err != nil {
		return nil, err
	}
	if base.IsZero() {
		return nil, fmt.Errorf("%w: %s and %s", ErrUnrelated, ours.Hash, theirs.Hash)
	}
	ancestor, err := m.commitBySHA(ctx, base.String())
	if err != nil {
		return nil, err
	}
	t := &treeMerge{
		m: m, made: &mergedObjects{m: m, trees: map[plumbing.Hash][]byte{}, blobs: map[plumbing.Hash][]byte{}},
		clash: map[string]string{}, budget: textmerge.NewBudget(maxMergeWork),
	}
	after, err := t.root(ctx, ancestor.TreeHash, ours.TreeHash, theirs.TreeHash)
	if err != nil {
		return nil, err
	}
	out := &Merge{
		Base: base.String(), Into: ours.Hash.String(), From: theirs.Hash.String(),
		m: m, objects: t.made, before: ours.TreeHash, after: after, clash: t.clash,
	}
	for p := range t.clash {
		out.Conflicts = append(out.Conflicts, safePath(p))
	}
	slices.Sort(out.Conflicts)
	return out, nil
}

// Changes compares the result with Into, as Mirror.Changes compares two commits: this is what the merge would bring.
func (g *Merge) Changes(ctx context.Context) (_ []Change, err error) {
	defer func() { err = g.m.wrap("compare a merge of", err) }()
	defer contain(&err)
	return g.m.compare(ctx, g.objects, g.before, g.after)
}

// List returns the result's files, as Mirror.List returns those of a commit.
func (g *Merge) List(ctx context.Context) (_ []Entry, err error) {
	defer func() { err = g.m.wrap("list a merge of", err) }()
	defer contain(&err)
	return g.m.list(ctx, g.objects, g.after)
}

// Read returns a file's content in the result, as Mirror.Read does of a commit. A path that does not merge is an error
// that wraps ErrConflict.
func (g *Merge) Read(ctx context.Context, path string) (_ []byte, err error) {
	defer func() {
		if err != nil {
			err = g.m.wrap("read "+safePath(path)+" of a merge of", err)
		}
	}()
	defer contain(&err)
	for p, why := range g.clash {
		if within(p, path) {
			return nil, fmt.Errorf("%w: %s", ErrConflict, why)
		}
	}
	e, err := findFile(ctx, g.objects, g.after, path)
	if err != nil {
		return nil, err
	}
	if b, made := g.objects.blobs[e.hash]; made {
		if int64(len(b)) > g.m.limits.MaxBlobBytes {
			return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), g.m.limits.MaxBlobBytes)
		}
		return bytes.Clone(b), nil
	}
	return g.m.blob(ctx, e.hash)
}

const (
	// maxMergeWork bounds the looks at a line of one merge: a second or so.
	maxMergeWork = 50_000_000
	// maxMergeBytes bounds what a merge holds in memory.
	maxMergeBytes = 32 << 20
)

// mergedObjects are the objects that a merge made, before those of the mirror.
type mergedObjects struct {
	m     *Mirror
	trees map[plumbing.Hash][]byte
	blobs map[plumbing.Hash][]byte
	bytes int
}

func (o *mergedObjects) tree(ctx context.Context, h plumbing.Hash) (*folderTree, error) {
	b, made := o.trees[h]
	if !made {
		return o.m.tree(ctx, h)
	}
	entries, err := parseTree(b)
	return &folderTree{hash: h, entries: entries}, err
}

// keep holds an object under the hash that it would have.
func (o *mergedObjects) keep(typ plumbing.ObjectType, in map[plumbing.Hash][]byte, content []byte) (plumbing.Hash, error) {
	h := plumbing.ComputeHash(typ, content)
	if _, held := in[h]; held {
		return h, nil
	}
	if o.bytes += len(content); o.bytes > maxMergeBytes {
		return h, fmt.Errorf("%w: the merge makes more than %d bytes", ErrTooLarge, maxMergeBytes)
	}
	in[h] = content
	return h, nil
}

// isTooLarge tells a file that is too large from other trouble.
func isTooLarge(err error) bool { return errors.Is(err, ErrTooLarge) }
