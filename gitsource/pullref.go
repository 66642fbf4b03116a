package gitsource

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// pullRef matches the refs that forges keep the heads of pull requests at, forks' ones too.
var pullRef = regexp.MustCompile(`^refs/(?:pull|merge-requests)/[1-9][0-9]{0,8}/head$`)

// isQueued says whether a ref is of the branch's merge queue at GitHub: what the branch becomes with a pull request, and
// with all that wait before it. A slash more would be the queue of a branch whose name goes on.
func (m *Mirror) isQueued(ref string) bool {
	name, ok := strings.CutPrefix(ref, "refs/heads/gh-readonly-queue/"+m.branch.Short()+"/")
	return ok && name != "" && !strings.Contains(name, "/")
}

// maxQueued bounds how many of them are looked at.
const maxQueued = 100

// Queued returns the refs of the branch's merge queue with their commits, as the remote told last, in no order.
func (m *Mirror) Queued() map[string]string {
	if queued := m.queued.Load(); queued != nil {
		return *queued
	}
	return nil
}

// noteQueue remembers the merge queue among all refs of the remote.
func (m *Mirror) noteQueue(refs map[string]plumbing.Hash) {
	queued := map[string]string{}
	for ref, h := range refs {
		if m.isQueued(ref) && len(queued) < maxQueued {
			queued[ref] = h.String()
		}
	}
	m.queued.Store(&queued)
}

// maxPulls bounds how many pull requests are remembered, to tell the remote what is there of them.
const maxPulls = 1024

// FetchRef brings the head of a pull request into the mirror, from refs/pull/N/head or refs/merge-requests/N/head, or a
// commit of the merge queue, and returns its commit. The branch stays where it is. Anybody may open a pull request, so what holds of Fetch
// holds here, and its pack is refused above Limits.MaxPullBytes.
//
// What was fetched may be gone later, when the mirror had to start over: what needs it then returns ErrNotFetched, and
// FetchRef brings it again. A mirror that turns out to be damaged here is deleted, and branch and pull
// request are fetched again. Errors are those of Fetch, ErrOptions for another ref, and ErrRefGone.
func (m *Mirror) FetchRef(ctx context.Context, ref string) (sha string, err error) {
	defer func() { err = m.wrap("fetch a pull request of", err) }()
	defer contain(&err)
	if !pullRef.MatchString(ref) && !m.isQueued(ref) {
		return "", fmt.Errorf("%w: %q is no ref of a pull request", ErrOptions, printable(ref, 64))
	}
	m.fetching.Lock()
	defer m.fetching.Unlock()
	began := time.Now()
	defer func() { m.metrics.Fetched(ctx, time.Since(began), err) }()
	ctx, cancel := context.WithTimeout(ctx, m.limits.FetchTimeout)
	defer cancel()
	h, err := m.freshly(ctx, func() (plumbing.Hash, error) {
		if _, err := m.refs.Reference(m.branch); err != nil {
			// Without the branch a pull request brings the whole history, and more than its limit allows.
			if _, err := m.fetch(ctx, m.branch); err != nil {
				return plumbing.ZeroHash, err
			}
		}
		return m.fetch(ctx, plumbing.ReferenceName(ref))
	})
	if err != nil {
		return "", err
	}
	m.repack(ctx)
	return h.String(), nil
}

// pulled returns the commit that a pull request was at, when it is still there with everything behind it: packs are
// installed whole, and go only all together.
func (m *Mirror) pulled(ref plumbing.ReferenceName) []plumbing.Hash {
	if len(m.pulls) > maxPulls {
		clear(m.pulls)
	}
	if h, ok := m.pulls[ref]; ok && m.store().has(h) {
		return []plumbing.Hash{h}
	}
	return nil
}
