package rollout_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// asked is a canary of whose fleet some instances are updated, with a check due.
func asked(updated, control int, edit func(d *rollout.Deployment)) (rollout.Deployment, rollout.Snapshot) {
	d := forward("a")
	d.State, d.Health = rollout.InProgress, profile.DefaultHealth(profile.Production)
	d.Commit, d.Strategy.Steps = "c1.1.0", []int{50, 100}
	d.StartedAt, d.ProgressAt, d.PhaseSettledAt = dawn.Add(-40*time.Second), dawn, dawn.Add(-40*time.Second)
	edit(&d)
	var snap rollout.Snapshot
	for i := range updated + control {
		id, version := fmt.Sprintf("web-%d", i+1), "1.1.0"
		if i >= updated {
			version = "1.0.0"
		}
		snap.Targets = append(snap.Targets, rollout.Target{
			Instance: fleet.Instance{ID: id, Hostname: id + ".example", Port: 8080, LastHeartbeat: dawn},
			Assignment: fleet.Assignment{
				InstanceID: id, Version: version, Generation: 1, DeploymentID: "a", Applied: version, AppliedGeneration: 1, AppliedAt: dawn.Add(-40 * time.Second),
			},
			Samples: group{requests: 200, p99: 20}.samples(id, dawn),
		})
	}
	return d, snap
}

// answered is the check after somebody answered.
func answered(d rollout.Deployment, snap rollout.Snapshot, answer func(ask rollout.Ask) rollout.Measurement) rollout.Verdict {
	dec := rollout.Decide(d, snap, dawn)
	for _, ask := range rollout.Asks(d, snap, dec, dawn) {
		m := answer(ask)
		m.Ask = ask
		snap.Measurements = append(snap.Measurements, m)
	}
	return rollout.Decide(d, snap, dawn).Next.Verdict
}

func with(metrics ...profile.Metric) func(d *rollout.Deployment) {
	return func(d *rollout.Deployment) { d.Health.Metrics = metrics }
}

func TestGateOfPrometheus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer   rollout.Measurement
		min, max *float64
		want     rollout.Outcome
		reason   string
	}{
		"inside":             {rollout.Measurement{Value: new(99.5), N: 1}, new(99.0), nil, rollout.Pass, ""},
		"at the bound":       {rollout.Measurement{Value: new(99.0), N: 1}, new(99.0), nil, rollout.Pass, ""},
		"below":              {rollout.Measurement{Value: new(98.99), N: 1}, new(99.0), nil, rollout.Fail, "q is 98.99, below 99"},
		"above":              {rollout.Measurement{Value: new(0.012), N: 1}, nil, new(0.01), rollout.Fail, "q is 0.012, above 0.01"},
		"above, of two":      {rollout.Measurement{Value: new(12345678.0), N: 1}, new(1.0), new(2.0), rollout.Fail, "q is 12345678, above 2"},
		"a warning is kept":  {rollout.Measurement{Value: new(3.0), N: 1, Reason: "a part is missing"}, nil, new(2.0), rollout.Fail, "above 2 (a part is missing)"},
		"no series":          {rollout.Measurement{}, new(99.0), nil, rollout.Inconclusive, "no series"},
		"nothing by nothing": {rollout.Measurement{Value: new(math.NaN()), N: 1}, new(99.0), nil, rollout.Inconclusive, "NaN"},
		"one by nothing":     {rollout.Measurement{Value: new(math.Inf(1)), N: 1}, nil, new(2.0), rollout.Inconclusive, "+Inf"},
		"no answer":          {rollout.Measurement{Err: "Prometheus: connection refused"}, new(99.0), nil, rollout.Error, "q: Prometheus: connection refused"},
	} {
		d, snap := asked(2, 2, with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: "q", Min: c.min, Max: c.max}))
		v := answered(d, snap, func(rollout.Ask) rollout.Measurement { return c.answer })
		if m := metric(v, "q"); m.Outcome != c.want || !strings.Contains(m.Reason, c.reason) || v.Outcome != c.want {
			t.Errorf("%s: %s %q, the verdict is %s, want %s %q", name, m.Outcome, m.Reason, v.Outcome, c.want, c.reason)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%s: the verdict cannot be kept: %v", name, err)
		}
	}
}

func TestAVersionThatHealsIsNotTakenBackForWhatItHeals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settled time.Duration // before now; 0 for not yet
		entered time.Duration
		want    rollout.Outcome
	}{
		"settled just now":              {time.Second, time.Minute, rollout.Inconclusive},
		"settled a check ago":           {30 * time.Second, time.Minute, rollout.Fail},
		"not settled, entered just now": {0, time.Second, rollout.Inconclusive},
		"not settled, entered long ago": {0, time.Minute, rollout.Fail},
	} {
		d, snap := asked(2, 2, with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: "q", Max: new(1.0)}))
		d.PhaseEnteredAt, d.PhaseSettledAt = dawn.Add(-c.entered), dawn.Add(-c.settled)
		if c.settled == 0 {
			d.PhaseSettledAt = time.Time{}
			snap.Targets[0].Assignment.Generation = 2 // one has yet to answer
		}
		v := answered(d, snap, func(rollout.Ask) rollout.Measurement { return rollout.Measurement{Value: new(5.0), N: 1} })
		if m := metric(v, "q"); m.Outcome != c.want || *m.Value != 5 {
			t.Errorf("%s: %s %q", name, m.Outcome, m.Reason)
		}
	}
}

func TestAnIdleGroupNeedNoFigures(t *testing.T) {
	t.Parallel()
	d, snap := asked(2, 2, func(d *rollout.Deployment) {
		with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: "q", Max: new(1.0)})(d)
		d.Strategy, d.Group = profile.DefaultStrategy(profile.BlueGreen), fleet.Green
	})
	snap.Traffic = rollout.Traffic{Group: fleet.Blue, Acked: true}
	for i, group := range []string{fleet.Green, fleet.Green, fleet.Blue, fleet.Blue} {
		snap.Targets[i].Instance.Metadata = map[string]string{"group": group}
	}
	if m := metric(rollout.Decide(d, snap, dawn).Next.Verdict, "q"); m.Outcome != rollout.Inconclusive {
		t.Errorf("before it is asked: %s %q", m.Outcome, m.Reason)
	}
	v := answered(d, snap, func(rollout.Ask) rollout.Measurement { return rollout.Measurement{} })
	if m := metric(v, "q"); m.Outcome != rollout.Skipped {
		t.Errorf("no series of a group that no request reaches: %s %q", m.Outcome, m.Reason)
	}
	v = answered(d, snap, func(rollout.Ask) rollout.Measurement { return rollout.Measurement{Value: new(2.0), N: 1} })
	if m := metric(v, "q"); m.Outcome != rollout.Fail {
		t.Errorf("a figure that there is: %s %q", m.Outcome, m.Reason)
	}
}

func TestGateOfWebhooks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer rollout.Measurement
		want   rollout.Outcome
		reason string
	}{
		"pass":      {rollout.Measurement{Result: rollout.Pass}, rollout.Pass, "smoke says pass"},
		"fail":      {rollout.Measurement{Result: rollout.Fail, Reason: "checkout\nis down"}, rollout.Fail, "smoke says fail: checkout is down"},
		"wait":      {rollout.Measurement{Result: rollout.Inconclusive, Reason: "3 of 20"}, rollout.Inconclusive, "smoke says wait: 3 of 20"},
		"no answer": {rollout.Measurement{Err: "answered 500"}, rollout.Error, "smoke: answered 500"},
	} {
		d, snap := asked(2, 2, with(profile.Metric{Name: "smoke", Provider: profile.ProviderWebhook, Query: "smoke-tests"}))
		v := answered(d, snap, func(rollout.Ask) rollout.Measurement { return c.answer })
		if m := metric(v, "smoke"); m.Outcome != c.want || m.Reason != c.reason || v.Outcome != c.want {
			t.Errorf("%s: %s %q, the verdict is %s", name, m.Outcome, m.Reason, v.Outcome)
		}
	}
}

func TestGateOfProbes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		updated, control string // a letter an instance: . answers, x fails, ? cannot be probed
		want             rollout.Outcome
		reason           string
	}{
		"all answer":                  {"..", "..", rollout.Pass, ""},
		"all fail":                    {"xx", "..", rollout.Fail, "2 of 2 instances fail their probe: web-1.example: answered 500, control 0.0%, threshold 10%"},
		"one of two fails":            {".x", "..", rollout.Fail, "1 of 2"},
		"one of twenty is within":     {"x...................", "..", rollout.Pass, ""},
		"the control fails too":       {"xx", "xx", rollout.Inconclusive, "a shared outage"},
		"worse than a shared outage":  {"xx", ".x", rollout.Fail, "control 50.0%"},
		"with no control":             {"xx", "", rollout.Fail, "2 of 2"},
		"a control that is no answer": {"xx", "??", rollout.Fail, "2 of 2"},
		"nobody can be probed":        {"??", "..", rollout.Error, "2 of 2 instances could not be probed: web-1.example: out of reach"},
		"one cannot be probed":        {".?", "..", rollout.Error, "1 of 2 instances could not be probed"},
		"one fails, one is unknown":   {"x?", "..", rollout.Fail, "1 of 1"},
		"there was no time":           {"  ", "..", rollout.Inconclusive, "no instance was probed"},
	} {
		d, snap := asked(len(c.updated), len(c.control), func(d *rollout.Deployment) { d.Health.Endpoint = "/healthz" })
		v := answered(d, snap, func(ask rollout.Ask) (out rollout.Measurement) {
			ends := map[bool]string{true: c.updated, false: c.control}
			slices.SortFunc(ask.Probed, func(a, b rollout.Probed) int { return strings.Compare(a.InstanceID, b.InstanceID) })
			for _, p := range ask.Probed {
				end := ends[p.Updated][0]
				ends[p.Updated] = ends[p.Updated][1:]
				switch end {
				case '.':
					out.Probes = append(out.Probes, rollout.Probe{Probed: p})
				case 'x':
					out.Probes = append(out.Probes, rollout.Probe{Probed: p, Failure: "answered 500"})
				case '?':
					out.Probes = append(out.Probes, rollout.Probe{Probed: p, Err: "out of reach"})
				}
			}
			return out
		})
		m := metric(v, rollout.ProbeMetric)
		if m.Outcome != c.want || !strings.Contains(m.Reason, c.reason) || v.Outcome != c.want || m.Query != "/healthz" {
			t.Errorf("%s: %s %q, the verdict is %s", name, m.Outcome, m.Reason, v.Outcome)
		}
	}
}

func TestNothingPassesUnasked(t *testing.T) {
	t.Parallel()
	d, snap := asked(2, 2, func(d *rollout.Deployment) {
		d.PhaseSettledAt = dawn.Add(-time.Hour)
		d.Health.Endpoint = "/healthz"
		with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: "q", Min: new(1.0)},
			profile.Metric{Name: "smoke", Provider: profile.ProviderWebhook, Query: "smoke"})(d)
	})
	dec := rollout.Decide(d, snap, dawn)
	if dec.Next.Phase != 0 || dec.Next.Verdict.Outcome != rollout.Inconclusive {
		t.Errorf("phase %d, %s", dec.Next.Phase, dec.Next.Verdict.Outcome)
	}
	for _, name := range []string{"q", "smoke", rollout.ProbeMetric} {
		if m := metric(dec.Next.Verdict, name); m.Outcome != rollout.Inconclusive {
			t.Errorf("%s: %s %q", name, m.Outcome, m.Reason)
		}
	}
	if asks := rollout.Asks(d, snap, dec, dawn); len(asks) != 3 {
		t.Errorf("asks are %+v", asks)
	}
}

func TestWhatFailedIsNotAskedAbout(t *testing.T) {
	t.Parallel()
	d, snap := asked(2, 2, with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: "q", Min: new(1.0)}))
	for i := range 2 {
		snap.Targets[i].Samples = group{requests: 200, errors: 100, p99: 20}.samples(snap.Targets[i].Instance.ID, dawn)
	}
	dec := rollout.Decide(d, snap, dawn)
	if dec.Next.State != rollout.RollingBack {
		t.Fatalf("%s: %s", dec.Next.State, dec.Next.Explanation)
	}
	if asks := rollout.Asks(d, snap, dec, dawn); len(asks) != 0 {
		t.Errorf("a rollback would wait for %+v", asks)
	}
	d.CheckedAt = dawn
	if asks := rollout.Asks(d, snap, rollout.Decide(d, snap, dawn), dawn); len(asks) != 0 {
		t.Errorf("no check is due, and it would ask %+v", asks)
	}
}

func TestQueriesAsTheyAreSent(t *testing.T) {
	t.Parallel()
	query := `{{profile}} {{service}} {{ environment }} {{version}} {{previous}} {{deployment}} {{interval}} "{{updated}}" "{{control}}"`
	d, snap := asked(2, 1, with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: query, Min: new(1.0)}))
	asks := rollout.Asks(d, snap, rollout.Decide(d, snap, dawn), dawn)
	const want = `web.production web Production 1.1.0 1.0.0 a 40s "(?:web-1[.]example|web-2[.]example)" "(?:web-3[.]example)"`
	if len(asks) != 1 || asks[0].Query != want {
		t.Errorf("asks are %+v\nwant %s", asks, want)
	}
	// No host name ends the text that it stands in, whatever quotes it has.
	hostile := "a.b\"'`\\\n){} |.*é"
	for i := range snap.Targets {
		snap.Targets[i].Instance.Hostname = hostile
	}
	sent := rollout.Asks(d, snap, rollout.Decide(d, snap, dawn), dawn)[0].Query
	_, quoted, _ := strings.Cut(sent, `"`)
	pattern, _, _ := strings.Cut(quoted, `"`)
	if strings.ContainsAny(pattern, "\"'`\\\n{}") {
		t.Errorf("sent %s", pattern)
	}
	if !regexp.MustCompile("(?s)^" + pattern + "$").MatchString(hostile) {
		t.Errorf("%s does not match the host it stands for", pattern)
	}
	// Nobody is nobody, not everybody.
	d, snap = asked(1, 1, with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: "{{updated}}", Min: new(1.0)}))
	snap.Targets[0].Assignment.ApplyError, snap.Targets[0].Assignment.Applied = "no", "1.0.0"
	d.Health.FailedCheckThreshold = 100
	sent = rollout.Asks(d, snap, rollout.Decide(d, snap, dawn), dawn)[0].Query
	if regexp.MustCompile("^"+sent+"$").MatchString("") || regexp.MustCompile("^"+sent+"$").MatchString("web-1") {
		t.Errorf("%s matches", sent)
	}
}

func TestAsksAreBounded(t *testing.T) {
	t.Parallel()
	d, snap := asked(300, 300, func(d *rollout.Deployment) {
		d.Health.Endpoint = "/healthz"
		with(profile.Metric{Name: "q", Provider: profile.ProviderPrometheus, Query: "{{updated}}", Min: new(1.0)},
			profile.Metric{Name: "smoke", Provider: profile.ProviderWebhook, Query: "smoke"})(d)
	})
	first := rollout.Asks(d, snap, rollout.Decide(d, snap, dawn), dawn)
	if n := len(first[0].Probed); n != 100 || first[0].Probed[0].Updated == first[0].Probed[1].Updated {
		t.Errorf("%d are probed, the first %+v", n, first[0].Probed[:2])
	}
	if n := strings.Count(first[1].Query, "|"); n != 49 {
		t.Errorf("%d hosts are named", n+1)
	}
	q := first[2].Question
	if len(q.Instances) != 100 || q.Deployment != "a" || q.Phase != 1 || q.Percent != 50 || q.Version != "1.1.0" || q.Previous != "1.0.0" || q.Commit != "c1.1.0" {
		t.Errorf("the question is %+v", q)
	}
	again := rollout.Asks(d, snap, rollout.Decide(d, snap, dawn.Add(time.Second)), dawn.Add(time.Second))
	if again[2].Question.ID != q.ID {
		t.Error("asked again after a crash it is another question")
	}
	d.CheckedAt = dawn.Add(-time.Minute)
	next := rollout.Asks(d, snap, rollout.Decide(d, snap, dawn), dawn)
	if next[2].Question.ID == q.ID || slices.Equal(next[0].Probed, first[0].Probed) {
		t.Error("the next check asks the same of the same")
	}
}
