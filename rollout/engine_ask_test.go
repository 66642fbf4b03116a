package rollout_test

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// outside are the providers of a test. While it hangs nobody is answered before
// the time that they give it is over.
type outside struct {
	hangs  atomic.Bool
	asking atomic.Int32
	asked  atomic.Int32
	value  float64
}

func (o *outside) Measure(ctx context.Context, asks []rollout.Ask) []rollout.Measurement {
	o.asking.Add(1)
	defer o.asking.Add(-1)
	o.asked.Add(1)
	out := make([]rollout.Measurement, len(asks))
	for i, ask := range asks {
		out[i] = rollout.Measurement{Ask: ask, Value: &o.value, N: 1}
	}
	if o.hangs.Load() {
		<-ctx.Done()
		for i := range out {
			out[i] = rollout.Measurement{Ask: asks[i], Err: "no answer"}
		}
	}
	return out
}

// asking is a deployment that asks Prometheus about a first version, so that
// nothing else holds it.
func asking(id string) rollout.Deployment {
	d := forward(id)
	d.Previous, d.PreviousHash = "", ""
	d.Health.Enabled = true
	d.Health.Metrics = []profile.Metric{{Name: "success", Provider: profile.ProviderPrometheus, Query: `ok{version="{{version}}"}`, Min: new(99.0)}}
	return d
}

// others adds instances of the service db.
func (m *memory) others(n int) rollout.Deployment {
	db := newMemory(n)
	for _, id := range slices.Sorted(maps.Keys(db.instances)) {
		t := db.instances[id]
		t.Instance.Service = "db"
		m.instances["db-"+id] = t
		t.Instance.ID, t.Assignment.InstanceID = "db-"+id, "db-"+id
	}
	d := forward("other")
	d.Profile, d.Selector = "db.production", fleet.Selector{Service: "db", Environment: profile.Production}
	d.Version, d.Hash = "2.0.0", "h2.0.0"
	return d
}

// idle waits until the engine has nothing to do and hears at once who wakes it.
func idle() {
	time.Sleep(20 * time.Millisecond)
	synctest.Wait()
}

func TestEngineAsksBeforeItDecides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(4), &outside{value: 99.5}
		var checks []rollout.Outcome
		e, _ := running(t, m, rollout.EngineOptions{Measurer: o, Reach: rollout.Reach{Prometheus: true}, Metrics: rollout.EngineMetrics{
			Checked: func(_ string, outcome rollout.Outcome) { checks = append(checks, outcome) },
		}})
		start(t, e, asking("a"))
		beat(m, 5*time.Minute)
		d := state(t, m, "a")
		if d.State != rollout.Completed {
			t.Fatalf("%s: %s", d.State, d.Explanation)
		}
		for _, outcome := range checks {
			if outcome != rollout.Pass {
				t.Errorf("what was decided before anybody answered was kept: %v", checks)
				break
			}
		}
		if int(o.asked.Load()) != len(checks) {
			t.Errorf("asked %d times for %d checks", o.asked.Load(), len(checks))
		}
		last := metric(d.Verdict, "success")
		if last.Value == nil || *last.Value != 99.5 || last.Query != `ok{version="1.1.0"}` || last.Threshold != 99 {
			t.Errorf("the verdict keeps %+v", last)
		}
	})
}

func TestAProviderThatHangsDelaysNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(4), &outside{}
		o.hangs.Store(true)
		other := m.others(2)
		e, _ := running(t, m, rollout.EngineOptions{Measurer: o, Reach: rollout.Reach{Prometheus: true}, Workers: 1})
		start(t, e, asking("a"))
		idle()
		m.ack()
		e.Wake()
		synctest.Wait()
		if o.asking.Load() != 1 {
			t.Fatalf("%d questions are open", o.asking.Load())
		}
		// Not a second goes by in here.
		start(t, e, other)
		synctest.Wait()
		if n := m.on("2.0.0"); n != 1 {
			t.Errorf("another deployment reached %d instances while it hangs", n)
		}
		if _, err := e.Order(t.Context(), "a", rollout.OrderPause, "alice", "lunch"); err != nil {
			t.Fatal(err)
		}
		if d := state(t, m, "a"); d.State != rollout.Paused || o.asking.Load() == 0 {
			t.Errorf("an order waits for it: %s", d.State)
		}
		if _, err := e.Order(t.Context(), "a", rollout.OrderCancel, "alice", "enough"); err != nil {
			t.Fatal(err)
		}
		if d := state(t, m, "a"); d.State != rollout.Cancelled && d.State != rollout.RollingBack {
			t.Errorf("it is %s", d.State)
		}
		beat(m, 3*time.Minute)
		if d := state(t, m, "other"); d.State != rollout.Completed {
			t.Errorf("the other one is %s: %s", d.State, d.Explanation)
		}
	})
}

// Those that are due at once are decided about one after the other, and stored
// together: one that asks outside is in nobody's way.
func TestOneThatAsksDelaysNoneDueWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(4), &outside{}
		o.hangs.Store(true)
		other := m.others(2)
		e, _ := running(t, m, rollout.EngineOptions{Measurer: o, Reach: rollout.Reach{Prometheus: true}, Workers: 1})
		start(t, e, asking("a"))
		idle()
		// Not a second goes by in here: the worker finds both.
		m.ack()
		start(t, e, other)
		synctest.Wait()
		if o.asking.Load() != 1 {
			t.Fatalf("%d questions are open", o.asking.Load())
		}
		if n := m.on("2.0.0"); n != 1 {
			t.Errorf("the one that was due with it reached %d instances while it hangs", n)
		}
	})
}

func TestAProviderThatHangsUsesUpNoAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(4), &outside{value: 99.5}
		o.hangs.Store(true)
		e, _ := running(t, m, rollout.EngineOptions{Measurer: o, Reach: rollout.Reach{Prometheus: true}})
		start(t, e, asking("a"))
		beat(m, 10*time.Minute)
		d := state(t, m, "a")
		if q := m.rows["a"].quarantined; q != "" || d.Phase != 0 || d.Awaiting != rollout.AwaitingEvidence || d.Verdict.Outcome != rollout.Error {
			t.Fatalf("phase %d, awaiting %s, %s %s", d.Phase, d.Awaiting, d.Verdict.Outcome, q)
		}
		o.hangs.Store(false)
		beat(m, 3*time.Minute)
		if d := state(t, m, "a"); d.State != rollout.Completed {
			t.Errorf("it does not go on: %s: %s", d.State, d.Explanation)
		}
	})
}

func TestAStopDoesNotWaitForAProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(4), &outside{}
		o.hangs.Store(true)
		e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{Owner: "one", Measurer: o, Reach: rollout.Reach{Prometheus: true}})
		start(t, e, asking("a"))
		for range 8 { // more often than attempts are allowed
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx) }()
			idle()
			m.ack()
			e.Wake()
			synctest.Wait()
			if o.asking.Load() != 1 {
				t.Fatalf("%d questions are open", o.asking.Load())
			}
			before := time.Now()
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if took := time.Since(before); took != 0 {
				t.Errorf("the stop waited for %s", took)
			}
			r := m.rows["a"]
			if r.owner != "" || r.attempts != 0 || r.quarantined != "" || len(r.d.Verdict.Metrics) > 0 {
				t.Fatalf("owner %q, attempts %d, %q, verdict %+v", r.owner, r.attempts, r.quarantined, r.d.Verdict)
			}
		}
	})
}

func TestWithoutAMeasurerItIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		e, _ := running(t, m, rollout.EngineOptions{Reach: rollout.Reach{Prometheus: true}})
		start(t, e, asking("a"))
		beat(m, 5*time.Minute)
		if d := state(t, m, "a"); d.Phase != 0 || d.Verdict.Outcome != rollout.Error {
			t.Errorf("phase %d, %s: %s", d.Phase, d.Verdict.Outcome, d.Verdict.Reason)
		}
	})
}
