package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// How long the end of a rollback is waited for.
const (
	rollbackPatience = 5 * time.Minute // for the last acknowledgements
	verifyPatience   = 2 * time.Minute // for the samples that show that health returned
	maxCheckInterval = time.Minute     // a bad version is seen within it, whatever the profile says
)

// Decide says what a deployment does next. It is the whole state machine: it
// reads no clock and changes none of its arguments, and the same arguments
// give the same answer.
func Decide(d Deployment, snap Snapshot, now time.Time) Decision {
	s := newStep(d, snap, now)
	switch {
	case d.State.Final():
		return s.dec
	case d.Kind == Retirement:
		s.retire()
	case d.State == Pending:
		s.pending()
	case d.State == RollingBack:
		s.rollingBack()
	case d.Kind == Rollback:
		s.bringBack()
	default:
		s.advance()
	}
	return s.done()
}

// step is one decision in the making.
type step struct {
	read Deployment // as it came in
	next Deployment
	snap Snapshot
	now  time.Time
	how  strategy
	dec  Decision
	wake time.Time
}

func newStep(d Deployment, snap Snapshot, now time.Time) *step {
	return &step{read: d, next: d, snap: snap, now: now, how: strategyOf(d), dec: Decision{Next: d}}
}

// done closes the decision: what changed, which status follows, when to look again.
func (s *step) done() Decision {
	s.dec.Next = s.next
	s.dec.Changed = len(s.dec.Assign) > 0 || len(s.dec.Facts) > 0 || len(s.dec.Checks) > 0 || changed(s.read, s.next)
	if s.dec.Changed {
		if status, ok := StatusOf(s.next); ok {
			s.dec.Status = append(s.dec.Status, status)
		}
	}
	if !s.next.State.Final() {
		s.dec.Wake = s.wake
	}
	return s.dec
}

// changed compares what people and later steps see of a deployment.
func changed(a, b Deployment) bool {
	return a.State != b.State || a.Awaiting != b.Awaiting || a.Explanation != b.Explanation ||
		a.Phase != b.Phase || a.Promoted != b.Promoted || a.Approved != b.Approved || a.Progress != b.Progress ||
		a.HealthRestored != b.HealthRestored || !a.StartedAt.Equal(b.StartedAt) || !a.PhaseEnteredAt.Equal(b.PhaseEnteredAt) ||
		!a.PhaseSettledAt.Equal(b.PhaseSettledAt) || !a.ProgressAt.Equal(b.ProgressAt) || !a.CheckedAt.Equal(b.CheckedAt)
}

// wakeAt asks to be looked at again no later than t.
func (s *step) wakeAt(t time.Time) {
	if s.wake.IsZero() || t.Before(s.wake) {
		s.wake = t
	}
}

func (s *step) fact(kind, actor string, details map[string]any) {
	s.dec.Facts = append(s.dec.Facts, s.next.fact(kind, actor, details))
}

func (s *step) assign(t Target, version, hash string) {
	s.dec.Assign = append(s.dec.Assign, Assign{InstanceID: t.Instance.ID, Version: version, Hash: hash})
}

// stand says where the deployment stands and what it waits for.
func (s *step) stand(waits Awaiting, format string, args ...any) {
	s.next.Awaiting, s.next.Explanation = waits, fmt.Sprintf(format, args...)
}

// finish ends the deployment.
func (s *step) finish(state State, kind string, details map[string]any) {
	s.next.State, s.next.Awaiting, s.next.FinishedAt = state, AwaitingNothing, s.now
	s.fact(kind, Daemon, details)
}

// pending waits for an approval or the end of a deny window, then starts.
func (s *step) pending() {
	if s.next.Guard != "" && !s.next.Approved {
		s.stand(AwaitingApproval, "waits for a person to promote it: %s", s.next.Guard)
		return
	}
	if s.next.Kind == Forward {
		if until, rule, denied := s.next.Windows.Denies(s.now); denied {
			s.stand(AwaitingWindow, "the deny window %q is open until %s", rule, until.UTC().Format(time.RFC3339))
			s.wakeAt(until)
			return
		}
	}
	s.next.State, s.next.StartedAt, s.next.PhaseEnteredAt, s.next.ProgressAt = InProgress, s.now, s.now, s.now
	s.next.Baseline = baseline(s.snap.Targets, s.next.Previous, s.now)
	s.fact(FactStarted, Daemon, map[string]any{"strategy": string(s.next.Strategy.Type), "previous": s.next.Previous})
	if s.next.Kind == Rollback {
		s.bringBack()
		return
	}
	s.advance()
}

// advance moves a deployment on its way, or judges that it must not go on.
func (s *step) advance() {
	c := s.sortTargets()
	s.count(c)
	if s.judge(c) {
		return
	}
	if s.next.State == Paused {
		s.stand(AwaitingNothing, "paused at %s", s.position())
		s.wakeAt(s.now.Add(s.checkInterval()))
		return
	}
	if c.live == 0 {
		s.nobody(c)
		return
	}
	// More than one phase can pass in one step only when nothing is left to assign or to wait for.
	if !s.fill(c) {
		if len(c.updated) == 0 && len(c.silent) > 0 && len(s.dec.Assign) == 0 {
			s.stand(AwaitingEvidence, "%s: nothing is heard of %s, which had it", s.position(), names(c.silent))
			s.overdue("nothing was heard of " + names(c.silent) + " since it had the version")
			return
		}
		s.stand(AwaitingAcks, "%s: %d of %d instances have acknowledged", s.position(), c.acked, len(c.updated)+len(s.dec.Assign))
		s.overdue("not every instance acknowledged: " + names(unacked(c)))
		return
	}
	s.settled(c)
}

// count writes down how far the deployment is.
func (s *step) count(c crowd) {
	p := Progress{
		Targets: c.live, Assigned: len(c.updated), Applied: c.acked, Failed: len(c.failed),
		Phases: s.how.phases(c.live), Percent: s.how.percent(s.next.Phase, c.live),
	}
	if p.Applied > s.next.Progress.Applied {
		s.next.ProgressAt = s.now
	}
	s.next.Progress = p
}

// position names the phase, as in "canary 30%".
func (s *step) position() string {
	return fmt.Sprintf("%s %d%%", strings.ToLower(string(s.next.Strategy.Type)), s.next.Progress.Percent)
}

// nobody handles a fleet without a live instance.
func (s *step) nobody(c crowd) {
	if len(c.all) == 0 || s.next.Progress.Assigned == 0 && s.next.Phase == 0 && s.read.Progress.Assigned == 0 {
		s.settleAll(c)
		s.stand(AwaitingNothing, "no instance was there to prove %s", s.next.Version)
		s.finish(Completed, FactCompleted, map[string]any{"proved": false})
		return
	}
	s.stand(AwaitingEvidence, "no live instance is left to judge by")
	s.overdue("no live instance was left to judge by")
}

// fill assigns the version to as many targets as the phase allows, and gives
// strays beyond that the previous version back. It answers whether the phase
// is complete: everybody assigned has answered.
func (s *step) fill(c crowd) bool {
	// Who fell silent with the version keeps its place in the share: a version
	// that kills must not walk through the fleet, one instance at a time.
	want := s.how.share(s.next.Phase, c.live+len(c.silent))
	room := max(0, want-len(c.updated)-len(c.silent))
	if limit := s.how.inFlight(); limit > 0 {
		room = min(room, max(0, limit-(len(c.updated)-c.acked-len(c.failed))))
	}
	room = min(room, len(c.waiting))
	for _, t := range c.waiting[:room] {
		s.assign(t, s.next.Version, s.next.Hash)
	}
	if s.next.Previous != "" {
		for _, t := range c.waiting[room:] {
			if t.Assignment.Version != s.next.Previous && (s.stray(t) || t.Assignment.Version == "") {
				s.assign(t, s.next.Previous, s.next.PreviousHash)
			}
		}
		for _, t := range c.lost {
			s.assign(t, s.next.Previous, s.next.PreviousHash)
		}
	}
	if room > 0 {
		s.next.ProgressAt = s.now
		s.next.Progress.Assigned += room
	}
	placed := len(c.updated)+len(c.silent) >= want && len(c.updated) > 0
	return room == 0 && placed && c.acked+len(c.failed) == len(c.updated)
}

// settled bakes a complete phase and goes to the next one, or to the end.
func (s *step) settled(c crowd) {
	if s.next.PhaseSettledAt.IsZero() {
		s.next.PhaseSettledAt, s.next.ProgressAt = s.now, s.now
		s.fact(FactPhase, Daemon, map[string]any{"phase": s.next.Phase + 1, "percent": s.next.Progress.Percent, "instances": len(c.updated)})
		if s.next.CheckedAt.Before(s.next.PhaseSettledAt) && s.check(c) {
			return
		}
	}
	last := s.next.Phase+1 >= s.how.phases(c.live)
	ends := s.next.PhaseSettledAt.Add(s.how.bake())
	byHand := s.next.Promoted > s.next.Phase
	if !byHand {
		if s.now.Before(ends) {
			s.stand(AwaitingNothing, "%s, %d of %d instances; watched until %s", s.position(), c.acked, c.live, ends.UTC().Format(time.TimeOnly))
			s.wakeAt(ends)
			return
		}
		// Who waits for a person waits, also when traffic goes quiet meanwhile.
		waits := s.read.Awaiting == AwaitingPromotion && s.read.Phase == s.next.Phase
		if !s.evidence() && !waits {
			s.stand(AwaitingEvidence, "%s: %s", s.position(), s.next.Verdict.Reason)
			s.overdue("the gate could not tell: " + s.next.Verdict.Reason)
			return
		}
		if !s.next.Strategy.AutoPromote && !last {
			s.stand(AwaitingPromotion, "%s passed; waits for a person to promote it", s.position())
			s.wakeAt(s.now.Add(s.checkInterval()))
			return
		}
	}
	if last {
		s.complete(c)
		return
	}
	s.next.Phase++
	s.next.PhaseEnteredAt, s.next.ProgressAt, s.next.PhaseSettledAt = s.now, s.now, time.Time{}
	s.next.Progress.Percent = s.how.percent(s.next.Phase, c.live)
	if s.fill(c) {
		s.wakeAt(s.now) // nobody is left to assign: nothing will wake it
	}
	s.stand(AwaitingAcks, "%s: assigned to %d of %d instances", s.position(), s.next.Progress.Assigned, c.live)
	s.wakeAt(s.now.Add(s.checkInterval()))
}

// evidence says that the gate passed since the phase settled.
func (s *step) evidence() bool {
	passed := s.next.Verdict.Outcome == Pass || s.next.Verdict.Outcome == Skipped
	return passed && !s.next.CheckedAt.Before(s.next.PhaseSettledAt)
}

// complete ends a deployment that every live target acknowledged.
func (s *step) complete(c crowd) {
	if len(c.failed) > 0 || c.acked < c.live {
		s.stand(AwaitingAcks, "%d of %d instances have acknowledged", c.acked, c.live)
		s.overdue("not every instance acknowledged: " + names(unacked(c)))
		return
	}
	s.settleAll(c)
	s.stand(AwaitingNothing, "%s runs on %d of %d instances", s.next.Version, c.acked, c.live)
	s.finish(Completed, FactCompleted, map[string]any{"instances": c.acked})
}

// settleAll makes the version the current one: whoever is silent now gets it
// when it comes back.
func (s *step) settleAll(c crowd) {
	if len(s.next.Selector.Instances) == 0 { // what some instances run is not what the profile runs
		s.dec.Current = s.next.Version
	}
	for _, t := range c.all {
		if t.Assignment.Version != s.next.Version {
			s.assign(t, s.next.Version, s.next.Hash)
		}
	}
}

// overdue ends a deployment that made no progress for too long.
func (s *step) overdue(why string) {
	progress := s.next.ProgressAt
	if settled := s.next.PhaseSettledAt; !settled.IsZero() {
		progress = later(progress, settled.Add(s.how.bake())) // being watched is no lack of progress
	}
	deadline := progress.Add(s.next.Strategy.ProgressDeadline.Std())
	s.wakeAt(s.now.Add(s.checkInterval()))
	if s.now.Before(deadline) {
		s.wakeAt(deadline)
		return
	}
	s.giveUp("deadline", fmt.Sprintf("no progress for %s: %s", profile.Duration(s.next.Strategy.ProgressDeadline).Std(), why))
}

// giveUp rolls back where it may, and stops where it must.
func (s *step) giveUp(by, reason string) {
	if s.next.Health.AutoRollback && s.next.hasWayBack() {
		s.rollBack(by, Daemon, reason)
		return
	}
	way := "there is no earlier version to go back to"
	if s.next.hasWayBack() {
		way = "automatic rollback is off"
	}
	s.next.RollbackReason = reason
	if s.next.Version != s.next.Previous {
		s.hold(Daemon, reason)
	}
	s.stand(AwaitingNothing, "%s; %s", reason, way)
	s.finish(Failed, FactFailed, map[string]any{"reason": reason, "by": by})
}

// hasWayBack says that there is another version to go back to.
func (d Deployment) hasWayBack() bool {
	return d.Previous != "" && d.Previous != d.Version && d.PreviousHash != d.Hash
}

// rollBack gives the previous version to every target in one decision.
func (s *step) rollBack(by, actor, reason string) {
	s.dec.Assign = slices.DeleteFunc(s.dec.Assign, func(Assign) bool { return true })
	for _, t := range s.snap.Targets {
		if t.Assignment.Version != s.next.Previous {
			s.assign(t, s.next.Previous, s.next.PreviousHash)
		}
	}
	s.next.State, s.next.RollbackAt, s.next.ProgressAt = RollingBack, s.now, s.now
	s.next.RollbackReason, s.next.RollbackBy = reason, by
	s.stand(AwaitingAcks, "going back to %s: %s", s.next.Previous, reason)
	s.fact(FactRollback, actor, map[string]any{"reason": reason, "by": by, "to": s.next.Previous, "instances": len(s.dec.Assign)})
	s.hold(actor, reason)
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

// retire ends a profile once a person has promoted it.
func (s *step) retire() {
	if !s.next.Approved {
		s.stand(AwaitingApproval, "waits for a person to promote it: %s", s.next.Guard)
		return
	}
	s.next.StartedAt = s.now
	s.dec.Retire = true
	s.stand(AwaitingNothing, "%s is retired; what runs goes on", s.next.Profile)
	s.finish(Completed, FactCompleted, map[string]any{"retired": true})
}

func unacked(c crowd) []Target {
	return slices.DeleteFunc(slices.Clone(c.updated), func(t Target) bool { return t.Assignment.Acknowledged() })
}

// names lists a few instances for a sentence.
func names(targets []Target) string {
	const few = 3
	var words []string
	for _, t := range targets[:min(few, len(targets))] {
		words = append(words, t.Instance.Hostname)
	}
	if more := len(targets) - few; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}
