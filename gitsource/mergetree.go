package gitsource

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluicehq/sluice/gitsource/textmerge"
)

// treeMerge merges trees entry by entry. It goes only into folders that both sides changed.
type treeMerge struct {
	m      *Mirror
	made   *mergedObjects
	clash  map[string]string // path -> why it does not merge
	seen   int
	budget *textmerge.Budget
}

// versions are three versions of one thing.
type versions[T any] struct{ base, into, from T }

// root merges three root trees and returns the result's.
func (t *treeMerge) root(ctx context.Context, base, into, from plumbing.Hash) (plumbing.Hash, error) {
	switch {
	case from == base, into == from:
		return into, nil
	case into == base:
		return from, nil
	}
	entry := func(h plumbing.Hash) treeEntry { return treeEntry{hash: h, kind: folder, mode: folder} }
	e, err := t.folders(ctx, "", versions[treeEntry]{entry(base), entry(into), entry(from)}, 0)
	if err != nil || e.mode != "" {
		return e.hash, err
	}
	return t.made.keep(plumbing.TreeObject, t.made.trees, nil)
}

// names merges what three trees have under one name. A tree that somebody made by hand may have a name twice.
func (t *treeMerge) names(ctx context.Context, p string, v versions[[]treeEntry], depth int) ([]treeEntry, error) {
	switch {
	case sameEntries(v.into, v.from), sameEntries(v.base, v.from):
		return v.into, nil
	case sameEntries(v.base, v.into):
		return v.from, nil
	case max(len(v.base), len(v.into), len(v.from)) > 1:
		t.clash[p] = "the name is there twice"
		return v.into, nil
	}
	one := versions[treeEntry]{only(v.base), only(v.into), only(v.from)}
	dir, err := t.folders(ctx, p, versions[treeEntry]{ifFolder(one.base, true), ifFolder(one.into, true), ifFolder(one.from, true)}, depth)
	if err != nil {
		return nil, err
	}
	file, err := t.files(ctx, p, versions[treeEntry]{ifFolder(one.base, false), ifFolder(one.into, false), ifFolder(one.from, false)})
	if err != nil {
		return nil, err
	}
	switch {
	case dir.mode == "" && file.mode == "":
		return nil, nil
	case dir.mode == "":
		return []treeEntry{file}, nil
	case file.mode == "":
		return []treeEntry{dir}, nil
	}
	t.clash[p] = "it is a file on one side and a folder on the other"
	return v.into, nil
}

// folders merges three folders; one that is not there is the zero entry, and so is a result without entries.
func (t *treeMerge) folders(ctx context.Context, p string, v versions[treeEntry], depth int) (treeEntry, error) {
	switch {
	case same(v.into, v.from), same(v.base, v.from):
		return v.into, nil
	case same(v.base, v.into):
		return v.from, nil
	case depth > maxTreeDepth:
		return treeEntry{}, fmt.Errorf("%w: folders deeper than %d", ErrTooLarge, maxTreeDepth)
	}
	var byName versions[map[string][]treeEntry]
	for _, side := range []struct {
		e   treeEntry
		out *map[string][]treeEntry
	}{{v.base, &byName.base}, {v.into, &byName.into}, {v.from, &byName.from}} {
		var err error
		if *side.out, err = t.read(ctx, side.e); err != nil {
			return treeEntry{}, err
		}
	}
	all := maps.Clone(byName.base)
	maps.Copy(all, byName.into)
	maps.Copy(all, byName.from)
	var out []treeEntry
	for _, name := range slices.Sorted(maps.Keys(all)) {
		merged, err := t.names(ctx, join(p, name), versions[[]treeEntry]{byName.base[name], byName.into[name], byName.from[name]}, depth+1)
		if err != nil {
			return treeEntry{}, err
		}
		out = append(out, merged...)
	}
	if len(out) == 0 {
		return treeEntry{}, nil
	}
	h, err := t.made.keep(plumbing.TreeObject, t.made.trees, encodeTree(out))
	name := cmp.Or(v.into.name, v.from.name, v.base.name)
	return treeEntry{name: name, hash: h, octal: "40000", mode: folder, kind: folder}, err
}

func (t *treeMerge) read(ctx context.Context, e treeEntry) (map[string][]treeEntry, error) {
	out := map[string][]treeEntry{}
	if e.mode == "" {
		return out, nil
	}
	tree, err := t.m.tree(ctx, e.hash)
	if err != nil {
		return nil, err
	}
	if t.seen += len(tree.entries); t.seen > 3*t.m.limits.MaxTreeEntries {
		return nil, fmt.Errorf("%w: more than %d entries", ErrTooLarge, 3*t.m.limits.MaxTreeEntries)
	}
	for _, e := range tree.entries {
		out[e.name] = append(out[e.name], e)
	}
	return out, nil
}

// files merges three files, links or submodules; one that is not there is the zero entry, and so is one that goes.
func (t *treeMerge) files(ctx context.Context, p string, v versions[treeEntry]) (treeEntry, error) {
	switch {
	case same(v.into, v.from), same(v.base, v.from):
		return v.into, nil
	case same(v.base, v.into):
		return v.from, nil
	case v.into.mode == "" || v.from.mode == "":
		t.clash[p] = "it was deleted on one side and changed on the other"
		return v.into, nil
	case v.into.mode != Regular || v.from.mode != Regular:
		t.clash[p] = "both sides changed it, and it is no regular file"
		return v.into, nil
	}
	octal, clean := mergeModes(v.base.octal, v.into.octal, v.from.octal)
	if !clean {
		t.clash[p] = "both sides changed whether it is executable"
		return v.into, nil
	}
	if v.base.mode != Regular {
		v.base = treeEntry{} // of something else nothing can be kept
	}
	content, why, err := t.content(ctx, v)
	if err != nil {
		return treeEntry{}, err
	}
	if why != "" {
		t.clash[p] = why
		return v.into, nil
	}
	e := v.into
	e.octal, e.hash = octal, content
	return e, nil
}

func mergeModes(base, into, from string) (octal string, clean bool) {
	if into == from || into == base {
		return from, true
	}
	return into, from == base
}

// content merges the contents of three regular files; why says what is in the way.
func (t *treeMerge) content(ctx context.Context, v versions[treeEntry]) (merged plumbing.Hash, why string, err error) {
	switch {
	case v.into.hash == v.from.hash, v.base.hash == v.from.hash:
		return v.into.hash, "", nil
	case v.base.hash == v.into.hash:
		return v.from.hash, "", nil
	}
	var texts [3][]byte
	for i, e := range []treeEntry{v.base, v.into, v.from} {
		if e.mode == "" {
			continue
		}
		if texts[i], err = t.m.blob(ctx, e.hash); isTooLarge(err) {
			return merged, "both sides changed it, and it is too large to merge", nil
		} else if err != nil {
			return merged, "", err
		}
		if textmerge.Binary(texts[i]) {
			return merged, "both sides changed it, and it is no text", nil
		}
	}
	text, clean := textmerge.Merge(texts[0], texts[1], texts[2], t.budget)
	if !clean {
		return merged, "both sides changed the same lines", nil
	}
	merged, err = t.made.keep(plumbing.BlobObject, t.made.blobs, text)
	return merged, "", err
}

// encodeTree writes a tree object in Git's order, which takes a folder's name for one that ends in a slash.
func encodeTree(entries []treeEntry) []byte {
	order := func(e treeEntry) string {
		if e.mode == folder {
			return e.name + "/"
		}
		return e.name
	}
	slices.SortStableFunc(entries, func(a, b treeEntry) int { return cmp.Compare(order(a), order(b)) })
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(e.octal + " " + e.name + "\x00")
		b.Write(e.hash[:])
	}
	return b.Bytes()
}

// same compares what two entries are, whatever is made of their names.
func same(a, b treeEntry) bool { return a.hash == b.hash && a.octal == b.octal && a.mode == b.mode }

func sameEntries(a, b []treeEntry) bool { return slices.EqualFunc(a, b, same) }

func only(entries []treeEntry) treeEntry {
	if len(entries) == 0 {
		return treeEntry{}
	}
	return entries[0]
}

// ifFolder keeps an entry that is a folder, or that is none, and drops the other kind.
func ifFolder(e treeEntry, want bool) treeEntry {
	if (e.mode == folder) != want {
		return treeEntry{}
	}
	return e
}
