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
	for instances, budget := range map[int]float64{10: 50, 100: 65} {
		d, snap, now := watched(instances)
		if n := testing.AllocsPerRun(50, func() { rollout.Decide(d, snap, now) }); n > budget {
			t.Errorf("a decision about %d instances takes %v allocations, want at most %v", instances, n, budget)
		}
	}
}

// What a deployment begins with looks at every instance. What that allocates is
// what it decides, and nothing for each that is looked at.
func TestTheBeginningAllocatesLittle(t *testing.T) {
	w := newWorld(2000, "1.0.0")
	w.commit("1.1.0")
	d, snap := w.d, w.snapshot()
	const budget = 150
	if n := testing.AllocsPerRun(5, func() { rollout.Decide(d, snap, w.now) }); n > budget {
		t.Errorf("the beginning of a deployment to 2000 instances takes %v allocations, want at most %v", n, budget)
	}
}

func BenchmarkDecide(b *testing.B) {
	d, snap, now := watched(10)
	b.ReportAllocs()
	for b.Loop() {
		rollout.Decide(d, snap, now)
	}
}
