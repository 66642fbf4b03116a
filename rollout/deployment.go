package rollout

import (
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// State is where a deployment stands.
//
//	Pending -> InProgress <-> Paused -> Completed | Failed | RollingBack -> RolledBack
//
// and Superseded or Cancelled from any state before the end.
type State string

// The states of a deployment.
const (
	Pending     State = "Pending"     // made, nothing assigned yet: waits for its turn, a window or a person
	InProgress  State = "InProgress"  // phases advance while the gate passes
	Paused      State = "Paused"      // position held by a person; the gate still judges
	Completed   State = "Completed"   // every live target acknowledged the version
	Failed      State = "Failed"      // stopped without a way back: no earlier version, or automatic rollback is off
	RollingBack State = "RollingBack" // every target was assigned the earlier version; acknowledgements come in
	RolledBack  State = "RolledBack"  // the live targets run the earlier version again
	Superseded  State = "Superseded"  // a newer deployment of the profile took its place
	Cancelled   State = "Cancelled"   // a person ended it before it started, or it was taken back
)

// Final says that a deployment in this state never changes again.
func (s State) Final() bool {
	switch s {
	case Completed, Failed, RolledBack, Superseded, Cancelled:
		return true
	}
	return false
}

// Kind says what a deployment does.
type Kind string

// The kinds of deployments.
const (
	Forward    Kind = "Forward"    // brings a version
	Rollback   Kind = "Rollback"   // brings an earlier, completed version back: no gate, no window, no rollback of it
	Retirement Kind = "Retirement" // ends a profile whose file left Git, once a person promotes it; brings nothing
)

// Awaiting is what a deployment waits for, beside time.
type Awaiting string

// What a deployment can wait for.
const (
	AwaitingNothing   Awaiting = ""
	AwaitingApproval  Awaiting = "Approval"  // a guard tripped: a person must promote before it starts
	AwaitingWindow    Awaiting = "Window"    // a deny window is open
	AwaitingFreeze    Awaiting = "Freeze"    // a freeze is in force: nothing starts or goes further
	AwaitingPromotion Awaiting = "Promotion" // autoPromote is false: a person must promote the next phase
	AwaitingAcks      Awaiting = "Acks"      // instances have not acknowledged yet
	AwaitingTraffic   Awaiting = "Traffic"   // the traffic hook has not taken a switch yet
	AwaitingEvidence  Awaiting = "Evidence"  // the gate cannot tell: missing data or too few samples
)

// Deployment is the rollout of one version of one profile over its instances.
// It is a value: Decide and the orders return a changed copy. It is stored without what
// is zero, which of a new one is most of it.
type Deployment struct {
	ID       string // UUID v7
	Profile  string
	Kind     Kind
	Selector fleet.Selector

	Version      string
	Hash         string
	Previous     string `json:",omitzero"` // version to go back to, "" when there is none
	PreviousHash string `json:",omitzero"`
	Proven       bool   `json:",omitzero"` // the version completed on this profile before

	Strategy profile.Strategy
	Health   profile.Health
	Windows  profile.Windows `json:",omitzero"`

	Source      string `json:",omitzero"` // ID of the source, "" when made by API
	Commit      string `json:",omitzero"`
	OfMany      bool   `json:",omitzero"` // the commit changes many profiles: nobody is told that each of them is well
	PullRequest int    `json:",omitzero"`
	InitiatedBy string `json:",omitzero"`
	Cause       string `json:",omitzero"` // why it exists: the commit's first line, or the reason a person gave
	TraceID     string `json:",omitzero"`
	TraceParent string `json:",omitzero"` // of what asked for it, a webhook's sync or a request, as W3C Trace Context writes it
	Force       string `json:",omitzero"` // reason for which the glass was broken, "" otherwise
	RetryOf     string `json:",omitzero"` // ID of the deployment that it is another try of, "" otherwise
	Guard       string `json:",omitzero"` // why it needs approval before it starts, "" otherwise
	Approvals   int    `json:",omitzero"` // review approvals that are as good as a person's promote for Guard; 0: none are

	State       State
	Awaiting    Awaiting  `json:",omitzero"`
	Explanation string    `json:",omitzero"` // one line for people: why it stands where it stands
	StateAt     time.Time `json:",omitzero"` // when it came into State; zero while it is as it was made
	Came        string    `json:",omitzero"` // how it came into State, and by whose doing
	Approved    bool      `json:",omitzero"` // the approval that Guard asks for was given
	Phase       int       `json:",omitzero"` // 0-based
	Promoted    int       `json:",omitzero"` // phases up to this one (exclusive) were promoted by a person
	Promoter    string    `json:",omitzero"` // who promoted last
	Group       string    `json:",omitzero"` // of a BlueGreen: the group that takes the version first, "" before it starts

	CommittedAt    time.Time `json:",omitzero"` // when the commit was made, by its committer; zero without one
	SeenAt         time.Time `json:",omitzero"` // when the daemon saw the branch at the commit; zero without one
	CreatedAt      time.Time
	StartedAt      time.Time `json:",omitzero"` // first left Pending
	PhaseEnteredAt time.Time `json:",omitzero"`
	PhaseSettledAt time.Time `json:",omitzero"` // when all of the phase's live targets had acknowledged: bake time counts from here
	ProgressAt     time.Time `json:",omitzero"` // last advance: a phase, or an acknowledgement more
	CheckedAt      time.Time `json:",omitzero"` // last gate check
	RollbackAt     time.Time `json:",omitzero"`
	FinishedAt     time.Time `json:",omitzero"`

	Progress Progress     `json:",omitzero"`
	Baseline fleet.Window `json:",omitzero"` // the metrics over the window before it started
	Worst    Figures      `json:",omitzero"` // the worst of any well instance before it started
	Control  fleet.Window `json:",omitzero"` // the last that was seen of instances without the change
	// Ill are the instances that were ill before it started, with their metrics:
	// they are updated last, and no evidence for or against it.
	Ill     map[string]fleet.Window `json:",omitzero"`
	Verdict Verdict                 `json:",omitzero"` // of the last gate check

	Exposures []Exposure `json:",omitzero"` // who had the version that was taken back, at most 100 of them
	Exposed   int        `json:",omitzero"` // how many had it
	Recovery  Verdict    `json:",omitzero"` // of the fleet after a rollback, by the gate's rules

	RollbackReason string         `json:",omitzero"`
	RollbackBy     string         `json:",omitzero"` // "gate", "deadline" or a user
	HealthRestored HealthRestored `json:",omitzero"` // after a rollback

	Revision int64 // rises with every stored change; compare-and-set
	Epoch    int64 // rises with every claim; fences late writers
}

// Progress counts a deployment's live targets.
type Progress struct {
	Targets  int // live instances that it is for
	Assigned int // that were assigned its version
	Applied  int // that acknowledged it
	Failed   int // that said they could not apply it
	Phases   int // of the strategy
	Percent  int // share of the present phase
	// Phase is the present phase's name, "" when its percent says enough.
	Phase string
}

// HealthRestored says what was seen of the fleet's health after a rollback.
type HealthRestored string

// What can be known of health after a rollback.
const (
	HealthUnverified  HealthRestored = ""
	HealthReturned    HealthRestored = "Returned"
	HealthNotReturned HealthRestored = "NotReturned"
	HealthNoData      HealthRestored = "NoData"
)

// Hold pins a profile to a version that is not the one its origin says.
type Hold struct {
	Profile        string
	PinnedVersion  string // what runs
	RefusedVersion string
	RefusedHash    string // content that is never deployed again by itself while the hold lasts
	Reason         string
	Actor          string
	DeploymentID   string
	CreatedAt      time.Time
	ExpiresAt      time.Time // zero: never by itself
	ReleasedAt     time.Time // zero: in force
	ReleasedBy     string
	RevertURL      string // of the pull request that makes Git say what runs, "" for none
}

// Chosen says that a deployment is for chosen instances: it says nothing of the profile.
func (d Deployment) Chosen() bool { return len(d.Selector.Instances) > 0 }
