package gitsource

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxAncestry bounds how many commits are looked at to see how two commits hang together.
const maxAncestry = 100_000

// Commit reads one commit. Errors wrap ErrNotFetched or ErrCorrupt.
func (m *Mirror) Commit(ctx context.Context, sha string) (_ Commit, err error) {
	defer func() { err = m.wrap("read a commit of", err) }()
	defer contain(&err)
	c, err := m.commitBySHA(ctx, sha)
	if err != nil {
		return Commit{}, err
	}
	return newCommit(c), nil
}

// Range returns every commit that is reachable from to, by any parent, and not from from; the newest comes last and
// each after its parents. With from == "" it is everything behind to. Where commits lie about their time, commits that
// from has may be among them; one that from has not is never left out. Errors wrap ErrNotFetched, ErrTooManyCommits when there
// are more than Limits.MaxCommitsPerSync or too many to look at, or ErrCorrupt.
func (m *Mirror) Range(ctx context.Context, from, to string) (_ []Commit, err error) {
	defer func() { err = m.wrap("list commits of", err) }()
	defer contain(&err)
	var without []string
	if from != "" {
		without = []string{from}
	}
	commits, err := m.between(ctx, without, to, m.limits.MaxCommitsPerSync)
	if err != nil {
		return nil, err
	}
	out := make([]Commit, len(commits))
	for i, h := range commits {
		c, err := m.commitBySHA(ctx, h.String())
		if err != nil {
			return nil, err
		}
		out[i] = newCommit(c)
	}
	return out, nil
}

// between is Range, without the commits' text, for any number of commits to leave out with all that is behind them.
func (m *Mirror) between(ctx context.Context, without []string, to string, limit int) ([]plumbing.Hash, error) {
	a := m.newAncestry()
	if err := a.start(ctx, to, ofFirst); err != nil {
		return nil, err
	}
	for _, sha := range without {
		if err := a.start(ctx, sha, ofSecond|settled); err != nil {
			return nil, err
		}
	}
	if err := a.walk(ctx, nil); err != nil {
		return nil, err
	}
	var out []*link
	for _, c := range a.order {
		if a.paint[c.hash]&ofSecond == 0 {
			if out = append(out, c); len(out) > limit {
				return nil, fmt.Errorf("%w: more than %d", ErrTooManyCommits, limit)
			}
		}
	}
	return parentsFirst(out), nil
}

// parentsFirst orders commits, given roughly newest first, so that each comes after its parents.
func parentsFirst(commits []*link) []plumbing.Hash {
	left := make(map[plumbing.Hash]*link, len(commits))
	for _, c := range commits {
		left[c.hash] = c
	}
	out := make([]plumbing.Hash, 0, len(commits))
	for _, c := range slices.Backward(commits) {
		stack := []*link{c}
		for len(stack) > 0 {
			c := stack[len(stack)-1]
			waits := false
			for _, p := range c.parents {
				if parent := left[p]; parent != nil {
					stack, waits = append(stack, parent), true
				}
			}
			if waits {
				continue
			}
			stack = stack[:len(stack)-1]
			if left[c.hash] != nil {
				delete(left, c.hash)
				out = append(out, c.hash)
			}
		}
	}
	return out
}

// mergeBase returns the best common ancestor of two commits, one of them when there are several (a criss-cross). The
// zero hash is none.
func (m *Mirror) mergeBase(ctx context.Context, one, other plumbing.Hash) (plumbing.Hash, error) {
	candidates, err := m.commonAncestors(ctx, one, other)
	if err != nil || len(candidates) == 0 {
		return plumbing.ZeroHash, err
	}
	best := candidates[0]
	// Clocks that go wrong can leave an ancestor of the best among them, or in its place.
	for _, c := range candidates[1:] {
		common, err := m.commonAncestors(ctx, best, c)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		if slices.Contains(common, best) {
			best = c
		}
	}
	return best, nil
}

// maxBases bounds how many common ancestors are compared with each other.
const maxBases = 64

func (m *Mirror) commonAncestors(ctx context.Context, one, other plumbing.Hash) ([]plumbing.Hash, error) {
	a := m.newAncestry()
	if err := a.start(ctx, one.String(), ofFirst); err != nil {
		return nil, err
	}
	if err := a.start(ctx, other.String(), ofSecond); err != nil {
		return nil, err
	}
	var found []plumbing.Hash
	err := a.walk(ctx, func(h plumbing.Hash) {
		if a.paint[h]&(ofFirst|ofSecond|settled) == ofFirst|ofSecond {
			found = append(found, h)
			a.paint[h] |= settled // what lies behind it is common too, and no better
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b plumbing.Hash) int { return cmp.Compare(a.String(), b.String()) })
	found = slices.DeleteFunc(found, func(h plumbing.Hash) bool { return a.paint[h]&behind != 0 })
	return found[:min(len(found), maxBases)], nil
}

// paint says from where a commit was reached.
type paint uint8

const (
	ofFirst paint = 1 << iota
	ofSecond
	settled // nothing behind it is looked for; it only tells its parents
	behind  // a settled commit was its child
)

// link is what is kept of a commit to find the way: very many are.
type link struct {
	hash    plumbing.Hash
	parents []plumbing.Hash
	when    time.Time
}

// ancestry goes back from two commits by commit time, newest first, and lets each commit pass its paint on to its
// parents. It ends when all that waits is settled, and older than what is not.
type ancestry struct {
	m      *Mirror
	queue  paintQueue
	paint  map[plumbing.Hash]paint
	told   map[plumbing.Hash]paint // what a commit has told its parents
	known  map[plumbing.Hash]*link
	open   int     // commits in the queue that are not settled
	order  []*link // as first met
	oldest time.Time
}

func (m *Mirror) newAncestry() *ancestry {
	return &ancestry{m: m, paint: map[plumbing.Hash]paint{}, told: map[plumbing.Hash]paint{}, known: map[plumbing.Hash]*link{}}
}

// start begins at a commit that a caller names.
func (a *ancestry) start(ctx context.Context, sha string, p paint) error {
	if !plumbing.IsHash(sha) {
		return fmt.Errorf("%w: not a commit id", ErrNotFetched)
	}
	return a.add(ctx, plumbing.NewHash(sha), p)
}

// add gives a commit more paint; it has to tell its parents what is new of it.
func (a *ancestry) add(ctx context.Context, h plumbing.Hash, p paint) error {
	c := a.known[h]
	if c != nil && a.paint[h]|p == a.paint[h] {
		return nil
	}
	if c == nil {
		o, err := a.m.commitBySHA(ctx, h.String())
		if err != nil {
			return err
		}
		c = &link{hash: h, parents: o.ParentHashes, when: o.Committer.When}
		a.known[h] = c
	}
	a.paint[h] |= p
	isSettled := a.paint[h]&settled != 0
	if !isSettled {
		a.open++
	}
	heap.Push(&a.queue, waiting{c, isSettled})
	return nil
}

// unfinished reports whether the queue can still change what is known of the commits that are not settled.
func (a *ancestry) unfinished() bool {
	return a.open > 0 || len(a.queue) > 0 && !a.oldest.IsZero() && !a.queue[0].when.Before(a.oldest)
}

// walk goes back as far as needed. It tells met, unless that is nil, each commit it comes to, before its parents.
func (a *ancestry) walk(ctx context.Context, met func(plumbing.Hash)) error {
	for looks := 0; a.unfinished(); looks++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if looks > maxAncestry {
			return fmt.Errorf("%w: more than %d to look at", ErrTooManyCommits, maxAncestry)
		}
		w := heap.Pop(&a.queue).(waiting)
		if !w.settled {
			a.open--
			if a.oldest.IsZero() || w.when.Before(a.oldest) {
				a.oldest = w.when
			}
		}
		if _, again := a.told[w.hash]; !again {
			a.order = append(a.order, w.link)
		}
		if met != nil {
			met(w.hash)
		}
		if err := a.tell(ctx, w.link); err != nil {
			return err
		}
	}
	return nil
}

// tell passes a commit's paint on to its parents.
func (a *ancestry) tell(ctx context.Context, c *link) error {
	p := a.paint[c.hash]
	if a.told[c.hash] == p {
		return nil
	}
	a.told[c.hash] = p
	if p&settled != 0 {
		p |= behind
	}
	for _, parent := range c.parents {
		if err := a.add(ctx, parent, p); err != nil {
			return err
		}
	}
	return nil
}

type waiting struct {
	*link
	settled bool
}

// paintQueue gives the newest commit first.
type paintQueue []waiting

// Len is the number of commits.
func (q paintQueue) Len() int { return len(q) }

// Less puts newer commits first.
func (q paintQueue) Less(i, j int) bool {
	return q[i].when.After(q[j].when)
}

// Swap swaps two commits.
func (q paintQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds a commit.
func (q *paintQueue) Push(x any) { *q = append(*q, x.(waiting)) }

// Pop removes the last commit.
func (q *paintQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
