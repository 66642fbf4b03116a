package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

type silence struct{}

func (silence) Publish(context.Context, string) {}

// replicas are two engines: on one server each with a store of its own, on a file
// in one process, which has it to itself.
func (w *world) replicas() []*rollout.Engine {
	w.t.Helper()
	stores := []*store.Store{w.Store, w.Store}
	if !w.sqlite() {
		other, err := store.Open(w.t.Context(), store.Options{URL: w.path, Now: w.clock, Connections: 6})
		w.must(err)
		w.t.Cleanup(func() { w.must(other.Close()) })
		stores[1] = other
	}
	var engines []*rollout.Engine
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for i, s := range stores {
		e := rollout.NewEngine(s, silence{}, rollout.EngineOptions{Owner: fmt.Sprint("replica-", i), MaxIdle: 20 * time.Millisecond})
		engines = append(engines, e)
		group.Go(func() {
			if err := e.Run(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(func() {
		stop()
		group.Wait()
	})
	return engines
}

// crowd is several people who give orders to one deployment at once.
type crowd struct {
	w       *world
	engines []*rollout.Engine
	id      string

	mu  sync.Mutex
	won map[string]int // orders that were carried out, by what the audit log should say
}

// give is one order of one person. Who loses is told what happened.
func (c *crowd) give(i int, order rollout.Order) {
	actor := fmt.Sprint("op-", i)
	_, err := c.engines[i%len(c.engines)].Order(c.w.t.Context(), c.id, order, actor, "because")
	refused, lost := errors.AsType[*rollout.StateError](err)
	switch {
	case err == nil:
		c.mu.Lock()
		c.won[actor+" "+string(order)]++
		c.mu.Unlock()
	case !lost:
		c.w.t.Errorf("%s by %s: %v", order, actor, err)
	case !strings.Contains(refused.Error(), "by op-") && refused.Came != "started":
		c.w.t.Errorf("%s by %s is not told what happened: %v", order, actor, refused)
	}
}

// TestOrdersRace lets people on two replicas order one deployment about. The
// audit log must tell a history that could have been, of exactly the orders that
// were answered with success.
func TestOrdersRace(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, id := range []string{"i-1", "i-2", "i-3", "i-4"} {
			w.register(id)
		}
		d := w.deployment("1.1.0")
		d.Previous, d.PreviousHash, d.Strategy.PhaseInterval = "1.0.0", w.version("1.0.0", "100ms").Hash, profile.Duration(time.Hour)
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true}))
		c := &crowd{w: w, engines: w.replicas(), id: d.ID, won: map[string]int{}}
		w.until("the deployment to start", func() bool { return w.read(d.ID).State == rollout.InProgress })

		rounds := []rollout.Order{rollout.OrderPause, rollout.OrderResume, rollout.OrderPromote, rollout.OrderPause, rollout.OrderResume}
		race(8, func(i int) error {
			for n := range rounds {
				c.give(i, rounds[(n+i)%len(rounds)])
			}
			return nil
		})
		race(8, func(i int) error {
			c.give(i, []rollout.Order{rollout.OrderRollback, rollout.OrderCancel, rollout.OrderPause, rollout.OrderResume}[i%4])
			return nil
		})
		c.legal()
	})
}

// legal reads the audit log against the rules and against who was told of success.
func (c *crowd) legal() {
	t := c.w.t
	t.Helper()
	state, promoted := rollout.InProgress, 0
	events, _, err := c.w.Audit(t.Context(), store.AuditFilter{EntityType: "deployment", EntityID: c.id, Limit: 1000})
	c.w.must(err)
	for i := range events {
		f := events[len(events)-1-i].Fact
		var order rollout.Order
		before := state
		switch f.Type {
		case rollout.FactPaused:
			order, state = rollout.OrderPause, rollout.Paused
		case rollout.FactResumed:
			order, state = rollout.OrderResume, rollout.InProgress
		case rollout.FactPromoted:
			order, promoted = rollout.OrderPromote, promoted+1
		case rollout.FactRollback:
			order, state = rollout.OrderRollback, rollout.RollingBack
			if f.Details["by"] == "cancel" {
				order = rollout.OrderCancel
			}
		default:
			continue
		}
		fits := map[rollout.Order]bool{
			rollout.OrderPause: before == rollout.InProgress, rollout.OrderResume: before == rollout.Paused, rollout.OrderPromote: before == rollout.InProgress,
			rollout.OrderRollback: before != rollout.RollingBack, rollout.OrderCancel: before != rollout.RollingBack,
		}[order]
		if !fits {
			t.Errorf("the audit log says %s by %s of a deployment that was %s", order, f.Actor, before)
		}
		c.won[f.Actor+" "+string(order)]--
	}
	if state != rollout.RollingBack || promoted > 1 {
		t.Errorf("it ended as %s, promoted %d times without a phase in between", state, promoted)
	}
	for who, n := range c.won {
		again := strings.HasSuffix(who, string(rollout.OrderRollback)) && n == 1 // asked again of one that rolls back: nothing to do
		if n != 0 && !again {
			t.Errorf("%s: %+d answers of success beyond what the audit log has", who, n)
		}
	}
}

// until waits for something that should happen.
func (w *world) until(what string, happened func() bool) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}
