package store_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// stepDue steps the deployment as the engine does, if it is due.
func (w *world) stepDue() (stepped bool, after rollout.Deployment) {
	w.t.Helper()
	for _, claim := range w.claim("a") {
		d := w.read(claim.DeploymentID)
		snap, err := w.Snapshot(w.t.Context(), d, rollout.Readings(d, w.clock()))
		w.must(err)
		dec := rollout.Decide(d, snap, w.clock())
		w.must(w.Step(w.t.Context(), claim, dec))
		stepped, after = true, dec.Next
	}
	return stepped, after
}

// acknowledgedOneByOne has n instances acknowledge a Direct deployment, one in a millisecond, and
// counts how often the deployment was stepped for it. It gives what it was after the last step, too.
func (w *world) acknowledgedOneByOne(n int) (steps int, d rollout.Deployment) {
	w.t.Helper()
	ids := w.registerMany(n)
	w.must(w.raw(`UPDATE service_instances SET last_heartbeat = $1`, w.either("1772366400000000", "2026-03-01 12:00:00Z")))
	d = w.deployment("1.1.0")
	d.Strategy.Type, d.Health.Enabled = "Direct", false
	w.must(w.Create(w.t.Context(), rollout.Decision{Next: d, Changed: true}))
	if stepped, after := w.stepDue(); !stepped || after.Progress.Assigned != n {
		w.t.Fatalf("at first it is %+v, want it assigned to all", after)
	}
	given := w.assignment(ids[0])
	for _, id := range ids {
		w.advance(time.Millisecond)
		_, changed, err := w.Acknowledge(w.t.Context(), fleet.Ack{
			InstanceID: id, Profile: payments, Version: given.Version, Hash: given.Hash, Generation: given.Generation, OK: true,
		})
		w.must(err)
		if !changed {
			w.t.Fatalf("%s had acknowledged before", id)
		}
		if stepped, after := w.stepDue(); stepped {
			steps, d = steps+1, after
		}
	}
	return steps, d
}

// A large fleet is not read again for each of its instances that acknowledges, and the last one
// is acted on as soon as the rest is over.
func TestALargeFleetRestsWhileItAcknowledges(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const n, rest = 600, 18 * time.Millisecond
		const most = n/18 + 1
		if steps, _ := w.acknowledgedOneByOne(n); steps > most || steps < most/2 {
			t.Errorf("%d acknowledgements made %d steps, want %d at the most, and about as many", n, steps, most)
		}
		due, _, err := w.NextDue(t.Context())
		w.must(err)
		if wait := due.Sub(w.clock()); wait > rest {
			t.Fatalf("the last acknowledgement is looked at after %v, want the end of a rest of %v", wait, rest)
		}
		w.advance(rest)
		if _, after := w.stepDue(); after.State != rollout.Completed {
			t.Errorf("after the last acknowledgement it is %s: %s", after.State, after.Explanation)
		}
	})
}

// A small one is looked at each time.
func TestASmallFleetDoesNotRest(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		if steps, d := w.acknowledgedOneByOne(20); steps != 20 || d.State != rollout.Completed {
			t.Errorf("20 acknowledgements made %d steps, and it is %s: %s", steps, d.State, d.Explanation)
		}
	})
}

// What happens during a step of a fleet that rests is seen when the rest is over, or earlier where
// the step asked for that. An order is carried out meanwhile, and looked at when it says.
func TestARestDelaysWhatHappensAndNoOrder(t *testing.T) {
	t.Parallel()
	const rest = time.Second
	for name, c := range map[string]struct {
		wake, want time.Duration // from the step on
		order      bool
	}{
		"until its end":                {wake: time.Hour, want: rest},
		"until the step wants to look": {wake: rest / 2, want: rest / 2},
		"no order":                     {wake: time.Hour, order: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.register("i-1")
				d := w.create("1.1.0")
				claim := w.claimOne("a")
				w.must(w.WakeDeployment(t.Context(), payments)) // during the step
				d.State = rollout.InProgress
				dec := rollout.Decision{Next: d, Changed: true, Wake: w.clock().Add(c.wake), Rest: rest}
				w.must(w.Step(t.Context(), claim, dec))
				w.must(w.WakeDeployment(t.Context(), payments)) // and after it
				if c.order {
					dec.Next, dec.Wake, dec.Rest = w.read(d.ID), w.clock(), 0
					dec.Next.State = rollout.Paused
					w.must(w.Order(t.Context(), dec))
				}
				due, _, err := w.NextDue(t.Context())
				w.must(err)
				if got := due.Sub(w.clock()); got != c.want {
					t.Errorf("due in %v, want %v", got, c.want)
				}
				w.advance(c.want)
				w.claimOne("a")
			})
		})
	}
}

// A rest that began before the clock was set back is no reason to wait for the clock.
func TestARestDoesNotOutliveTheClock(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		d.State = rollout.InProgress
		w.must(w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: true, Wake: w.clock().Add(time.Hour), Rest: rollout.LongestRest}))
		w.advance(-time.Hour)
		w.must(w.WakeDeployment(t.Context(), payments))
		w.claimOne("a")
	})
}
