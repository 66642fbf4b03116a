package rollout

import (
	"slices"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// mostIll is the share of a fleet that can be ill by itself; when more is, that
// is how the service is.
const mostIll = 0.25

// look sums up the time before the deployment, of instances that ran the version
// before it. An instance that was past a threshold beside the others, beyond
// chance, was ill before: it is no evidence against the version, and none of
// what is usual. worst is how bad the others were, each by itself.
func (s *step) look() (baseline fleet.Window, ill map[string]fleet.Window, worst Figures) {
	previous, h, from := s.next.Previous, s.next.Health, s.now.Add(-baselineWindow)
	var all side
	var ids []string
	for _, t := range s.known() {
		if previous == "" || t.Assignment.Applied == previous {
			s.needSum(t, from)
			all.add(since(t.Samples, later(t.Assignment.AppliedAt, from)))
			ids = append(ids, t.Instance.ID)
		}
	}
	each, figures := make([]fleet.Window, len(ids)), make([]Figures, len(ids))
	for i, samples := range all.groups {
		if len(samples) > 0 {
			each[i] = fleet.Aggregate(samples)
			figures[i] = figuresOf(each[i])
		}
	}
	middle := middleOf(figures)
	var well side
	for i, f := range figures {
		if !middle.passed(f, h) {
			well.add(all.groups[i])
		}
	}
	ill = map[string]fleet.Window{}
	for i, f := range figures {
		if middle.passed(f, h) {
			one := &side{groups: all.groups[i : i+1]}
			e := evidence{recent: one, whole: one, control: &side{}, wholeCtrl: &side{}, baseline: well.window()}
			if e.failing(h) {
				ill[ids[i]] = each[i]
				continue
			}
		}
		worst = worst.or(f)
	}
	if len(ill) == 0 || float64(len(ill)) > mostIll*float64(len(ids)) {
		return all.window(), nil, worst
	}
	return well.window(), ill, worst
}

// Figures are an instance's, as far as they are known.
type Figures struct {
	Errors float64 // percent of requests
	P99    float64 // milliseconds
	Sick   float64 // percent of heartbeats
}

func figuresOf(w fleet.Window) (f Figures) {
	f.Errors, _ = errorShare(w)
	f.P99, _ = p99(w)
	f.Sick, _ = unhealthy(w)
	return f
}

// middleOf is what instances are usually like: half are worse. One that is ill
// does not change it.
func middleOf(each []Figures) Figures {
	all := make([]float64, len(each))
	median := func(figure func(Figures) float64) float64 {
		for i, f := range each {
			all[i] = figure(f)
		}
		slices.Sort(all)
		if len(all) == 0 {
			return 0
		}
		return all[(len(all)-1)/2]
	}
	return Figures{
		Errors: median(func(f Figures) float64 { return f.Errors }),
		P99:    median(func(f Figures) float64 { return f.P99 }),
		Sick:   median(func(f Figures) float64 { return f.Sick }),
	}
}

// or is the worse of two, figure by figure.
func (f Figures) or(other Figures) Figures {
	return Figures{max(f.Errors, other.Errors), max(f.P99, other.P99), max(f.Sick, other.Sick)}
}

// passed says that others are past a threshold above f.
func (f Figures) passed(others Figures, h profile.Health) bool {
	return f.passedBy("errorRate", others.Errors, h) || f.passedBy("latencyP99", others.P99, h) || others.Sick > f.Sick+h.FailedCheckThreshold
}

// passedBy says that the value of a metric is past its threshold above f.
func (f Figures) passedBy(metric string, value float64, h profile.Health) bool {
	if metric == "latencyP99" {
		return f.P99 > 0 && value > slowerThan(f.P99, h.LatencyThreshold)
	}
	return value >= f.Errors+h.ErrorRateThreshold
}

// failing says that one of the counted metrics fails.
func (e evidence) failing(h profile.Health) bool {
	for _, m := range []MetricCheck{failedChecks(e, h.FailedCheckThreshold), errorRate(e, h.ErrorRateThreshold), latency(e, h.LatencyThreshold)} {
		if m.Outcome == Fail && m.P != nil {
			return true
		}
	}
	return false
}

// wasIll says that an instance was ill before the deployment started.
func (d Deployment) wasIll(t *Target) bool {
	_, ill := d.Ill[t.Instance.ID]
	return ill
}

// past is what instances were like that were ill before.
func (d Deployment) past(targets []*Target) fleet.Window {
	var w fleet.Window
	for _, t := range targets {
		w = w.Plus(d.Ill[t.Instance.ID])
	}
	return w
}
