package rollout

import (
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// rollingBack waits until the live targets run the previous version again, and
// sees whether health came back with it.
func (s *step) rollingBack() {
	live, acked, late := s.returning(s.next.Previous, s.next.PreviousHash)
	waited := s.now.Sub(s.next.RollbackAt)
	s.countBack()
	s.heal(s.next.Previous)
	if unmoved := s.next.Group != "" && !s.snap.Traffic.Acked; unmoved && acked == live && waited < rollbackPatience {
		s.stand(AwaitingTraffic, "going back to %s: the traffic hook has not taken the switch to %s yet%s", s.next.Previous, s.snap.Traffic.Active(), because(line(s.snap.Traffic.Error)))
		s.wakeAt(s.now.Add(s.checkInterval()))
		s.wakeAt(s.next.RollbackAt.Add(rollbackPatience))
		return
	}
	if acked < live && waited < rollbackPatience {
		s.stand(AwaitingAcks, "going back to %s: %d of %d instances are there", s.next.Previous, acked, live)
		s.wakeAt(s.now.Add(s.checkInterval()))
		s.wakeAt(s.next.RollbackAt.Add(rollbackPatience))
		return
	}
	if s.next.PhaseSettledAt.Before(s.next.RollbackAt) {
		s.next.PhaseSettledAt = s.now
	}
	restored, sure := s.healthRestored()
	deadline := s.next.PhaseSettledAt.Add(min(verifyPatience, 3*s.checkInterval()))
	if !sure && s.now.Before(deadline) {
		s.stand(AwaitingEvidence, "%d of %d instances are back on %s; seeing whether health returns", acked, live, s.next.Previous)
		s.wakeAt(s.now.Add(min(time.Second, s.checkInterval())))
		s.wakeAt(deadline)
		return
	}
	s.next.HealthRestored = restored
	if len(late) > 0 {
		s.stand(AwaitingNothing, "back on %s on %d of %d instances, not heard of: %s: %s", s.next.Previous, acked, live, names(byHost(late)), s.next.RollbackReason)
	} else {
		s.stand(AwaitingNothing, "back on %s on %d of %d instances: %s", s.next.Previous, acked, live, s.next.RollbackReason)
	}
	s.finish(RolledBack, FactRolledBack, map[string]any{"to": s.next.Previous, "health": string(restored), "late": names(byHost(late))})
}

// countBack writes down who still runs the version that is taken back. The
// percent stays: it says how far the version came.
func (s *step) countBack() {
	p := Progress{Phases: s.next.Progress.Phases, Percent: s.next.Progress.Percent, Phase: s.next.Progress.Phase}
	for _, t := range s.targets {
		if t.Instance.Liveness(s.now) != fleet.Live {
			continue
		}
		p.Targets++
		if t.Assignment.Applied == s.next.Version {
			p.Applied++
		}
		if t.Assignment.Version == s.next.Previous && t.Assignment.ApplyError != "" {
			p.Failed++
		}
	}
	s.next.Progress = p
}

// bringBack runs a rollback deployment: everybody at once, no gate.
func (s *step) bringBack() {
	live, acked, late := s.sendBack()
	s.heal(s.next.Version)
	switch {
	case acked == live:
		s.dec.Current = s.next.Version
		s.stand(AwaitingNothing, "back on %s on %d of %d instances", s.next.Version, acked, live)
		s.finish(Completed, FactCompleted, map[string]any{"instances": acked})
	case s.now.Sub(s.next.StartedAt) >= rollbackPatience:
		s.dec.Current = s.next.Version
		s.stand(AwaitingNothing, "%d of %d instances are on %s; not heard of: %s", acked, live, s.next.Version, names(byHost(late)))
		s.finish(Failed, FactFailed, map[string]any{"late": names(byHost(late))})
	default:
		s.stand(AwaitingAcks, "going back to %s: %d of %d instances are there", s.next.Version, acked, live)
		s.wakeAt(s.now.Add(s.checkInterval()))
		s.wakeAt(s.next.StartedAt.Add(rollbackPatience))
	}
}

// sendBack gives a rollback's version to everybody.
func (s *step) sendBack() (live, acked int, late []*Target) {
	live, acked, late = s.returning(s.next.Version, s.next.Hash)
	s.next.Progress = Progress{Targets: live, Assigned: live, Applied: acked, Phases: 1, Percent: 100}
	return live, acked, late
}

// returning assigns the version to whoever does not have it, and counts who
// says to run it. An instance that said it cannot apply it is late.
func (s *step) returning(version, hash string) (live, acked int, late []*Target) {
	for _, t := range s.targets {
		alive := t.Instance.Liveness(s.now) == fleet.Live
		if alive {
			live++
		}
		switch {
		case t.Assignment.Version != version:
			s.assign(t, version, hash)
		case t.Assignment.Acknowledged():
			if alive {
				acked++
			}
			continue
		}
		if alive {
			late = append(late, t)
		}
	}
	return live, acked, late
}

// healthRestored judges the fleet since the last acknowledgement by the gate's
// own rules against the baseline from before the deployment. sure is false
// while more samples could still change the answer.
func (s *step) healthRestored() (restored HealthRestored, sure bool) {
	h := s.next.Health
	if !h.Enabled {
		return HealthNoData, true
	}
	var well []*Target
	for _, t := range s.targets {
		if t.Assignment.Applied == s.next.Previous && !s.next.wasIll(t) {
			well = append(well, t)
		}
	}
	var back side
	for _, t := range s.part(well, s.mostUpdated()) {
		s.need(t, s.next.PhaseSettledAt)
		back.add(since(t.Samples, later(t.Assignment.AppliedAt, s.next.PhaseSettledAt)))
	}
	e := evidence{recent: &back, whole: &back, control: &side{}, wholeCtrl: &side{}, baseline: s.next.Baseline}
	s.next.Recovery = sum([]MetricCheck{failedChecks(e, h.FailedCheckThreshold), errorRate(e, h.ErrorRateThreshold), latency(e, h.LatencyThreshold)})
	seen := map[Outcome]int{}
	for _, m := range s.next.Recovery.Metrics {
		seen[m.Outcome]++
	}
	switch {
	case seen[Fail] > 0:
		return HealthNotReturned, false
	case seen[Pass] == 0:
		return HealthNoData, false
	}
	return HealthReturned, seen[Inconclusive] == 0
}

func (s *step) checkInterval() time.Duration {
	interval := s.next.Health.CheckInterval.Std()
	if interval <= 0 {
		interval = 30 * time.Second
	}
	return min(interval, maxCheckInterval)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// since keeps the samples whose whole span lies at or after t. They come oldest
// first, so that what is kept is the end of them.
func since(samples []fleet.Sample, t time.Time) []fleet.Sample {
	from := len(samples)
	for from > 0 && !samples[from-1].Since.Before(t) {
		from--
	}
	return samples[from:]
}
