package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// frozen is the freeze as a step would read it.
func (w *world) frozen() bool {
	w.t.Helper()
	snap, err := w.Snapshot(w.t.Context(), rollout.Deployment{Profile: payments}, nil)
	w.must(err)
	return snap.Freeze.InForce(w.clock())
}

// facts lists the audit events of a type, oldest first.
func (w *world) facts(kind string) (out []rollout.Fact) {
	w.t.Helper()
	events, _, err := w.Audit(w.t.Context(), store.AuditFilter{EventType: kind, Limit: 1000})
	w.must(err)
	for i := range events {
		out = append(out, events[len(events)-1-i].Fact)
	}
	return out
}

func TestFreezes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		if f, err := w.Freeze(ctx); f != nil || err != nil || w.frozen() {
			t.Fatalf("a new database is frozen: %v %v", f, err)
		}
		if err := w.EndFreeze(ctx, "ada", "none"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ending none gave %v, want ErrNotFound", err)
		}
		f, err := w.BeginFreeze(ctx, "ada", "incident", time.Hour)
		w.must(err)
		if !f.ExpiresAt.Equal(w.clock().Add(time.Hour)) || !w.frozen() {
			t.Errorf("%+v", f)
		}
		w.advance(time.Hour)
		if w.frozen() {
			t.Error("in force when its time is over")
		}
		if err := w.EndFreeze(ctx, "ada", "too late"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ending an expired one gave %v, want ErrNotFound", err)
		}
		_, err = w.BeginFreeze(ctx, "ben", "night", 0)
		w.must(err)
		_, err = w.BeginFreeze(ctx, "cleo", "release", 0)
		w.must(err)
		k, err := w.Stock(ctx)
		w.must(err)
		if !k.Frozen {
			t.Error("the stock does not know of it")
		}
		w.must(w.EndFreeze(ctx, "dan", "done"))
		if w.frozen() || w.rows("freezes") != 3 {
			t.Errorf("ended, of %d freezes", w.rows("freezes"))
		}
		var begun, ended []string
		for _, f := range w.facts(rollout.FactFreezeBegun) {
			begun = append(begun, f.Actor)
		}
		for _, f := range w.facts(rollout.FactFreezeEnded) {
			ended = append(ended, f.Actor)
		}
		if len(begun) != 3 || len(ended) != 2 || ended[0] != "cleo" || ended[1] != "dan" {
			t.Errorf("begun by %v, ended by %v: an expired one ends by nobody", begun, ended)
		}
		w.advance(100 * 24 * time.Hour)
		_, err = w.Retain(ctx, store.DefaultRetention())
		w.must(err)
		if w.rows("freezes") != 0 {
			t.Error("retention keeps freezes that are long over")
		}
	})
}

// Whoever froze can rely on it when the call returns: a step that has not seen
// the freeze is not stored any more, and what goes back is left alone.
func TestAFreezeInterruptsSteps(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		d = w.read(d.ID)
		_, err := w.BeginFreeze(t.Context(), "ada", "incident", 0)
		w.must(err)
		d.State, d.StartedAt = rollout.InProgress, w.clock()
		if err := w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: true}); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("a step from before the freeze gave %v, want ErrStale", err)
		}
		w.must(w.Step(t.Context(), w.claimOne("b"), rollout.Decision{Next: w.read(d.ID), Wake: w.clock().Add(time.Hour)}))
		if n := len(w.claim("b")); n != 0 {
			t.Errorf("%d are due", n)
		}
		w.must(w.EndFreeze(t.Context(), "ada", "over"))
		back := w.read(d.ID)
		w.must(w.Step(t.Context(), w.claimOne("b"), rollout.Decision{Next: back, Wake: w.clock().Add(time.Hour)}))

		back.State, back.RollbackAt = rollout.RollingBack, w.clock()
		w.must(w.Order(t.Context(), rollout.Decision{Next: back, Changed: true}))
		claim = w.claimOne("a")
		_, err = w.BeginFreeze(t.Context(), "ada", "incident", 0)
		w.must(err)
		w.must(w.Step(t.Context(), claim, rollout.Decision{Next: w.read(d.ID), Wake: w.clock()}))
	})
}

// A retry is the explicit decision to deploy what a hold refuses; nothing else is.
func TestARetryEndsTheHold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		bad := w.create("1.1.0")
		bad.State, bad.FinishedAt = rollout.RolledBack, w.clock()
		w.must(w.Order(ctx, rollout.Decision{Next: bad, Changed: true, Hold: &rollout.Hold{Profile: payments,
			PinnedVersion: "1.0.0", RefusedVersion: "1.1.0", RefusedHash: bad.Hash, Reason: "errors", Actor: "gate", CreatedAt: w.clock()}}))
		again := w.deployment("1.1.0")
		again.Force = "the glass"
		if err := w.Create(ctx, rollout.Decision{Next: again, Changed: true}); !errors.Is(err, store.ErrRefused) {
			t.Errorf("force broke the hold: %v", err)
		}
		other := w.deployment("1.0.0")
		w.must(w.Create(ctx, rollout.Decision{Next: other, Changed: true, Release: "not what is refused"}))
		if _, held, err := w.ActiveHold(ctx, payments); err != nil || !held {
			t.Errorf("other content ended the hold (%v)", err)
		}
		again.RetryOf = bad.ID
		w.must(w.Create(ctx, rollout.Decision{Next: again, Changed: true, Release: "the database is back"}))
		if _, held, err := w.ActiveHold(ctx, payments); err != nil || held {
			t.Errorf("the hold is still in force (%v)", err)
		}
		ended := w.facts(rollout.FactHoldEnded)
		if len(ended) != 1 || ended[0].Actor != again.InitiatedBy || ended[0].Details["reason"] != "the database is back" {
			t.Errorf("told as %+v", ended)
		}
		if got := w.read(again.ID); got.RetryOf != bad.ID {
			t.Errorf("a retry of %q", got.RetryOf)
		}
	})
}

// Of many who decide on one reading of a profile one wins, and the others learn it.
func TestOfManyNewDeploymentsOnOneReadingOneWins(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.create("1.0.0")
		basis, err := w.Basis(t.Context(), payments)
		w.must(err)
		w.oneWinner(race(8, func(int) error {
			return w.Create(t.Context(), rollout.Decision{Next: w.deployment("1.1.0"), Changed: true, Basis: &basis})
		}))
		if basis, err = w.Basis(t.Context(), payments); err != nil {
			t.Fatal(err)
		}
		basis.Current = "0.9.0"
		if err := w.Create(t.Context(), rollout.Decision{Next: w.deployment("1.1.0"), Changed: true, Basis: &basis}); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("another current version gave %v, want ErrStale", err)
		}
		if _, err := w.Basis(t.Context(), "no-such"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no profile gave %v, want ErrNotFound", err)
		}
	})
}

func TestOverrunIsStored(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		r, err := w.Profile(t.Context(), payments)
		w.must(err)
		r.Windows.Overrun = profile.OverrunHold
		w.must(w.PutProfile(t.Context(), r))
		if r, err = w.Profile(t.Context(), payments); err != nil || r.Windows.Overrun != profile.OverrunHold {
			t.Errorf("%+v %v", r.Windows, err)
		}
	})
}
