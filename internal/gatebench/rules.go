package main

import (
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// The limits that every rule here works with: Sluice's defaults.
const (
	moreErrors = 5.0 // points
	moreTime   = 1.5 // times the p99
)

// view is what a rule sees at a check.
type view struct {
	baseline fleet.Window // the ten minutes before
	updated  fleet.Window // the updated instances, over the last three checks
	last     fleet.Window // the same, since the last check
	control  fleet.Window // the others, since the last check
}

// rule is a plain judge beside the gate: it says at every check whether it
// would roll back now.
type rule interface {
	alarmed(v view) bool
}

// plainRules lists them, in the order of the table.
func plainRules() []rule {
	return []rule{&beforeAfter{}, &failedInARow{}, &ranks{}}
}

var ruleNames = []string{"before/after", "failed checks in a row", "Mann-Whitney U"}

// figures are a window's error rate and p99, with 0 for what it does not know.
func figures(w fleet.Window) (errors, p99 float64) {
	errors, _ = w.ErrorRate()
	p99, _ = w.P99()
	return errors, p99
}

// beforeAfter compares with the time before, by fixed thresholds.
type beforeAfter struct{}

func (beforeAfter) alarmed(v view) bool {
	errors, p99 := figures(v.updated)
	oldErrors, oldP99 := figures(v.baseline)
	return v.updated.Requests > 0 && (errors >= oldErrors+moreErrors || p99 >= oldP99*moreTime)
}

// failedInARow is what Flagger does: a fixed range, and a number of checks in a
// row that were outside it. The range is what an operator would set who knows
// the service: the thresholds above its usual figures.
type failedInARow struct{ failed int }

// flaggerThreshold is analysis.threshold of Flagger's examples.
const flaggerThreshold = 5

func (r *failedInARow) alarmed(v view) bool {
	errors, p99 := figures(v.last)
	oldErrors, oldP99 := figures(v.baseline)
	if errors > oldErrors+moreErrors || p99 > oldP99*moreTime {
		r.failed++
	} else {
		r.failed = 0
	}
	return r.failed >= flaggerThreshold
}

// see makes the view of a check.
func (w *world) see() view {
	var updated, last, control [][]fleet.Sample
	for _, in := range w.crew {
		recent := sinceThen(in.target.Samples, w.now.Add(-checkEvery))
		if a := in.target.Assignment; a.Applied != change {
			control = append(control, recent)
		} else {
			updated = append(updated, sinceThen(in.target.Samples, latest(a.AppliedAt, w.now.Add(-3*checkEvery))))
			last = append(last, sinceThen(recent, a.AppliedAt))
		}
	}
	return view{baseline: w.d.Baseline, updated: fleet.Aggregate(updated...), last: fleet.Aggregate(last...), control: fleet.Aggregate(control...)}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sinceThen cuts samples down to those that began at t or later.
func sinceThen(samples []fleet.Sample, t time.Time) []fleet.Sample {
	from := len(samples)
	for from > 0 && !samples[from-1].Since.Before(t) {
		from--
	}
	return samples[from:]
}

// watch lets the plain rules judge a deployment that nothing stops.
func watch(s scenario) []outcome {
	w := newWorld(s, noHealth())
	rules, out := plainRules(), make([]outcome, len(ruleNames))
	left := len(rules)
	w.run(func() bool {
		if w.updated.IsZero() || w.now.Sub(w.updated)%checkEvery != 0 || w.now.Equal(w.updated) {
			return false
		}
		v := w.see()
		for i, r := range rules {
			if rules[i] != nil && r.alarmed(v) {
				out[i], rules[i] = w.stopped(), nil
				left--
			}
		}
		return left == 0
	})
	return out
}

// gate lets Sluice judge it.
func gate(s scenario) outcome {
	w := newWorld(s, fullHealth())
	w.run(func() bool { return false })
	switch {
	case w.d.State == rollout.Completed:
		return outcome{}
	case w.d.State == rollout.RollingBack && w.d.RollbackBy == "gate":
		out := w.stopped()
		out.reason = w.d.RollbackReason
		return out
	}
	return outcome{waits: true, reason: w.d.Explanation} // the deadline, or the end of the run
}
