package rollout

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/fleet"
)

// unknown is a check that cannot tell; skip says that it need not.
func (m MetricCheck) unknown(skip bool, reason string) MetricCheck {
	m.Outcome, m.Reason = Inconclusive, reason
	if skip {
		m.Outcome = Skipped
	}
	return m
}

// unneeded is a check that need not tell where no request reaches the updated
// instances. What they did count is judged all the same.
func (m MetricCheck) unneeded(quiet bool) MetricCheck {
	if quiet && m.Outcome == Inconclusive && m.Value == nil {
		return m.unknown(true, "no requests reach the updated instances yet")
	}
	return m
}

// compared names what the value stands against.
func (m MetricCheck) compared(text func(float64) string) string {
	var b strings.Builder
	if m.Baseline != nil {
		b.WriteString(", baseline " + text(*m.Baseline))
	}
	if m.Control != nil {
		b.WriteString(", control " + text(*m.Control))
	}
	return b.String()
}

// against notes the baseline and the control, and answers what the value must
// beat: the baseline, or the control where there is no baseline.
func (m *MetricCheck) against(baseline, control fleet.Window, figure func(fleet.Window) (float64, bool)) (value float64, known bool) {
	if v, ok := figure(control); ok {
		m.Control, value, known = &v, v, true
	}
	if v, ok := figure(baseline); ok {
		m.Baseline, value, known = &v, v, true
	}
	return value, known
}

// limited notes the value past which the metric may fail.
func (m *MetricCheck) limited(v float64) { m.Limit = &v }

// comparison is how one kind of observation is compared between two sides.
type comparison struct {
	bad    func(fleet.Window) sample // of the updated instances
	other  func(fleet.Window) sample // of those they are compared with
	margin float64                   // of the share, that is no difference
	enough float64                   // observations on both sides
	many   bool                      // a heartbeat holds many of them: one can spoil the rest
}

// beyondChance is the chance of a difference beyond the margin: against the
// control where that has observations enough, against the baseline otherwise.
// ok is false when neither has, and the threshold alone must do.
func (c comparison) beyondChance(updated, control *side, baseline fleet.Window) (p float64, ok bool) {
	mine, without := c.bad(updated.window()), c.other(control.window())
	others := counts{all: c.other(baseline)}
	if without.n >= c.enough {
		others = counts{all: without, each: c.others(control)}
		// With few requests the times hardly meet: then all of them are compared.
		if met, times := c.matched(updated, control); met.n >= max(c.enough, mine.n/2) {
			mine, others = met, times
		}
	}
	if mine.n < c.enough || others.all.n < c.enough {
		return 0, false
	}
	return others.like(len(updated.groups), c.margin).atLeast(mine), true
}

// believe keeps the chance that a test found.
func (m *MetricCheck) believe(p float64, tested bool) {
	if tested {
		m.P = &p
	}
}

func msText(ms float64) string { return fmt.Sprintf("%.0f ms", ms) }

func trim(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

func chance(p float64) string {
	if p < 0.0001 {
		return ", p < 0.0001"
	}
	return fmt.Sprintf(", p %.4f", p)
}

func percentText(p float64) string { return fmt.Sprintf("%.1f%%", p) }
