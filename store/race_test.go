package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// race runs n writers at once and returns their errors.
func race(n int, write func(i int) error) []error {
	start := make(chan struct{})
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = write(i)
		})
	}
	close(start)
	group.Wait()
	return errs
}

func (w *world) oneWinner(errs []error) {
	w.t.Helper()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, rollout.ErrStale):
			w.t.Errorf("a loser got %v, want ErrStale", err)
		}
	}
	if won != 1 {
		w.t.Errorf("%d of %d writers won, want one", won, len(errs))
	}
}

func TestOfManyOrdersOnOneReadingOneWins(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		w.oneWinner(race(8, func(int) error {
			next := d
			next.State = rollout.Paused
			return w.Order(t.Context(), rollout.Decision{Next: next, Changed: true})
		}))
		if got := w.read(d.ID); got.Revision != d.Revision+1 || got.Epoch != d.Epoch+1 {
			t.Errorf("revision %d, epoch %d", got.Revision, got.Epoch)
		}
	})
}

func TestOfManyClaimersOneGetsIt(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.create("1.1.0")
		var claimed atomic.Int64
		errs := race(8, func(i int) error {
			claims, err := w.ClaimDue(t.Context(), string(rune('a'+i)), time.Minute, 10)
			claimed.Add(int64(len(claims)))
			return err
		})
		w.must(errors.Join(errs...))
		if claimed.Load() != 1 {
			t.Errorf("claimed %d times", claimed.Load())
		}
	})
}

func TestOfManyNewDeploymentsOneIsActiveAndTheOthersAreSuperseded(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.must(errors.Join(race(8, func(int) error {
			return w.Create(t.Context(), rollout.Decision{Next: w.deployment("1.1.0"), Changed: true})
		})...))
		_, superseded, err := w.Deployments(t.Context(), store.DeploymentFilter{Status: string(rollout.Superseded)})
		w.must(err)
		if superseded != 7 {
			t.Errorf("%d are superseded, want 7", superseded)
		}
		if _, err := w.ActiveDeployment(t.Context(), payments); err != nil {
			t.Error(err)
		}
	})
}

// A step in flight loses against whatever took the deployment from it.
func TestALateStepChangesNothing(t *testing.T) {
	t.Parallel()
	thefts := map[string]func(w *world, d rollout.Deployment){
		"an order": func(w *world, d rollout.Deployment) {
			d.State = rollout.Paused
			w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true}))
		},
		"a newer deployment": func(w *world, _ rollout.Deployment) { w.create("1.0.0") },
		"another's claim after the lease": func(w *world, _ rollout.Deployment) {
			w.advance(time.Minute)
			w.claimOne("b")
		},
		"its own later claim": func(w *world, _ rollout.Deployment) {
			w.advance(time.Minute)
			w.claimOne("a")
		},
		"claims handed back": func(w *world, _ rollout.Deployment) { w.must(w.ReleaseClaims(t.Context(), "a")) },
	}
	for name, steal := range thefts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.register("i-1")
				d := w.create("1.1.0")
				claim := w.claimOne("a")
				d = w.read(d.ID)
				steal(w, d)
				for _, changed := range []bool{true, false} {
					err := w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: changed, Current: d.Version,
						Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}})
					if !errors.Is(err, rollout.ErrStale) {
						t.Errorf("got %v, want ErrStale", err)
					}
				}
				if a, err := w.AssignmentsOf(t.Context(), "i-1"); err != nil || len(a) != 0 {
					t.Errorf("it assigned %+v (%v)", a, err)
				}
				if err := w.Quarantine(t.Context(), claim, "late"); !errors.Is(err, rollout.ErrStale) {
					t.Errorf("setting it aside gave %v, want ErrStale", err)
				}
			})
		})
	}
}

// Nobody waits for the database longer than his caller does.
func TestAWriterThatWaitsLeavesWithItsCaller(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		record, err := w.Profile(t.Context(), payments)
		w.must(err)
		err = w.InTx(t.Context(), func(tx *store.Tx) error {
			w.must(tx.PutProfile(t.Context(), record))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			return w.PutProfile(ctx, record)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
	})
}

// The hold may come between the plan of a deployment and its writing.
func TestContentThatAHoldRefusesIsNotDeployed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		bad := w.create("1.1.0")
		bad.State, bad.FinishedAt = rollout.RolledBack, w.clock()
		w.must(w.Order(t.Context(), rollout.Decision{Next: bad, Changed: true, Hold: &rollout.Hold{Profile: payments,
			PinnedVersion: "1.0.0", RefusedVersion: "1.1.0", RefusedHash: bad.Hash, Reason: "errors", Actor: "gate", CreatedAt: w.clock()}}))

		err := w.Create(t.Context(), rollout.Decision{Next: w.deployment("1.1.0"), Changed: true})
		if !errors.Is(err, store.ErrRefused) || !errors.Is(err, store.ErrConflict) || !errors.Is(err, rollout.ErrStale) {
			t.Errorf("got %v, want ErrRefused, which is a conflict and stale", err)
		}
		w.create("1.0.0") // other content may come
		w.must(w.ReleaseHold(t.Context(), payments, "ada", "fixed downstream"))
		w.create("1.1.0")
	})
}

// A claim alone is not enough: what was decided must be about the deployment as
// it is.
func TestAStepOnAnOldReadingIsStale(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		old := w.create("1.1.0")
		w.must(w.Step(t.Context(), w.claimOne("a"), rollout.Decision{Next: old, Changed: true, Wake: w.clock()}))
		claim := w.claimOne("a")
		for _, changed := range []bool{true, false} {
			if err := w.Step(t.Context(), claim, rollout.Decision{Next: old, Changed: changed}); !errors.Is(err, rollout.ErrStale) {
				t.Errorf("changed %t: got %v, want ErrStale", changed, err)
			}
		}
	})
}
