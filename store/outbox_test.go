package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const commit = "c0ffee0000000000000000000000000000000000"

// forge is what the outbox posts to.
type forge struct {
	mu     sync.Mutex
	taken  []rollout.Status
	answer func(s rollout.Status, try int) error // nil takes everything
	tries  map[string]int
}

func (f *forge) post(_ context.Context, s rollout.Status) error {
	f.mu.Lock()
	if f.tries == nil {
		f.tries = map[string]int{}
	}
	f.tries[s.Context]++
	try, answer := f.tries[s.Context], f.answer
	f.mu.Unlock()
	if answer != nil {
		if err := answer(s, try); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = append(f.taken, s)
	return nil
}

// of are the descriptions that the forge took for a context, in order.
func (f *forge) of(statusContext string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, s := range f.taken {
		if s.Context == statusContext {
			out = append(out, s.Description)
		}
	}
	return out
}

func (w *world) set(statusContext string, state rollout.StatusState, text string) {
	w.t.Helper()
	w.must(w.InTx(w.t.Context(), func(tx *store.Tx) error {
		return tx.SetStatus(w.t.Context(), rollout.Status{Source: "configs", Commit: commit, Context: statusContext, State: state, Description: text})
	}))
}

func (w *world) statuses() map[string]store.CommitStatus {
	w.t.Helper()
	list, err := w.CommitStatuses(w.t.Context(), commit[:7])
	w.must(err)
	out := map[string]store.CommitStatus{}
	for _, c := range list {
		out[c.Context] = c
	}
	return out
}

// outbox runs one until stop is called.
func (w *world) outbox(post func(context.Context, rollout.Status) error) (stop func()) {
	w.t.Helper()
	return w.outboxWith(store.OutboxOptions{Post: post})
}

func (w *world) outboxWith(opts store.OutboxOptions) (stop func()) {
	w.t.Helper()
	o, err := store.NewOutbox(w.Store, opts)
	w.must(err)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// eventually waits for a condition that another goroutine brings about.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			w.t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}

func (w *world) posted() {
	w.t.Helper()
	w.eventually("everything is posted", func() bool {
		n, err := w.OutboxPending(w.t.Context())
		return err == nil && n == 0
	})
}

func TestOnlyAChangeIsPostedAndTheAggregateFollows(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{}
		w.outbox(f.post)
		w.set("sluice/a", rollout.StatusPending, "waits")
		w.posted()
		w.set("sluice/a", rollout.StatusPending, "waits")
		w.posted()
		w.set("sluice/b", rollout.StatusFailure, "broken")
		w.set("sluice/a", rollout.StatusSuccess, "done")
		w.posted()
		if got := f.of("sluice/a"); !slices.Equal(got, []string{"waits", "done"}) {
			t.Errorf("posted for a: %q", got)
		}
		if got := w.statuses()[rollout.AggregateContext]; got.State != rollout.StatusFailure || !got.Posted() || got.PostedAt.IsZero() {
			t.Errorf("the aggregate is %+v", got)
		}
	})
}

func TestAnAggregateThatStandsAlone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.set(rollout.AggregateContext, rollout.StatusSuccess, "no profile changed")
		if got := w.statuses(); len(got) != 1 || got[rollout.AggregateContext].Description != "no profile changed" {
			t.Errorf("statuses are %+v", got)
		}
		w.set("sluice/a", rollout.StatusPending, "waits")
		if got := w.statuses()[rollout.AggregateContext]; got.State != rollout.StatusPending {
			t.Errorf("the aggregate is %+v", got)
		}
	})
}

func TestAFailedPostIsShownAndTriedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		seen := make(chan store.CommitStatus, 1)
		f := &forge{answer: func(s rollout.Status, try int) error {
			if try == 1 {
				return errors.New("502 Bad Gateway")
			}
			select {
			case seen <- w.statuses()[s.Context]:
			default:
			}
			return nil
		}}
		w.outbox(f.post)
		w.set("sluice/a", rollout.StatusSuccess, "done")
		w.posted()
		if c := <-seen; c.PostError != "502 Bad Gateway" || c.Posted() {
			t.Errorf("between the attempts the status was %+v", c)
		}
		if c := w.statuses()["sluice/a"]; c.PostError != "" || !c.Posted() {
			t.Errorf("afterwards it is %+v", c)
		}
	})
}

func TestARefusalForGoodIsKeptVisibleAndEndsThatRevisionOnly(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{answer: func(s rollout.Status, _ int) error {
			if s.Description == "first" {
				return fmt.Errorf("422 no such commit: %w", store.ErrTerminal)
			}
			return nil
		}}
		w.outbox(f.post)
		w.set("sluice/a", rollout.StatusPending, "first")
		w.posted()
		if c := w.statuses()["sluice/a"]; c.Posted() || c.PostError == "" || c.RefusedRevision != c.Revision {
			t.Errorf("the refused status is %+v", c)
		}
		w.eventually("its job is given up", func() bool {
			return w.rows(`river_job WHERE state = 'cancelled' AND CAST(args AS TEXT) LIKE '%sluice/a%'`) == 1
		})
		w.set("sluice/a", rollout.StatusSuccess, "second")
		w.posted()
		if c := w.statuses()["sluice/a"]; !c.Posted() || c.PostError != "" {
			t.Errorf("the next one is %+v", c)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.tries["sluice/a"] != 2 {
			t.Errorf("%d attempts, want one of each revision", f.tries["sluice/a"])
		}
	})
}

// A slow post of an old status must not land after a quick post of the newer
// one: the forge would show the old one for good.
func TestTheLatestStatusIsTheLastPosted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		begun, goOn := make(chan struct{}), make(chan struct{})
		f := &forge{answer: func(s rollout.Status, _ int) error {
			if s.Context == "sluice/a" && s.Description == "old" {
				close(begun)
				<-goOn
			}
			return nil
		}}
		w.outbox(f.post)
		w.set("sluice/a", rollout.StatusPending, "old")
		<-begun
		w.set("sluice/a", rollout.StatusSuccess, "new")
		// Another status shows that the workers had their chance at "new" meanwhile.
		w.set("sluice/b", rollout.StatusSuccess, "witness")
		w.eventually("the witness is posted", func() bool { return len(f.of("sluice/b")) == 1 })
		close(goOn)
		w.posted()
		if got := f.of("sluice/a"); !slices.Equal(got, []string{"old", "new"}) {
			t.Errorf("posted in the order %q", got)
		}
	})
}

// kill -9 in the middle of a post leaves a job running and a status taken. The
// next process posts it soon, not when the job's lease ends.
func TestWhatAKilledProcessWasPostingIsPostedSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun := make(chan struct{}, 2)
	o, err := store.NewOutbox(w.Store, store.OutboxOptions{Post: func(ctx context.Context, _ rollout.Status) error {
		begun <- struct{}{}
		<-ctx.Done() // as if killed: nothing is marked while the test looks
		return ctx.Err()
	}})
	w.must(err)
	w.set("sluice/a", rollout.StatusSuccess, "done")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	<-begun
	<-begun
	copied := w.copyOf()
	cancel()
	w.must(<-done)

	f := &forge{}
	start := time.Now()
	copied.outbox(f.post)
	copied.posted()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("posting took %v", took)
	}
	if n := copied.rows("river_job"); n != 2 {
		t.Errorf("%d jobs, want the two that were left", n)
	}
	if got := f.of("sluice/a"); !slices.Equal(got, []string{"done"}) {
		t.Errorf("posted %q", got)
	}
}

// A replica that died in the middle of a post left a job running and a status
// taken. Another posts it when the lease of the post is over.
func TestAnotherReplicaPostsWhatADeadOneWasPosting(t *testing.T) {
	t.Parallel()
	w := newPostgresWorld(t)
	w.set("sluice/a", rollout.StatusSuccess, "done")
	w.must(w.raw(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '10 minutes', attempted_by = '{dead}'`))
	w.must(w.raw(`UPDATE commit_statuses SET posting_until = $1`, w.clock().Add(10*time.Second)))
	f := &forge{}
	w.outboxWith(store.OutboxOptions{Post: f.post, PostTimeout: time.Second})
	w.advance(9 * time.Second)
	w.set("sluice/b", rollout.StatusSuccess, "another")
	w.eventually("the other is posted", func() bool { return len(f.of("sluice/b")) == 1 })
	if got := f.of("sluice/a"); len(got) != 0 {
		t.Errorf("posted %q although the lease is not over", got)
	}
	w.advance(2 * time.Second)
	w.posted()
	if got := f.of("sluice/a"); !slices.Equal(got, []string{"done"}) {
		t.Errorf("posted %q", got)
	}
}

func TestAStatusWhoseJobWasGivenUpIsPostedAfterARestart(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.set("sluice/a", rollout.StatusSuccess, "done")
		w.must(w.raw(`UPDATE river_job SET state = 'discarded', finalized_at = CURRENT_TIMESTAMP`))
		w.advance(time.Minute)
		f := &forge{}
		w.outboxWith(store.OutboxOptions{Post: f.post, PostTimeout: time.Second})
		w.posted()
		if got := f.of("sluice/a"); !slices.Equal(got, []string{"done"}) {
			t.Errorf("posted %q", got)
		}
	})
}

func TestTheOutboxStopsInTimeAlthoughAPostHangs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		begun := make(chan struct{}, 2)
		stop := w.outbox(func(ctx context.Context, _ rollout.Status) error {
			begun <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		w.set("sluice/a", rollout.StatusSuccess, "done")
		<-begun
		start := time.Now()
		stop()
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if n, err := w.OutboxPending(t.Context()); n != 2 || err != nil {
			t.Errorf("%d statuses wait (%v), want both", n, err)
		}
	})
}

// While a forge is away a deployment goes on and says so: only the latest is
// tried again and again, not every step on the way.
func TestOnlyTheLatestStatusIsTriedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{answer: func(rollout.Status, int) error { return errors.New("503 Service Unavailable") }}
		w.outbox(f.post)
		const steps = 12
		for i := range steps {
			w.set("sluice/a", rollout.StatusPending, fmt.Sprintf("canary %d%%", i))
		}
		w.eventually("one job of each status is left", func() bool {
			return w.rows(`river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled') AND CAST(args AS TEXT) LIKE '%sluice/a%'`) == 1
		})
		c := w.statuses()["sluice/a"]
		if n, err := w.OutboxPending(t.Context()); n != 2 || err != nil || c.Revision != steps {
			t.Errorf("%d statuses wait (%v), a is %+v", n, err, c)
		}
		f.mu.Lock()
		f.answer = nil
		f.mu.Unlock()
		w.posted()
		if got := f.of("sluice/a"); !slices.Equal(got, []string{"canary 11%"}) {
			t.Errorf("posted %q, want the latest alone", got)
		}
	})
}

// A status, its aggregate and their jobs stand or fall with what they tell of.
func TestAStatusFallsWithItsTransaction(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		fault := errors.New("fault")
		err := w.tx(func(tx *store.Tx) error {
			err := tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: commit, Context: "sluice/a", State: rollout.StatusSuccess})
			return errors.Join(err, fault)
		})
		if !errors.Is(err, fault) {
			t.Fatal(err)
		}
		err = w.tx(func(tx *store.Tx) error {
			return tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: commit, Context: "sluice/a", State: "splendid"})
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("a state that no forge knows gave %v, want ErrConflict", err)
		}
		if n := w.rows("commit_statuses") + w.rows("river_job"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// A post that panics is a failure of that status alone: it is shown and counted,
// and given up after some attempts.
func TestAPostThatPanics(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{answer: func(s rollout.Status, _ int) error {
			if s.Context == "sluice/a" {
				panic("a bug")
			}
			return nil
		}}
		var panics atomic.Int64
		w.outboxWith(store.OutboxOptions{Post: f.post, Panicked: func() { panics.Add(1) }})
		w.set("sluice/a", rollout.StatusFailure, "broken")
		w.set("sluice/b", rollout.StatusSuccess, "done")
		w.eventually("the failure to be shown", func() bool { return strings.Contains(w.statuses()["sluice/a"].PostError, "panicked") })
		w.eventually("the other to be posted", func() bool { return w.statuses()["sluice/b"].Posted() })
		w.eventually("the bug to be given up", func() bool {
			w.must(w.raw(`UPDATE river_job SET attempt = 4 WHERE state <> 'running' AND attempt < 4`)) // the wait for them is cut short
			return w.statuses()["sluice/a"].RefusedRevision == 1
		})
		w.posted()
		if n := panics.Load(); n < 2 || n > 5 {
			t.Errorf("%d panics were counted", n)
		}
		w.set("sluice/a", rollout.StatusPending, "again")
		w.eventually("a newer one to be tried", func() bool { return panics.Load() > 2 })
	})
}

// A daemon that is stopped in the moment it starts has not failed.
func TestOutboxStoppedBeforeItBegan(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		o, err := store.NewOutbox(w.Store, store.OutboxOptions{Post: func(context.Context, rollout.Status) error { return nil }})
		w.must(err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.must(o.Run(ctx))
	})
}
