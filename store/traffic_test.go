package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// minuteOfRetries is past any pause between two tries.
const minuteOfRetries = time.Minute

// edge is a traffic hook that keeps what it was told.
type edge struct {
	mu   sync.Mutex
	away bool
	told []rollout.Switch
}

func (e *edge) take(_ context.Context, s rollout.Switch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, s)
	if e.away {
		return errors.New("edge answers 503")
	}
	return nil
}

func (e *edge) be(away bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.away = away
}

func (e *edge) groups() (told []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.told {
		told = append(told, s.Hook+":"+s.Group)
	}
	return slices.Compact(told)
}

// blueGreen makes a deployment that may switch.
func (w *world) blueGreen(hook string) rollout.Deployment {
	w.t.Helper()
	d := w.deployment("1.1.0")
	d.Strategy = profile.DefaultStrategy(profile.BlueGreen)
	d.Strategy.TrafficHook = hook
	w.must(w.Create(w.t.Context(), rollout.Decision{Next: d, Changed: true}))
	return w.read(d.ID)
}

func (w *world) switchTo(id, group string) {
	w.t.Helper()
	w.must(w.Order(w.t.Context(), rollout.Decision{Next: w.read(id), Changed: true, Switch: group}))
}

func (w *world) traffic() rollout.Traffic {
	w.t.Helper()
	traffic, err := w.Traffic(w.t.Context(), payments)
	w.must(err)
	return traffic
}

// A switch without a hook is taken at once, and every instance hears of it by a
// new generation of what it has.
func TestSwitchReachesTheInstances(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		if got := w.traffic(); got != (rollout.Traffic{Acked: true}) {
			t.Errorf("before the first switch: %+v", got)
		}
		w.register("i-1")
		d := w.blueGreen("")
		before := w.assign("i-1", "1.0.0")
		w.acknowledge(ack(before))
		w.switchTo(d.ID, fleet.Green)
		if got := w.traffic(); got != (rollout.Traffic{Group: fleet.Green, Acked: true}) {
			t.Errorf("after the switch: %+v", got)
		}
		after := w.assignment("i-1")
		if after.Generation <= before.Generation || after.Version != "1.0.0" || after.ActiveGroup != fleet.Green || after.Acknowledged() {
			t.Errorf("the instance is not told: %+v", after)
		}
		w.acknowledge(ack(after))
		snap, err := w.Snapshot(t.Context(), d, nil)
		w.must(err)
		if !snap.Targets[0].Assignment.Acknowledged() || snap.Traffic.Group != fleet.Green {
			t.Errorf("%+v", snap)
		}
	})
}

// The hook is told until it takes the switch, and the deployment is woken by its answer.
func TestTrafficHookIsToldUntilItTakesIt(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		e := &edge{away: true}
		stop := w.outboxWith(store.OutboxOptions{Switch: e.take})
		d := w.blueGreen("edge")
		w.switchTo(d.ID, fleet.Green)
		w.eventually("the hook's refusal is kept", func() bool { return w.traffic().Error == "edge answers 503" })
		if w.traffic().Acked {
			t.Error("a switch that was refused counts as taken")
		}
		claim := w.claimOne("a")
		w.must(w.Step(t.Context(), claim, rollout.Decision{Next: w.read(d.ID)})) // nothing to do, and no time to look again
		e.be(false)
		w.advance(minuteOfRetries)
		w.eventually("the hook takes it", func() bool { return w.traffic() == rollout.Traffic{Group: fleet.Green, Acked: true} })
		w.eventually("the deployment is due", func() bool { return len(w.claim("b")) == 1 })
		stop()

		// A way back that another kind of deployment makes is told to the same hook.
		w.outboxWith(store.OutboxOptions{Switch: e.take})
		back := w.deployment("1.0.0")
		back.Kind, back.Strategy = rollout.Rollback, profile.Strategy{Type: profile.Direct}
		w.must(w.Create(t.Context(), rollout.Decision{Next: back, Changed: true, Switch: fleet.Blue}))
		w.eventually("the hook takes the way back", func() bool { return w.traffic() == rollout.Traffic{Group: fleet.Blue, Acked: true} })
		if got := e.groups(); !slices.Equal(got, []string{"edge:green", "edge:blue"}) {
			t.Errorf("the hook was told %v", got)
		}
		last := e.told[len(e.told)-1]
		if last.Before != fleet.Green || last.Deployment != back.ID || last.Revision != 2 || last.Profile != payments || last.At.IsZero() {
			t.Errorf("%+v", last)
		}
	})
}

// Of two switches only the last is told once the hook is there: an older word
// never lands after a newer one.
func TestOnlyTheLastSwitchIsTold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.blueGreen("edge")
		w.switchTo(d.ID, fleet.Green)
		w.switchTo(d.ID, fleet.Blue)
		e := &edge{}
		w.outboxWith(store.OutboxOptions{Switch: e.take})
		w.eventually("the hook takes it", func() bool { return w.traffic() == rollout.Traffic{Group: fleet.Blue, Acked: true} })
		if got := e.groups(); !slices.Equal(got, []string{"edge:blue"}) {
			t.Errorf("the hook was told %v", got)
		}
	})
}

// A hook that the settings do not name, or that panics, shows with the switch.
func TestSwitchWithoutItsHook(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.blueGreen("edge")
		w.switchTo(d.ID, fleet.Green)
		stop := w.outboxWith(store.OutboxOptions{})
		w.eventually("the missing hook is told", func() bool { return strings.Contains(w.traffic().Error, `no traffic hook is called "edge"`) })
		stop()
		w.outboxWith(store.OutboxOptions{Switch: func(context.Context, rollout.Switch) error { panic("nil map") }})
		w.advance(minuteOfRetries)
		w.eventually("the panic is told", func() bool { return strings.Contains(w.traffic().Error, "panicked") })
	})
}
