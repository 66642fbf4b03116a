package store_test

import (
	"crypto/sha256"
	"reflect"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Targets are read one after the other into the same place: nothing of one may be
// left in the next.
func TestEachTargetIsReadAsItIs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		began := w.clock()
		eu := map[string]string{"region": "eu"}
		rich := fleet.Instance{
			ID: "i-2", Service: "payment-service", Environment: profile.Production, Hostname: "b", Port: 8080, ServiceVersion: "7",
			Labels: eu, Metadata: map[string]string{"group": fleet.Green},
		}
		same := rich
		same.ID, same.Hostname, same.Port = "i-3", "c", 8081
		instances := []fleet.Instance{
			{ID: "i-1", Service: "payment-service", Environment: profile.Production, Hostname: "a"},
			rich, same,
			{ID: "i-4", Service: "payment-service", Environment: profile.Production, Hostname: "d", Labels: map[string]string{"region": "us"}},
		}
		for i, one := range instances {
			hash := sha256.Sum256([]byte(one.ID))
			w.must(w.RegisterInstance(t.Context(), one, hash[:]))
			instances[i].Status, instances[i].LastHeartbeat = fleet.StatusUnknown, began
		}
		d := w.create("1.1.0")
		d.State = rollout.InProgress
		w.must(w.Step(t.Context(), w.claimOne("a"), rollout.Decision{Next: d, Changed: true, Assign: []rollout.Assign{
			{InstanceID: "i-2", Version: d.Version, Hash: d.Hash}, {InstanceID: "i-3", Version: d.Version, Hash: d.Hash},
		}}))
		w.advance(time.Second)
		a := w.assignment("i-2")
		_, _, err := w.Acknowledge(t.Context(), fleet.Ack{
			InstanceID: "i-2", Profile: payments, Version: a.Version, Hash: a.Hash, Generation: a.Generation, OK: true, Duration: time.Millisecond,
		})
		w.must(err)
		_, _, err = w.Acknowledge(t.Context(), fleet.Ack{InstanceID: "i-3", Profile: payments, Version: a.Version, Generation: a.Generation, Error: "no room"})
		w.must(err)

		got, err := w.DeploymentTargets(t.Context(), d.ID)
		w.must(err)
		assigned := fleet.Assignment{InstanceID: "i-2", Profile: payments, Version: d.Version, Generation: a.Generation, DeploymentID: d.ID}
		acked, refused := assigned, assigned
		acked.Applied, acked.AppliedGeneration, acked.AppliedAt, acked.ApplyTime = d.Version, a.Generation, w.clock(), time.Millisecond
		refused.InstanceID, refused.ApplyError = "i-3", "no room"
		want := []rollout.Target{{Instance: instances[0]}, {Instance: instances[1], Assignment: acked}, {Instance: instances[2], Assignment: refused}, {Instance: instances[3]}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("targets are\n%+v, want\n%+v", got, want)
		}
	})
}
