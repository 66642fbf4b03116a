package rollout

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// applyCheck judges the instances that could not apply the version.
func applyCheck(c crowd, threshold float64) MetricCheck {
	m := MetricCheck{Name: "apply", Unit: "%", N: uint64(len(c.updated)), Threshold: threshold, Outcome: Pass}
	if c.acked+len(c.failed) == 0 {
		return m.unknown(false, "no instance has answered yet")
	}
	value := 100 * float64(len(c.failed)) / float64(len(c.updated))
	m.Value = &value
	m.limited(threshold)
	if len(c.failed) > 0 && value > threshold {
		m.Outcome = Fail
		first := c.failed[0]
		m.Reason = fmt.Sprintf("%d of %d instances could not apply it: %s: %s", len(c.failed), len(c.updated), name(first), line(first.Assignment.ApplyError))
	}
	return m
}

// heard says whether every updated instance still beats: evidence from before
// it fell silent is none.
func (s *step) heard(c crowd) MetricCheck {
	m := MetricCheck{Name: "heartbeats", N: uint64(len(c.updated)), Outcome: Pass}
	since := s.now.Add(-maxSilence)
	quiet := slices.DeleteFunc(slices.Clone(c.updated), func(t *Target) bool {
		return t.Assignment.AppliedAt.After(since) || t.Instance.LastHeartbeat.After(since)
	})
	if len(quiet) > 0 {
		return m.unknown(false, fmt.Sprintf("no heartbeat for %s of %s", spell(maxSilence), names(quiet)))
	}
	return m
}

// of says of how many instances the value is, where those are not all.
func (m MetricCheck) of(e evidence) MetricCheck {
	if e.part() && m.Value != nil && m.Reason != "" {
		m.Reason += fmt.Sprintf(" (looked at %d of %d instances)", len(e.whole.groups), e.judged)
	}
	return m
}

// speaking counts the heartbeats that say how the instance is.
func speaking(w fleet.Window) int { return w.Samples - w.Unknown }

func unhealthy(w fleet.Window) (percent float64, ok bool) {
	if speaking(w) == 0 {
		return 0, false
	}
	return 100 * float64(w.Unhealthy) / float64(speaking(w)), true
}

func beats(w fleet.Window) sample { return sample{float64(w.Unhealthy), float64(speaking(w))} }

// failedChecks judges how often updated instances say that they are unhealthy.
func failedChecks(e evidence, threshold float64) MetricCheck {
	updated, without := e.over(func(w fleet.Window) bool { return speaking(w) >= minBeats })
	w, control := updated.window(), without.window()
	m := MetricCheck{
		Name: "failedChecks", Unit: "%", Threshold: threshold,
		N: uint64(speaking(w)), ControlN: uint64(speaking(control)), BaselineN: uint64(speaking(e.baseline)),
	}
	value, ok := unhealthy(w)
	switch {
	case w.Samples == 0:
		return m.unknown(e.first, "no heartbeat since it was applied")
	case !ok:
		return m.unknown(e.first || w.Counted+w.RatedSamples > 0, "no heartbeat says how its instance is")
	}
	m.Value = &value
	before, _ := m.against(e.baseline, control, unhealthy)
	m.limited(before + threshold)
	if value-before <= threshold {
		m.Outcome = Pass
		return m
	}
	numbers := fmt.Sprintf("%s of %d heartbeats are unhealthy%s, threshold +%s points", percentText(value), m.N, m.compared(percentText), trim(threshold))
	if m.N < minBeats {
		return m.unknown(false, fmt.Sprintf("%s: %d are needed", numbers, minBeats))
	}
	c := comparison{beats, beats, threshold / 200, minBeats, false}
	p, tested := c.beyondChance(updated, without, e.baseline)
	switch m.believe(p, tested); {
	case tested && p >= significance:
		return m.unknown(false, numbers+m.excuse(threshold))
	case tested:
		numbers += chance(p)
	}
	m.Outcome, m.Reason = Fail, numbers
	return m
}

// excuse says why a value past its threshold is not held against the version:
// the control is past it too, or it may be chance.
func (m MetricCheck) excuse(threshold float64) string {
	if m.Control == nil {
		return ": may be chance"
	}
	before := 0.0
	if m.Baseline != nil {
		before = *m.Baseline
	}
	if *m.Control-before >= threshold/2 {
		return ": instances without the change are no better, a shared outage"
	}
	return ": may be chance"
}

// customCheck judges a metric of the heartbeats against fixed bounds.
func customCheck(want profile.Metric, e evidence) MetricCheck {
	key := cmp.Or(want.Query, want.Name)
	updated, _ := e.over(func(w fleet.Window) bool { _, ok := w.Custom[key]; return ok })
	w := updated.window()
	m := MetricCheck{Name: want.Name, DryRun: want.DryRun, N: uint64(w.Samples)}
	value, ok := w.Custom[key]
	if !ok {
		return m.unknown(false, fmt.Sprintf("no heartbeat carried the metric %s", key))
	}
	return m.within(want, value)
}
