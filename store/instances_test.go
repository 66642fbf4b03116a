package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// assign gives an instance a version through a step of the active deployment.
func (w *world) assign(id, number string) fleet.Assignment {
	w.t.Helper()
	d, err := w.ActiveDeployment(w.t.Context(), payments)
	w.must(err)
	v, err := w.Version(w.t.Context(), payments, number)
	w.must(err)
	w.must(w.Order(w.t.Context(), rollout.Decision{Next: d, Changed: true,
		Assign: []rollout.Assign{{InstanceID: id, Version: v.Number, Hash: v.Hash}}}))
	return w.assignment(id)
}

func (w *world) assignment(id string) fleet.Assignment {
	w.t.Helper()
	list, err := w.AssignmentsOf(w.t.Context(), id)
	w.must(err)
	if len(list) != 1 {
		w.t.Fatalf("assignments of %s are %+v", id, list)
	}
	return list[0]
}

func ack(a fleet.Assignment) fleet.Ack {
	return fleet.Ack{InstanceID: a.InstanceID, Profile: a.Profile, Version: a.Version, Hash: a.Hash,
		Generation: a.Generation, OK: true, Duration: 3 * time.Millisecond}
}

func (w *world) acknowledge(a fleet.Ack) bool {
	w.t.Helper()
	_, changed, err := w.Acknowledge(w.t.Context(), a)
	w.must(err)
	return changed
}

func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.create("1.1.0")
		older := w.assign("i-1", "1.1.0")
		newer := w.assign("i-1", "1.0.0")
		if newer.Generation <= older.Generation {
			t.Fatalf("generation went from %d to %d", older.Generation, newer.Generation)
		}

		if !w.acknowledge(ack(older)) {
			t.Error("what the instance ran before was not kept")
		}
		if a := w.assignment("i-1"); a.Acknowledged() || a.Applied != "1.1.0" {
			t.Errorf("word on an older generation left %+v", a)
		}
		wrong := ack(newer)
		wrong.Hash = older.Hash
		if _, _, err := w.Acknowledge(t.Context(), wrong); !errors.Is(err, store.ErrHashMismatch) {
			t.Errorf("a wrong hash gave %v, want ErrHashMismatch", err)
		}
		stranger := ack(newer)
		stranger.InstanceID = "nobody"
		if _, _, err := w.Acknowledge(t.Context(), stranger); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown instance gave %v, want ErrNotFound", err)
		}

		refused := ack(newer)
		refused.OK, refused.Error = false, "port is taken"
		if !w.acknowledge(refused) || w.acknowledge(refused) {
			t.Error("a refusal counts once")
		}
		if a := w.assignment("i-1"); a.ApplyError != "port is taken" || a.Acknowledged() {
			t.Errorf("after the refusal it is %+v", a)
		}
		if !w.acknowledge(ack(newer)) || w.acknowledge(ack(newer)) {
			t.Error("an acknowledgement counts once")
		}
		a := w.assignment("i-1")
		if !a.Acknowledged() || a.ApplyError != "" || a.ApplyTime != 3*time.Millisecond || !a.AppliedAt.Equal(w.clock()) {
			t.Errorf("at the end it is %+v", a)
		}
		if w.acknowledge(ack(older)) || !w.assignment("i-1").Acknowledged() {
			t.Error("an old word took a newer one back")
		}
	})
}

func TestAnInstanceThatJoinsGetsTheStableVersion(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("before")
		if list, err := w.AssignmentsOf(t.Context(), "before"); len(list) != 0 || err != nil {
			t.Errorf("without a stable version it got %+v (%v)", list, err)
		}
		d := w.create("1.0.0")
		d.State, d.FinishedAt = rollout.Completed, w.clock()
		w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Current: "1.0.0"}))
		w.create("1.1.0")
		w.assign("before", "1.1.0")

		w.register("after")
		a := w.assignment("after")
		if a.Version != "1.0.0" || a.Generation < 1 {
			t.Errorf("in the middle of a deployment it got %+v", a)
		}
		data, err := w.VersionData(t.Context(), payments, a.Version, a.Hash)
		w.must(err)
		if string(data) != `{"timeout":"100ms"}` {
			t.Errorf("it reads %s", data)
		}
		if b := w.assign("after", "1.1.0"); b.Generation <= a.Generation {
			t.Errorf("its generation went from %d to %d", a.Generation, b.Generation)
		}
	})
}

func TestManyHeartbeatsAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const n = 200
		for i := range n {
			w.register(fmt.Sprintf("i-%03d", i))
		}
		registered := w.clock()
		w.advance(5 * time.Second)
		h := store.NewHeartbeatWriter(w.Store, time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		errs := race(n+1, func(i int) error {
			return h.Record(t.Context(), fmt.Sprintf("i-%03d", i), fleet.Sample{Status: fleet.StatusHealthy, Requests: uint64(i), Counted: true,
				Latency: fleet.Histogram{Bounds: []float64{10}, Counts: []uint64{uint64(i), 0}}})
		})
		if !errors.Is(errs[n], store.ErrNotFound) {
			t.Errorf("an unknown instance got %v, want ErrNotFound", errs[n])
		}
		w.must(errors.Join(errs[:n]...))
		cancel()
		w.must(<-done)
		if err := h.Record(t.Context(), "i-000", fleet.Sample{}); !errors.Is(err, store.ErrStopped) {
			t.Errorf("after the end it got %v, want ErrStopped", err)
		}

		snap, err := w.Snapshot(t.Context(), w.deployment("1.0.0"), nil)
		w.must(err)
		if len(snap.Targets) != n {
			t.Fatalf("%d targets", len(snap.Targets))
		}
		for i, target := range byID(snap.Targets) {
			if len(target.Samples) != 1 || !target.Instance.LastHeartbeat.Equal(w.clock()) {
				t.Fatalf("target %d is %+v", i, target)
			}
			s := target.Samples[0]
			if s.Requests != uint64(i) || !s.Since.Equal(registered) || !s.At.Equal(w.clock()) || s.Latency.Counts[0] != uint64(i) {
				t.Fatalf("its sample is %+v", s)
			}
		}
	})
}

func TestOldSamplesGo(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.beat("i-1", fleet.StatusHealthy)
		w.advance(16 * time.Minute)
		w.beat("i-1", fleet.StatusHealthy)
		snap, err := w.Snapshot(t.Context(), w.deployment("1.0.0"), nil)
		w.must(err)
		if n := len(snap.Targets[0].Samples); n != 1 {
			t.Errorf("%d samples", n)
		}
		if n := w.rows("health_samples"); n != 1 {
			t.Errorf("%d samples are stored, want the old one gone", n)
		}
	})
}

func TestAnUnhealthyHeartbeatWakesTheDeployment(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.create("1.1.0")
		w.assign("i-1", "1.1.0")
		for _, beat := range []struct {
			status fleet.Status
			due    int
		}{{fleet.StatusHealthy, 0}, {fleet.StatusUnhealthy, 1}} {
			if claims := w.claim("a"); len(claims) == 1 {
				w.must(w.Step(t.Context(), claims[0], rollout.Decision{Next: w.read(claims[0].DeploymentID), Wake: w.clock().Add(time.Hour)}))
			}
			w.beat("i-1", beat.status)
			if got := len(w.claim("a")); got != beat.due {
				t.Errorf("after a %s heartbeat %d are due, want %d", beat.status, got, beat.due)
			}
		}
	})
}

func TestTheSilentAreSweptAndTheirDeploymentWoken(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("gone")
		w.create("1.1.0")
		w.assign("gone", "1.1.0")
		claim := w.claimOne("a")
		w.must(w.Step(t.Context(), claim, rollout.Decision{Next: w.read(claim.DeploymentID)}))
		w.advance(fleet.GoneAfter)
		w.register("new")
		n, err := w.SweepInstances(t.Context())
		if n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		if _, err := w.Instance(t.Context(), "gone"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("it is still there (%v)", err)
		}
		w.claimOne("a")
	})
}
