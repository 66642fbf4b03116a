package gitsource

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Bounds on what a mirror remembers decoded. A folder of 10,000 files is some 2 MB.
const (
	keptTrees      = 6 << 20  // bytes
	keptCommits    = 64       // of at most maxCommitKept bytes each
	maxCommitKept  = 16 << 10 // bytes
	treeEntryBytes = 160      // beside its line of the tree object
)

// folderTree is a tree object as it was parsed. Nobody changes it: it is shared.
type folderTree struct {
	hash    plumbing.Hash
	entries []treeEntry
	bytes   int // of memory, about

	once   sync.Once
	byName map[string]int // the first entry of each name; made when somebody looks one up in a large folder
}

// smallFolder is how many entries are looked through one by one.
const smallFolder = 16

// lookup finds an entry by its name. Errors wrap fs.ErrNotExist.
func (t *folderTree) lookup(name string) (treeEntry, error) {
	if len(t.entries) <= smallFolder {
		for _, e := range t.entries {
			if e.name == name {
				return e, nil
			}
		}
		return treeEntry{}, fs.ErrNotExist
	}
	t.once.Do(func() {
		t.byName = make(map[string]int, len(t.entries))
		for i, e := range t.entries {
			if _, dup := t.byName[e.name]; !dup {
				t.byName[e.name] = i
			}
		}
	})
	i, ok := t.byName[name]
	if !ok {
		return treeEntry{}, fs.ErrNotExist
	}
	return t.entries[i], nil
}

// decoded remembers trees and commits that were read a moment ago: the files of a commit are asked for one by one, and
// lie in the same folders, and a comparison begins with the trees that the last one ended with.
type decoded struct {
	mu      sync.Mutex
	trees   map[plumbing.Hash]*list.Element // of *folderTree
	newest  *list.List                      // of *folderTree, the one used last in front
	bytes   int                             // of all trees
	commits map[plumbing.Hash]*object.Commit
}

func newDecoded() *decoded {
	return &decoded{trees: map[plumbing.Hash]*list.Element{}, newest: list.New(), commits: map[plumbing.Hash]*object.Commit{}}
}

func (d *decoded) tree(h plumbing.Hash) (*folderTree, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.trees[h]
	if !ok {
		return nil, false
	}
	d.newest.MoveToFront(e)
	return e.Value.(*folderTree), true
}

// keep remembers a tree in place of those that were not used for the longest time. One that is larger than all that
// is remembered is not.
func (d *decoded) keep(t *folderTree) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.trees[t.hash]; known || t.bytes > keptTrees {
		return
	}
	d.trees[t.hash] = d.newest.PushFront(t)
	for d.bytes += t.bytes; d.bytes > keptTrees; {
		oldest := d.newest.Remove(d.newest.Back()).(*folderTree)
		delete(d.trees, oldest.hash)
		d.bytes -= oldest.bytes
	}
}

func (d *decoded) commit(h plumbing.Hash) (*object.Commit, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.commits[h]
	return c, ok
}

// keepCommit remembers a commit of so many bytes, unless it is a large one.
func (d *decoded) keepCommit(c *object.Commit, size int) {
	if size > maxCommitKept {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.commits) >= keptCommits {
		clear(d.commits)
	}
	d.commits[c.Hash] = c
}

// tree reads and parses a tree object, which is shared and must not be changed.
func (m *Mirror) tree(ctx context.Context, h plumbing.Hash) (*folderTree, error) {
	s := m.store()
	if t, ok := s.decoded.tree(h); ok {
		return t, s.usable(ctx)
	}
	b, err := s.get(ctx, plumbing.TreeObject, h)
	if errors.Is(err, errMissing) {
		return nil, m.missing(h)
	}
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(b)
	if err != nil {
		return nil, fmt.Errorf("%w: tree %s does not parse", ErrMalformed, h)
	}
	t := &folderTree{hash: h, entries: entries, bytes: len(b) + (1+len(entries))*treeEntryBytes}
	s.decoded.keep(t)
	return t, nil
}
