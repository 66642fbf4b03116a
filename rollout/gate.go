package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// What a gate needs before it judges.
const (
	minRequests        = 30  // for an error rate
	minLatencies       = 100 // for a 99th percentile
	latencyFloor       = 10  // milliseconds above the baseline that are never a failure
	baselineWindow     = 10 * time.Minute
	minSlidingWindow   = 15 * time.Second
	slidingCheckCounts = 3
	maxSilence         = 20 * time.Second // of an updated instance: four heartbeats of a deployment's pace
)

// judge checks the gate when a check is due, and ends the deployment when it
// fails. It answers whether it did.
func (s *step) judge(c crowd) bool {
	if len(c.updated) == 0 && s.next.Progress.Assigned == 0 {
		return false
	}
	due := s.next.CheckedAt.Add(s.checkInterval())
	newlyFailed := len(c.failed) > s.read.Progress.Failed
	if c.acked+len(c.failed) == 0 || s.now.Before(due) && !newlyFailed {
		if c.acked+len(c.failed) > 0 {
			s.wakeAt(due)
		}
		return false
	}
	return s.check(c)
}

// check judges now. It answers whether the deployment ended by it.
func (s *step) check(c crowd) bool {
	s.next.Verdict = s.verdict(c)
	s.next.CheckedAt = s.now
	s.dec.Checks = append(s.dec.Checks, Check{DeploymentID: s.next.ID, At: s.now, Phase: s.next.Phase, Verdict: s.next.Verdict})
	s.wakeAt(s.now.Add(s.checkInterval()))
	if s.next.Verdict.Outcome != Fail {
		return false
	}
	s.fact(FactGateFailed, Daemon, map[string]any{"reason": s.next.Verdict.Reason, "phase": s.next.Phase + 1})
	s.giveUp("gate", s.next.Verdict.Reason)
	return true
}

// evidence is what a check rests on.
type evidence struct {
	recent    fleet.Window
	whole     fleet.Window
	control   fleet.Window
	wholeCtrl fleet.Window
	baseline  fleet.Window
	first     bool // there was no version before
}

// verdict judges every metric.
func (s *step) verdict(c crowd) Verdict {
	checks := []MetricCheck{s.applyCheck(c)}
	if s.next.Health.Enabled {
		e := s.gather(c)
		checks = append(checks, s.heard(c), s.failedChecks(e), s.errorRate(e), s.latency(e))
		for _, m := range s.next.Health.Metrics {
			checks = append(checks, customCheck(m.Name, m.Query, m.Min, m.Max, m.DryRun, e.whole))
		}
	}
	return sum(checks)
}

// sum is the verdict over metrics: the worst of them.
func sum(checks []MetricCheck) Verdict {
	v := Verdict{Outcome: Skipped, Reason: "nothing to judge", Metrics: checks}
	rank := map[Outcome]int{Skipped: 0, Pass: 1, Inconclusive: 2, Error: 3, Fail: 4}
	var reasons []string
	for _, m := range checks {
		switch {
		case rank[m.Outcome] > rank[v.Outcome]:
			v.Outcome, reasons = m.Outcome, nil
			if m.Reason != "" {
				reasons = append(reasons, m.Reason)
			}
		case m.Outcome == v.Outcome && m.Reason != "":
			reasons = append(reasons, m.Reason)
		}
	}
	if v.Outcome == Pass {
		v.Reason = "within bounds"
	}
	if len(reasons) > 0 {
		v.Reason = strings.Join(reasons, "; ")
	}
	return v
}

// gather adds up the samples that count: of updated instances since they
// acknowledged, of the control over the same time.
func (s *step) gather(c crowd) evidence {
	e := evidence{baseline: s.next.Baseline, first: s.next.Previous == ""}
	recently := s.now.Add(-s.recently())
	begin := s.now
	var recent, whole []fleet.Sample
	for _, t := range c.updated {
		if !t.Assignment.Acknowledged() {
			continue
		}
		if t.Assignment.AppliedAt.Before(begin) {
			begin = t.Assignment.AppliedAt
		}
		whole = append(whole, since(t.Samples, t.Assignment.AppliedAt)...)
		recent = append(recent, since(t.Samples, later(t.Assignment.AppliedAt, recently))...)
	}
	var control, wholeControl []fleet.Sample
	for _, t := range c.control {
		wholeControl = append(wholeControl, since(t.Samples, later(t.Assignment.AppliedAt, begin))...)
		control = append(control, since(t.Samples, later(t.Assignment.AppliedAt, later(begin, recently)))...)
	}
	e.recent, e.whole = fleet.Aggregate(recent), fleet.Aggregate(whole)
	e.control, e.wholeCtrl = fleet.Aggregate(control), fleet.Aggregate(wholeControl)
	return e
}

// over picks the recent window when it holds enough requests, the whole time
// since the version was applied otherwise, each with its control.
func (e evidence) over(enough uint64, count func(fleet.Window) uint64) (updated, control fleet.Window) {
	if count(e.recent) >= enough {
		return e.recent, e.control
	}
	return e.whole, e.wholeCtrl
}

// applyCheck judges the instances that could not apply the version.
func (s *step) applyCheck(c crowd) MetricCheck {
	answered := c.acked + len(c.failed)
	m := MetricCheck{Name: "apply", Unit: "%", N: uint64(answered), Threshold: s.next.Health.FailedCheckThreshold, Outcome: Pass}
	if answered == 0 {
		m.Outcome = Inconclusive
		m.Reason = "no instance has answered yet"
		return m
	}
	value := 100 * float64(len(c.failed)) / float64(answered)
	m.Value = &value
	if len(c.failed) > 0 && value > m.Threshold {
		m.Outcome = Fail
		first := c.failed[0]
		m.Reason = fmt.Sprintf("%d of %d instances could not apply it: %s: %s", len(c.failed), answered, first.Instance.Hostname, first.Assignment.ApplyError)
	}
	return m
}

// heard says whether every updated instance still beats: evidence from before
// it fell silent is none.
func (s *step) heard(c crowd) MetricCheck {
	m := MetricCheck{Name: "heartbeats", N: uint64(len(c.updated)), Outcome: Pass}
	since := s.now.Add(-maxSilence)
	quiet := slices.DeleteFunc(slices.Clone(c.updated), func(t Target) bool {
		return t.Assignment.AppliedAt.After(since) || t.Instance.LastHeartbeat.After(since)
	})
	if len(quiet) > 0 {
		m.Outcome = Inconclusive
		m.Reason = fmt.Sprintf("no heartbeat for %s of %s", maxSilence, names(quiet))
	}
	return m
}

// recently is how far back the sliding window looks.
func (s *step) recently() time.Duration {
	return max(slidingCheckCounts*s.checkInterval(), minSlidingWindow)
}

// failedChecks judges how often updated instances say that they are unhealthy.
func (s *step) failedChecks(e evidence) MetricCheck {
	w, control := e.over(3, func(w fleet.Window) uint64 { return uint64(w.Samples) })
	m := MetricCheck{Name: "failedChecks", Unit: "%", N: uint64(w.Samples), ControlN: uint64(control.Samples), Threshold: s.next.Health.FailedCheckThreshold}
	if w.Samples == 0 {
		return m.unknown(e.first, "no heartbeat since it was applied")
	}
	value := 100 * float64(w.Unhealthy) / float64(w.Samples)
	m.Value = &value
	if control.Samples > 0 {
		share := 100 * float64(control.Unhealthy) / float64(control.Samples)
		m.Control = &share
	}
	before := 0.0
	if e.baseline.Samples > 0 {
		before = 100 * float64(e.baseline.Unhealthy) / float64(e.baseline.Samples)
		m.Baseline, m.BaselineN = &before, uint64(e.baseline.Samples)
	}
	switch {
	case value-before <= m.Threshold:
		m.Outcome = Pass
	case w.Samples < 2:
		return m.unknown(false, "one unhealthy heartbeat is not enough to judge")
	case m.Control != nil && *m.Control-before > m.Threshold && *m.Control >= value/2:
		return m.unknown(false, fmt.Sprintf("%s of heartbeats are unhealthy, but %s of those without the change too: a shared outage", percentText(value), percentText(*m.Control)))
	default:
		m.Outcome = Fail
		m.Reason = fmt.Sprintf("%s of %d heartbeats are unhealthy, threshold %s", percentText(value), w.Samples, percentText(m.Threshold))
	}
	return m
}

// errorRate judges failed requests.
func (s *step) errorRate(e evidence) MetricCheck {
	w, control := e.over(minRequests, func(w fleet.Window) uint64 { return w.Requests })
	m := MetricCheck{Name: "errorRate", Unit: "%", N: w.Requests, ControlN: control.Requests, BaselineN: e.baseline.Requests, Threshold: s.next.Health.ErrorRateThreshold}
	value, ok := w.ErrorRate()
	if !ok {
		return m.unknown(e.first, "no requests since it was applied")
	}
	m.Value = &value
	if w.RatedSamples == 0 && w.Requests < minRequests {
		return m.unknown(e.first && w.Errors == 0, fmt.Sprintf("%d requests are too few to judge errors by, %d are needed", w.Requests, minRequests))
	}
	against, ok := e.baseline.ErrorRate()
	if ok {
		m.Baseline = &against
	}
	if c, known := control.ErrorRate(); known {
		m.Control = &c
		if !ok {
			against, ok = c, true
		}
	}
	if !ok && !e.first {
		return m.unknown(false, "there is no baseline and no control to compare errors with")
	}
	if value-against < m.Threshold {
		m.Outcome = Pass
		m.Reason = "error rate " + percentText(value)
		return m
	}
	return m.errorsAbove(w, control, e.baseline)
}

// errorsAbove decides between a bad version and a shared outage.
func (m MetricCheck) errorsAbove(w, control, baseline fleet.Window) MetricCheck {
	numbers := fmt.Sprintf("error rate %s of %d requests%s, threshold +%s points", percentText(*m.Value), w.Requests, m.compared(percentText), trim(m.Threshold))
	other := baseline
	if control.Requests >= minRequests {
		other = control
	}
	switch {
	case w.Requests > 0 && other.Requests > 0:
		p := worse(float64(w.Errors), float64(w.Requests), float64(other.Errors), float64(other.Requests))
		m.P = &p
		if p >= significance {
			return m.unknown(false, numbers+": not worse than instances without the change: a shared outage")
		}
		numbers += fmt.Sprintf(", p %s", chance(p))
	case m.Control != nil && *m.Value-*m.Control < m.Threshold:
		return m.unknown(false, numbers+": not worse than instances without the change: a shared outage")
	}
	m.Outcome, m.Reason = Fail, numbers
	return m
}

// latency judges the 99th percentile.
func (s *step) latency(e evidence) MetricCheck {
	w, control := e.over(minLatencies, func(w fleet.Window) uint64 { return w.Latency.Total() })
	m := MetricCheck{Name: "latencyP99", Unit: "ms", N: w.Latency.Total(), ControlN: control.Latency.Total(), BaselineN: e.baseline.Latency.Total(), Threshold: s.next.Health.LatencyThreshold}
	value, ok := w.P99()
	if !ok {
		return m.unknown(true, "no latencies were reported")
	}
	m.Value = &value
	against, known := e.baseline.P99()
	if known {
		m.Baseline = &against
	}
	if c, ok := control.P99(); ok {
		m.Control = &c
		if !known {
			against, known = c, true
		}
	}
	if !known {
		return m.unknown(true, "there is no baseline and no control to compare latency with")
	}
	if !w.Latency.Empty() && m.N < minLatencies {
		return m.unknown(false, fmt.Sprintf("%d requests are too few to judge a p99 by, %d are needed", m.N, minLatencies))
	}
	limit := max(against*(1+m.Threshold/100), against+latencyFloor)
	if value <= limit {
		m.Outcome, m.Reason = Pass, "p99 "+msText(value)
		return m
	}
	return m.slower(w, control, e.baseline, limit)
}

// slower decides between a slow version and a shared slowness.
func (m MetricCheck) slower(w, control, baseline fleet.Window, limit float64) MetricCheck {
	numbers := fmt.Sprintf("p99 %s of %d requests%s, threshold +%s%%", msText(*m.Value), m.N, m.compared(msText), trim(m.Threshold))
	other := baseline
	if control.Latency.Total() >= minLatencies {
		other = control
	}
	switch {
	case !w.Latency.Empty() && !other.Latency.Empty():
		p := worse(w.Latency.Above(limit), float64(m.N), other.Latency.Above(limit), float64(other.Latency.Total()))
		m.P = &p
		if p >= significance {
			// Everybody is slow: that may hold people up, but not because of the change.
			m.Outcome, m.Reason = Pass, numbers+": not slower than instances without the change"
			return m
		}
		numbers += fmt.Sprintf(", p %s", chance(p))
	case m.Control != nil && *m.Value <= max(*m.Control*(1+m.Threshold/100), *m.Control+latencyFloor):
		m.Outcome, m.Reason = Pass, numbers+": not slower than instances without the change"
		return m
	}
	m.Outcome, m.Reason = Fail, numbers
	return m
}

// customCheck judges a metric of the heartbeats against fixed bounds.
func customCheck(name, query string, low, high *float64, dryRun bool, w fleet.Window) MetricCheck {
	key := query
	if key == "" {
		key = name
	}
	m := MetricCheck{Name: name, N: uint64(w.Samples), Outcome: Pass}
	value, ok := w.Custom[key]
	switch {
	case !ok:
		m = m.unknown(false, fmt.Sprintf("no heartbeat carried the metric %s", key))
	case low != nil && value < *low:
		m.Value, m.Threshold, m.Outcome = &value, *low, Fail
		m.Reason = fmt.Sprintf("%s is %s, below %s", name, trim(value), trim(*low))
	case high != nil && value > *high:
		m.Value, m.Threshold, m.Outcome = &value, *high, Fail
		m.Reason = fmt.Sprintf("%s is %s, above %s", name, trim(value), trim(*high))
	default:
		m.Value = &value
	}
	if dryRun && m.Outcome != Pass {
		m.Outcome, m.Reason = Skipped, "on trial: "+m.Reason
	}
	return m
}

// unknown is a check that cannot tell. Where nothing came before there is
// nothing to protect, and it is skipped.
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

// baseline sums up the time before a deployment, of instances that ran the
// version before it.
func baseline(targets []Target, previous string, now time.Time) fleet.Window {
	var samples []fleet.Sample
	for _, t := range targets {
		if previous == "" || t.Assignment.Applied == previous {
			samples = append(samples, since(t.Samples, later(t.Assignment.AppliedAt, now.Add(-baselineWindow)))...)
		}
	}
	return fleet.Aggregate(samples)
}

func msText(ms float64) string { return fmt.Sprintf("%.0f ms", ms) }

func trim(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

func chance(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}
