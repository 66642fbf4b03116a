package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"reflect"
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

// writer runs a heartbeat writer until stop is called.
func (w *world) writer(delay time.Duration) (h *store.Heartbeats, stop func()) {
	w.t.Helper()
	h = store.NewHeartbeatWriter(w.Store, delay)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return h, stop
}

// One instance's nonsense is its own trouble, not that of all who beat with it.
func TestAHeartbeatThatCannotBeKeptSpoilsNoOther(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.register("i-2")
		h, _ := w.writer(20 * time.Millisecond)
		errs := race(2, func(i int) error {
			if i == 0 {
				return h.Record(t.Context(), "i-1", fleet.Sample{Status: fleet.StatusHealthy, ErrorRate: new(math.NaN())})
			}
			return h.Record(t.Context(), "i-2", fleet.Sample{Status: fleet.StatusHealthy})
		})
		if errs[0] == nil || !strings.Contains(errs[0].Error(), "i-1") {
			t.Errorf("the sample that is not JSON gave %v, want an error that names its instance", errs[0])
		}
		w.must(errs[1])
	})
}

// Two heartbeats of one instance in a batch are both kept.
func TestAnInstanceThatBeatsTwiceInABatch(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const odd = `i-<1>"é\`
		w.register(odd)
		h, _ := w.writer(50 * time.Millisecond)
		w.must(errors.Join(race(2, func(int) error {
			return h.Record(t.Context(), odd, fleet.Sample{Status: fleet.StatusHealthy, Requests: 5, Counted: true})
		})...))
		snap, err := w.Snapshot(t.Context(), w.deployment("1.0.0"), nil)
		w.must(err)
		if got := fleet.Aggregate(snap.Targets[0].Samples); got.Samples != 2 || got.Requests != 10 {
			t.Errorf("kept %+v", got)
		}
		if got := snap.Targets[0].Instance.Status; got != fleet.StatusHealthy {
			t.Errorf("it is %s", got)
		}
	})
}

// Who needs the samples of a few instances reads those.
func TestSamplesOfSome(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		h, _ := w.writer(time.Millisecond)
		for _, id := range []string{"i-1", "i-2"} {
			w.register(id)
			w.must(h.Record(t.Context(), id, fleet.Sample{Status: fleet.StatusHealthy}))
		}
		w.advance(time.Minute)
		later, err := w.Now(t.Context())
		w.must(err)
		w.must(h.Record(t.Context(), "i-1", fleet.Sample{Status: fleet.StatusHealthy})) // of a time that began before
		w.advance(time.Second)
		w.must(h.Record(t.Context(), "i-1", fleet.Sample{Status: fleet.StatusHealthy}))
		of := func(from time.Time, ids ...string) rollout.Reading {
			return rollout.Reading{Instances: ids, From: from}
		}
		for _, c := range []struct {
			named []rollout.Reading
			want  [2]int
		}{
			{[]rollout.Reading{of(time.Time{}, "i-2")}, [2]int{0, 1}},
			{nil, [2]int{}},
			{[]rollout.Reading{of(time.Time{}, "i-1", "i-2")}, [2]int{3, 1}},
			{[]rollout.Reading{of(later, "i-1"), of(time.Time{}, "i-2")}, [2]int{1, 1}},
			{[]rollout.Reading{of(later, "i-1", "i-2")}, [2]int{1, 0}},
		} {
			snap, err := w.Snapshot(t.Context(), w.deployment("1.0.0"), func(snap rollout.Snapshot) []rollout.Reading {
				if len(snap.Targets) != 2 {
					t.Errorf("asked about %d targets", len(snap.Targets))
				}
				return c.named
			})
			w.must(err)
			targets := byID(snap.Targets)
			if got := [2]int{len(targets[0].Samples), len(targets[1].Samples)}; got != c.want {
				t.Errorf("of %v: %v samples, want %v", c.named, got, c.want)
			}
		}
	})
}

// Samples that are only added up are not all held: those of a minute are one.
func TestSamplesAddedUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		h, _ := w.writer(time.Millisecond)
		for range 30 {
			w.advance(10 * time.Second)
			w.must(h.Record(t.Context(), "i-1", fleet.Sample{
				Status: fleet.StatusHealthy, Counted: true, Requests: 10, Errors: 1, Latency: fleet.Histogram{Bounds: []float64{5, 10}, Counts: []uint64{7, 2, 1}},
			}))
		}
		read := func(coarse bool) []fleet.Sample {
			snap, err := w.Snapshot(t.Context(), w.deployment("1.0.0"), func(rollout.Snapshot) []rollout.Reading {
				return []rollout.Reading{{Instances: []string{"i-1"}, Coarse: coarse}}
			})
			w.must(err)
			return snap.Targets[0].Samples
		}
		fine, coarse := read(false), read(true)
		if len(fine) != 30 || len(coarse) > 7 {
			t.Errorf("%d samples, added up %d", len(fine), len(coarse))
		}
		if got, want := fleet.Aggregate(coarse), fleet.Aggregate(fine); !reflect.DeepEqual(got, want) {
			t.Errorf("they add up to %+v, want %+v", got, want)
		}
	})
}

// Whoever gives up waiting gets his own error; the writer goes on.
func TestAHeartbeatWaitsNoLongerThanItsCaller(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		idle := store.NewHeartbeatWriter(w.Store, 0) // nobody runs it
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := idle.Record(ctx, "i-1", fleet.Sample{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		h, stop := w.writer(time.Hour)
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := h.Record(short, "i-1", fleet.Sample{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		// What was taken is written before the writer stops, however long it would
		// have waited for more.
		stop()
		if n := w.rows("health_samples"); n != 1 {
			t.Errorf("%d samples are stored", n)
		}
	})
}

func TestAFullBatchDoesNotWait(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		h, _ := w.writer(time.Hour)
		w.must(errors.Join(race(1000, func(int) error { return h.Record(t.Context(), "i-1", fleet.Sample{}) })...))
	})
}

// A sick fleet beats every few seconds: only becoming unhealthy is news.
func TestStayingUnhealthyWakesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.create("1.1.0")
		w.assign("i-1", "1.1.0")
		sleep := func() {
			claim := w.claimOne("a")
			w.must(w.Step(t.Context(), claim, rollout.Decision{Next: w.read(claim.DeploymentID), Wake: w.clock().Add(time.Hour)}))
		}
		sleep()
		for _, c := range []struct {
			status fleet.Status
			due    bool
		}{
			{fleet.StatusUnhealthy, true}, {fleet.StatusUnhealthy, false}, {fleet.StatusHealthy, false}, {fleet.StatusUnhealthy, true},
		} {
			w.beat("i-1", c.status)
			due, _, err := w.NextDue(t.Context())
			w.must(err)
			if woken := !due.After(w.clock()); woken != c.due {
				t.Errorf("a heartbeat that says %s woke the deployment: %t", c.status, woken)
			}
			if c.due {
				sleep()
			}
		}
	})
}

// An instance that leaves counted in the deployment's shares even when it had
// been assigned nothing.
func TestAnInstanceThatLeavesWakesTheDeployment(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.create("1.1.0")
		claim := w.claimOne("a")
		w.must(w.Step(t.Context(), claim, rollout.Decision{Next: w.read(claim.DeploymentID), Wake: w.clock().Add(time.Hour)}))
		w.must(w.DeregisterInstance(t.Context(), "i-1", "ada"))
		w.claimOne("a")
	})
}

// Whoever is gone already, or beats again, does not keep the sweep from the others.
func TestASweepTakesOnlyTheSilent(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, id := range []string{"i-1", "i-2", "i-3"} {
			w.register(id)
		}
		w.advance(fleet.GoneAfter)
		w.beat("i-2", fleet.StatusHealthy)
		counts := make([]int, 4)
		w.must(errors.Join(race(4, func(i int) (err error) { counts[i], err = w.SweepInstances(t.Context()); return err })...))
		if n := counts[0] + counts[1] + counts[2] + counts[3]; n != 2 {
			t.Errorf("four sweeps removed %v, want two in all", counts)
		}
		list, _, err := w.Instances(t.Context(), store.InstanceFilter{})
		w.must(err)
		if len(list) != 1 || list[0].ID != "i-2" {
			t.Errorf("left are %+v", list)
		}
	})
}

// Only the profiles whose selector an instance matches give it their version,
// and a retired one does not, though it leaves what runs alone.
func TestWhatAnInstanceGetsWhenItRegisters(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 0)
		for name, labels := range map[string]map[string]string{"eu": {"region": "eu"}, "us": {"region": "us"}, "old": nil} {
			w.must(w.PutProfile(t.Context(), profile.Record{Name: name, Service: "payment-service", Environment: profile.Production,
				Strategy: profile.DefaultStrategy(profile.Direct), Health: profile.DefaultHealth(profile.Production),
				Targets: profile.Targets{Labels: labels}, Origin: profile.OriginAPI}))
			v := w.version("1.0.0", name)
			v.Profile = name
			w.must(w.InsertVersion(t.Context(), v))
			d := w.deployment("1.0.0")
			d.Profile, d.Hash, d.State, d.FinishedAt = name, v.Hash, rollout.Completed, w.clock()
			w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true, Current: "1.0.0"}))
		}
		register := func(id string) []string {
			hash := sha256.Sum256([]byte(id))
			w.must(w.RegisterInstance(t.Context(), fleet.Instance{ID: id, Service: "payment-service", Environment: profile.Production,
				Hostname: id, Labels: map[string]string{"region": "eu"}}, hash[:]))
			return w.given(id)
		}
		if got := register("i-1"); !slices.Equal(got, []string{"eu", "old", payments}) {
			t.Errorf("it got %v", got)
		}
		w.must(w.tx(func(tx *store.Tx) error { return tx.RetireProfile(t.Context(), "old") }))
		if got := register("i-2"); !slices.Equal(got, []string{"eu", payments}) {
			t.Errorf("after a profile retired it got %v", got)
		}
		if got := w.given("i-1"); !slices.Contains(got, "old") {
			t.Errorf("what ran was touched: %v", got)
		}
	})
}

// given are the profiles of which an instance has a version to run.
func (w *world) given(id string) (names []string) {
	w.t.Helper()
	list, err := w.AssignmentsOf(w.t.Context(), id)
	w.must(err)
	for _, a := range list {
		names = append(names, a.Profile)
	}
	return names
}

// Nobody can acknowledge what is still to come.
func TestWordOnAGenerationThatWasNeverGiven(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.create("1.1.0")
		a := ack(w.assign("i-1", "1.0.0"))
		a.Generation += 1000
		w.acknowledge(a)
		if got := w.assignment("i-1"); !got.Acknowledged() || got.AppliedGeneration != got.Generation {
			t.Errorf("it is %+v", got)
		}
		w.assign("i-1", "1.1.0")
		if got := w.assign("i-1", "1.0.0"); got.Acknowledged() {
			t.Errorf("a later assignment was acknowledged before it was given: %+v", got)
		}
	})
}

// The first deployment after a registration is above the generation that it gave.
func TestTheFirstAssignmentIsAboveThatOfRegistration(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 0) // nobody was assigned anything yet
		w.register("i-1")
		before := w.assignment("i-1")
		w.create("1.1.0")
		if after := w.assign("i-1", "1.1.0"); after.Version != "1.1.0" || after.Generation <= before.Generation {
			t.Errorf("it went from %+v to %+v", before, after)
		}
	})
}

// What could not be applied says nothing of what is assigned next, not even of
// the same version tried again.
func TestANewAssignmentBeginsWithoutTheOldError(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.create("1.1.0")
		refusal := ack(w.assign("i-1", "1.1.0"))
		refusal.OK, refusal.Error = false, "port is taken"
		w.acknowledge(refusal)
		for _, number := range []string{"1.1.0", "1.0.0"} {
			if a := w.assign("i-1", number); a.ApplyError != "" || a.Acknowledged() {
				t.Errorf("assigned %s it is %+v", number, a)
			}
		}
		if w.acknowledge(refusal) {
			t.Error("a refusal of an older generation counted")
		}
	})
}
