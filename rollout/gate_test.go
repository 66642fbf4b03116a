package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// group is what some instances report: the sum over 6 heartbeats.
type group struct {
	requests, errors uint64
	sick             int     // of the 6 heartbeats
	p99              float64 // of all requests; 0 for none
	slow             uint64  // requests that took 10 times as long
	rate             float64 // percent, instead of counts
	ratedP99         float64
	custom           float64
	mute             bool // heartbeats without a status
	none             bool // no heartbeats at all
}

var bounds = []float64{5, 10, 20, 40, 80, 160, 320, 640, 1280}

// samples spreads a group over six heartbeats of ten seconds that end now.
func (g group) samples(id string, now time.Time) []fleet.Sample {
	if g.none {
		return nil
	}
	var out []fleet.Sample
	for i := range 6 {
		at := now.Add(time.Duration(i-5) * 10 * time.Second)
		s := fleet.Sample{InstanceID: id, Since: at.Add(-10 * time.Second), At: at, Status: fleet.StatusHealthy}
		if i < g.sick {
			s.Status = fleet.StatusUnhealthy
		}
		if g.mute {
			s.Status = fleet.StatusUnknown
		}
		if g.custom != 0 {
			s.Custom = map[string]float64{"queue": g.custom}
		}
		switch {
		case g.rate != 0 || g.ratedP99 != 0:
			s.ErrorRate, s.P99 = &g.rate, &g.ratedP99
		case i == 5 && g.requests > 0:
			s.Counted, s.Requests, s.Errors = true, g.requests, g.errors
			if g.p99 > 0 {
				s.Latency = histogram(g.p99, g.requests-g.slow).Merge(histogram(10*g.p99, g.slow))
			}
		}
		out = append(out, s)
	}
	return out
}

func histogram(ms float64, n uint64) fleet.Histogram {
	h := fleet.Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
	for i, b := range bounds {
		if ms <= b {
			h.Counts[i] = n
			return h
		}
	}
	h.Counts[len(bounds)] = n
	return h
}

// judged is the verdict over one updated instance, one control and a baseline.
func judged(updated group, control *group, baseline *group, edit func(d *rollout.Deployment)) rollout.Verdict {
	now := dawn
	d := forward("a")
	d.State, d.Health = rollout.InProgress, profile.DefaultHealth(profile.Production)
	d.StartedAt, d.ProgressAt, d.PhaseSettledAt = now.Add(-time.Minute), now, now.Add(-time.Minute)
	target := func(id, version string, g group) rollout.Target {
		return rollout.Target{
			Instance:   fleet.Instance{ID: id, Hostname: id, LastHeartbeat: now},
			Assignment: fleet.Assignment{InstanceID: id, Version: version, Generation: 1, DeploymentID: "a", Applied: version, AppliedGeneration: 1, AppliedAt: now.Add(-time.Minute)},
			Samples:    g.samples(id, now),
		}
	}
	snap := rollout.Snapshot{Targets: []rollout.Target{target("web-1", "1.1.0", updated)}}
	if control != nil {
		snap.Targets = append(snap.Targets, target("web-2", "1.0.0", *control))
	}
	if baseline != nil {
		d.Baseline = fleet.Aggregate(baseline.samples("web-0", now))
	}
	if edit != nil {
		edit(&d)
	}
	return rollout.Decide(d, snap, now).Next.Verdict
}

func metric(v rollout.Verdict, name string) rollout.MetricCheck {
	for _, m := range v.Metrics {
		if m.Name == name {
			return m
		}
	}
	return rollout.MetricCheck{}
}

func TestGate(t *testing.T) {
	t.Parallel()
	first := func(d *rollout.Deployment) { d.Previous = "" }
	well := &group{requests: 1000, errors: 4, p99: 20}
	for name, c := range map[string]struct {
		updated           group
		control, baseline *group
		edit              func(d *rollout.Deployment)
		metric            string
		want              rollout.Outcome
		reason            string // part of it
	}{
		// Errors.
		"as good as before passes":              {group{requests: 200, errors: 1, p99: 20}, well, well, nil, "errorRate", rollout.Pass, "error rate 0.5%"},
		"below the threshold passes":            {group{requests: 1000, errors: 50}, well, well, nil, "errorRate", rollout.Pass, "5.0%"},
		"worse than both fails":                 {group{requests: 214, errors: 67}, well, well, nil, "errorRate", rollout.Fail, "error rate 31.3% of 214 requests, baseline 0.4%, control 0.4%, threshold +5 points, p < 0.0001"},
		"a control that fails too is an outage": {group{requests: 200, errors: 60}, &group{requests: 500, errors: 150}, well, nil, "errorRate", rollout.Inconclusive, "shared outage"},
		"no worse than chance holds":            {group{requests: 30, errors: 2}, &group{requests: 40}, well, nil, "errorRate", rollout.Inconclusive, "may be chance"},
		"much worse in a shared outage fails":   {group{requests: 500, errors: 450}, &group{requests: 500, errors: 100}, well, nil, "errorRate", rollout.Fail, "control 20.0%"},
		"without a control the baseline judges": {group{requests: 200, errors: 60}, nil, well, nil, "errorRate", rollout.Fail, "baseline 0.4%, threshold"},
		"a small control is no control":         {group{requests: 200, errors: 60}, &group{requests: 29, errors: 29}, well, nil, "errorRate", rollout.Fail, "baseline 0.4%, threshold +5 points, p < 0.0001"},
		"without a baseline the control judges": {group{requests: 200, errors: 60}, well, nil, nil, "errorRate", rollout.Fail, "control 0.4%"},
		"29 requests are too few":               {group{requests: 29, errors: 29}, well, well, nil, "errorRate", rollout.Inconclusive, "29 requests are too few"},
		"30 requests are enough":                {group{requests: 30, errors: 29}, well, well, nil, "errorRate", rollout.Fail, ""},
		"no requests where there were some":     {group{}, well, well, nil, "errorRate", rollout.Inconclusive, "no requests since"},
		"no requests ever":                      {group{}, &group{}, &group{}, nil, "errorRate", rollout.Skipped, ""},
		"nothing to compare with, but few":      {group{requests: 100, errors: 4}, nil, nil, nil, "errorRate", rollout.Pass, "4.0%"},
		"nothing to compare with, and many":     {group{requests: 100, errors: 40}, nil, nil, nil, "errorRate", rollout.Inconclusive, "no baseline and no control"},
		"better than a bad baseline passes":     {group{requests: 100, errors: 20}, nil, &group{requests: 100, errors: 40}, nil, "errorRate", rollout.Pass, ""},
		"a first version is measured against 0": {group{requests: 100, errors: 40}, nil, nil, first, "errorRate", rollout.Fail, "error rate 40.0% of 100 requests, threshold"},
		"a first version without requests":      {group{}, nil, nil, first, "errorRate", rollout.Skipped, ""},
		"a first version with few, all good":    {group{requests: 5}, nil, nil, first, "errorRate", rollout.Skipped, ""},
		"a first version with few, some bad":    {group{requests: 5, errors: 1}, nil, nil, first, "errorRate", rollout.Inconclusive, "too few"},
		"rates are taken at their word":         {group{rate: 30}, &group{rate: 1}, &group{rate: 1}, nil, "errorRate", rollout.Fail, "as the instances report it, baseline 1.0%, control 1.0%"},
		"rates that the control shares":         {group{rate: 30}, &group{rate: 28}, &group{rate: 1}, nil, "errorRate", rollout.Inconclusive, "shared outage"},
		"rates without a control":               {group{rate: 30}, nil, &group{rate: 1}, nil, "errorRate", rollout.Fail, "baseline 1.0%"},
		"good rates pass":                       {group{rate: 3}, &group{rate: 1}, &group{rate: 1}, nil, "errorRate", rollout.Pass, "3.0%"},
		"no errors pass a threshold of nothing": {group{requests: 100}, nil, &group{requests: 100}, func(d *rollout.Deployment) { d.Health.ErrorRateThreshold = 0 }, "errorRate", rollout.Pass, ""},
		// Latency.
		"as fast as before passes":             {group{requests: 200, p99: 20}, well, well, nil, "latencyP99", rollout.Pass, "p99"},
		"slower than both fails":               {group{requests: 200, p99: 160}, well, well, nil, "latencyP99", rollout.Fail, "p99 159 ms of 200 requests, baseline 20 ms, control 20 ms, threshold +50%, p < 0.0001"},
		"5 ms to 10 ms is no failure":          {group{requests: 200, p99: 10}, &group{requests: 200, p99: 5}, &group{requests: 200, p99: 5}, nil, "latencyP99", rollout.Pass, ""},
		"as slow as the control passes":        {group{requests: 200, p99: 160}, &group{requests: 200, p99: 160}, well, nil, "latencyP99", rollout.Pass, "not slower than without"},
		"a few slow ones may be chance":        {group{requests: 100, p99: 20, slow: 2}, &group{requests: 100, p99: 20}, well, nil, "latencyP99", rollout.Inconclusive, "may be chance"},
		"99 latencies are too few":             {group{requests: 99, p99: 160}, well, well, nil, "latencyP99", rollout.Inconclusive, "99 requests are too few"},
		"no latencies where there were some":   {group{requests: 200}, well, well, nil, "latencyP99", rollout.Inconclusive, "no latencies"},
		"no latencies to compare with":         {group{requests: 200, p99: 160}, nil, nil, nil, "latencyP99", rollout.Skipped, "no baseline"},
		"latency without a baseline":           {group{requests: 200, p99: 160}, well, nil, nil, "latencyP99", rollout.Fail, "control 20 ms"},
		"a p99 is taken at its word":           {group{ratedP99: 400}, &group{ratedP99: 100}, &group{ratedP99: 100}, nil, "latencyP99", rollout.Fail, "p99 400 ms as the instances report it"},
		"a p99 that the control shares passes": {group{ratedP99: 400}, &group{ratedP99: 390}, &group{ratedP99: 100}, nil, "latencyP99", rollout.Pass, "not slower than without"},
		// Heartbeats.
		"healthy heartbeats pass":                {group{}, &group{}, &group{}, nil, "failedChecks", rollout.Pass, ""},
		"unhealthy ones fail":                    {group{sick: 6}, &group{}, &group{}, nil, "failedChecks", rollout.Fail, "100.0% of 6 heartbeats are unhealthy, baseline 0.0%, control 0.0%, threshold +10 points"},
		"everybody is unhealthy: an outage":      {group{sick: 6}, &group{sick: 6}, &group{}, nil, "failedChecks", rollout.Inconclusive, "shared outage"},
		"one of six may be chance":               {group{sick: 1}, &group{}, &group{}, nil, "failedChecks", rollout.Inconclusive, "may be chance"},
		"unhealthy with nothing to compare with": {group{sick: 6}, nil, nil, nil, "failedChecks", rollout.Fail, ""},
		"no heartbeat":                           {group{none: true}, well, well, nil, "failedChecks", rollout.Inconclusive, "no heartbeat since"},
		"no heartbeat of a first version":        {group{none: true}, nil, nil, first, "failedChecks", rollout.Skipped, ""},
		"heartbeats that say nothing":            {group{mute: true}, &group{mute: true}, &group{mute: true}, nil, "failedChecks", rollout.Inconclusive, "no heartbeat says"},
		"requests without a status will do":      {group{mute: true, requests: 200}, well, well, nil, "failedChecks", rollout.Skipped, ""},
	} {
		v := judged(c.updated, c.control, c.baseline, c.edit)
		m := metric(v, c.metric)
		if m.Outcome != c.want || !strings.Contains(m.Reason, c.reason) {
			t.Errorf("%s: %s %q, want %s %q", name, m.Outcome, m.Reason, c.want, c.reason)
		}
		if m.Outcome == rollout.Fail && (v.Outcome != rollout.Fail || !strings.Contains(v.Reason, m.Reason)) {
			t.Errorf("%s: one metric fails, and the verdict is %s %q", name, v.Outcome, v.Reason)
		}
		if m.Outcome == rollout.Inconclusive && v.Outcome == rollout.Pass {
			t.Errorf("%s: %s cannot tell, and the gate passes", name, c.metric)
		}
	}
}

func TestGateKeepsItsNumbers(t *testing.T) {
	t.Parallel()
	v := judged(group{requests: 200, errors: 60, p99: 20}, &group{requests: 400, errors: 4, p99: 20}, &group{requests: 1000, errors: 10, p99: 20}, nil)
	m := metric(v, "errorRate")
	if m.N != 200 || m.ControlN != 400 || m.BaselineN != 1000 || m.Threshold != 5 || m.Unit != "%" {
		t.Errorf("%+v", m)
	}
	if p := metric(v, "latencyP99"); m.Limit == nil || *m.Limit != 6 || p.Limit == nil || p.Baseline == nil || *p.Limit != max(*p.Baseline*1.5, *p.Baseline+10) {
		t.Errorf("the limits are %v and %v", m.Limit, p.Limit)
	}
	if !strings.HasPrefix(v.Reason, "error rate 30.0% of 200") {
		t.Errorf("the verdict does not begin with what is wrong: %q", v.Reason)
	}
	if m.Value == nil || *m.Value != 30 || m.Control == nil || *m.Control != 1 || m.Baseline == nil || *m.Baseline != 1 || m.P == nil || *m.P > 0.0001 {
		t.Errorf("%+v", m)
	}
}

func TestGateSaysWhatItSaw(t *testing.T) {
	t.Parallel()
	well := &group{requests: 400, errors: 4, p99: 20}
	if v := judged(*well, well, well, nil); v.Outcome != rollout.Pass || v.Reason != "error rate 1.0%; p99 20 ms" {
		t.Errorf("%s %q", v.Outcome, v.Reason)
	}
	off := func(d *rollout.Deployment) { d.Health.Enabled = false }
	if v := judged(*well, well, well, off); v.Outcome != rollout.Pass || v.Reason != "within bounds" {
		t.Errorf("%s %q", v.Outcome, v.Reason)
	}
}

func TestGateOfCustomMetrics(t *testing.T) {
	t.Parallel()
	low, high := 10.0, 20.0
	for name, c := range map[string]struct {
		value float64
		m     profile.Metric
		want  rollout.Outcome
		text  string
	}{
		"inside":            {15, profile.Metric{Name: "depth", Query: "queue", Min: &low, Max: &high}, rollout.Pass, ""},
		"below":             {5, profile.Metric{Name: "depth", Query: "queue", Min: &low}, rollout.Fail, "depth is 5, below 10"},
		"above":             {25.5, profile.Metric{Name: "depth", Query: "queue", Max: &high}, rollout.Fail, "depth is 25.5, above 20"},
		"called by name":    {25, profile.Metric{Name: "queue", Max: &high}, rollout.Fail, "queue is 25"},
		"never sent":        {0, profile.Metric{Name: "queue", Max: &high}, rollout.Inconclusive, "no heartbeat carried"},
		"on trial":          {25, profile.Metric{Name: "queue", Max: &high, DryRun: true}, rollout.Fail, "queue is 25"},
		"on trial, unknown": {0, profile.Metric{Name: "queue", Max: &high, DryRun: true}, rollout.Inconclusive, "no heartbeat carried"},
	} {
		v := judged(group{custom: c.value}, &group{}, &group{}, func(d *rollout.Deployment) { d.Health.Metrics = []profile.Metric{c.m} })
		if m := metric(v, c.m.Name); m.Outcome != c.want || !strings.Contains(m.Reason, c.text) {
			t.Errorf("%s: %s %q", name, m.Outcome, m.Reason)
		}
	}
}

func TestGateOffJudgesOnlyWhatWasApplied(t *testing.T) {
	t.Parallel()
	v := judged(group{requests: 100, errors: 100}, nil, nil, func(d *rollout.Deployment) { d.Health.Enabled = false })
	if v.Outcome != rollout.Pass || len(v.Metrics) != 1 || v.Metrics[0].Name != "apply" {
		t.Errorf("%+v", v)
	}
}

// What was counted partly before the version was applied says nothing of it.
func TestGateIgnoresWhatCameBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(2, "1.0.0")
	w.behaves["1.0.0"] = behaviour{errors: 90, latency: 20}
	w.run(13 * time.Second)
	w.behaves["1.0.0"] = behaviour{latency: 20}
	w.strategy.Steps = []int{50, 100}
	w.commit("1.1.0")
	w.run(3 * time.Minute)
	m := metric(w.d.Verdict, "errorRate")
	if m.Value == nil || *m.Value != 0 {
		t.Errorf("%+v", m)
	}
}

// The gate looks at the last checks, not at the mean since the beginning: a
// version that turns bad late is caught within a minute.
func TestGateCatchesALateTurnWithinAMinute(t *testing.T) {
	t.Parallel()
	for _, rated := range []bool{false, true} {
		w := newWorld(4, "1.0.0")
		w.strategy.Steps, w.strategy.PhaseInterval = []int{25, 100}, profile.Duration(14*time.Minute)
		w.rated = rated
		w.run(time.Minute)
		w.commit("1.1.0")
		w.run(12 * time.Minute)
		w.behaves["1.1.0"] = behaviour{errors: 25, latency: 20}
		w.run(time.Minute)
		if w.d.State != rollout.RollingBack && w.d.State != rollout.RolledBack {
			t.Errorf("rated %t: %s, %s", rated, w.d.State, w.d.Verdict.Reason)
		}
	}
}
