package rollout_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

func TestFreezeInForce(t *testing.T) {
	t.Parallel()
	hour := dawn.Add(time.Hour)
	for name, c := range map[string]struct {
		freeze *rollout.Freeze
		want   bool
	}{
		"none":              {nil, false},
		"without an end":    {&rollout.Freeze{}, true},
		"before its end":    {&rollout.Freeze{ExpiresAt: hour.Add(1)}, true},
		"at its end":        {&rollout.Freeze{ExpiresAt: hour}, false},
		"ended by somebody": {&rollout.Freeze{ExpiresAt: hour.Add(1), EndedAt: dawn}, false},
	} {
		if got := c.freeze.InForce(hour); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A service that is quiet while a freeze is in force gives no evidence: that is
// no lack of progress. After the freeze the deadline counts anew.
func TestAFreezeDoesNotRunIntoTheDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.strategy.ProgressDeadline = profile.Duration(5 * time.Minute)
	w.run(time.Minute)
	w.commit("1.1.0")
	w.run(30 * time.Second)
	w.froze(0, "night")
	w.requests = 0
	w.run(time.Hour)
	if w.d.State != rollout.InProgress || w.d.Awaiting != rollout.AwaitingFreeze || w.d.Phase != 0 {
		t.Fatalf("frozen and quiet: %s/%s in phase %d: %s", w.d.State, w.d.Awaiting, w.d.Phase+1, w.d.Explanation)
	}
	w.thaw()
	w.run(4 * time.Minute)
	if w.d.State != rollout.InProgress || w.d.Awaiting != rollout.AwaitingEvidence {
		t.Errorf("quiet after it: %s/%s: %s", w.d.State, w.d.Awaiting, w.d.Explanation)
	}
	w.run(2 * time.Minute)
	if w.d.State != rollout.RollingBack && w.d.State != rollout.RolledBack {
		t.Errorf("quiet for too long after it: %s/%s: %s", w.d.State, w.d.Awaiting, w.d.Explanation)
	}
}

// Who waits for a person goes on waiting for that person, and does not need
// evidence anew when a freeze came and went.
func TestAFreezeLeavesAPromotionToWaitFor(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.strategy.AutoPromote, w.strategy.PhaseInterval = false, profile.Duration(time.Minute)
	w.run(time.Minute)
	w.commit("1.1.0")
	w.run(2 * time.Minute)
	w.froze(0, "night")
	w.requests = 0
	w.run(time.Hour)
	w.thaw()
	w.run(time.Minute)
	if w.d.Awaiting != rollout.AwaitingPromotion {
		t.Fatalf("%s/%s: %s", w.d.State, w.d.Awaiting, w.d.Explanation)
	}
}

// A freeze holds up what would go further, and nothing else.
func TestAFreezeHoldsUpNoWayBack(t *testing.T) {
	t.Parallel()
	for _, order := range []rollout.Order{rollout.OrderRollback, rollout.OrderCancel} {
		w := newWorld(4, "1.0.0")
		w.commit("1.1.0")
		w.run(30 * time.Second)
		w.froze(0, "incident")
		w.run(0)
		if err := w.order(order, "alice", "away with it"); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.processes {
			if p.assignment.Version != "1.0.0" {
				t.Errorf("%s in a freeze leaves %s on %s", order, p.instance.ID, p.assignment.Version)
			}
		}
		w.run(5 * time.Minute)
		if w.d.State != rollout.RolledBack {
			t.Errorf("%s in a freeze: %s/%s", order, w.d.State, w.d.Awaiting)
		}
	}
	// What was begun of a phase is finished, and the last one ends.
	w := newWorld(4, "1.0.0")
	w.strategy = profile.DefaultStrategy(profile.Direct)
	w.commit("1.1.0")
	w.run(0)
	w.froze(0, "incident")
	w.run(5 * time.Minute)
	if w.d.State != rollout.Completed {
		t.Errorf("the last phase in a freeze: %s/%s: %s", w.d.State, w.d.Awaiting, w.d.Explanation)
	}
}

// TestOverrunAcrossAChangeOfClocks holds a deployment in a window in whose night
// the clocks change: it goes on when the window ends by local time.
func TestOverrunAcrossAChangeOfClocks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ begins, ends string }{
		"forward": {"2026-03-29T00:29:00Z", "2026-03-29T01:30:00Z"}, // 01:30 CET to 03:30 CEST: one hour
		"back":    {"2026-10-24T23:29:00Z", "2026-10-25T02:30:00Z"}, // 01:30 CEST to 03:30 CET: three hours
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begins, ends := instant(t, c.begins), instant(t, c.ends)
			w := newWorld(4, "1.0.0")
			w.now = begins
			for _, p := range w.processes {
				p.beat, p.instance.LastHeartbeat = begins, begins
			}
			rule, err := profile.ParseWindow("Sun 01:30-Sun 03:30 Europe/Berlin")
			if err != nil {
				t.Fatal(err)
			}
			w.windows = profile.Windows{Deny: []profile.Window{rule}, Overrun: profile.OverrunHold}
			w.strategy.PhaseInterval, w.strategy.ProgressDeadline = profile.Duration(2*time.Minute), profile.Duration(10*time.Minute)
			w.commit("1.1.0")
			w.run(ends.Sub(begins) - time.Second)
			if w.d.Phase != 0 || w.d.Awaiting != rollout.AwaitingWindow || !w.wake.After(w.now) || w.wake.After(ends) {
				t.Fatalf("a second before the end: phase %d, %s/%s, looks again at %s: %s", w.d.Phase+1, w.d.State, w.d.Awaiting, w.wake, w.d.Explanation)
			}
			w.run(2 * time.Second)
			if w.d.Phase != 1 || w.d.State != rollout.InProgress {
				t.Errorf("a second after the end: phase %d, %s/%s: %s", w.d.Phase+1, w.d.State, w.d.Awaiting, w.d.Explanation)
			}
		})
	}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Force breaks the deny window and the freeze, never the gate.
func TestForceNeverBreaksTheGate(t *testing.T) {
	t.Parallel()
	w := newWorld(10, "1.0.0")
	w.run(time.Minute)
	rule, err := profile.ParseWindow("00:00-24:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	w.windows = profile.Windows{Deny: []profile.Window{rule}, Overrun: profile.OverrunHold}
	w.froze(0, "incident")
	w.force = "the fix"
	w.behaves["1.1.0"] = behaviour{latency: 20, errors: 60}
	w.commit("1.1.0")
	w.run(3 * time.Minute)
	if w.d.StartedAt.IsZero() || w.d.State != rollout.RolledBack || w.d.RollbackBy != "gate" {
		t.Errorf("%s/%s by %q: %s", w.d.State, w.d.Awaiting, w.d.RollbackBy, w.d.Explanation)
	}
}
