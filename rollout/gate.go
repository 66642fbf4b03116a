package rollout

import (
	"strings"
	"time"
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
	if s.next.Verdict.Outcome != Fail || s.goesOn() && s.read.Verdict.Outcome == Fail {
		return false
	}
	s.fact(FactGateFailed, Daemon, map[string]any{"reason": s.next.Verdict.Reason, "phase": s.next.Phase + 1})
	if s.goesOn() {
		return false
	}
	s.giveUp(byGate, s.next.Verdict.Reason)
	return true
}

// verdict judges every metric.
func (s *step) verdict(c crowd) Verdict {
	h := s.next.Health
	checks := []MetricCheck{applyCheck(c, h.FailedCheckThreshold)}
	if h.Enabled {
		e := s.gather(c)
		quiet := s.phase(c).Quiet
		checks = append(checks, s.heard(c), failedChecks(e, h.FailedCheckThreshold).of(e),
			judgeEach(e, h, errorsOf).of(e).unneeded(quiet), judgeEach(e, h, latencyOf).of(e).unneeded(quiet))
		checks = append(checks, s.measured(c, e)...)
	}
	return sum(checks)
}

// sum is the verdict over metrics: the worst of them, but for those on trial.
func sum(checks []MetricCheck) Verdict {
	v := Verdict{Outcome: Skipped, Reason: "nothing to judge", Metrics: checks}
	rank := map[Outcome]int{Skipped: 0, Pass: 1, Inconclusive: 2, Error: 3, Fail: 4}
	var reasons []string
	for _, m := range checks {
		switch {
		case m.DryRun, rank[m.Outcome] < rank[v.Outcome]:
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

// sliding is how far a check looks back.
func (s *step) sliding() time.Duration {
	return max(slidingCheckCounts*s.checkInterval(), minSlidingWindow)
}
