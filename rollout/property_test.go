package rollout_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// history is a world under watch: the rules hold at every stored decision.
type history struct {
	t       *rapid.T
	w       *world
	refused map[string]bool // deployments that went back or ended
	next    int
}

func drawStrategy(t *rapid.T) profile.Strategy {
	types := []profile.StrategyType{profile.Canary, profile.Rolling, profile.BlueGreen, profile.Direct}
	s := profile.DefaultStrategy(rapid.SampledFrom(types).Draw(t, "strategy"))
	s.AutoPromote = rapid.IntRange(0, 4).Draw(t, "autoPromote") > 0
	s.ProgressDeadline = profile.Duration(10 * time.Minute)
	switch s.Type {
	case profile.Canary:
		s.Steps = rapid.SampledFrom([][]int{{10, 30, 50, 100}, {1, 100}, {50, 100}, {100}}).Draw(t, "steps")
		s.PhaseInterval = profile.Duration(time.Minute)
	case profile.Rolling:
		s.BatchSize = rapid.SampledFrom([]string{"1", "3", "25%", "100%"}).Draw(t, "batch")
		s.BatchInterval = profile.Duration(20 * time.Second)
		s.StopOnFailure = rapid.Bool().Draw(t, "stopOnFailure")
	case profile.BlueGreen:
		s.VerificationPeriod, s.KeepBlueDuration = profile.Duration(20*time.Second), profile.Duration(40*time.Second)
	case profile.Direct:
		s.MaxConcurrency = rapid.IntRange(0, 3).Draw(t, "maxConcurrency")
	}
	return s
}

func newHistory(t *rapid.T) *history {
	h := &history{t: t, refused: map[string]bool{}, next: 1}
	h.w = newWorld(rapid.IntRange(0, 8).Draw(t, "fleet"), rapid.SampledFrom([]string{"1.0.0", ""}).Draw(t, "version"))
	h.w.health.AutoRollback = rapid.IntRange(0, 4).Draw(t, "autoRollback") > 0
	h.w.health.Enabled = rapid.IntRange(0, 4).Draw(t, "health") > 0
	if rapid.IntRange(0, 4).Draw(t, "groups") > 0 {
		h.w.groups()
	}
	h.w.run(20 * time.Second)
	h.w.see = h.check
	return h
}

// check is told of every decision before the fleet hears of it.
func (h *history) check(before rollout.Deployment, dec rollout.Decision) {
	next := dec.Next
	if before.ID == next.ID && before.State.Final() && dec.Changed {
		h.t.Fatalf("a deployment that ended moved from %s to %s", before.State, next.State)
	}
	seen := map[string]bool{}
	for _, a := range dec.Assign {
		if seen[a.InstanceID] {
			h.t.Fatalf("%s was assigned twice in one decision", a.InstanceID)
		}
		seen[a.InstanceID] = true
		forward := next.Kind == rollout.Forward && a.Version == next.Version
		if forward && h.refused[next.ID] {
			h.t.Fatalf("I4: %s got %s after its rollback", a.InstanceID, a.Version)
		}
		if forward && before.State == rollout.Paused {
			h.t.Fatalf("a paused deployment went on to %s", a.InstanceID)
		}
		if !forward && next.Kind == rollout.Forward && a.Version != next.Previous {
			h.t.Fatalf("%s got %s, which is neither the version nor the one before", a.InstanceID, a.Version)
		}
	}
	h.share(dec)
	h.frozen(before, next)
	if dec.Switch != "" && next.Kind == rollout.Forward && next.State == rollout.InProgress {
		for _, p := range h.w.processes {
			if a := p.assignment; p.instance.Group() == dec.Switch && p.instance.Liveness(h.w.now) == fleet.Live && !(a.Version == next.Version && a.Acknowledged()) {
				h.t.Fatalf("requests were sent to %s, which %s of it has not taken", dec.Switch, p.instance.ID)
			}
		}
	}
	if next.State == rollout.RollingBack || next.State.Final() && next.State != rollout.Completed {
		h.refused[next.ID] = true
	}
	if next.State == rollout.Completed && before.State == rollout.RollingBack {
		h.t.Fatalf("a rollback was called a success")
	}
	for _, s := range dec.Status {
		if n := len([]rune(s.Description)); n > 140 || n == 0 {
			h.t.Fatalf("a status of %d runes: %q", n, s.Description)
		}
	}
	if next.State.Final() == next.FinishedAt.IsZero() {
		h.t.Fatalf("%s with the end at %v", next.State, next.FinishedAt)
	}
}

// frozen says that nothing starts and nothing goes further in a freeze.
func (h *history) frozen(before, next rollout.Deployment) {
	if before.ID != next.ID || next.Kind != rollout.Forward || !h.w.freeze.InForce(h.w.now) {
		return
	}
	if next.Phase > before.Phase || !next.StartedAt.Equal(before.StartedAt) {
		h.t.Fatalf("in a freeze it went from %s in phase %d to %s in phase %d", before.State, before.Phase+1, next.State, next.Phase+1)
	}
}

// share is I3: whoever gets an unproven version does so within the limit of the
// phase, counting everybody who may run it.
func (h *history) share(dec rollout.Decision) {
	next := dec.Next
	given := map[string]bool{}
	for _, a := range dec.Assign {
		if a.Version == next.Version {
			given[a.InstanceID] = true
		}
	}
	if next.Kind != rollout.Forward || len(given) == 0 || next.State == rollout.Completed {
		return
	}
	holders, size := 0, 0
	for _, p := range h.w.processes {
		alive := p.instance.Liveness(h.w.now)
		holds := given[p.instance.ID] || p.assignment.Version == next.Version
		if alive == fleet.Live || holds && alive == fleet.Stale {
			size++
			if holds {
				holders++
			}
		}
	}
	if next.Strategy.Type == profile.BlueGreen && next.Phase < 2 { // a group and nobody else
		size = 0
		for _, p := range h.w.processes {
			if p.instance.Group() == next.Group {
				size++
			} else if given[p.instance.ID] {
				h.t.Fatalf("I3: %s of group %q got %s before its group's turn", p.instance.ID, p.instance.Group(), next.Version)
			}
		}
	}
	if limit := limit(next, size); holders > limit {
		h.t.Fatalf("I3: %d of %d instances have %s in phase %d of %s, at most %d may", holders, size, next.Version, next.Phase+1, next.Strategy.Type, limit)
	}
}

// limit says how many of n may have the version, told a second time in other words.
func limit(d rollout.Deployment, n int) int {
	percentOf := func(percent int) int { return max(1, (percent*n+99)/100) }
	switch d.Strategy.Type {
	case profile.Canary:
		return percentOf(d.Strategy.Steps[d.Phase])
	case profile.Rolling:
		size, percent, _ := profile.ParseBatchSize(d.Strategy.BatchSize)
		if percent {
			size = percentOf(size)
		}
		return min(n, size*(d.Phase+1))
	}
	return n
}

// act lets something happen.
func (h *history) act() {
	w, t := h.w, h.t
	some := func() *process {
		if len(w.processes) == 0 {
			return nil
		}
		return rapid.SampledFrom(w.processes).Draw(t, "instance")
	}
	switch what := rapid.SampledFrom([]string{
		"commit", "errors", "well", "silent", "back", "mute", "unmute", "break", "join", "leave",
		"hook", "pause", "resume", "promote", "cancel", "rollback", "emergency", "guard",
		"freeze", "freeze for a while", "unfreeze", "promote-all",
	}).Draw(t, "what"); what {
	case "commit":
		w.strategy = drawStrategy(t)
		w.commit(fmt.Sprintf("1.%d.0", h.next))
		h.next++
	case "errors":
		w.behaves[rapid.SampledFrom([]string{"all", w.d.Version}).Draw(t, "on")] = behaviour{errors: 50, latency: 300}
	case "well":
		clear(w.behaves)
	case "silent", "back", "mute", "unmute", "break":
		if p := some(); p != nil {
			switch what {
			case "silent":
				p.silent = true
			case "back":
				p.silent, p.beat = false, w.now
			case "mute", "unmute":
				p.mute = what == "mute"
			case "break":
				p.broken = "no such key"
			}
		}
	case "join":
		w.join(fmt.Sprintf("new-%d", len(w.processes)+100*int(w.now.Unix()%1_000_000)))
		if last := w.processes[len(w.processes)-1]; w.processes[0].instance.Group() != "" {
			last.instance.Metadata = map[string]string{"group": rapid.SampledFrom([]string{fleet.Blue, fleet.Green}).Draw(t, "group")}
		}
	case "leave":
		if p := some(); p != nil {
			w.leave(p.instance.ID)
		}
	case "hook":
		w.hook = rapid.SampledFrom([]string{"", "edge answers 503"}).Draw(t, "hook")
	case "freeze":
		w.froze(0, "incident")
	case "freeze for a while":
		w.froze(time.Minute, "incident")
	case "unfreeze":
		w.thaw()
	case "guard":
		w.guard = rapid.SampledFrom([]string{"", "the shape changed"}).Draw(t, "guard")
	case "emergency":
		if w.current != "" {
			if err := w.emergency(w.current, "alice", "fire"); err != nil {
				t.Fatal(err)
			}
		}
	default:
		if w.d.ID != "" {
			_ = w.order(rollout.Order(what), "alice", "because") // refused in most states
		}
	}
}

// heal ends every fault, and lets people do what the deployment waits for.
func (h *history) heal() {
	clear(h.w.behaves)
	h.w.mendHook()
	h.w.thaw()
	for _, p := range h.w.processes {
		p.silent, p.mute, p.broken, p.beat = false, false, "", h.w.now
		p.assignment.ApplyError = ""
	}
	for range 40 {
		if !h.w.active {
			return
		}
		if h.w.d.State == rollout.Paused {
			_ = h.w.order(rollout.OrderResume, "alice", "")
		}
		if h.w.d.Awaiting == rollout.AwaitingApproval || h.w.d.Awaiting == rollout.AwaitingPromotion {
			_ = h.w.order(rollout.OrderPromote, "alice", "")
		}
		h.w.run(time.Minute)
	}
}

// converged says that the fleet runs what the deployment ended on.
func (h *history) converged() {
	h.w.run(10 * time.Second)
	d := h.w.d
	want := map[rollout.State]string{rollout.Completed: d.Version, rollout.RolledBack: d.Previous}[d.State]
	for _, p := range h.w.processes {
		if want != "" && p.assignment.Applied != want {
			h.t.Fatalf("%s after %s: %s runs %q, not %s", d.Version, d.State, p.instance.ID, p.assignment.Applied, want)
		}
	}
}

// TestHistories lets fleets live through random histories under every rule,
// then ends the faults: whatever was under way must come to an end.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		for range rapid.IntRange(3, 15).Draw(t, "acts") {
			h.act()
			h.w.run(time.Duration(rapid.SampledFrom([]int{0, 1, 15, 70, 200}).Draw(t, "seconds")) * time.Second)
		}
		h.heal()
		if h.w.d.ID == "" {
			return
		}
		if h.w.active {
			t.Fatalf("I10: the faults stopped, but %s is still %s/%s: %s", h.w.d.Version, h.w.d.State, h.w.d.Awaiting, h.w.d.Explanation)
		}
		h.converged()
	})
}

// TestDecideIsPure asks twice at points of random histories.
func TestDecideIsPure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		for range rapid.IntRange(1, 8).Draw(t, "acts") {
			h.act()
			h.w.run(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			if h.w.d.ID == "" {
				continue
			}
			askTwice(t, h.w)
		}
	})
}

func askTwice(t *rapid.T, w *world) {
	d, snap := w.d, w.snapshot()
	kept := fmt.Sprintf("%+v %+v", d, snap)
	first := rollout.Decide(d, snap, w.now)
	if now := fmt.Sprintf("%+v %+v", d, snap); now != kept {
		t.Fatalf("Decide edited what it was given:\n%s\n%s", kept, now)
	}
	if again := rollout.Decide(d, snap, w.now); !reflect.DeepEqual(first, again) {
		t.Fatalf("the same question got another answer:\n%+v\n%+v", first, again)
	}
	slices.Reverse(snap.Targets)
	turned := rollout.Decide(d, snap, w.now)
	if !reflect.DeepEqual(first.Next.Progress, turned.Next.Progress) || first.Next.State != turned.Next.State || len(first.Assign) != len(turned.Assign) {
		t.Fatalf("the order of the fleet changed the answer:\n%+v\n%+v", first.Next, turned.Next)
	}
	if !first.Changed && !first.Next.State.Final() && !first.Wake.IsZero() && first.Wake.Before(w.now.Add(100*time.Millisecond)) {
		t.Fatalf("nothing changed, and yet it wants to look again in %s: %s", first.Wake.Sub(w.now), first.Next.Explanation)
	}
	if first.Wake.IsZero() && !first.Next.State.Final() && first.Next.Awaiting != rollout.AwaitingApproval {
		t.Fatalf("%s/%s is never looked at again", first.Next.State, first.Next.Awaiting)
	}
	if first.Changed && first.Wake.Equal(w.now) {
		t.Fatalf("a step asks for another one at once: %s", first.Next.Explanation)
	}
}
