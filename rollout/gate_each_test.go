package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// spell is what an instance does for some minutes, with a beat every ten seconds.
type spell struct {
	minutes int
	failed  uint64 // of each 100 requests
	slow    uint64 // of each 100 requests, ten times as slow
	busy    uint64 // hundreds of requests a beat; 0 is one
	beats   int    // more than the minutes have
}

func (s spell) length() int { return s.minutes*6 + s.beats }

// beats makes an instance's samples, the last spell ending at now.
func beats(id string, now time.Time, spells ...spell) []fleet.Sample {
	total := 0
	for _, s := range spells {
		total += s.length()
	}
	at := now.Add(-time.Duration(total) * 10 * time.Second)
	var out []fleet.Sample
	for _, s := range spells {
		n := max(1, s.busy)
		for range s.length() {
			out = append(out, fleet.Sample{
				InstanceID: id, Since: at, At: at.Add(10 * time.Second), Status: fleet.StatusHealthy,
				Counted: true, Requests: 100 * n, Errors: s.failed * n, Latency: histogram(20, (100-s.slow)*n).Merge(histogram(200, s.slow*n)),
			})
			at = at.Add(10 * time.Second)
		}
	}
	return out
}

// among is the verdict over some updated instances, four minutes after they
// applied the version, and as many that did not.
func among(t *testing.T, updated, control [][]spell) rollout.Verdict {
	t.Helper()
	d := forward("a")
	d.State, d.Health = rollout.InProgress, profile.DefaultHealth(profile.Production)
	d.StartedAt, d.ProgressAt, d.PhaseSettledAt = dawn.Add(-4*time.Minute), dawn, dawn.Add(-4*time.Minute)
	d.Baseline = fleet.Aggregate(beats("web-0", dawn, spell{minutes: 10}))
	d.Worst = rollout.Figures{P99: 20}
	var snap rollout.Snapshot
	for i, life := range append(updated, control...) {
		id, version := fmt.Sprintf("web-%d", i+1), "1.1.0"
		if i >= len(updated) {
			version = "1.0.0"
		}
		snap.Targets = append(snap.Targets, rollout.Target{
			Instance:   fleet.Instance{ID: id, Hostname: id, LastHeartbeat: dawn},
			Assignment: fleet.Assignment{InstanceID: id, Version: version, Generation: 1, DeploymentID: "a", Applied: version, AppliedGeneration: 1, AppliedAt: dawn.Add(-4 * time.Minute)},
			Samples:    beats(id, dawn, life...),
		})
	}
	return rollout.Decide(d, snap, dawn).Next.Verdict
}

func TestEachUpdatedInstanceIsJudged(t *testing.T) {
	t.Parallel()
	times := func(n int, life ...spell) [][]spell {
		var out [][]spell
		for range n {
			out = append(out, life)
		}
		return out
	}
	well := spell{4, 0, 0, 0, 0}
	for name, c := range map[string]struct {
		updated, control [][]spell
		want             rollout.Outcome
		reason           string
	}{
		"one of five is ill from the start":     {append(times(4, well), []spell{{4, 20, 0, 0, 0}}), times(5, well), rollout.Fail, "on 1 of 5 instances, web-5: error rate 20.0%"},
		"two of five are slow from the start":   {append(times(3, well), times(2, spell{4, 0, 4, 0, 0})...), times(5, well), rollout.Fail, "p99 220 ms of 4500"},
		"one of fifteen is named":               {append(times(14, well), []spell{{4, 30, 0, 0, 0}}), times(15, well), rollout.Pass, "on 1 of 15 instances, web-15"},
		"one turns ill later and spoils all":    {append(times(2, well), []spell{{3, 0, 0, 0, 0}, {1, 60, 0, 0, 0}}), times(3, well), rollout.Inconclusive, "but for web-3"},
		"all turn ill later":                    {times(3, spell{3, 0, 0, 0, 0}, spell{1, 60, 0, 0, 0}), times(3, well), rollout.Fail, "error rate"},
		"one control is as ill as the one":      {append(times(2, well), []spell{{4, 40, 0, 0, 0}}), append(times(2, well), []spell{{4, 40, 0, 0, 0}}), rollout.Inconclusive, "shared outage"},
		"an outage in the last minute, for all": {times(3, spell{3, 0, 0, 0, 0}, spell{1, 60, 0, 0, 0}), times(3, spell{3, 0, 0, 0, 0}, spell{1, 60, 0, 0, 0}), rollout.Inconclusive, "shared outage"},
		"one bad heartbeat of a busy instance":  {[][]spell{{{3, 0, 0, 1, 5}, {0, 50, 0, 3, 1}}}, times(3, well), rollout.Inconclusive, "may be chance"},
		"an outage while the one was busy":      {[][]spell{{{3, 0, 0, 1, 0}, {1, 60, 0, 9, 0}}}, times(3, spell{3, 0, 0, 9, 0}, spell{1, 60, 0, 1, 0}), rollout.Inconclusive, "shared outage"},
	} {
		v := among(t, c.updated, c.control)
		if v.Outcome != c.want || !strings.Contains(v.Reason, c.reason) {
			t.Errorf("%s: %s %q, want %s %q", name, v.Outcome, v.Reason, c.want, c.reason)
		}
	}
}

// An instance that was ill before is updated last, and not held against the version.
func TestTheIllBeforeAreNoEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(5, "1.0.0")
	w.strategy.Steps, w.strategy.PhaseInterval = []int{20, 100}, profile.Duration(time.Minute)
	w.run(time.Second)
	w.commit("1.1.0")
	first := w.firstUpdated(t)
	w = newWorld(5, "1.0.0")
	w.strategy.Steps, w.strategy.PhaseInterval = []int{20, 100}, profile.Duration(time.Minute)
	w.see = func(_ rollout.Deployment, dec rollout.Decision) {
		if dec.Next.Phase == 0 && len(dec.Assign) == 1 && dec.Assign[0].InstanceID == first {
			t.Errorf("%s was ill and is updated first", first)
		}
	}
	for w.now.Before(dawn.Add(2 * time.Minute)) {
		w.run(5 * time.Second)
		last := &w.find(first).samples[len(w.find(first).samples)-1]
		last.Errors = last.Requests / 2
	}
	w.commit("1.1.0")
	w.run(time.Second)
	if _, ill := w.d.Ill[first]; !ill || len(w.d.Ill) != 1 || w.d.Baseline.Errors != 0 {
		t.Fatalf("ill: %v, errors of the others: %d", w.d.Ill, w.d.Baseline.Errors)
	}
	for w.active && w.now.Before(dawn.Add(10*time.Minute)) {
		w.run(5 * time.Second)
		last := &w.find(first).samples[len(w.find(first).samples)-1]
		last.Errors = last.Requests / 2
	}
	if w.d.State != rollout.Completed {
		t.Errorf("%s: %s", w.d.State, w.d.Explanation)
	}
}

// firstUpdated answers who is the first to be updated.
func (w *world) firstUpdated(t *testing.T) string {
	t.Helper()
	dec := w.step()
	if len(dec.Assign) != 1 {
		t.Fatalf("%+v", dec.Assign)
	}
	return dec.Assign[0].InstanceID
}
