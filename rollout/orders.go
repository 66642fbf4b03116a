package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
)

// StateError says that an order does not fit a deployment's state.
type StateError struct {
	Order   Order
	State   State
	Allowed []State
}

// Error names the states that allow the order.
func (e *StateError) Error() string {
	words := make([]string, len(e.Allowed))
	for i, s := range e.Allowed {
		words[i] = string(s)
	}
	return fmt.Sprintf("%s is not possible for a deployment that is %s, only for one that is %s", e.Order, e.State, strings.Join(words, " or "))
}

// ErrNoWayBack is returned for a rollback without an earlier version.
var ErrNoWayBack = errors.New("there is no earlier version to go back to")

// ErrReason is returned for an order that needs a reason.
var ErrReason = errors.New("a reason is needed")

func allow(d Deployment, o Order, states ...State) error {
	if slices.Contains(states, d.State) {
		return nil
	}
	return &StateError{Order: o, State: d.State, Allowed: states}
}

// Pause holds a deployment where it is; the gate goes on judging.
func Pause(d Deployment, _ Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := allow(d, OrderPause, InProgress); err != nil {
		return Decision{}, err
	}
	s := newStep(d, Snapshot{}, now)
	s.next.State = Paused
	s.stand(AwaitingNothing, "paused by %s%s", actor, because(reason))
	s.fact(FactPaused, actor, map[string]any{"reason": reason})
	s.wakeAt(now)
	return s.done(), nil
}

// Resume lets a paused deployment go on. The time that it was paused does not
// count as lack of progress.
func Resume(d Deployment, _ Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := allow(d, OrderResume, Paused); err != nil {
		return Decision{}, err
	}
	s := newStep(d, Snapshot{}, now)
	s.next.State, s.next.ProgressAt = InProgress, now
	s.stand(AwaitingNothing, "resumed by %s%s", actor, because(reason))
	s.fact(FactResumed, actor, map[string]any{"reason": reason})
	s.wakeAt(now)
	return s.done(), nil
}

// Promote approves a guarded deployment, or ends the wait of the present phase.
func Promote(d Deployment, _ Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := allow(d, OrderPromote, Pending, InProgress); err != nil {
		return Decision{}, err
	}
	if d.State == Pending && (d.Guard == "" || d.Approved) {
		return Decision{}, &StateError{Order: OrderPromote, State: d.State, Allowed: []State{InProgress}}
	}
	s := newStep(d, Snapshot{}, now)
	if d.State == Pending {
		s.next.Approved = true
		s.stand(AwaitingNothing, "approved by %s%s", actor, because(reason))
	} else {
		s.next.Promoted = d.Phase + 1
		s.stand(s.next.Awaiting, "phase %d promoted by %s%s", d.Phase+1, actor, because(reason))
	}
	s.next.ProgressAt = now
	s.fact(FactPromoted, actor, map[string]any{"reason": reason, "phase": d.Phase + 1})
	s.wakeAt(now)
	return s.done(), nil
}

// byCancel is what a rollback is by when its deployment was cancelled.
const byCancel = "cancel"

// Cancel ends a deployment. One that has begun takes its version back from the
// instances first, as a rollback does.
func Cancel(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if err := allow(d, OrderCancel, Pending, InProgress, Paused); err != nil {
		return Decision{}, err
	}
	if d.State != Pending {
		if !d.hasWayBack() || d.Kind != Forward {
			return Decision{}, ErrNoWayBack
		}
		s := newStep(d, snap, now)
		s.rollBack(byCancel, actor, "cancelled by "+actor+because(reason))
		return s.done(), nil
	}
	s := newStep(d, Snapshot{}, now)
	s.stand(AwaitingNothing, "cancelled by %s before it started%s", actor, because(reason))
	s.finish(Cancelled, FactCancelled, map[string]any{"reason": reason})
	s.dec.Facts[0].Actor = actor
	return s.done(), nil
}

// RollBack gives the earlier version to every target at once. Asked again of a
// deployment that is rolling back, it changes nothing.
func RollBack(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error) {
	if d.State == RollingBack {
		return Decision{Next: d, Wake: now}, nil
	}
	if err := allow(d, OrderRollback, Pending, InProgress, Paused, RollingBack); err != nil {
		return Decision{}, err
	}
	if reason == "" {
		return Decision{}, ErrReason
	}
	if d.State == Pending {
		return Cancel(d, snap, actor, reason, now)
	}
	if !d.hasWayBack() || d.Kind != Forward {
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
	// It ends by a step of its own: whoever joins right now must not be missed.
	s.next.State, s.next.StartedAt, s.next.PhaseEnteredAt, s.next.ProgressAt = InProgress, now, now, now
	live, acked, _ := s.returning(to.Number, to.Hash)
	s.next.Progress = Progress{Targets: live, Assigned: live, Applied: acked, Phases: 1, Percent: 100}
	s.stand(AwaitingAcks, "going back to %s: %d of %d instances are there", to.Number, acked, live)
	s.wakeAt(now)
	dec := s.done()
	dec.Current = to.Number
	return dec, nil
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
