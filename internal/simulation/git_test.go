package simulation_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/gitsource"
)

// repository is a Git repository in memory, as the reconciler sees one.
type repository struct {
	commits map[string]commit
	head    string
	serial  int
}

type commit struct {
	gitsource.Commit
	parent string
	files  map[string]string
}

func newRepository() *repository { return &repository{commits: map[string]commit{}} }

// commit adds a commit upon the head; nil files remove.
func (r *repository) commit(files map[string]*string) string {
	tree := maps.Clone(r.commits[r.head].files)
	if tree == nil {
		tree = map[string]string{}
	}
	for path, content := range files {
		if content == nil {
			delete(tree, path)
		} else {
			tree[path] = *content
		}
	}
	r.serial++
	sha := digest(fmt.Sprint(r.serial, r.head))[:40]
	r.commits[sha] = commit{
		Commit: gitsource.Commit{SHA: sha, Parents: []string{r.head}, AuthorName: "Ann", AuthorEmail: "ann@example.com", AuthoredAt: time.Now(), CommittedAt: time.Now(), Message: fmt.Sprint("commit ", r.serial)},
		parent: r.head, files: tree,
	}
	r.head = sha
	return sha
}

// rewind makes an earlier commit the head, as a force-push does.
func (r *repository) rewind() {
	if parent := r.commits[r.head].parent; parent != "" {
		r.head = parent
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Head, Fetch, Walk, Changes, List and Read are what the reconciler needs.
func (r *repository) Head(context.Context) (string, error) {
	if r.head == "" {
		return "", gitsource.ErrEmptyRepository
	}
	return r.head, nil
}

func (r *repository) Fetch(ctx context.Context) (string, error) { return r.Head(ctx) }

func (r *repository) Walk(_ context.Context, from, to string) ([]gitsource.Commit, error) {
	if from == "" {
		return []gitsource.Commit{r.commits[to].Commit}, nil
	}
	var walked []gitsource.Commit
	for at := to; at != from; at = r.commits[at].parent {
		if at == "" {
			return nil, gitsource.ErrRewritten
		}
		walked = append(walked, r.commits[at].Commit)
	}
	slices.Reverse(walked)
	return walked, nil
}

func (r *repository) Changes(_ context.Context, from, to string) ([]gitsource.Change, error) {
	before, after := r.commits[from].files, r.commits[to].files
	var changes []gitsource.Change
	for _, path := range slices.Sorted(maps.Keys(after)) {
		old, known := before[path]
		switch {
		case !known:
			changes = append(changes, gitsource.Change{Path: path, Kind: gitsource.Added, NewHash: digest(after[path])})
		case old != after[path]:
			changes = append(changes, gitsource.Change{Path: path, Kind: gitsource.Modified, OldHash: digest(old), NewHash: digest(after[path])})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if _, kept := after[path]; !kept {
			changes = append(changes, gitsource.Change{Path: path, Kind: gitsource.Deleted, OldHash: digest(before[path])})
		}
	}
	return changes, nil
}

func (r *repository) List(_ context.Context, sha string) ([]gitsource.Entry, error) {
	var entries []gitsource.Entry
	for _, path := range slices.Sorted(maps.Keys(r.commits[sha].files)) {
		entries = append(entries, gitsource.Entry{Path: path, Hash: digest(r.commits[sha].files[path]), Kind: gitsource.Regular})
	}
	return entries, nil
}

func (r *repository) Read(_ context.Context, sha, path string) ([]byte, error) {
	content, ok := r.commits[sha].files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(content), nil
}
