package rollout

import (
	"strings"
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// What a gate needs before it judges.
const (
	minRequests        = 30  // for an error rate
	minLatencies       = 100 // for a 99th percentile
	minBeats           = 3   // for a share of heartbeats, and for rates taken at their word
	latencyFloor       = 10  // milliseconds above the baseline that are never a failure
	baselineWindow     = 10 * time.Minute
	minSlidingWindow   = 15 * time.Second
	slidingCheckCounts = 3
	maxSilence         = 20 * time.Second // of an updated instance: four heartbeats at a deployment's pace
)

// judge checks the gate when a check is due or an instance has just failed, and
// ends the deployment when it does not pass. It answers whether it did.
func (s *step) judge(c crowd) bool {
	if c.acked+len(c.failed) == 0 {
		return false
	}
	due := s.next.CheckedAt.Add(s.checkInterval())
	newlyFailed := len(c.failed) > s.read.Progress.Failed
	if s.now.Before(due) && !newlyFailed {
		s.wakeAt(due)
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
	s.giveUp(byGate, s.next.Verdict.Reason)
	return true
}

// evidence is what a check rests on.
type evidence struct {
	recent    fleet.Window // updated instances, the last few checks
	whole     fleet.Window // updated instances, since they applied the version
	control   fleet.Window // instances without the change, as long as recent
	wholeCtrl fleet.Window // instances without the change, as long as whole
	baseline  fleet.Window // the fleet before the deployment
	first     bool         // there was no version before
}

// over picks the recent window when it holds enough, the whole time since the
// version was applied otherwise, each with its control.
func (e evidence) over(enough func(fleet.Window) bool) (updated, control fleet.Window) {
	if enough(e.recent) {
		return e.recent, e.control
	}
	return e.whole, e.wholeCtrl
}

// ever says whether a kind of figure was reported by anybody.
func (e evidence) ever(reported func(fleet.Window) bool) bool {
	return reported(e.whole) || reported(e.wholeCtrl) || reported(e.baseline)
}

// verdict judges every metric.
func (s *step) verdict(c crowd) Verdict {
	h := s.next.Health
	checks := []MetricCheck{applyCheck(c, h.FailedCheckThreshold)}
	if h.Enabled {
		e := s.gather(c)
		checks = append(checks, s.heard(c), failedChecks(e, h.FailedCheckThreshold), errorRate(e, h.ErrorRateThreshold), latency(e, h.LatencyThreshold))
		for _, m := range h.Metrics {
			checks = append(checks, customCheck(m, e))
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
		case rank[m.Outcome] < rank[v.Outcome]:
			continue
		case rank[m.Outcome] > rank[v.Outcome]:
			v.Outcome, reasons = m.Outcome, nil
		}
		if m.Reason != "" {
			reasons = append(reasons, m.Reason)
		}
	}
	switch {
	case len(reasons) > 0:
		v.Reason = strings.Join(reasons, "; ")
	case v.Outcome == Pass:
		v.Reason = "within bounds"
	}
	return v
}

// gather adds up the samples that count: of updated instances since they
// acknowledged, of the control over the same time.
func (s *step) gather(c crowd) evidence {
	e := evidence{baseline: s.next.Baseline, first: s.next.Previous == ""}
	recently := s.now.Add(-max(slidingCheckCounts*s.checkInterval(), minSlidingWindow))
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
