package rollout_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Random lives of a fleet under one deployment after the other. Whatever
// happens, the promises hold after every decision, and once the faults stop,
// every deployment ends.
func TestPromisesHoldInAnyLife(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newTown(rapid.IntRange(0, 12).Draw(rt, "fleet"))
		n := 0
		deploy := func(rt *rapid.T) {
			n++
			d := w.deployment(string(rune('a' + n)))
			d.Strategy = rapid.SampledFrom([]profile.Strategy{d.Strategy, rolling(), direct()}).Draw(rt, "strategy")
			d.Strategy.AutoPromote = rapid.IntRange(0, 4).Draw(rt, "by hand") > 0
			d.Health.Enabled = rapid.IntRange(0, 4).Draw(rt, "health") > 0
			d.Health.AutoRollback = rapid.IntRange(0, 5).Draw(rt, "auto rollback") > 0
			if w.d.ID != "" && !w.d.State.Final() {
				w.store(rollout.Supersede(w.d, "superseded", w.now))
			}
			if w.current == newer {
				d.Version, d.Hash = "1.2.0", "h1.2.0"
			}
			w.start(d)
		}
		watch := watcher{t: rt, w: w, given: map[string]int64{}}
		w.onStored = watch.stored
		deploy(rt)
		actions := map[string]func(*rapid.T){
			"":         func(*rapid.T) { watch.look() },
			"a minute": func(*rapid.T) { w.advance(time.Minute) },
			"a while":  func(rt *rapid.T) { w.advance(time.Duration(rapid.IntRange(5, 300).Draw(rt, "seconds")) * time.Second) },
			"errors":   func(rt *rapid.T) { w.errors[w.d.Version] = float64(rapid.IntRange(0, 60).Draw(rt, "percent")) },
			"slow":     func(rt *rapid.T) { w.latency[w.d.Version] = float64(rapid.IntRange(1, 900).Draw(rt, "ms")) },
			"outage":   func(rt *rapid.T) { w.outage = float64(rapid.IntRange(0, 40).Draw(rt, "percent")) },
			"join":     func(*rapid.T) { w.join(); w.wake = w.now },
			"trouble": func(rt *rapid.T) {
				if len(w.members) == 0 {
					rt.Skip("nobody is there")
				}
				m := w.members[rapid.IntRange(0, len(w.members)-1).Draw(rt, "who")]
				m.silent = rapid.Bool().Draw(rt, "silent")
				m.stuck = rapid.IntRange(0, 3).Draw(rt, "stuck") == 0
				m.unhealthy = rapid.IntRange(0, 3).Draw(rt, "unhealthy") == 0
				m.refuses = rapid.SampledFrom([]string{"", "", "no"}).Draw(rt, "refuses")
			},
			"order": func(rt *rapid.T) {
				o := rapid.SampledFrom([]orderOf{rollout.Pause, rollout.Resume, rollout.Promote, rollout.Cancel, rollout.RollBack}).Draw(rt, "order")
				if dec, err := o(w.d, w.snapshot(), "ann", "a reason", w.now); err == nil {
					w.store(dec)
				}
			},
			"newer": func(rt *rapid.T) { deploy(rt) },
		}
		rt.Repeat(actions)
		watch.heals()
	})
}

type orderOf = func(rollout.Deployment, rollout.Snapshot, string, string, time.Time) (rollout.Decision, error)

func rolling() profile.Strategy {
	s := profile.DefaultStrategy(profile.Rolling)
	s.BatchSize, s.BatchInterval = "25%", profile.Duration(20*time.Second)
	return s
}

func direct() profile.Strategy {
	s := profile.DefaultStrategy(profile.Direct)
	s.MaxConcurrency = 3
	return s
}

// watcher checks every decision that is stored.
type watcher struct {
	t     *rapid.T
	w     *town
	given map[string]int64 // generations that instances were given
	back  string           // deployment that goes back: it never goes forward again
}

func (c *watcher) stored(dec rollout.Decision) {
	d := dec.Next
	if d.State.Final() == d.FinishedAt.IsZero() {
		c.t.Fatalf("%s and finished at %v", d.State, d.FinishedAt)
	}
	if c.back == d.ID && d.Kind == rollout.Forward {
		for _, a := range dec.Assign {
			if a.Version == d.Version {
				c.t.Fatalf("a deployment that goes back assigned %s to %s", a.Version, a.InstanceID)
			}
		}
	}
	switch d.State {
	case rollout.RollingBack, rollout.RolledBack, rollout.Failed:
		c.back = d.ID
		if d.State != rollout.Failed && d.Previous == "" {
			c.t.Fatal("it goes back to nowhere")
		}
	}
	if dec.Hold != nil && (dec.Hold.RefusedHash != d.Hash || dec.Hold.Reason == "") {
		c.t.Fatalf("hold %+v", dec.Hold)
	}
	if dec.Current != "" && d.State != rollout.Completed {
		c.t.Fatalf("current became %s while %s", dec.Current, d.State)
	}
	for _, s := range dec.Status {
		if len([]rune(s.Description)) > 140 || s.Description == "" {
			c.t.Fatalf("status %q", s.Description)
		}
	}
	c.look()
}

// look checks what must hold at any time.
func (c *watcher) look() {
	d := c.w.d
	for _, m := range c.w.members {
		if m.assignment.Generation < c.given[m.ID] {
			c.t.Fatalf("%s went from generation %d to %d", m.ID, c.given[m.ID], m.assignment.Generation)
		}
		c.given[m.ID] = m.assignment.Generation
	}
	if d.State == rollout.Completed && d.FinishedAt.Equal(c.w.now) && d.Progress.Applied < d.Progress.Targets {
		c.t.Fatalf("completed with %d of %d acknowledgements", d.Progress.Applied, d.Progress.Targets)
	}
	if d.Kind == rollout.Forward && d.State == rollout.InProgress && d.Strategy.Type == profile.Canary && d.Previous != "" {
		unproven := 0
		for _, m := range c.w.members {
			if m.assignment.Version == d.Version {
				unproven++
			}
		}
		percent := d.Strategy.Steps[min(d.Phase, len(d.Strategy.Steps)-1)]
		if limit := max(1, (len(c.w.members)*percent+99)/100); unproven > limit && d.Version != c.w.current {
			c.t.Fatalf("%d of %d instances have %s in a phase of %d%%", unproven, len(c.w.members), d.Version, percent)
		}
	}
	// The same question gets the same answer, and nobody edits the question.
	snap := c.w.snapshot()
	before, targets := d, len(snap.Targets)
	first := rollout.Decide(d, snap, c.w.now)
	if again := rollout.Decide(d, snap, c.w.now); !reflect.DeepEqual(first, again) {
		c.t.Fatal("the same question got another answer")
	}
	if !reflect.DeepEqual(before, d) || len(snap.Targets) != targets {
		c.t.Fatal("the question was edited")
	}
	if !first.Next.State.Final() && first.Wake.IsZero() && first.Next.Awaiting != rollout.AwaitingApproval {
		c.t.Fatalf("%s (%s) will never be looked at again", first.Next.State, first.Next.Explanation)
	}
}

// heals ends all trouble: within two hours whatever runs has ended, and the live
// instances have one version.
func (c *watcher) heals() {
	w := c.w
	w.outage, w.rate = 0, 10
	clear(w.errors)
	clear(w.latency)
	for _, m := range w.members {
		m.silent, m.stuck, m.unhealthy, m.refuses = false, false, false, ""
		if m.assignment.ApplyError != "" {
			m.assignment.ApplyError = "" // it is offered again, and taken
		}
	}
	if w.d.State == rollout.Paused {
		dec, err := rollout.Resume(w.d, w.snapshot(), "ann", "", w.now)
		if err != nil {
			c.t.Fatal(err)
		}
		w.store(dec)
	}
	for range 120 {
		w.advance(time.Minute)
		if w.d.State.Final() {
			break
		}
		if w.d.Awaiting == rollout.AwaitingPromotion {
			dec, err := rollout.Promote(w.d, w.snapshot(), "ann", "", w.now)
			if err != nil {
				c.t.Fatal(err)
			}
			w.store(dec)
		}
	}
	if !w.d.State.Final() {
		c.t.Fatalf("still %s after two hours of peace: %s", w.d.State, w.d.Explanation)
	}
	if w.d.State == rollout.Completed || w.d.State == rollout.RolledBack {
		for _, m := range w.members {
			if m.Liveness(w.now) == fleet.Live && m.assignment.Version != w.current {
				c.t.Fatalf("%s has %s, the current version is %s", m.ID, m.assignment.Version, w.current)
			}
		}
	}
}
