package fleet

import "time"

// Assignment is which version of one profile an instance should run, and what
// it said of it.
type Assignment struct {
	InstanceID   string
	Profile      string
	Version      string // desired
	Hash         string // of the desired version's data
	Generation   int64  // only rises; an instance refuses an older one
	DeploymentID string // "" when given at registration
	AssignedAt   time.Time
	ActiveGroup  string // of a BlueGreen profile: the group that requests go to, "" before the first switch
	TraceParent  string // of the deployment's span, as W3C Trace Context writes it

	Applied           string // version that the instance last applied well
	AppliedHash       string
	AppliedGeneration int64
	AppliedAt         time.Time     // when the daemon heard of it
	ApplyTime         time.Duration // of the last reload
	// ApplyError is why the desired version could not be applied, "" when it
	// could or when nothing was heard yet.
	ApplyError string
}

// Acknowledged says that the instance runs what it should.
func (a Assignment) Acknowledged() bool {
	return a.Applied == a.Version && a.AppliedGeneration >= a.Generation && a.ApplyError == ""
}

// Ack is an instance's word on one assignment.
type Ack struct {
	InstanceID string
	Profile    string
	Version    string
	Hash       string
	Generation int64
	OK         bool
	Error      string // why not, at most 2 KiB are kept
	Duration   time.Duration
	At         time.Time
}
