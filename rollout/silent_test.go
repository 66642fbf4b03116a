package rollout_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Phases and shares are counted over the same instances, the live ones and the
// silent ones that hold the version. Were they not, the last live instance
// would never get a good version, and the deadline would take it back.
func TestOneSilentHolderStopsNobody(t *testing.T) {
	t.Parallel()
	rolling := func(batch string) profile.Strategy {
		s := profile.DefaultStrategy(profile.Rolling)
		s.BatchSize, s.BatchInterval = batch, profile.Duration(30*time.Second)
		return s
	}
	canary := func(steps ...int) profile.Strategy {
		s := profile.DefaultStrategy(profile.Canary)
		s.Steps, s.PhaseInterval = steps, profile.Duration(30*time.Second)
		return s
	}
	direct := profile.DefaultStrategy(profile.Direct)
	direct.MaxConcurrency = 1
	for name, strategy := range map[string]profile.Strategy{
		"rolling by one": rolling("1"), "rolling by two": rolling("2"), "rolling by a quarter": rolling("25%"),
		"rolling by a third": rolling("34%"), "canary": canary(34, 67, 100), "canary of two steps": canary(50, 100),
		"direct": profile.DefaultStrategy(profile.Direct), "direct one by one": direct,
	} {
		for n := 3; n <= 6; n++ {
			w := newWorld(n, "1.0.0")
			w.strategy = strategy
			w.strategy.ProgressDeadline = profile.Duration(10 * time.Minute)
			w.run(time.Minute)
			w.commit("1.1.0")
			silenced := silenceOneOf(w, 2)
			w.run(15 * time.Minute)
			for _, p := range w.processes {
				if p.instance.ID != silenced && p.assignment.Applied != "1.1.0" {
					t.Errorf("%s, %d instances: %s never got it", name, n, p.instance.ID)
				}
			}
			if w.d.State != rollout.Completed {
				t.Errorf("%s, %d instances: %s: %s", name, n, w.d.State, w.d.Explanation)
			}
		}
	}
}

// silenceOneOf waits until so many instances run the new version, then one of
// them falls silent for good.
func silenceOneOf(w *world, holders int) (id string) {
	for range 600 {
		w.run(time.Second)
		var running []*process
		for _, p := range w.processes {
			if p.assignment.Applied == w.d.Version {
				running = append(running, p)
			}
		}
		if len(running) >= holders {
			running[0].silent = true
			return running[0].instance.ID
		}
	}
	return ""
}
