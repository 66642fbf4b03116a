package rollout_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// watched is a canary under way with its fleet, which has beaten for five minutes.
func watched(instances int) (rollout.Deployment, rollout.Snapshot, time.Time) {
	w := newWorld(instances, "1.0.0")
	w.run(5 * time.Minute)
	w.commit("1.1.0")
	w.run(2 * time.Minute)
	return w.d, w.snapshot(), w.now
}

// Deciding is done a thousand times a second: what it allocates grows with the
// fleet by little, and by nothing with what the fleet has said.
func TestDecideAllocatesLittle(t *testing.T) {
	for instances, budget := range map[int]float64{10: 80, 100: 120} {
		d, snap, now := watched(instances)
		if n := testing.AllocsPerRun(50, func() { rollout.Decide(d, snap, now) }); n > budget {
			t.Errorf("a decision about %d instances takes %v allocations, want at most %v", instances, n, budget)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	d, snap, now := watched(10)
	b.ReportAllocs()
	for b.Loop() {
		rollout.Decide(d, snap, now)
	}
}
