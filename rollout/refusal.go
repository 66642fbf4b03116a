package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// StateError says that an order does not fit a deployment's state.
type StateError struct {
	Order   Order
	State   State
	Since   time.Time // when it came into that state, zero when that is not known
	Came    string    // how it did and by whose doing, "" when that is not known
	Allowed []State
	Why     string // when not "": why no state would do
}

// Error says what happened and names the states that allow the order, or says
// why none does.
func (e *StateError) Error() string {
	state := string(e.State)
	if !e.Since.IsZero() {
		state += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	if e.Came != "" {
		state += " (" + e.Came + ")"
	}
	if e.Why != "" {
		return fmt.Sprintf("%s is not possible for this deployment, which is %s: %s", e.Order, state, e.Why)
	}
	return fmt.Sprintf("%s is not possible for a deployment that is %s, only for one that is %s", e.Order, state, either(e.Allowed))
}

// either lists states as in "Pending, InProgress or Paused".
func either(states []State) string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// Allows lists the states in which a deployment may be given an order.
func Allows(o Order) []State {
	switch o {
	case OrderPause:
		return []State{InProgress}
	case OrderResume:
		return []State{Paused}
	case OrderPromote:
		return []State{Pending, InProgress}
	case OrderCancel:
		return []State{Pending, InProgress, Paused}
	case OrderRollback:
		return []State{Pending, InProgress, Paused, RollingBack, Completed, Failed}
	case OrderRetry:
		return []State{Failed, RolledBack, Superseded, Cancelled}
	}
	return nil
}

// allow is nil when the deployment may be given the order.
func allow(d Deployment, o Order) error {
	if d.Kind == Rollback && !d.State.Final() {
		return d.refuse(o, "it is a rollback, which runs to its end; deploy another version to leave it")
	}
	if slices.Contains(Allows(o), d.State) {
		return nil
	}
	return d.refuse(o, "")
}

// refuse is the error of an order that does not fit; why says that no state would do.
func (d Deployment) refuse(o Order, why string) error {
	e := &StateError{Order: o, State: d.State, Since: d.StateAt, Came: d.Came, Why: why}
	if d.State == Pending {
		e.Since, e.Came = d.CreatedAt, d.Explanation
	}
	if why == "" {
		e.Allowed = Allows(o)
	}
	return e
}

// came writes down when and how the deployment came into its state: whoever
// gives an order that does not fit any more is told by whom it was overtaken.
func (s *step) came() {
	if s.next.State == s.read.State {
		return
	}
	s.next.StateAt, s.next.Came = s.now, s.next.Explanation
	switch s.next.State {
	case InProgress:
		if s.read.State == Pending {
			s.next.Came = "started"
		}
	case RollingBack, RolledBack:
		s.next.Came = taken(s.next)
	}
}

// taken says who took a deployment back and why.
func taken(d Deployment) string {
	switch d.RollbackBy {
	case byCancel: // the reason says who
		return d.RollbackReason
	case byGate, byDeadline:
		return "taken back by the " + d.RollbackBy + because(d.RollbackReason)
	}
	return "taken back by " + d.RollbackBy + because(d.RollbackReason)
}

// May is nil when the deployment may be given the order as it stands, and a
// *StateError otherwise.
func May(d Deployment, o Order) error { return allow(d, o) }

// MayPromote is nil when there is something that the promotion would end, and a
// *StateError otherwise.
func MayPromote(d Deployment, p Promotion) error { return p.allowed(d) }
