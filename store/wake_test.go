package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// happenings are what a decision about a deployment with the instance i-1 may miss.
var happenings = map[string]func(w *world){
	"an acknowledgement": func(w *world) {
		a, err := w.AssignmentsOf(w.t.Context(), "i-1")
		w.must(err)
		_, changed, err := w.Acknowledge(w.t.Context(), fleet.Ack{InstanceID: "i-1", Profile: payments,
			Version: a[0].Version, Hash: a[0].Hash, Generation: a[0].Generation, OK: true})
		w.must(err)
		if !changed {
			w.t.Error("the acknowledgement changed nothing")
		}
	},
	"an instance that joins":  func(w *world) { w.register("i-2") },
	"an instance that leaves": func(w *world) { w.must(w.DeregisterInstance(w.t.Context(), "i-1", "ada")) },
}

// A step decides on what it read. Whatever happens between its reading and its
// writing must make the deployment due again, or it is heard of only by chance.
func TestNothingThatHappensDuringAStepIsMissed(t *testing.T) {
	t.Parallel()
	for name, happen := range happenings {
		for _, changed := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				onEach(t, func(t *testing.T, w *world) {
					w.register("i-1")
					d := w.create("1.1.0")
					claim := w.claimOne("a")
					d.State = rollout.InProgress
					w.must(w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: true, Wake: w.clock(),
						Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}}))

					claim = w.claimOne("a")
					d = w.read(d.ID)
					happen(w)
					w.must(w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: changed, Wake: w.clock().Add(time.Hour)}))
					w.claimOne("a")
				})
			})
		}
	}
}

func TestAStepThatNothingDisturbsSleepsAsLongAsItAsked(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		w.must(w.Step(t.Context(), w.claimOne("a"), rollout.Decision{Next: d, Changed: true, Wake: w.clock().Add(time.Hour)}))
		if claims := w.claim("a"); len(claims) != 0 {
			t.Errorf("claimed %d deployments, want none before the hour is over", len(claims))
		}
		due, ok, err := w.NextDue(t.Context())
		w.must(err)
		if want := w.clock().Add(time.Hour); !ok || !due.Equal(want) {
			t.Errorf("next due at %v (%t), want %v", due, ok, want)
		}
		w.advance(time.Hour)
		w.claimOne("a")
	})
}

func TestAFinalStateIsNeverDueAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		w.must(w.WakeDeployment(t.Context(), payments))
		claim := w.claimOne("a")
		d.State, d.FinishedAt = rollout.Cancelled, w.clock()
		w.must(w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: true, Wake: w.clock()}))
		if _, ok, err := w.NextDue(t.Context()); ok || err != nil {
			t.Errorf("a finished deployment is due (%v)", err)
		}
	})
}

// An order is decided on a reading of the fleet too, and a step may be claimed
// between what happens and the order.
func TestNothingThatHappensDuringAnOrderIsMissed(t *testing.T) {
	t.Parallel()
	for name, happen := range happenings {
		for _, claimed := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				onEach(t, func(t *testing.T, w *world) {
					w.register("i-1")
					d := w.create("1.1.0")
					d.State = rollout.InProgress
					w.must(w.Step(t.Context(), w.claimOne("a"), rollout.Decision{Next: d, Changed: true, Wake: w.clock().Add(time.Hour),
						Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}}))

					d = w.read(d.ID)
					happen(w)
					if claimed {
						w.claimOne("a")
					}
					d.State = rollout.Paused
					w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Wake: w.clock().Add(time.Hour)}))
					w.claimOne("a")
				})
			})
		}
	}
}

// A fleet of thousands is not read again while it is being told of the order.
func TestAnOrderThatNothingDisturbsSleepsAsLongAsItAsked(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		d.State = rollout.Paused
		w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Wake: w.clock().Add(time.Hour)}))
		if claims := w.claim("a"); len(claims) != 0 {
			t.Errorf("claimed %d deployments, want none before the hour is over", len(claims))
		}
		w.advance(time.Hour)
		w.claimOne("a")
	})
}

// A fault that passes within seconds must not set every deployment aside: five
// attempts in a row would be over in milliseconds.
func TestAStepThatStoredNothingIsRetriedWhenItsLeaseEnds(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.create("1.1.0")
		first := w.claimOne("a")
		if again := w.claim("a"); len(again) != 0 {
			t.Fatalf("the owner claimed again what it holds: %+v", again)
		}
		w.advance(16 * time.Second)
		second := w.claimOne("a")
		if second.Attempts != 2 || second.Epoch <= first.Epoch {
			t.Errorf("second claim is %+v after %+v", second, first)
		}
		if err := w.Step(t.Context(), first, rollout.Decision{Next: w.read(first.DeploymentID)}); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("the first claim's step gave %v, want ErrStale", err)
		}
	})
}

// An instance that joins while the last step is decided would never get the
// version: the deployment must not end on what was read before.
func TestADeploymentDoesNotEndPastAnInstanceThatJoins(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		w.register("i-1")
		d.State, d.FinishedAt = rollout.Completed, w.clock()
		end := rollout.Decision{Next: d, Changed: true, Current: d.Version}
		if err := w.Step(t.Context(), claim, end); !errors.Is(err, rollout.ErrStale) {
			t.Fatalf("it ended past the instance: %v", err)
		}
		if got := w.read(d.ID); got.State.Final() {
			t.Errorf("it is %s", got.State)
		}
		claim = w.claimOne("a") // due again at once, and not after the lease
		end.Next = w.read(d.ID)
		end.Next.State, end.Next.FinishedAt = rollout.Completed, w.clock()
		w.must(w.Step(t.Context(), claim, end))
	})
}
