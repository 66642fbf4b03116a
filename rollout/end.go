package rollout

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// nobody ends a deployment for which no instance is registered.
func (s *step) nobody(c crowd) {
	s.everybody(c)
	s.next.Progress = Progress{Phases: s.how.Phases(Shape{}), Percent: 100}
	s.stand(AwaitingNothing, "no instance was there to prove %s", s.next.Version)
	s.finish(Completed, FactCompleted, map[string]any{"proved": false})
}

// complete ends a deployment that every live target acknowledged. Whoever is
// silent now gets the version when it comes back.
func (s *step) complete(c crowd) {
	if failed := len(c.failed) > 0 || s.next.Verdict.Outcome == Fail; failed && s.goesOn() && c.acked+len(c.failed) == c.live {
		s.giveUp(byGate, fmt.Sprintf("%s runs on %d of %d instances: %s", s.next.Version, c.acked, c.live, cmp.Or(unanswered(c), s.next.Verdict.Reason)))
		return
	}
	if len(c.failed) > 0 || c.acked < c.live {
		s.stand(AwaitingAcks, "%d of %d instances have acknowledged", c.acked, c.live)
		s.overdue(unanswered(c))
		return
	}
	s.everybody(c)
	s.stand(AwaitingNothing, "%s runs on %d of %d instances", s.next.Version, c.acked, c.live)
	s.finish(Completed, FactCompleted, map[string]any{"instances": c.acked})
}

// everybody makes the version the current one, and assigns it to each target
// that does not have it.
func (s *step) everybody(c crowd) {
	if !s.next.Chosen() { // what some instances run is not what the profile runs
		s.dec.Current = s.next.Version
	}
	s.dec.Assign = nil
	for _, t := range c.all {
		if t.Assignment.Version != s.next.Version {
			s.assign(t, s.next.Version, s.next.Hash)
		}
	}
}

// overdue ends a deployment that made no progress for too long. The time that
// it was watched, paused or waiting for a person does not count.
func (s *step) overdue(why string) {
	counts := s.read.Awaiting == AwaitingAcks || s.read.Awaiting == AwaitingTraffic || s.read.Awaiting == AwaitingEvidence
	if s.read.State != InProgress || !counts {
		s.next.ProgressAt = s.now
	}
	deadline := s.next.ProgressAt.Add(s.next.Strategy.ProgressDeadline.Std())
	s.wakeAt(s.now.Add(s.checkInterval()))
	if s.now.Before(deadline) {
		s.wakeAt(deadline)
		return
	}
	s.giveUp(byDeadline, fmt.Sprintf("no progress for %s: %s", spell(s.next.Strategy.ProgressDeadline.Std()), why))
}

// giveUp rolls back where it may, and stops where it must.
func (s *step) giveUp(by, reason string) {
	way := ""
	switch {
	case !s.next.HasWayBack():
		way = "there is no earlier version to go back to"
	case !s.next.Health.AutoRollback:
		way = "automatic rollback is off"
	case s.goesOn():
		way = "stopOnFailure is off, so nothing is taken back"
	default:
		s.rollBack(by, Daemon, reason)
		return
	}
	s.next.RollbackReason, s.next.RollbackBy = reason, by
	if s.next.Version != s.next.Previous {
		s.hold(Daemon, reason)
	}
	s.stand(AwaitingNothing, "%s; %s", reason, way)
	s.finish(Failed, FactFailed, map[string]any{"reason": reason, "by": by})
}

// goesOn says that a failure stops nothing: the batches go on, and at the end it
// is told what failed.
func (s *step) goesOn() bool {
	return s.next.Kind == Forward && s.next.Strategy.Type == profile.Rolling && !s.next.Strategy.StopOnFailure
}

// HasWayBack says that there is other content to go back to.
func (d Deployment) HasWayBack() bool {
	return d.Previous != "" && d.Previous != d.Version && d.PreviousHash != d.Hash
}

// rollBack gives the previous version to every target in one decision.
func (s *step) rollBack(by, actor, reason string) {
	s.dec.Assign = nil
	for _, t := range s.targets {
		if t.Assignment.Version != s.next.Previous {
			s.assign(t, s.next.Previous, s.next.PreviousHash)
		}
	}
	s.expose(s.next.Version)
	s.next.State, s.next.RollbackAt, s.next.ProgressAt = RollingBack, s.now, s.now
	s.next.RollbackReason, s.next.RollbackBy = reason, by
	s.switchBack(s.next.Previous, actor)
	s.countBack()
	s.stand(AwaitingAcks, "going back to %s: %s", s.next.Previous, reason)
	s.fact(FactRollback, actor, map[string]any{"reason": reason, "by": by, "to": s.next.Previous, "instances": len(s.dec.Assign)})
	s.hold(actor, reason)
	if len(s.dec.Assign) == 0 { // nobody has to answer first
		s.wakeAt(s.now)
		return
	}
	s.wakeAt(s.now.Add(time.Second))
}

// hold pins the profile to what it goes back to.
func (s *step) hold(actor, reason string) {
	s.dec.Hold = &Hold{
		Profile: s.next.Profile, PinnedVersion: s.next.Previous, RefusedVersion: s.next.Version, RefusedHash: s.next.Hash,
		Reason: reason, Actor: actor, DeploymentID: s.next.ID, CreatedAt: s.now,
	}
	s.dec.Facts = append(s.dec.Facts, Fact{
		Type: FactHoldBegun, EntityType: "profile", EntityID: s.next.Profile, Actor: actor, TraceID: s.next.TraceID,
		Details: map[string]any{"pinned": s.next.Previous, "refused": s.next.Version, "reason": reason},
	})
}

// retire ends a profile once a person has promoted it. Meanwhile whoever a deployment
// that it superseded left on its version goes home: nobody judges that any more.
func (s *step) retire() {
	if !s.next.Approved {
		s.stand(AwaitingApproval, "waits for a person to promote it: %s", s.next.Guard)
		s.bringHome(s.sortTargets(), nil)
		return
	}
	s.next.StartedAt = s.now
	s.dec.Retire = true
	s.stand(AwaitingNothing, "%s is retired; what runs goes on", s.next.Profile)
	s.finish(Completed, FactCompleted, map[string]any{"retired": true})
}
