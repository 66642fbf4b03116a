package rollout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

func TestValidateNew(t *testing.T) {
	t.Parallel()
	production := func(change func(*rollout.Deployment)) rollout.Deployment {
		d := (&town{now: epoch, current: stable}).deployment("d")
		change(&d)
		return d
	}
	for _, tt := range []struct {
		rule   string
		change func(*rollout.Deployment)
		want   string // in the error, "" for none
	}{
		{"a canary may be", func(*rollout.Deployment) {}, ""},
		{"nothing skips staging", func(d *rollout.Deployment) { d.Strategy.Type = profile.Direct }, "Direct to Production"},
		{"a canary of one step skips it too", func(d *rollout.Deployment) { d.Strategy.Steps = []int{100} }, "Direct to Production"},
		{"what completed before may come back at once", func(d *rollout.Deployment) { d.Strategy.Type, d.Proven = profile.Direct, true }, ""},
		{"the glass was broken", func(d *rollout.Deployment) { d.Strategy.Type, d.Force = profile.Direct, "fire" }, ""},
		{"Direct is for elsewhere", func(d *rollout.Deployment) {
			d.Strategy.Type, d.Selector.Environment = profile.Direct, profile.Staging
		}, ""},
		{"BlueGreen needs groups", func(d *rollout.Deployment) { d.Strategy.Type = profile.BlueGreen }, "groups"},
		{"a metrics server that nobody can ask", func(d *rollout.Deployment) {
			d.Health.Metrics = []profile.Metric{{Name: "success", Provider: profile.ProviderPrometheus}}
		}, "success"},
		{"a metric of the heartbeats", func(d *rollout.Deployment) {
			d.Health.Metrics = []profile.Metric{{Name: "success", Provider: profile.ProviderHeartbeat}}
		}, ""},
		{"a rollback needs no permission", func(d *rollout.Deployment) { d.Kind, d.Strategy.Type = rollout.Rollback, profile.Direct }, ""},
	} {
		err := rollout.ValidateNew(production(tt.change))
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.rule, err)
		}
	}
}

// seen is what a fleet reports, for the gate to judge.
type seen struct {
	requests, errors uint64
	latency          float64 // milliseconds of all requests
	errorRate, p99   float64 // taken at the word when requests is 0
	custom           float64
}

func (s seen) sample(id string, at time.Time) fleet.Sample {
	out := fleet.Sample{InstanceID: id, Since: at.Add(-10 * time.Second), At: at, Status: fleet.StatusHealthy, Custom: map[string]float64{"success": s.custom}}
	if s.requests > 0 {
		out.Counted, out.Requests, out.Errors = true, s.requests, s.errors
		out.Latency = latencies(s.requests, s.latency)
	} else if s.errorRate >= 0 {
		out.ErrorRate, out.P99 = &s.errorRate, &s.p99
	}
	return out
}

// judged lets the gate judge one updated instance beside one control.
func judged(baseline, updated, control *seen, change func(*rollout.Deployment)) rollout.Verdict {
	now := epoch.Add(time.Hour)
	d := (&town{now: epoch, current: stable}).deployment("d")
	d.State, d.StartedAt, d.PhaseEnteredAt, d.ProgressAt = rollout.InProgress, now.Add(-time.Minute), now.Add(-time.Minute), now.Add(-time.Minute)
	if baseline != nil {
		d.Baseline = fleet.Aggregate([]fleet.Sample{baseline.sample("x", now)})
	}
	if change != nil {
		change(&d)
	}
	target := func(id, version string, s *seen) rollout.Target {
		t := rollout.Target{
			Instance:   fleet.Instance{ID: id, Hostname: id, LastHeartbeat: now},
			Assignment: fleet.Assignment{InstanceID: id, Version: version, Applied: version, AppliedAt: now.Add(-30 * time.Second), DeploymentID: "d"},
		}
		if s != nil {
			t.Samples = []fleet.Sample{s.sample(id, now)}
		}
		return t
	}
	snap := rollout.Snapshot{Targets: []rollout.Target{target("new", newer, updated)}}
	if control != nil {
		snap.Targets = append(snap.Targets, target("old", stable, control))
	}
	return rollout.Decide(d, snap, now).Next.Verdict
}

func TestGate(t *testing.T) {
	t.Parallel()
	quiet := &seen{requests: 1000, errors: 2, latency: 20, custom: 99}
	bounds := func(low, high float64, dry bool) func(*rollout.Deployment) {
		return func(d *rollout.Deployment) {
			d.Health.Metrics = []profile.Metric{{Name: "success", Min: &low, Max: &high, DryRun: dry}}
		}
	}
	for _, tt := range []struct {
		rule                       string
		baseline, updated, control *seen
		change                     func(*rollout.Deployment)
		want                       rollout.Outcome
		reason                     string
	}{
		{"as good as before", quiet, quiet, quiet, nil, rollout.Pass, "error rate 0.2%"},
		{"errors above baseline and control", quiet, &seen{requests: 200, errors: 40, latency: 20}, quiet, nil, rollout.Fail, "error rate 20.0% of 200 requests, baseline 0.2%, control 0.2%"},
		{"errors above baseline, below the threshold", quiet, &seen{requests: 200, errors: 8, latency: 20}, quiet, nil, rollout.Pass, ""},
		{"errors that the control has too", quiet, &seen{requests: 200, errors: 40, latency: 20}, &seen{requests: 200, errors: 41, latency: 20}, nil, rollout.Inconclusive, "shared outage"},
		{"no control: the baseline judges", quiet, &seen{requests: 200, errors: 40, latency: 20}, nil, nil, rollout.Fail, "baseline 0.2%"},
		{"too few requests for errors", quiet, &seen{requests: 20, errors: 10, latency: 20}, quiet, nil, rollout.Inconclusive, "too few"},
		{"too few requests for a p99", quiet, &seen{requests: 50, latency: 20}, quiet, nil, rollout.Inconclusive, "p99"},
		{"a few errors of few requests are chance", quiet, &seen{requests: 35, errors: 2, latency: 20}, &seen{requests: 35, errors: 1, latency: 20}, nil, rollout.Inconclusive, ""},
		{"slower than both", quiet, &seen{requests: 200, latency: 240}, quiet, nil, rollout.Fail, "p99"},
		{"slow, as everybody is", quiet, &seen{requests: 200, latency: 240}, &seen{requests: 200, latency: 240}, nil, rollout.Pass, "not slower"},
		{"5 ms to 10 ms is no failure", &seen{requests: 1000, latency: 5}, &seen{requests: 200, latency: 10}, &seen{requests: 200, latency: 5}, nil, rollout.Pass, ""},
		{"no baseline: the control is it", nil, &seen{requests: 200, errors: 40, latency: 20}, quiet, nil, rollout.Fail, "control 0.2%"},
		{"neither baseline nor control", nil, &seen{requests: 200, latency: 20}, nil, nil, rollout.Inconclusive, "no baseline and no control"},
		{"nothing was heard", quiet, nil, quiet, nil, rollout.Inconclusive, "no heartbeat"},
		{"rates taken at their word: good", &seen{errorRate: 0.1, p99: 20}, &seen{errorRate: 0.2, p99: 22}, &seen{errorRate: 0.1, p99: 20}, nil, rollout.Pass, ""},
		{"rates taken at their word: errors", &seen{errorRate: 0.1, p99: 20}, &seen{errorRate: 30, p99: 22}, &seen{errorRate: 0.1, p99: 20}, nil, rollout.Fail, "30.0%"},
		{"rates taken at their word: shared errors", &seen{errorRate: 0.1, p99: 20}, &seen{errorRate: 30, p99: 22}, &seen{errorRate: 29, p99: 20}, nil, rollout.Inconclusive, "shared outage"},
		{"rates taken at their word: slow", &seen{errorRate: 0.1, p99: 20}, &seen{errorRate: 0.2, p99: 220}, &seen{errorRate: 0.1, p99: 20}, nil, rollout.Fail, "p99 220 ms"},
		{"rates taken at their word: slow as all", &seen{errorRate: 0.1, p99: 20}, &seen{errorRate: 0.2, p99: 220}, &seen{errorRate: 0.1, p99: 210}, nil, rollout.Pass, "not slower"},
		{"only errors are counted", quiet, &seen{errorRate: 0.1}, nil, nil, rollout.Pass, ""},
		{"a custom metric within bounds", quiet, quiet, quiet, bounds(98, 100, false), rollout.Pass, ""},
		{"below its bound", quiet, quiet, quiet, bounds(99.5, 100, false), rollout.Fail, "success is 99, below 99.5"},
		{"above its bound", quiet, quiet, quiet, bounds(0, 50, false), rollout.Fail, "above 50"},
		{"on trial it never acts", quiet, quiet, quiet, bounds(99.5, 100, true), rollout.Pass, ""},
		{"a custom metric that nobody sends", quiet, quiet, quiet, func(d *rollout.Deployment) {
			d.Health.Metrics = []profile.Metric{{Name: "x", Query: "other"}}
		}, rollout.Inconclusive, "no heartbeat carried the metric other"},
		{"health is off", quiet, &seen{requests: 200, errors: 200, latency: 900}, quiet, func(d *rollout.Deployment) { d.Health.Enabled = false }, rollout.Pass, ""},
		{"the first version has nothing to be compared with", nil, &seen{requests: 200, latency: 900}, nil, func(d *rollout.Deployment) { d.Previous = "" }, rollout.Pass, ""},
		{"the first version fails requests", nil, &seen{requests: 200, errors: 100, latency: 20}, nil, func(d *rollout.Deployment) { d.Previous = "" }, rollout.Fail, "50.0%"},
	} {
		got := judged(tt.baseline, tt.updated, tt.control, tt.change)
		if got.Outcome != tt.want || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %s, %q; want %s with %q", tt.rule, got.Outcome, got.Reason, tt.want, tt.reason)
		}
		if got.Outcome == rollout.Fail && len(got.Metrics) == 0 {
			t.Errorf("%s: a verdict without its numbers", tt.rule)
		}
	}
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	status := func(state rollout.StatusState, text string) rollout.Status {
		return rollout.Status{Source: "s", Commit: "c", Context: "sluice/x", State: state, Description: text, DeploymentID: "d"}
	}
	for _, tt := range []struct {
		rule string
		in   []rollout.Status
		want rollout.StatusState
		text string
	}{
		{"one profile speaks for the commit", []rollout.Status{status(rollout.StatusPending, "canary 10%")}, rollout.StatusPending, "canary 10%"},
		{"all done", []rollout.Status{status(rollout.StatusSuccess, "a"), status(rollout.StatusSuccess, "b")}, rollout.StatusSuccess, "all 2 profiles are done"},
		{"some wait", []rollout.Status{status(rollout.StatusSuccess, "a"), status(rollout.StatusPending, "b")}, rollout.StatusPending, "1 of 2 profiles are done"},
		{"a failure is the worst", []rollout.Status{status(rollout.StatusError, "e"), status(rollout.StatusFailure, "too slow"), status(rollout.StatusPending, "b")}, rollout.StatusFailure, "2 of 3 profiles: too slow"},
	} {
		got := rollout.Aggregate(tt.in)
		if got.State != tt.want || got.Description != tt.text || got.Context != rollout.AggregateContext {
			t.Errorf("%s: %+v", tt.rule, got)
		}
	}
}

func TestStatusTexts(t *testing.T) {
	t.Parallel()
	if got := rollout.Context("payment-service.production"); got != "sluice/payment-service.production" {
		t.Error(got)
	}
	long := strings.Repeat("x", 300)
	if a, b := rollout.Context(long+"a"), rollout.Context(long+"b"); len(a) != 255 || a == b {
		t.Errorf("two long names are %q and %q", a, b)
	}
	if got := rollout.Describe("two\nlines " + strings.Repeat("ä", 200)); len([]rune(got)) != 140 || strings.Contains(got, "\n") || !strings.HasSuffix(got, "…") {
		t.Errorf("%q", got)
	}
	if _, ok := rollout.StatusOf(rollout.Deployment{}); ok {
		t.Error("a deployment that no commit made has a commit status")
	}
	for state, want := range map[rollout.State]rollout.StatusState{
		rollout.Pending: rollout.StatusPending, rollout.Superseded: rollout.StatusSuccess, rollout.Cancelled: rollout.StatusError,
		rollout.Failed: rollout.StatusFailure, "Odd": rollout.StatusError,
	} {
		if got, _ := rollout.StatusOf(rollout.Deployment{Commit: "c", Profile: "p", State: state}); got.State != want {
			t.Errorf("%s is %s, want %s", state, got.State, want)
		}
	}
}

// A straggler cannot keep an emergency rollback open for ever.
func TestRollbackDeploymentEnds(t *testing.T) {
	t.Parallel()
	w := newTown(3)
	w.members[0].stuck = true
	dec, err := rollout.NewRollback(profile.Record{Name: "p", Service: service, Environment: profile.Production},
		profile.Version{Number: "0.9.0", Hash: "h0.9.0"}, profile.Version{Number: stable, Hash: "h1.0.0"}, "ann", "slow", w.snapshot(), "back", w.now)
	if err != nil {
		t.Fatal(err)
	}
	if len(dec.Assign) != 3 || dec.Current != "0.9.0" || dec.Hold == nil || dec.Hold.RefusedVersion != stable {
		t.Errorf("decided %+v", dec)
	}
	w.store(dec)
	w.advance(4 * time.Minute)
	if w.d.State != rollout.InProgress {
		t.Errorf("after four minutes it is %s", w.d.State)
	}
	w.advance(2 * time.Minute)
	if w.d.State != rollout.Failed || !strings.Contains(w.d.Explanation, "host-01") {
		t.Errorf("it is %s: %s", w.d.State, w.d.Explanation)
	}
	if w.current != "0.9.0" {
		t.Errorf("the current version is %s", w.current)
	}
}
