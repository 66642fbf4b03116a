package notify

import (
	"slices"

	"github.com/sluicehq/sluice/rollout"
)

// Event is a kind of news, as routes name it.
type Event string

// The events.
const (
	Started     Event = "started"     // a deployment begins
	Phase       Event = "phase"       // it goes on to its next phase
	Switched    Event = "switched"    // requests go to the other group
	Completed   Event = "completed"   // every live target runs the version
	Failed      Event = "failed"      // it stopped with no way back
	Rollback    Event = "rollback"    // a version is taken back
	RolledBack  Event = "rolledback"  // it was
	Hold        Event = "hold"        // the profile is pinned to a version
	Released    Event = "released"    // it no longer is
	Paused      Event = "paused"      // by a person
	Resumed     Event = "resumed"     // by a person
	Promoted    Event = "promoted"    // by a person
	Cancelled   Event = "cancelled"   // by a person
	Superseded  Event = "superseded"  // by a newer deployment
	Forced      Event = "forced"      // somebody broke the glass
	Quarantined Event = "quarantined" // the deployment is set aside until a person acts
)

// ofFact says which event a fact is.
var ofFact = map[string]Event{
	rollout.FactStarted: Started, rollout.FactPhase: Phase, rollout.FactSwitched: Switched, rollout.FactCompleted: Completed,
	rollout.FactFailed: Failed, rollout.FactRollback: Rollback, rollout.FactRolledBack: RolledBack,
	rollout.FactHoldBegun: Hold, rollout.FactHoldEnded: Released, rollout.FactPaused: Paused, rollout.FactResumed: Resumed,
	rollout.FactPromoted: Promoted, rollout.FactCancelled: Cancelled, rollout.FactSuperseded: Superseded,
	rollout.FactForced: Forced, rollout.FactQuarantined: Quarantined,
}

// Events lists every event, in the order of the alphabet.
func Events() []Event {
	var all []Event
	for _, e := range ofFact {
		all = append(all, e)
	}
	slices.Sort(all)
	return all
}

// usual are the events of a route that names none, and of a profile that asks
// for a target.
var usual = []Event{Started, Phase, Completed, Failed, Rollback, RolledBack, Hold, Released, Forced, Quarantined}

// ofMany are those of the usual ones that are told of a profile whose commit changes many: what a person
// has to know of, once. The others would be thousands of messages, with the one that matters behind them.
var ofMany = []Event{Failed, Rollback, Forced, Quarantined}

// ofRollback are the events of a rollback of a whole profile, which is a
// deployment of its own kind: that it starts and completes is news of a rollback.
var ofRollback = map[Event]Event{Started: Rollback, Completed: RolledBack, Phase: ""}

// EventOf says which event a notification is; "" for one that nobody is told of.
func EventOf(n rollout.Notification) Event {
	e := ofFact[n.Fact]
	if instead, ok := ofRollback[e]; ok && n.Kind == rollout.Rollback {
		return instead
	}
	return e
}
