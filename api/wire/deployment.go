package wire

import (
	"encoding/json"
	"time"
)

// Deployment is a deployment as the API shows it.
type Deployment struct {
	ID              string     `json:"id"`
	ConfigName      string     `json:"configName"`
	ConfigVersion   string     `json:"configVersion"`
	PreviousVersion string     `json:"previousVersion,omitempty"`
	Kind            string     `json:"kind"`
	Strategy        string     `json:"strategy"`
	Steps           []int      `json:"steps,omitempty"`
	Environment     string     `json:"environment"`
	Status          string     `json:"status"`
	Awaiting        string     `json:"awaiting,omitempty"`
	Explanation     string     `json:"explanation"`
	Phase           int        `json:"phase"` // 1-based, 0 before the first
	Phases          int        `json:"phases"`
	Percent         int        `json:"percent"`
	PhaseName       string     `json:"phaseName,omitempty"` // of a BlueGreen, such as "verifying green"
	Progress        Progress   `json:"progress"`
	Verdict         *Verdict   `json:"verdict,omitempty"`
	Source          string     `json:"source,omitempty"`
	Commit          string     `json:"commit,omitempty"`
	PullRequest     int        `json:"pullRequest,omitempty"`
	InitiatedBy     string     `json:"initiatedBy"`
	Cause           string     `json:"cause,omitempty"`
	RetryOf         string     `json:"retryOf,omitempty"` // ID of the deployment that it tries again
	Force           string     `json:"force,omitempty"`   // the reason for which the glass was broken
	RollbackReason  string     `json:"rollbackReason,omitempty"`
	RollbackBy      string     `json:"rollbackBy,omitempty"`
	RollbackAt      *time.Time `json:"rollbackAt,omitempty"`
	HealthRestored  string     `json:"healthRestored,omitempty"` // Returned, NotReturned or NoData
	Recovery        *Verdict   `json:"recovery,omitempty"`       // of the fleet after a rollback
	Exposed         int        `json:"exposed,omitempty"`        // instances that had the version that was taken back
	Exposures       []Exposure `json:"exposures,omitempty"`      // at most 100 of them
	TraceID         string     `json:"traceId,omitempty"`
	CommittedAt     *time.Time `json:"committedAt,omitempty"` // by the committer's clock
	CreatedAt       time.Time  `json:"createdAt"`
	StartedAt       *time.Time `json:"startedAt,omitempty"`
	PhaseEnteredAt  *time.Time `json:"phaseEnteredAt,omitempty"`
	PhaseEndsAt     *time.Time `json:"phaseEndsAt,omitempty"` // earliest promotion, when known
	FinishedAt      *time.Time `json:"finishedAt,omitempty"`
	PhaseInterval   string     `json:"phaseInterval,omitempty"`
	Revision        int64      `json:"revision"`
	// InstanceStatus is given by GET /deployments/{id} only.
	InstanceStatus []InstanceStatus `json:"instanceStatus,omitempty"`
}

// Progress counts a deployment's live targets.
type Progress struct {
	Targets  int `json:"targets"`
	Assigned int `json:"assigned"`
	Applied  int `json:"applied"`
	Failed   int `json:"failed"`
}

// InstanceStatus is one target of a deployment.
type InstanceStatus struct {
	InstanceID     string     `json:"instanceId"`
	Hostname       string     `json:"hostname"`
	Liveness       string     `json:"liveness"`
	Health         string     `json:"health"`
	DesiredVersion string     `json:"desiredVersion,omitempty"`
	AppliedVersion string     `json:"appliedVersion,omitempty"`
	Generation     int64      `json:"generation,omitempty"`
	AppliedAt      *time.Time `json:"appliedAt,omitempty"`
	ReloadMillis   int64      `json:"reloadMillis,omitempty"`
	Error          string     `json:"error,omitempty"`
}

// Exposure is one instance that had a version which was taken back.
type Exposure struct {
	InstanceID     string     `json:"instanceId"`
	Hostname       string     `json:"hostname"`
	ServiceVersion string     `json:"serviceVersion,omitempty"`
	AppliedAt      *time.Time `json:"appliedAt,omitempty"` // null: it never said to run the version
	ApplyError     string     `json:"applyError,omitempty"`
	Requests       uint64     `json:"requests"` // counted while it ran the version, at most 15 minutes of them
	Errors         uint64     `json:"errors"`
	BackAt         *time.Time `json:"backAt,omitempty"` // when it said to run the earlier version again
}

// Verdict is a gate check's judgement with its numbers.
type Verdict struct {
	Outcome string        `json:"outcome"`
	Reason  string        `json:"reason"`
	Metrics []MetricCheck `json:"metrics,omitempty"`
}

// MetricCheck is one metric's part of a verdict.
type MetricCheck struct {
	Name      string   `json:"name"`
	Provider  string   `json:"provider,omitempty"` // prometheus, webhook or probe; none is the heartbeats
	Query     string   `json:"query,omitempty"`    // as it was sent
	DryRun    bool     `json:"dryRun,omitempty"`   // the outcome is shown and has no effect
	Outcome   string   `json:"outcome"`
	Reason    string   `json:"reason,omitempty"`
	Unit      string   `json:"unit,omitempty"`
	N         uint64   `json:"n"`
	Value     *float64 `json:"value,omitempty"`
	ControlN  uint64   `json:"controlN,omitempty"`
	Control   *float64 `json:"control,omitempty"`
	BaselineN uint64   `json:"baselineN,omitempty"`
	Baseline  *float64 `json:"baseline,omitempty"`
	Threshold float64  `json:"threshold"`
	Limit     *float64 `json:"limit,omitempty"` // the value past which it may fail
	P         *float64 `json:"p,omitempty"`
}

// Check is one gate check in a deployment's history.
type Check struct {
	At      time.Time `json:"at"`
	Phase   int       `json:"phase"` // 1-based
	Verdict Verdict   `json:"verdict"`
}

// DeploymentHealth is the body of GET /deployments/{id}/health.
type DeploymentHealth struct {
	Verdict *Verdict         `json:"verdict,omitempty"`
	Checks  []Check          `json:"checks"` // newest first, at most 100
	Targets []InstanceStatus `json:"instances"`
}

// CreateDeploymentRequest is the body of POST /deployments.
type CreateDeploymentRequest struct {
	ConfigName      string   `json:"configName"`
	ConfigVersion   string   `json:"configVersion"`
	Strategy        string   `json:"strategy,omitempty"`
	TargetInstances []string `json:"targetInstances,omitempty"`
	Reason          string   `json:"reason,omitempty"`
	Force           bool     `json:"force,omitempty"` // break the glass: needs Admin and a reason
	// Config overrides fields of the strategy for this deployment, such as {"phaseInterval": "2m", "steps": [50, 100]}.
	Config json.RawMessage `json:"config,omitempty"`
	// HealthCheck overrides fields of the profile's health section for this deployment.
	HealthCheck json.RawMessage `json:"healthCheck,omitempty"`
}

// ReasonRequest is the body of pause, resume, cancel, rollback and release.
type ReasonRequest struct {
	Reason    string `json:"reason,omitempty"`
	ToVersion string `json:"toVersion,omitempty"` // of a profile's rollback only
}
