package rollout

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// Order is what a person may ask of a deployment.
type Order string

// The orders.
const (
	OrderPause    Order = "pause"
	OrderResume   Order = "resume"
	OrderPromote  Order = "promote"
	OrderCancel   Order = "cancel"
	OrderRollback Order = "rollback"
	OrderRetry    Order = "retry" // a new deployment of what an ended one brought
)

// ErrNoWayBack is returned for a rollback without an earlier version.
var ErrNoWayBack = errors.New("there is no earlier version to go back to")

// ErrReason is returned for an order that needs a reason.
var ErrReason = errors.New("a reason is needed")

// Pause holds a deployment where it is; the gate goes on judging.
func Pause(d Deployment, _ Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := allow(d, OrderPause); err != nil {
		return Decision{}, err
	}
	s := newStep(d, Snapshot{}, now)
	s.next.State = Paused
	s.stand(AwaitingNothing, "paused at %s by %s%s", s.position(), actor, because(reason))
	s.fact(FactPaused, actor, map[string]any{"reason": reason})
	s.wakeAt(now)
	return s.done(), nil
}

// Resume lets a paused deployment go on. The time that it was paused does not
// count as lack of progress.
func Resume(d Deployment, _ Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := allow(d, OrderResume); err != nil {
		return Decision{}, err
	}
	s := newStep(d, Snapshot{}, now)
	s.next.State, s.next.ProgressAt = InProgress, now
	s.stand(AwaitingNothing, "resumed by %s%s", actor, because(reason))
	s.fact(FactResumed, actor, map[string]any{"reason": reason})
	s.wakeAt(now)
	return s.done(), nil
}

// Promotion is how far a person sends a deployment.
type Promotion struct {
	All   bool // through every phase that is left; otherwise the present one
	Phase int  // 1-based: the phase that is meant; 0 for the present one
}

// everyPhase is more phases than any strategy has.
const everyPhase = math.MaxInt32

// Promote approves a guarded deployment, or ends the wait of the present phase.
func Promote(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error) {
	return Promotion{}.promote(d, snap, actor, reason, now)
}

// PromoteAll approves a guarded deployment, and ends the wait of every phase
// that is left. Acknowledgements and a failing gate still count.
func PromoteAll(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error) {
	return Promotion{All: true}.promote(d, snap, actor, reason, now)
}

func (p Promotion) promote(d Deployment, _ Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := p.allowed(d); err != nil {
		return Decision{}, err
	}
	s := newStep(d, Snapshot{}, now)
	details := map[string]any{"reason": reason, "phase": d.Phase + 1}
	start, further := "", ""
	if p.All {
		start, further, details["all"] = " through every phase", " and every phase after it", true
	}
	if d.State == Pending {
		s.next.Approved = true
		s.stand(AwaitingNothing, "approved%s by %s%s", start, actor, because(reason))
	} else {
		s.next.Promoted = d.Phase + 1
		s.stand(s.next.Awaiting, "%s%s promoted by %s%s", s.position(), further, actor, because(reason))
	}
	if p.All {
		s.next.Promoted = everyPhase
	}
	s.next.Promoter, s.next.ProgressAt = actor, now
	s.fact(FactPromoted, actor, details)
	s.wakeAt(now)
	return s.done(), nil
}

// allowed is nil when there is something to promote: two people who mean the
// same phase do not promote two.
func (p Promotion) allowed(d Deployment) error {
	if err := allow(d, OrderPromote); err != nil {
		return err
	}
	switch {
	case d.State == Pending && (d.Guard == "" || d.Approved):
		return d.refuse(OrderPromote, "it waits for no person")
	case d.State == InProgress && p.Phase > 0 && p.Phase != d.Phase+1:
		return d.refuse(OrderPromote, fmt.Sprintf("it is in phase %d, not in phase %d", d.Phase+1, p.Phase))
	case d.Promoted == everyPhase:
		return d.refuse(OrderPromote, "every phase was promoted already by "+d.Promoter)
	case d.State == InProgress && d.Promoted > d.Phase && !p.All:
		return d.refuse(OrderPromote, fmt.Sprintf("%s was promoted already by %s", position(d), d.Promoter))
	}
	return nil
}

// Cancel ends a deployment. One that has begun takes its version back from the
// instances first, as a rollback does; a first version, which leaves nothing to
// go back to, stays where it is. One that has not begun sends home whoever the
// deployment that it superseded left behind: nobody else would.
func Cancel(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := allow(d, OrderCancel); err != nil {
		return Decision{}, err
	}
	if d.State != Pending && d.HasWayBack() {
		s := newStep(d, snap, now)
		s.rollBack(byCancel, actor, "cancelled by "+actor+because(reason))
		return s.done(), nil
	}
	s := newStep(d, snap, now)
	where := "before it started"
	if d.State == Pending {
		s.bringHome(s.sortTargets(), nil)
	} else {
		where = "at " + s.position() + ", with nothing else to go back to"
	}
	s.stand(AwaitingNothing, "cancelled by %s %s%s", actor, where, because(reason))
	s.next.State, s.next.FinishedAt = Cancelled, now
	s.fact(FactCancelled, actor, map[string]any{"reason": reason})
	return s.done(), nil
}

// RollBack gives the earlier version to every target at once. Asked again of a
// deployment that is rolling back, it changes nothing.
func RollBack(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if d.State == RollingBack {
		return Decision{Next: d, Wake: now}, nil
	}
	if err := allow(d, OrderRollback); err != nil {
		return Decision{}, err
	}
	if d.State.Final() {
		return Decision{}, d.refuse(OrderRollback, "it has ended; what it brought is taken back by a rollback of its profile")
	}
	if reason == "" {
		return Decision{}, ErrReason
	}
	if d.State == Pending {
		return Cancel(d, snap, actor, reason, now)
	}
	if !d.HasWayBack() {
		return Decision{}, ErrNoWayBack
	}
	s := newStep(d, snap, now)
	s.rollBack(actor, actor, reason)
	return s.done(), nil
}

// NewRollback is the emergency door: a deployment that gives an earlier,
// completed version to every target at once, with the hold that keeps what it
// replaces away. No gate, window or schema stands in its way.
func NewRollback(r profile.Record, to, refused profile.Version, actor, reason string, snap Snapshot, id string, now time.Time) (Decision, error) {
	if reason == "" {
		return Decision{}, ErrReason
	}
	if to.Number == "" {
		return Decision{}, ErrNoWayBack
	}
	d := Deployment{
		ID: id, Profile: r.Name, Kind: Rollback,
		Selector: selector(r),
		Version:  to.Number, Hash: to.Hash, Proven: true, Strategy: profile.Strategy{Type: profile.Direct}, Health: r.Health,
		InitiatedBy: actor, Cause: reason, State: Pending, CreatedAt: now, Previous: refused.Number, PreviousHash: refused.Hash,
	}
	s := newStep(d, snap, now)
	s.dec.Current = to.Number
	s.fact(FactCreated, actor, map[string]any{"reason": reason, "from": refused.Number, "to": to.Number})
	s.dec.Hold = &Hold{
		Profile: r.Name, PinnedVersion: to.Number, RefusedVersion: refused.Number, RefusedHash: refused.Hash,
		Reason: reason, Actor: actor, DeploymentID: id, CreatedAt: now,
	}
	s.dec.Facts = append(s.dec.Facts, Fact{
		Type: FactHoldBegun, EntityType: "profile", EntityID: r.Name, Actor: actor,
		Details: map[string]any{"pinned": to.Number, "refused": refused.Number, "reason": reason},
	})
	s.begin()
	s.next.RollbackAt = now
	s.expose(refused.Number)
	s.switchBack(to.Number, actor)
	live, acked, _ := s.sendBack()
	// The next step looks at a fleet that nobody else assigns to any more, and
	// ends it: a step in flight may have assigned after this snapshot was read.
	s.stand(AwaitingAcks, "going back to %s: %d of %d instances are there", to.Number, acked, live)
	s.wakeAt(now)
	if refused.Commit != "" {
		s.dec.Status = append(s.dec.Status, Status{
			Source: refused.Source, Commit: refused.Commit, Context: Context(r.Name), State: StatusFailure,
			Description: Describe(fmt.Sprintf("rolled back to %s by %s: %s", to.Number, actor, reason)), DeploymentID: id,
		})
	}
	return s.done(), nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func selector(r profile.Record) fleet.Selector {
	return fleet.Selector{Service: r.Service, Environment: r.Environment, Labels: r.Targets.Labels}
}

// Supersede ends a deployment because a newer one takes its place, or because
// its profile retired.
func Supersede(d Deployment, reason string, now time.Time) Decision {
	s := newStep(d, Snapshot{}, now)
	s.stand(AwaitingNothing, "%s", reason)
	s.finish(Superseded, FactSuperseded, map[string]any{"reason": reason})
	return s.done()
}

// Stranded sends home the instances that a deployment, or one before it, reached and that
// are no targets of the one which takes its place: nobody else would, and nobody judges what
// they run.
func Stranded(d Deployment, targets []Target, successor fleet.Selector) (home []Assign) {
	if d.Kind != Forward || d.Previous == "" {
		return nil
	}
	for _, t := range targets {
		if v := t.Assignment.Version; v != "" && v != d.Previous && !successor.Matches(t.Instance) {
			home = append(home, Assign{InstanceID: t.Instance.ID, Version: d.Previous, Hash: d.PreviousHash})
		}
	}
	return home
}
