package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// How long the end of a rollback is waited for.
const (
	rollbackPatience = 5 * time.Minute // for the last acknowledgements
	verifyPatience   = 2 * time.Minute // for the samples that show that health returned
	maxCheckInterval = time.Minute     // a bad version is seen within it, whatever the profile says
)

// Who ends a deployment, beside people.
const (
	byGate     = "gate"
	byDeadline = "deadline"
	byCancel   = "cancel" // a person's doing, but no judgement of the change
)

// Decide says what a deployment does next. It is the whole state machine: it
// reads no clock and changes none of its arguments, and the same arguments
// give the same answer.
func Decide(d Deployment, snap Snapshot, now time.Time) Decision {
	return newStep(d, snap, now).decide()
}

func (s *step) decide() Decision {
	switch d := s.read; {
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
	// targets are those of snap: a fleet of thousands is not copied at each turn.
	targets []*Target
	places  []*Target // the same in the order of the queue, sorted when it is first asked for; nobody changes it
	now     time.Time
	how     Strategy
	dec     Decision
	wake    time.Time
	needs   map[*Target]need // whose samples are looked at, from when on; nil when they are there
}

func newStep(d Deployment, snap Snapshot, now time.Time) *step {
	s := &step{read: d, next: d, snap: snap, now: now, how: strategyOf(d), dec: Decision{Next: d}, targets: make([]*Target, len(snap.Targets))}
	for i := range snap.Targets {
		s.targets[i] = &snap.Targets[i]
	}
	s.dec.Rest = s.rest()
	return s
}

// done closes the decision: what changed, which status follows, when to look again.
func (s *step) done() Decision {
	s.came()
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

func (s *step) assign(t *Target, version, hash string) {
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

// pending waits for an approval, the end of a freeze or a deny window, or a live
// instance, then starts.
func (s *step) pending() {
	if s.next.Guard != "" && !s.next.Approved {
		s.stand(AwaitingApproval, "waits for a person to promote it: %s", s.next.Guard)
		s.bringHome(s.sortTargets(), nil)
		return
	}
	if s.next.Kind == Rollback {
		s.begin()
		s.bringBack()
		return
	}
	c := s.sortTargets()
	if why := s.misfit(c); why != "" {
		s.stand(AwaitingNothing, "%s", why)
		s.finish(Failed, FactFailed, map[string]any{"reason": why})
		s.bringHome(c, nil)
		return
	}
	if s.barred() {
		s.bringHome(c, nil)
		return
	}
	if c.live == 0 && len(c.present) > 0 {
		s.stand(AwaitingEvidence, "none of %d registered instances is live; starts when one is", len(c.present))
		s.wakeAt(s.now.Add(s.checkInterval()))
		return
	}
	s.begin()
	if c.live == 0 {
		s.nobody(c)
		return
	}
	s.advance()
}

// begin leaves Pending.
func (s *step) begin() {
	s.next.State, s.next.StartedAt, s.next.PhaseEnteredAt, s.next.ProgressAt = InProgress, s.now, s.now, s.now
	if s.next.Strategy.Type == profile.BlueGreen && s.next.Kind == Forward {
		s.next.Group = fleet.OtherGroup(s.snap.Traffic.Active())
		s.how = strategyOf(s.next)
	}
	if s.next.Health.Enabled { // otherwise nobody compares with it
		s.next.Baseline, s.next.Ill, s.next.Worst = s.look()
	}
	s.fact(FactStarted, Daemon, map[string]any{"strategy": string(s.next.Strategy.Type), "previous": s.next.Previous})
}

// advance moves a deployment on its way, or judges that it must not go on.
func (s *step) advance() {
	c := s.sortTargets()
	s.count(c)
	if s.judge(c) {
		return
	}
	switch {
	case s.next.State == Paused: // who paused it and why stays written
		s.bringHome(c, nil)
		s.wakeAt(s.now.Add(s.checkInterval()))
	case c.live == 0:
		s.stand(AwaitingEvidence, "%s: no live instance is left to judge by", s.position())
		s.overdue("no live instance was left to judge by")
	case len(c.updated) < len(c.silent):
		s.bringHome(c, nil)
		s.stand(AwaitingEvidence, "%s: %d of %d instances that were assigned it fell silent", s.position(), len(c.silent), len(c.silent)+len(c.updated))
		s.overdue("instances that were assigned it fell silent: " + names(c.silent))
	case s.fill(c):
		s.settled(c)
	default:
		s.stand(AwaitingAcks, "%s: %d of %d instances have acknowledged", s.position(), c.acked, s.next.Progress.Assigned)
		s.overdue(unanswered(c))
	}
}

// count writes down how far the deployment is. An acknowledgement is progress
// once, when it was first heard: an instance that comes and goes is none.
func (s *step) count(c crowd) {
	s.next.Progress = Progress{
		Targets: c.live, Assigned: len(c.updated), Applied: c.acked, Failed: len(c.failed),
	}
	s.mark(c)
	for _, t := range c.updated {
		if at := t.Assignment.AppliedAt; t.Assignment.Acknowledged() && at.After(s.next.ProgressAt) && !at.After(s.now) {
			s.next.ProgressAt = at
		}
	}
}

// phase is the present one.
func (s *step) phase(c crowd) Phase { return s.how.Phase(s.next.Phase, c.shape()) }

// mark writes down which phase of how many this is.
func (s *step) mark(c crowd) {
	p := s.phase(c)
	s.next.Progress.Phases, s.next.Progress.Percent, s.next.Progress.Phase = s.how.Phases(c.shape()), p.Percent, p.Name
}

// position names the phase, as in "canary 30%".
func (s *step) position() string { return position(s.next) }

func position(d Deployment) string {
	if d.Progress.Phase != "" {
		return strings.ToLower(string(d.Strategy.Type)) + " " + d.Progress.Phase
	}
	return fmt.Sprintf("%s %d%%", strings.ToLower(string(d.Strategy.Type)), d.Progress.Percent)
}

// fill assigns the version to as many targets as the phase allows, and gives
// strays beyond that the previous version back. It answers whether the phase
// is complete: everybody assigned has answered. A silent instance that was
// assigned the version still counts against the share, since it may run it.
func (s *step) fill(c crowd) bool {
	p := s.phase(c)
	room := max(0, p.Share-len(c.updated)-len(c.silent))
	if p.InFlight > 0 {
		room = min(room, max(0, p.InFlight-(len(c.updated)-c.acked-len(c.failed))))
	}
	chosen := c.turn(p.Group)
	room = min(room, len(chosen))
	s.dec.Assign = slices.Grow(s.dec.Assign, room)
	for _, t := range chosen[:room] {
		s.assign(t, s.next.Version, s.next.Hash)
	}
	s.bringHome(c, chosen[:room])
	if room > 0 {
		s.next.ProgressAt = s.now
		s.next.Progress.Assigned += room
	}
	if room > c.acked { // most of the phase is new: what was watched so far was another one
		s.next.PhaseSettledAt = time.Time{}
	}
	return room == 0 && len(c.updated)+len(c.silent) >= p.Share && c.acked+len(c.failed) == len(c.updated)
}

// bringHome gives the previous version to strays and to whoever has none, but
// for those who were just chosen.
func (s *step) bringHome(c crowd, chosen []*Target) {
	if s.next.Previous == "" {
		return
	}
	var taken map[*Target]bool // made for the first who may be among them: most often there is none
	for _, t := range c.all {
		if !s.stray(t) && t.Assignment.Version != "" {
			continue
		}
		if taken == nil {
			taken = make(map[*Target]bool, len(chosen))
			for _, one := range chosen {
				taken[one] = true
			}
		}
		if !taken[t] {
			s.assign(t, s.next.Previous, s.next.PreviousHash)
		}
	}
}

// settled bakes a complete phase and goes to the next one, or to the end.
func (s *step) settled(c crowd) {
	if p := s.phase(c); !s.arrived(p) {
		s.stand(AwaitingTraffic, "%s: the traffic hook has not taken the switch to %s yet%s", s.position(), p.Traffic, because(line(s.snap.Traffic.Error)))
		s.overdue("the traffic hook did not take the switch to " + p.Traffic + because(line(s.snap.Traffic.Error)))
		return
	}
	if s.next.PhaseSettledAt.IsZero() {
		s.next.PhaseSettledAt, s.next.ProgressAt = s.now, s.now
		s.fact(FactPhase, Daemon, map[string]any{"phase": s.next.Phase + 1, "percent": s.next.Progress.Percent, "instances": len(c.updated)})
		if s.next.CheckedAt.Before(s.next.PhaseSettledAt) && s.check(c) {
			return
		}
	}
	last := s.next.Phase+1 >= s.how.Phases(c.shape())
	if !last && s.barred() {
		return
	}
	if s.next.Promoted <= s.next.Phase && !s.passed(c, last) {
		return
	}
	if last {
		s.complete(c)
		return
	}
	s.enter(c)
}

// moment is one to come, to be read in whatever zone, with its day where that is not today's.
func moment(at, now time.Time) string {
	at = at.UTC()
	if at.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		return at.Format("2006-01-02 15:04:05 UTC")
	}
	return at.Format("15:04:05 UTC")
}

// passed says that the present phase was watched long enough and passed.
func (s *step) passed(c crowd, last bool) bool {
	ends := s.next.PhaseSettledAt.Add(s.phase(c).Bake)
	// Who waits for a person waits, also when traffic goes quiet meanwhile.
	waiting := s.read.Awaiting == AwaitingPromotion && s.read.Phase == s.next.Phase
	switch {
	case s.now.Before(ends):
		s.stand(AwaitingNothing, "%s, %d of %d instances; watched until %s", s.position(), c.acked, c.live, moment(ends, s.now))
		s.wakeAt(ends)
	case !s.evidence() && !waiting:
		s.stand(AwaitingEvidence, "%s: %s", s.position(), s.next.Verdict.Reason)
		s.overdue("the gate could not tell: " + s.next.Verdict.Reason)
	case !s.next.Strategy.AutoPromote && !last:
		s.stand(AwaitingPromotion, "%s passed; waits for a person to promote it", s.position())
		s.wakeAt(s.now.Add(s.checkInterval()))
	default:
		return true
	}
	return false
}

// enter begins the next phase. One that has nothing to assign is watched all
// the same, from now.
func (s *step) enter(c crowd) {
	s.next.Phase++
	s.next.PhaseEnteredAt, s.next.ProgressAt, s.next.PhaseSettledAt = s.now, s.now, time.Time{}
	s.mark(c)
	s.dec.Assign = nil // of the phase before; decided anew for this one
	s.turn(s.phase(c))
	if s.fill(c) {
		s.settled(c)
		return
	}
	s.stand(AwaitingAcks, "%s: assigned to %d of %d instances", s.position(), s.next.Progress.Assigned, c.live)
	s.wakeAt(s.now.Add(s.checkInterval()))
}

// evidence says that the gate passed since the phase settled.
func (s *step) evidence() bool {
	passed := s.next.Verdict.Outcome == Pass || s.next.Verdict.Outcome == Skipped
	passed = passed || s.goesOn() && s.next.Verdict.Outcome == Fail
	return passed && !s.next.CheckedAt.Before(s.next.PhaseSettledAt)
}
