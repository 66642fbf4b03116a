package reconciler_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// pullWorld is a world with a forge: pull requests are branches of the real
// repository.
type pullWorld struct {
	*world
	host *board
}

// board is a forge's list of open pull requests.
type board struct {
	mu   sync.Mutex
	open []forge.PullRequest
	err  error
	list func() // called by each listing; may be nil
}

func (b *board) PullRef(number int) string { return fmt.Sprintf("refs/pull/%d/head", number) }

func (b *board) OpenPullRequests(_ context.Context, branch string) ([]forge.PullRequest, error) {
	b.mu.Lock()
	open, err, list := slices.Clone(b.open), b.err, b.list
	b.mu.Unlock()
	if list != nil {
		list()
	}
	if branch != "main" {
		return nil, fmt.Errorf("asked for %s", branch)
	}
	return open, err
}

// becomes changes the board while somebody may be reading it.
func (b *board) becomes(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func newPullWorld(t testing.TB, change ...func(*reconciler.Options)) *pullWorld {
	t.Helper()
	w := &pullWorld{host: &board{}}
	w.world = newWorld(t)
	w.r = w.reconciler(append([]func(*reconciler.Options){func(o *reconciler.Options) {
		o.Host, o.PullGit, o.PullRequestChecks = w.host, reconciler.PullsOf(w.git), true
	}}, change...)...)
	return w
}

// propose commits the files on a branch off the given commit and opens a pull
// request of it, or pushes to the one that is open. It returns its head.
func (w *pullWorld) propose(number int, off string, fs files, change ...func(*forge.PullRequest)) string {
	w.t.Helper()
	w.run("checkout", "-q", "--detach", off)
	head := w.commit(fmt.Sprintf("pull request %d", number), fs)
	w.run("update-ref", w.host.PullRef(number), head)
	w.run("checkout", "-q", "main")
	pr := forge.PullRequest{Number: number, Author: "ada", Title: "A change", Head: head, Branch: "main", Open: true}
	for _, f := range change {
		f(&pr)
	}
	w.close(number)
	w.host.open = append(w.host.open, pr)
	slices.SortFunc(w.host.open, func(a, b forge.PullRequest) int { return a.Number - b.Number })
	return head
}

func (w *pullWorld) close(number int) {
	w.host.open = slices.DeleteFunc(w.host.open, func(pr forge.PullRequest) bool { return pr.Number == number })
}

func (w *pullWorld) checks() reconciler.PullsResult {
	w.t.Helper()
	res, err := w.r.CheckPulls(w.t.Context())
	if err != nil {
		w.t.Fatalf("CheckPulls: %v", err)
	}
	return res
}

// told is everything that a pull request hears of its last check.
func (w *pullWorld) told(number int) (rollout.Status, rollout.Comment) {
	w.t.Helper()
	c, ok := w.store.data.comments[number]
	if !ok {
		w.t.Fatalf("pull request %d has no comment", number)
	}
	s, ok := w.store.data.statuses[[2]string{c.Commit, rollout.CheckContext}]
	if !ok {
		w.t.Fatalf("commit %s has no status %s", c.Commit, rollout.CheckContext)
	}
	return s, c
}
