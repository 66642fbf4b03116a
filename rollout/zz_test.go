package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

func zzSnap(now time.Time) (rollout.Deployment, rollout.Snapshot) {
	var snap rollout.Snapshot
	for i := range 10000 {
		id := fmt.Sprintf("0190-%08d-abcd-efgh-0123456789ab", i)
		snap.Targets = append(snap.Targets, rollout.Target{
			Instance:   fleet.Instance{ID: id, Hostname: id, LastHeartbeat: now},
			Assignment: fleet.Assignment{InstanceID: id, Version: "1.0.0", Hash: "h", Generation: 1, Applied: "1.0.0", AppliedGeneration: 1, AppliedAt: now.Add(-time.Hour)},
		})
	}
	d := rollout.Deployment{ID: "x", Profile: "p", Kind: rollout.Forward, Version: "1.1.0", Hash: "h2", Previous: "1.0.0", PreviousHash: "h",
		State: rollout.Pending, Strategy: profile.DefaultStrategy(profile.Direct), Health: profile.DefaultHealth(profile.Staging)}
	return d, snap
}

func BenchmarkZZDecide(b *testing.B) {
	now := time.Now()
	d, snap := zzSnap(now)
	b.ReportAllocs()
	for b.Loop() {
		dec := rollout.Decide(d, snap, now)
		if len(dec.Assign) != 10000 {
			b.Fatal(len(dec.Assign))
		}
	}
}
func BenchmarkZZRollback(b *testing.B) {
	now := time.Now()
	d, snap := zzSnap(now)
	dec := rollout.Decide(d, snap, now)
	for i := range snap.Targets {
		snap.Targets[i].Assignment.Version = "1.1.0"
		snap.Targets[i].Assignment.DeploymentID = d.ID
	}
	b.ReportAllocs()
	for b.Loop() {
		dec, err := rollout.RollBack(dec.Next, snap, "me", "why", now)
		if err != nil || len(dec.Assign) != 10000 {
			b.Fatal(err, len(dec.Assign))
		}
	}
}
