package gitsource

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// missing lists the objects behind wants that are not behind haves. Haves that this repository does not know, because
// its branch was rewritten and cleaned, count for nothing.
func (s *localSession) missing(ctx context.Context, wants, haves []plumbing.Hash) ([]plumbing.Hash, error) {
	w := &localWalk{s: s, had: map[plumbing.Hash]bool{}, seen: map[plumbing.Hash]bool{}}
	for _, h := range wants {
		if err := w.push(h, false); err != nil {
			return nil, err
		}
	}
	for _, h := range haves {
		if err := w.push(h, true); err != nil && !errors.Is(err, plumbing.ErrObjectNotFound) {
			return nil, err
		}
	}
	commits, err := w.commits(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range commits {
		if w.had[c.Hash] {
			continue
		}
		w.add(c.Hash)
		var before plumbing.Hash
		if len(c.ParentHashes) > 0 {
			p, err := object.GetCommit(s.repo, c.ParentHashes[0])
			if err != nil {
				return nil, err
			}
			before = p.TreeHash
		}
		if err := w.tree(ctx, c.TreeHash, before, 0); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

// localWalk goes back from both sides by commit time, until only what is had is left.
type localWalk struct {
	s     *localSession
	queue commitQueue
	had   map[plumbing.Hash]bool // every commit met; true when it lies behind a have
	open  int                    // commits in the queue that do not lie behind a have
	seen  map[plumbing.Hash]bool
	out   []plumbing.Hash
}

func (w *localWalk) push(h plumbing.Hash, had bool) error {
	was, met := w.had[h]
	if met && (was || !had) {
		return nil
	}
	c, err := object.GetCommit(w.s.repo, h)
	if err != nil {
		return err
	}
	// A commit met before and found to be had now goes in again, to tell its parents.
	w.had[h] = had
	if !had {
		w.open++
	}
	heap.Push(&w.queue, queued{c, had})
	return nil
}

func (w *localWalk) commits(ctx context.Context) ([]*object.Commit, error) {
	var out []*object.Commit
	for w.open > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		q := heap.Pop(&w.queue).(queued)
		if !q.had {
			w.open--
		}
		had := w.had[q.commit.Hash]
		if !had {
			out = append(out, q.commit)
		}
		for _, p := range q.commit.ParentHashes {
			if err := w.push(p, had); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (w *localWalk) add(h plumbing.Hash) bool {
	if w.seen[h] {
		return false
	}
	w.seen[h] = true
	w.out = append(w.out, h)
	return true
}

// tree adds what a tree has and the tree before it has not, entry by entry.
func (w *localWalk) tree(ctx context.Context, h, before plumbing.Hash, depth int) error {
	if h == before || !w.add(h) {
		return nil
	}
	if depth > maxTreeDepth {
		return fmt.Errorf("%w: folders deeper than %d", ErrLimit, maxTreeDepth)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	after, err := w.entries(h)
	if err != nil {
		return err
	}
	old := map[string]plumbing.Hash{}
	if !before.IsZero() {
		entries, err := w.entries(before)
		if err != nil {
			return err
		}
		for _, e := range entries {
			old[string(e.mode)+" "+e.name] = e.hash
		}
	}
	for _, e := range after {
		was := old[string(e.mode)+" "+e.name]
		if was == e.hash {
			continue
		}
		switch e.mode {
		case folder:
			err = w.tree(ctx, e.hash, was, depth+1)
		case Submodule:
		default:
			err = w.blob(e.hash)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *localWalk) blob(h plumbing.Hash) error {
	size, err := w.s.repo.EncodedObjectSize(h)
	if err != nil {
		return err
	}
	if size > w.s.limit {
		return w.s.omit()
	}
	w.add(h)
	return nil
}

func (w *localWalk) entries(h plumbing.Hash) ([]treeEntry, error) {
	o, err := w.s.repo.EncodedObject(plumbing.TreeObject, h)
	if err != nil {
		return nil, err
	}
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return parseTree(b)
}

type queued struct {
	commit *object.Commit
	had    bool
}

// commitQueue gives the newest commit first.
type commitQueue []queued

// Len is the number of commits.
func (q commitQueue) Len() int { return len(q) }

// Less puts newer commits first.
func (q commitQueue) Less(i, j int) bool {
	return q[i].commit.Committer.When.After(q[j].commit.Committer.When)
}

// Swap swaps two commits.
func (q commitQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds a commit.
func (q *commitQueue) Push(x any) { *q = append(*q, x.(queued)) }

// Pop removes the last commit.
func (q *commitQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
