package bench_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/bench"
)

// The tables of docs/capacity.md follow from the slopes that stand there.
func TestCapacityPageAddsUp(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	slopes, err := bench.Slopes(string(page))
	if err != nil {
		t.Fatal(err)
	}
	want, err := bench.Capacity(slopes)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), want) {
		t.Errorf("docs/capacity.md does not follow from its own slopes; with these it is\n%s", want)
	}
	measured := 0
	for _, s := range slopes {
		if s.From == bench.Measured {
			measured++
		}
	}
	if assumed := len(bench.Assumptions()); measured < 14 || measured+assumed != len(slopes) {
		t.Errorf("%d slopes, %d of them measured, want those and the %d that are assumed", len(slopes), measured, assumed)
	}
}

// Each formula does what it says: with slopes that a head can multiply.
func TestNeeds(t *testing.T) {
	t.Parallel()
	slopes := []bench.Slope{
		{Key: bench.StreamMemory, Value: 10.24}, {Key: bench.BeatProcessor, Value: 0.5}, {Key: bench.BeatPostgres, Value: 0.1}, {Key: bench.BeatWAL, Value: 1000},
		{Key: bench.BeatNetwork, Value: 2000}, {Key: bench.InstanceRow, Value: 600}, {Key: bench.AssignmentRow, Value: 400}, {Key: bench.AssignmentWAL, Value: 500},
		{Key: bench.SampleRow, Value: 1000}, {Key: bench.VersionRow, Value: 1000}, {Key: bench.VersionByte, Value: 1}, {Key: bench.DeploymentRow, Value: 20_000},
		{Key: bench.DeploymentAudit, Value: 5}, {Key: bench.AuditRow, Value: 800}, {Key: bench.ProcessMemory, Value: 24},
	}
	needs, err := bench.Needs(append(bench.Assumptions(), slopes...))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]float64{}
	for _, n := range needs {
		got[n.What] = n.Of
	}
	for what, want := range map[string][]float64{
		"profiles":                                  {100, 1000, 10_000},
		"heartbeats a second":                       {50, 500, 5000}, // 900/30 + 100/5
		"memory of the streams":                     {10, 100, 1000},
		"watch replicas":                            {2, 2, 4}, // 500 MB are left of each, 1 processor of two
		"PostgreSQL: connections":                   {120, 120, 168},
		"PostgreSQL: versions":                      {.05, .5, 5},
		"PostgreSQL: write-ahead log by heartbeats": {.05, .5, 5},
		"Redis: memory of cached versions":          {.8, 8, 80},
	} {
		for i := range want {
			if len(got[what]) != len(want) || got[what][i] < want[i]*.999 || got[what][i] > want[i]*1.001 {
				t.Errorf("%s is %v, want %v", what, got[what], want)
				break
			}
		}
	}
	if _, err := bench.Needs(slopes); err == nil || !strings.Contains(err.Error(), "nobody says what busy is") {
		t.Errorf("a slope that is missing: %v", err)
	}
	if _, err := bench.Needs([]bench.Slope{{Key: "busy"}}); err == nil || !strings.Contains(err.Error(), "busy is 0") {
		t.Errorf("a slope that is nothing: %v", err)
	}
}
