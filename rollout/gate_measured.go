package rollout

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// measured judges the probes and the metrics of the profile.
func (s *step) measured(c crowd, e evidence) []MetricCheck {
	h := s.next.Health
	var checks []MetricCheck
	if h.Endpoint != "" {
		checks = append(checks, s.probes(h))
	}
	for _, want := range h.Metrics {
		switch want.Provider {
		case profile.ProviderPrometheus:
			checks = append(checks, s.queried(want, c))
		case profile.ProviderWebhook:
			checks = append(checks, s.webhook(want))
		default:
			checks = append(checks, customCheck(want, e))
		}
	}
	return checks
}

// answer is what was measured of a metric. Nothing passes that nobody was asked about.
func (s *step) answer(name, provider string) (got Measurement, asked bool) {
	i := slices.IndexFunc(s.snap.Measurements, func(m Measurement) bool { return m.Name == name && m.Provider == provider })
	if i < 0 {
		return got, false
	}
	return s.snap.Measurements[i], true
}

// failed is a check whose provider did not answer.
func (m MetricCheck) failed(why string) MetricCheck {
	m.Outcome, m.Reason = Error, m.Name+": "+line(why)
	return m
}

// queried judges the answer of Prometheus against fixed bounds. It need not have
// one where no request reaches the updated instances yet.
func (s *step) queried(want profile.Metric, c crowd) MetricCheck {
	m := MetricCheck{Name: want.Name, Provider: want.Provider, DryRun: want.DryRun, Threshold: bound(want)}
	got, asked := s.answer(want.Name, want.Provider)
	if asked {
		m.Query, m.N = got.Query, got.N
	}
	switch {
	case !asked && alone(want, c):
		return m.unknown(true, want.Name+": no instance is without the change to compare with")
	case !asked:
		return m.unknown(false, want.Name+" was not asked yet")
	case got.Err != "":
		return m.failed(got.Err)
	case got.Value == nil:
		return m.unknown(s.phase(c).Quiet, want.Name+": the query gives no series"+warned(got))
	case math.IsNaN(*got.Value) || math.IsInf(*got.Value, 0):
		return m.unknown(s.phase(c).Quiet, fmt.Sprintf("%s: the query gives %g, as dividing by nothing does%s", want.Name, *got.Value, warned(got)))
	}
	m = m.within(want, *got.Value)
	if m.Outcome == Fail {
		m.Reason += warned(got)
		if s.now.Before(s.fresh()) {
			return m.unknown(false, m.Reason+": may still be from before the version was applied")
		}
	}
	return m
}

// fresh is from when on a figure of Prometheus is held against the version: it
// scrapes now and then, and may look back. A version that heals is not taken
// back for what it heals.
func (s *step) fresh() time.Time {
	return later(s.next.PhaseEnteredAt, s.next.PhaseSettledAt).Add(s.checkInterval())
}

func warned(got Measurement) string {
	if got.Reason == "" {
		return ""
	}
	return " (" + line(got.Reason) + ")"
}

// webhook takes a gate at its word.
func (s *step) webhook(want profile.Metric) MetricCheck {
	m := MetricCheck{Name: want.Name, Provider: want.Provider, Query: want.Query, DryRun: want.DryRun}
	got, asked := s.answer(want.Name, want.Provider)
	said := want.Name + " says " + map[Outcome]string{Pass: "pass", Fail: "fail", Inconclusive: "wait"}[got.Result]
	if got.Reason != "" {
		said += ": " + line(got.Reason)
	}
	switch {
	case !asked:
		return m.unknown(false, want.Name+" was not asked yet")
	case got.Err != "":
		return m.failed(got.Err)
	case got.Result != Pass && got.Result != Fail:
		return m.unknown(false, said)
	}
	m.Outcome, m.Reason, m.N = got.Result, said, 1
	return m
}

// tally counts probes.
type tally struct {
	n       uint64
	failing []Probe
	unknown []Probe
}

func (t tally) percent() float64 { return 100 * float64(len(t.failing)) / float64(t.n) }

func count(probes []Probe, updated bool) tally {
	var t tally
	for _, p := range probes {
		switch {
		case p.Updated != updated:
		case p.Err != "":
			t.unknown = append(t.unknown, p)
		default:
			t.n++
			if p.Failure != "" {
				t.failing = append(t.failing, p)
			}
		}
	}
	return t
}

// probes judges how many updated instances answer their probe, beside those
// without the change.
func (s *step) probes(h profile.Health) MetricCheck {
	m := MetricCheck{Name: ProbeMetric, Provider: ProbeProvider, Query: h.Endpoint, Unit: "%", Threshold: h.FailedCheckThreshold}
	got, asked := s.answer(ProbeMetric, ProbeProvider)
	switch {
	case !asked:
		return m.unknown(false, "no instance was probed yet")
	case got.Err != "":
		return m.failed(got.Err)
	}
	updated, control := count(got.Probes, true), count(got.Probes, false)
	m.N, m.ControlN = updated.n, control.n
	if control.n > 0 {
		share := control.percent()
		m.Control = &share
	}
	unknown := func() MetricCheck {
		first := updated.unknown[0]
		return m.failed(fmt.Sprintf("%d of %d instances could not be probed: %s: %s", len(updated.unknown), len(updated.unknown)+int(updated.n), first.called(), first.Err))
	}
	switch {
	case updated.n == 0 && len(updated.unknown) > 0:
		return unknown()
	case updated.n == 0:
		return m.unknown(false, "no instance was probed")
	}
	value := updated.percent()
	m.Value, m.Outcome = &value, Pass
	m.limited(m.Threshold)
	if value > m.Threshold {
		first := updated.failing[0]
		m.Reason = fmt.Sprintf("%d of %d instances fail their probe: %s: %s%s, threshold %s%%",
			len(updated.failing), updated.n, first.called(), line(first.Failure), m.compared(percentText), trim(m.Threshold))
		m.Outcome = Fail
		if m.Control != nil && value-*m.Control <= m.Threshold {
			return m.unknown(false, m.Reason+": instances without the change are no better, a shared outage")
		}
		return m
	}
	if len(updated.unknown) > 0 {
		return unknown()
	}
	return m
}

// called is what people call a probed instance.
func (p Probed) called() string {
	if p.Hostname == "" {
		return p.InstanceID
	}
	return p.Hostname
}

// bound is the bound that a metric has where it has only one.
func bound(want profile.Metric) float64 {
	switch {
	case want.Min != nil:
		return *want.Min
	case want.Max != nil:
		return *want.Max
	}
	return 0
}

// within judges a value against the metric's bounds.
func (m MetricCheck) within(want profile.Metric, value float64) MetricCheck {
	m.Value, m.Outcome = &value, Pass
	m.Threshold = bound(want)
	switch {
	case want.Min != nil && value < *want.Min:
		m.Threshold, m.Outcome = *want.Min, Fail
		m.Reason = fmt.Sprintf("%s is %s, below %s", want.Name, figure(value), figure(*want.Min))
	case want.Max != nil && value > *want.Max:
		m.Threshold, m.Outcome = *want.Max, Fail
		m.Reason = fmt.Sprintf("%s is %s, above %s", want.Name, figure(value), figure(*want.Max))
	}
	if want.Min != nil || want.Max != nil {
		m.limited(m.Threshold)
	}
	return m
}

// figure writes a value of any size with the digits that matter.
func figure(v float64) string {
	if math.Abs(v) >= 1e6 && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
