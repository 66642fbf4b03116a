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

// sample is a number of observations, some of them bad.
type sample struct{ bad, n float64 }

// beyondChance decides between a bad version and chance: against the control
// where that has observations enough, against the baseline otherwise. ok is
// false when neither has, and the threshold alone must do.
func (m *MetricCheck) beyondChance(w, control, baseline sample, enough float64) (worseThan, ok bool) {
	other := baseline
	if control.n >= enough {
		other = control
	}
	if w.n < enough || other.n < enough {
		return false, false
	}
	p := worse(w.bad, w.n, other.bad, other.n)
	m.P = &p
	return p < significance, true
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
