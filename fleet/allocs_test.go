package fleet_test

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/fleet"
)

// beaten are samples of a fleet, each with a histogram.
func beaten(instances, each int) (samples []fleet.Sample) {
	for i := range instances {
		for range each {
			samples = append(samples, fleet.Sample{
				InstanceID: fmt.Sprintf("i-%03d", i), Status: fleet.StatusHealthy, Counted: true, Requests: 100, Errors: 1,
				Latency: fleet.Histogram{Bounds: []float64{5, 10, 50, 100}, Counts: []uint64{10, 20, 30, 20, 20}},
			})
		}
	}
	return samples
}

// What a window of samples allocates does not grow with their number, but for
// the set of instances.
func TestAggregateAllocatesLittle(t *testing.T) {
	for each, budget := range map[int]float64{1: 20, 30: 20} {
		samples := beaten(10, each)
		if n := testing.AllocsPerRun(50, func() { fleet.Aggregate(samples) }); n > budget {
			t.Errorf("%d samples take %v allocations, want at most %v", len(samples), n, budget)
		}
	}
}

func BenchmarkAggregate(b *testing.B) {
	samples := beaten(100, 30)
	b.ReportAllocs()
	for b.Loop() {
		fleet.Aggregate(samples)
	}
}
