package gitsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// ChangeKind says what happened to a path between two commits.
type ChangeKind string

// The kinds of changes.
const (
	Added    ChangeKind = "Added"
	Modified ChangeKind = "Modified"
	Deleted  ChangeKind = "Deleted"
	// Invalid says that the path is there and must not be used; Change.Reason says why.
	Invalid ChangeKind = "Invalid"
)

// Change is one path that differs between two commits. Hashes are blob ids, "" where there is none.
type Change struct {
	Path             string
	Kind             ChangeKind
	OldHash, NewHash string
	Reason           string
}

// Changes compares two commits over the source's folders and returns what differs, ordered by path. Folders of equal
// hash are not read. With from == "" everything is Added. Hidden files and folders (a leading dot) are left out.
// Errors wrap ErrNotFetched, ErrTooLarge when more than Limits.MaxTreeEntries were looked at, or ErrCorrupt.
func (m *Mirror) Changes(ctx context.Context, from, to string) (_ []Change, err error) {
	defer func() { err = m.wrap("compare commits of", err) }()
	defer contain(&err)
	var before plumbing.Hash
	if from != "" {
		c, err := m.commitBySHA(ctx, from)
		if err != nil {
			return nil, err
		}
		before = c.TreeHash
	}
	c, err := m.commitBySHA(ctx, to)
	if err != nil {
		return nil, err
	}
	return m.compare(ctx, m, before, c.TreeHash)
}

// compare compares two trees over the source's folders.
func (m *Mirror) compare(ctx context.Context, trees treeReader, before, after plumbing.Hash) ([]Change, error) {
	d := m.newDiffer(trees)
	for _, root := range m.roots {
		a, err := rootEntry(ctx, trees, before, root)
		if err != nil {
			return nil, err
		}
		b, err := rootEntry(ctx, trees, after, root)
		if err != nil {
			return nil, err
		}
		if err := d.pair(ctx, root, a, b, 0); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(d.out, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return d.out, nil
}

// rootEntry finds one of the source's folders in a tree; a folder that is not there is the zero entry.
func rootEntry(ctx context.Context, trees treeReader, tree plumbing.Hash, root string) (treeEntry, error) {
	if tree.IsZero() {
		return treeEntry{}, nil
	}
	e, err := find(ctx, trees, tree, root)
	if errors.Is(err, fs.ErrNotExist) {
		return treeEntry{}, nil
	}
	return e, err
}

// differ walks two trees side by side.
type differ struct {
	trees treeReader
	limit int // entries to look at
	out   []Change
	seen  int
}

func (m *Mirror) newDiffer(trees treeReader) *differ {
	return &differ{trees: trees, limit: m.limits.MaxTreeEntries}
}

// pair compares what two commits have at one path; an entry without kind is not there.
func (d *differ) pair(ctx context.Context, p string, a, b treeEntry, depth int) error {
	if unchanged(a, b) {
		return nil
	}
	aFolder, bFolder := a.kind == folder && a.valid(), b.kind == folder && b.valid()
	if aFolder || bFolder {
		if err := d.folders(ctx, p, a, b, depth); err != nil {
			return err
		}
	}
	if aFolder {
		a = treeEntry{}
	}
	if bFolder {
		b = treeEntry{}
	}
	d.file(p, a, b)
	return nil
}

// unchanged reports whether two commits have the same at one path.
func unchanged(a, b treeEntry) bool {
	return a.hash == b.hash && a.kind == b.kind && a.reason == b.reason
}

func (d *differ) file(p string, a, b treeEntry) {
	there, was := b.kind != "", a.kind != ""
	c := Change{Path: safePath(p)}
	if was {
		c.OldHash = a.hash.String()
	}
	if there {
		c.NewHash = b.hash.String()
	}
	switch {
	case there && !b.valid():
		c.Kind, c.Reason = Invalid, b.reason
	case there && was && a.valid():
		c.Kind = Modified
	case there:
		c.Kind = Added
	case was:
		c.Kind = Deleted
	default:
		return
	}
	d.out = append(d.out, c)
}

func (d *differ) folders(ctx context.Context, p string, a, b treeEntry, depth int) error {
	if depth > maxTreeDepth {
		return fmt.Errorf("%w: folders deeper than %d", ErrTooLarge, maxTreeDepth)
	}
	before, err := d.read(ctx, a)
	if err != nil {
		return err
	}
	after, err := d.read(ctx, b)
	if err != nil {
		return err
	}
	old := make(map[string]treeEntry, len(before))
	for _, e := range before {
		if _, dup := old[e.name]; !dup {
			old[e.name] = e
		}
	}
	for _, e := range after {
		was := old[e.name]
		delete(old, e.name)
		if unchanged(was, e) {
			continue // most are, and their paths are not worth putting together
		}
		if err := d.pair(ctx, join(p, e.name), was, e, depth+1); err != nil {
			return err
		}
	}
	for _, e := range before {
		was, gone := old[e.name]
		if !gone {
			continue
		}
		delete(old, e.name)
		if err := d.pair(ctx, join(p, e.name), was, treeEntry{}, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// read returns a folder's entries, without hidden ones, which the caller must not change; of anything else, none.
func (d *differ) read(ctx context.Context, e treeEntry) ([]treeEntry, error) {
	if e.kind != folder || !e.valid() {
		return nil, nil
	}
	t, err := d.trees.tree(ctx, e.hash)
	if err != nil {
		return nil, err
	}
	if d.seen += len(t.entries); d.seen > d.limit {
		return nil, fmt.Errorf("%w: more than %d entries", ErrTooLarge, d.limit)
	}
	if !slices.ContainsFunc(t.entries, unseen) {
		return t.entries, nil
	}
	return slices.DeleteFunc(slices.Clone(t.entries), unseen), nil
}

// unseen reports whether an entry is left out as belonging to tools.
func unseen(e treeEntry) bool { return hidden(e.name) && e.kind != BadName }

func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// safePath makes a path fit for logs and messages. A path that is valid stays as it is.
func safePath(p string) string { return printable(p, 4096) }
