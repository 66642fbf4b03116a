package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// harbour is a pullWorld of plain maps, for what does not depend on Git.
type harbour struct {
	t     *testing.T
	git   *modelGit
	pulls *modelPulls
	store *fakeStore
	host  *board
	r     *reconciler.Reconciler
}

func newHarbour(t *testing.T, change ...func(*harbour, *reconciler.Options)) *harbour {
	t.Helper()
	h := &harbour{t: t, git: &modelGit{commits: map[string]modelCommit{}}, store: newFakeStore(), host: &board{}}
	h.pulls = &modelPulls{h.git, map[string]string{}}
	opts := reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles", PollInterval: time.Minute}, Git: h.git, Store: h.store,
		Host: h.host, PullGit: h.pulls, PullRequestChecks: true, Rand: func() float64 { return 0.5 },
	}
	for _, f := range change {
		f(h, &opts)
	}
	r, err := reconciler.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	h.r = r
	h.push(files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")})
	return h
}

// push commits to main and syncs.
func (h *harbour) push(change files) {
	h.t.Helper()
	h.git.commit(h.with(h.git.head, change))
	if _, err := h.r.Sync(h.t.Context()); err != nil {
		h.t.Fatalf("Sync: %v", err)
	}
}

func (h *harbour) with(commit string, change files) files {
	tree := files{}
	maps.Copy(tree, h.git.commits[commit].tree)
	maps.Copy(tree, change)
	return tree
}

// propose opens a pull request of one commit on main, or pushes to it.
func (h *harbour) propose(number int, change files) string {
	main := h.git.head
	h.git.commit(h.with(main, change))
	head := h.git.head
	h.git.head = main
	h.pulls.refs[h.host.PullRef(number)] = head
	for i, pr := range h.host.open {
		if pr.Number == number {
			h.host.open[i].Head = head
			return head
		}
	}
	h.host.open = append(h.host.open, forge.PullRequest{Number: number, Head: head, Branch: "main"})
	return head
}

func (h *harbour) pass(want reconciler.PullsResult) {
	h.t.Helper()
	if got, err := h.r.CheckPulls(h.t.Context()); err != nil || got != want {
		h.t.Fatalf("the pass did %+v, %v, want %+v", got, err, want)
	}
}

// comment is what the pull request reads, "" before anything.
func (h *harbour) comment(number int) string { return h.store.data.comments[number].Body }

func (h *harbour) status(commit string) rollout.Status {
	return h.store.data.statuses[[2]string{commit, rollout.CheckContext}]
}

func TestAPullRequestIsToldWhatIsNew(t *testing.T) {
	t.Parallel()
	h := newHarbour(t)
	first := h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
	h.pass(reconciler.PullsResult{Checked: 1})
	if s := h.status(first); s.State != rollout.StatusSuccess || s.Description != "1 profile: a 1.0.0 → 1.0.1 (patch)" {
		t.Errorf("the head hears %s: %s", s.State, s.Description)
	}
	h.pass(reconciler.PullsResult{})

	h.push(files{"profiles/b.yaml": doc("b", "x: 2")}) // nothing to do with it
	h.pass(reconciler.PullsResult{Checked: 1})
	if c := h.store.data.checks[1]; c.Base != h.git.head || len(h.store.data.commented) != 1 {
		t.Errorf("a base that moved elsewhere: checked at %s, told %d times", c.Base, len(h.store.data.commented))
	}
	h.pass(reconciler.PullsResult{})

	h.push(files{"profiles/a.yaml": doc("a", "x: 1, y: 1")}) // takes its ground away
	h.pass(reconciler.PullsResult{Checked: 1})
	if s := h.status(first); s.State != rollout.StatusFailure || s.Description != "cannot be merged: profiles/a.yaml was changed on both sides" {
		t.Errorf("in a conflict the head hears %s: %s", s.State, s.Description)
	}

	second := h.propose(1, files{"profiles/a.yaml": doc("a", "x: 3, y: 1")})
	h.pass(reconciler.PullsResult{Checked: 1})
	if s := h.status(second); s.State != rollout.StatusSuccess || h.store.data.comments[1].Commit != second {
		t.Errorf("the new head hears %s: %s", s.State, s.Description)
	}
	said := h.comment(1)

	h.store.fleets = map[string]rollout.Snapshot{"a": crew(h.store.now, 4)}
	h.pass(reconciler.PullsResult{})
	h.store.ask(1)
	h.pass(reconciler.PullsResult{Checked: 1})
	if h.comment(1) == said || !strings.Contains(h.comment(1), "4 live instances") || h.store.data.checks[1].Asked {
		t.Errorf("asked for, it says\n%s", h.comment(1))
	}
	h.pass(reconciler.PullsResult{})

	h.host.open = nil
	h.pass(reconciler.PullsResult{})
	if len(h.store.data.checks) != 0 {
		t.Errorf("closed ones are remembered: %v", h.store.data.checks)
	}
}

// Who asks while a check runs is answered by the next one.
func TestAskedWhileChecking(t *testing.T) {
	t.Parallel()
	asks := 0
	h := newHarbour(t, func(h *harbour, o *reconciler.Options) {
		o.PullGit = fetching{h.pulls, func(string) error {
			if asks > 0 {
				asks--
				h.store.ask(1)
			}
			return nil
		}}
	})
	h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
	h.pass(reconciler.PullsResult{Checked: 1})
	asks = 1
	h.store.ask(1)
	h.pass(reconciler.PullsResult{Checked: 1})
	h.pass(reconciler.PullsResult{Checked: 1})
	h.pass(reconciler.PullsResult{})
}

// fetching does something with each pull request that is fetched.
type fetching struct {
	reconciler.PullGit
	do func(ref string) error
}

func (f fetching) FetchRef(ctx context.Context, ref string) (string, error) {
	if err := f.do(ref); err != nil {
		return "", err
	}
	return f.PullGit.FetchRef(ctx, ref)
}

func TestManyPullRequests(t *testing.T) {
	t.Parallel()
	h := newHarbour(t)
	for n := 1; n <= 45; n++ {
		h.propose(n, files{"profiles/a.yaml": doc("a", fmt.Sprintf("x: %d", n+1))})
	}
	h.pass(reconciler.PullsResult{Checked: 20, Left: 25})
	h.pass(reconciler.PullsResult{Checked: 20, Left: 5})
	h.pass(reconciler.PullsResult{Checked: 5})
	h.push(files{"profiles/b.yaml": doc("b", "x: 2")})
	head := h.propose(44, files{"profiles/a.yaml": doc("a", "x: 99")})
	h.store.ask(45)
	h.pass(reconciler.PullsResult{Checked: 20, Left: 25})
	if h.status(head).State != rollout.StatusSuccess || h.store.data.checks[45].Asked {
		t.Error("a base that moved had the turn of a new head, or of somebody who asked")
	}
	h.pass(reconciler.PullsResult{Checked: 20, Left: 5})
	h.pass(reconciler.PullsResult{Checked: 5})
	h.pass(reconciler.PullsResult{})
}

func TestAForgeThatFails(t *testing.T) {
	t.Parallel()
	h := newHarbour(t)
	head := h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
	h.host.err = errors.New("502 of the forge\n")
	if res, err := h.r.CheckPulls(t.Context()); err == nil || res != (reconciler.PullsResult{}) {
		t.Errorf("the pass did %+v, %v", res, err)
	}
	if got := h.store.pullsFailure; got != "list the pull requests into main: 502 of the forge " {
		t.Errorf("recorded %q", got)
	}
	h.push(files{"profiles/b.yaml": doc("b", "x: 2")}) // which it must not fail
	if got := h.store.data.failures["configs"]; got != "" {
		t.Errorf("the source failed: %s", got)
	}
	h.host.err = nil
	h.pass(reconciler.PullsResult{Checked: 1})
	if h.store.pullsFailure != "" || h.status(head).State != rollout.StatusSuccess {
		t.Errorf("still recorded: %q", h.store.pullsFailure)
	}
}

// One that cannot be fetched waits, longer each time, and has the turn of nobody.
func TestOneThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tried []time.Duration
		began := time.Now()
		h := newHarbour(t, func(h *harbour, o *reconciler.Options) {
			o.PullGit = fetching{h.pulls, func(ref string) error {
				if ref == "refs/pull/1/head" {
					tried = append(tried, time.Since(began))
					return gitsource.ErrRemote
				}
				return nil
			}}
		})
		h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
		h.propose(2, files{"profiles/a.yaml": doc("a", "x: 3")})
		h.pass(reconciler.PullsResult{Checked: 1, Failed: 1})
		for range 8 {
			time.Sleep(time.Minute)
			if _, err := h.r.CheckPulls(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := []time.Duration{0, 2 * time.Minute, 6 * time.Minute}
		if fmt.Sprint(tried) != fmt.Sprint(want) || h.comment(2) == "" {
			t.Errorf("tried after %v, want %v", tried, want)
		}
	})
}

// What is the pull request's own fault is said, and not tried again.
func TestTroubleIsSaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		git  func(h *harbour) reconciler.PullGit
		want string
	}{
		"a panic": {func(h *harbour) reconciler.PullGit {
			return merging{h.pulls, func(context.Context) error { panic("hostile") }}
		}, "internal error: looking at it panicked"},
		"no common history": {func(h *harbour) reconciler.PullGit { return merging{h.pulls, failing(gitsource.ErrUnrelated)} }, "its history has nothing in common with the branch: base it on the branch"},
		"too old":           {func(h *harbour) reconciler.PullGit { return merging{h.pulls, failing(gitsource.ErrTooManyCommits)} }, "it left the branch too many commits ago: bring it up to date"},
		"too large": {func(h *harbour) reconciler.PullGit {
			return fetching{h.pulls, func(string) error { return gitsource.ErrLimit }}
		}, "it is larger than the limits allow"},
		"too slow": {func(h *harbour) reconciler.PullGit {
			return merging{h.pulls, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		}, "it took more than 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour(t, func(h *harbour, o *reconciler.Options) { o.PullGit = test.git(h) })
				head := h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
				h.pass(reconciler.PullsResult{Checked: 1})
				if s := h.status(head); s.State != rollout.StatusError || s.Description != "cannot be checked: "+test.want {
					t.Errorf("the head hears %s: %s", s.State, s.Description)
				}
				if c := h.comment(1); !strings.HasPrefix(c, "⚠️ **Sluice could not check this:** "+test.want) || h.store.data.checks[1].Passed {
					t.Errorf("the comment says\n%s", c)
				}
				h.pass(reconciler.PullsResult{})
			})
		})
	}
}

func failing(err error) func(context.Context) error {
	return func(context.Context) error { return fmt.Errorf("merge: %w", err) }
}

// merging does something before each merge.
type merging struct {
	reconciler.PullGit
	do func(ctx context.Context) error
}

func (m merging) Merge(ctx context.Context, into, from string) (reconciler.Merge, error) {
	if err := m.do(ctx); err != nil {
		return reconciler.Merge{}, err
	}
	return m.PullGit.Merge(ctx, into, from)
}

// A sync between two checks counts for the second one.
func TestASyncGoesFirst(t *testing.T) {
	t.Parallel()
	var h *harbour
	h = newHarbour(t, func(made *harbour, o *reconciler.Options) {
		o.PullGit = fetching{made.pulls, func(ref string) error {
			if ref == "refs/pull/1/head" && len(h.store.data.checks) == 0 {
				h.push(files{"profiles/b.yaml": doc("b", "x: 2")})
			}
			return nil
		}}
	})
	h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
	h.propose(2, files{"profiles/a.yaml": doc("a", "x: 3")})
	old := h.git.head
	h.pass(reconciler.PullsResult{Checked: 2})
	if h.store.data.checks[1].Base != old || h.store.data.checks[2].Base != h.git.head {
		t.Errorf("checked at %v, want the first at %s and the second at %s", h.store.data.checks, old, h.git.head)
	}
	h.pass(reconciler.PullsResult{Checked: 1}) // the first one again
}

// What was read for one check is not believed in the next: deployments end at any time.
func TestEachCheckAsksAnew(t *testing.T) {
	t.Parallel()
	h := newHarbour(t, func(h *harbour, o *reconciler.Options) {
		o.PullGit = fetching{h.pulls, func(ref string) error {
			if ref == "refs/pull/2/head" {
				h.store.finish(h.t, "a", rollout.Completed)
			}
			return nil
		}}
	})
	h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
	h.propose(2, files{"profiles/a.yaml": doc("a", "x: 3")})
	h.pass(reconciler.PullsResult{Checked: 2})
	const under = "a deployment of 1.0.0 is Pending: the merge supersedes it"
	if !strings.Contains(h.comment(1), under) || strings.Contains(h.comment(2), under) {
		t.Errorf("the first says\n%s\nthe second\n%s", h.comment(1), h.comment(2))
	}
}

func TestOnePassAtATime(t *testing.T) {
	t.Parallel()
	locks := coord.NewMemory()
	h := newHarbour(t, func(_ *harbour, o *reconciler.Options) { o.Locker = locks })
	h.propose(1, files{"profiles/a.yaml": doc("a", "x: 2")})
	unlock, err := locks.Lock(t.Context(), "pulls/configs", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h.pass(reconciler.PullsResult{Skipped: true})
	unlock()
	h.pass(reconciler.PullsResult{Checked: 1})
}

func TestNoChecksWithoutAForgeOrASync(t *testing.T) {
	t.Parallel()
	h := newHarbour(t, func(_ *harbour, o *reconciler.Options) { o.PullRequestChecks = false })
	h.pass(reconciler.PullsResult{Skipped: true})
	h = newHarbour(t)
	h.store.data.heads = map[string]string{}
	h.pass(reconciler.PullsResult{Skipped: true})
	_, err := reconciler.New(reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs"}, Git: h.git, Store: h.store, Host: h.host, PullRequestChecks: true,
	})
	if !errors.Is(err, reconciler.ErrOptions) {
		t.Errorf("New without a PullGit: %v", err)
	}
}

// TestRunLooksAtPullRequests: after each sync, seldom while the forge fails, and
// never in the way of a sync.
func TestRunLooksAtPullRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t)
		began := time.Now()
		var listed []time.Duration
		stuck := make(chan struct{})
		h.host.list = func() { listed = append(listed, time.Since(began)) }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.r.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		h.host.becomes(func() { h.host.err = errors.New("502") })
		time.Sleep(7 * time.Minute)
		synctest.Wait()
		h.host.becomes(func() { h.host.err = nil })
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		want := []time.Duration{
			500 * time.Millisecond, 60500 * time.Millisecond, // after each sync
			120500 * time.Millisecond, 240500 * time.Millisecond, 480500 * time.Millisecond, // while it fails
		}
		if len(listed) < 6 || fmt.Sprint(listed[:5]) != fmt.Sprint(want) {
			t.Errorf("listed after %v, want %v and more", listed, want)
		}
		h.host.becomes(func() { h.host.list = func() { <-stuck } }) // a forge that does not answer
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		h.git.commit(h.with(h.git.head, files{"profiles/a.yaml": doc("a", "x: 7")}))
		h.r.Wake()
		synctest.Wait()
		if h.store.data.heads["configs"] != h.git.head {
			t.Error("a forge that does not answer holds up a merged commit")
		}
		close(stuck)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
