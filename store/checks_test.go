package store_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// TestPullRequestChecks: what a check was asked for, and by whom it was answered.
func TestPullRequestChecks(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		first := rollout.PullRequestCheck{
			Source: "configs", PullRequest: 7, Head: "c0ffee", Base: "ba5e", Passed: true, At: w.clock(), Essence: "e",
		}
		put := func(c rollout.PullRequestCheck) {
			t.Helper()
			w.must(w.tx(func(tx *store.Tx) error { return tx.PutCheck(ctx, c) }))
		}
		remembered := func(want ...rollout.PullRequestCheck) {
			t.Helper()
			got, err := w.PullChecks(ctx, "configs")
			w.must(err)
			same(t, got, want)
		}
		w.must(w.AskCheck(ctx, "configs", 7)) // never checked: it is, without being asked for
		remembered()
		other := rollout.PullRequestCheck{Source: "other", PullRequest: 7, Head: "a", Base: "b", At: w.clock(), Essence: "e"}
		put(first)
		put(other)
		remembered(first)

		w.must(w.AskCheck(ctx, "configs", 7))
		asked := first
		asked.Asks, asked.Asked = 1, true
		remembered(asked)
		w.must(w.AskCheck(ctx, "configs", 7)) // once more, while the check for the first one runs
		w.advance(time.Minute)
		second := rollout.PullRequestCheck{
			Source: "configs", PullRequest: 7, Head: "beef", Base: "ba5e2", At: w.clock(), Essence: "f", Asks: 1,
		}
		put(second)
		again := second
		again.Asks, again.Asked = 2, true
		remembered(again)
		second.Asks = 2
		put(second)
		remembered(second)

		w.must(w.tx(func(tx *store.Tx) error { return tx.ForgetCheck(ctx, "configs", 7) }))
		remembered()
		if got, err := w.PullChecks(ctx, "other"); err != nil || len(got) != 1 {
			t.Errorf("another source's checks are %v, %v", got, err)
		}
		w.advance(48 * time.Hour)
		first.At = w.clock()
		put(first)
		removed, err := w.Retain(ctx, store.Retention{Versions: 100, Age: 24 * time.Hour, AuditAge: 24 * 365 * time.Hour})
		remembered(first)
		if err != nil || removed["pull_request_checks"] != 1 {
			t.Errorf("%v removed, %v", removed, err)
		}
	})
}

// TestTheCheckIsNoPartOfTheAggregate: neither makes it nor changes it.
func TestTheCheckIsNoPartOfTheAggregate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.set(rollout.CheckContext, rollout.StatusFailure, "bad")
		statuses, err := w.CommitStatuses(t.Context(), commit)
		w.must(err)
		if len(statuses) != 1 || statuses[0].Context != rollout.CheckContext {
			t.Errorf("a check alone made %v", statuses)
		}
		w.set("sluice/a", rollout.StatusSuccess, "done")
		w.set(rollout.CheckContext, rollout.StatusError, "worse")
		statuses, err = w.CommitStatuses(t.Context(), commit)
		w.must(err)
		if len(statuses) != 3 || statuses[0].Context != rollout.AggregateContext || statuses[0].State != rollout.StatusSuccess ||
			statuses[0].Description != "done" {
			t.Errorf("the aggregate is %+v", statuses)
		}
	})
}

// TestFleet reads who a deployment that is not made yet would go to.
func TestFleet(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.register("i-2")
		_, err := w.BeginFreeze(t.Context(), "ada", "the sale", 0)
		w.must(err)
		snap, err := w.Fleet(t.Context(), rollout.Deployment{
			Profile: payments, Selector: fleet.Selector{Service: "payment-service", Environment: profile.Production},
		})
		w.must(err)
		if len(snap.Targets) != 2 || !snap.Freeze.InForce(w.clock()) || !snap.Traffic.Acked {
			t.Errorf("the fleet is %+v", snap)
		}
	})
}

func TestPullsFailure(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, reason := range []string{"", "502", "502", ""} {
			w.must(w.RecordPullsFailure(t.Context(), "configs", reason))
			if got, err := w.PullsFailure(t.Context(), "configs"); err != nil || got != reason {
				t.Errorf("recorded %q, read %q, %v", reason, got, err)
			}
		}
	})
}
