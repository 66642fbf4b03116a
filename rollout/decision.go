package rollout

import (
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// Snapshot is the fleet as one deployment sees it at one instant.
type Snapshot struct {
	Targets []Target // every registered instance that the deployment's selector matches, live or not
	Traffic Traffic  // of the deployment's profile
	Freeze  *Freeze  // the one that nobody ended yet; nil when there is none
	// Measurements are what the providers outside answered to Asks; none before they were asked.
	Measurements []Measurement
}

// Traffic says which group the requests of a BlueGreen profile go to.
type Traffic struct {
	Group string // blue or green; "" until the first switch
	Acked bool   // the traffic hook has taken the last switch, or there is no hook
	Error string // of its last try, "" when that went well
}

// Active is the group that requests go to; blue until the first switch.
func (t Traffic) Active() string {
	if t.Group == "" {
		return fleet.Blue
	}
	return t.Group
}

// Switch is what a traffic hook is told: which group of a profile's instances
// requests go to from now on.
type Switch struct {
	Hook       string // its name in the settings
	Profile    string
	Group      string // blue or green
	Before     string // the other one
	Deployment string // that switched
	Revision   int64  // rises with every switch of the profile: a lower one is of no interest any more
	At         time.Time
}

// Target is one instance with what it should run, what it said and how it does.
type Target struct {
	Instance   fleet.Instance
	Assignment fleet.Assignment // of the deployment's profile, as much of it as is decided on; zero when it has none
	Samples    []fleet.Sample   // oldest first, at most 15 minutes
}

// Decision is what Decide or an order wants done. The store does all of it in
// one transaction or none of it.
type Decision struct {
	Next    Deployment // its Revision and Epoch are those that were read
	Changed bool       // false: nothing to store but the next wake-up
	Assign  []Assign   // versions to give to instances
	Facts   []Fact     // become audit events
	Checks  []Check    // gate checks to keep
	Current string     // when not "": becomes the profile's current (stable) version
	Switch  string     // when not "": requests go to this group from now on
	Hold    *Hold      // when not nil: begins
	Retire  bool       // the profile is retired
	Release string     // when not "": why a hold that refuses this content ends
	Basis   *Basis     // of a new deployment: what must still be so; nil when nothing need be
	Status  []Status   // commit statuses that follow; posted only when they differ from the last
	Wake    time.Time  // when to look again; zero: only when something happens
	// Rest is how long nothing that happens makes it be looked at again: what happens
	// meanwhile is seen at its end. An order waits for no rest, nor does Wake.
	Rest time.Duration
}

// Assign gives a version to an instance. The store numbers its generation.
type Assign struct {
	InstanceID string
	Version    string
	Hash       string
}

// Fact is something that happened, as the audit log keeps it.
type Fact struct {
	Type       string // e.g. "deployment.started"; see the constants
	EntityType string // "deployment", "profile", "version", "source", "instance", ...
	EntityID   string
	Actor      string // user name, "sluice" for the daemon itself
	TraceID    string
	Details    map[string]any // JSON values, never a secret
}

// StatusState is the state of a commit status.
type StatusState string

// The states that every forge knows.
const (
	StatusPending StatusState = "pending"
	StatusSuccess StatusState = "success"
	StatusFailure StatusState = "failure" // the change was bad
	StatusError   StatusState = "error"   // Sluice could not tell
)

// Status is one commit status as it should be.
type Status struct {
	Source       string
	Commit       string
	Context      string // "sluice/<profile>"; the aggregate is "sluice"
	State        StatusState
	Description  string // at most 140 runes
	DeploymentID string // for the target URL, "" when there is none
}
