package wire

import (
	"encoding/json"
	"time"
)

// Config is a profile as the API shows it.
type Config struct {
	Name            string            `json:"name"`
	Description     string            `json:"description,omitempty"`
	ServiceName     string            `json:"serviceName"`
	Environment     string            `json:"environment"`
	ServiceType     string            `json:"serviceType,omitempty"`
	SchemaID        string            `json:"schemaId,omitempty"`
	DefaultStrategy string            `json:"defaultStrategy"`    // Canary, BlueGreen, Rolling, Direct
	Strategy        *Strategy         `json:"strategy,omitempty"` // the default one whole; of a single profile only
	Health          *HealthRules      `json:"health,omitempty"`   // of a single profile only
	Windows         *Windows          `json:"windows,omitempty"`  // of a single profile only
	Labels          map[string]string `json:"targetLabels,omitempty"`
	Settings        map[string]any    `json:"settings,omitempty"`
	Origin          string            `json:"origin"` // Git or API
	Source          string            `json:"source,omitempty"`
	Path            string            `json:"path,omitempty"`
	CurrentVersion  string            `json:"currentVersion,omitempty"`
	DesiredVersion  string            `json:"desiredVersion,omitempty"`
	Hold            *Hold             `json:"hold,omitempty"`
	Retired         bool              `json:"retired,omitempty"`
	VersionCount    int               `json:"versionCount"`
	DeploymentCount int               `json:"deploymentCount"`
	CreatedAt       time.Time         `json:"createdAt"`
	UpdatedAt       time.Time         `json:"updatedAt"`
	CreatedBy       string            `json:"createdBy,omitempty"`
}

// Hold says why a profile is pinned to a version that is not the one Git says.
type Hold struct {
	PinnedVersion  string     `json:"pinnedVersion,omitempty"`
	RefusedVersion string     `json:"refusedVersion,omitempty"`
	RefusedHash    string     `json:"refusedHash,omitempty"`
	Reason         string     `json:"reason"`
	Actor          string     `json:"actor"`
	DeploymentID   string     `json:"deploymentId,omitempty"`
	CreatedAt      time.Time  `json:"createdAt"`
	ExpiresAt      *time.Time `json:"expiresAt,omitempty"`
	// RevertURL is the pull request that makes Git say what runs.
	RevertURL string `json:"revertUrl,omitempty"`
}

// Version is a version as the API shows it; secrets in ConfigData are "***".
type Version struct {
	ConfigName  string            `json:"configName"`
	Version     string            `json:"version"`
	Hash        string            `json:"hash"`
	SizeBytes   int               `json:"sizeBytes"`
	SchemaID    string            `json:"schemaId,omitempty"`
	Description string            `json:"description,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Deprecated  string            `json:"deprecated,omitempty"`
	Commit      string            `json:"commit,omitempty"`
	Author      string            `json:"author,omitempty"`
	Message     string            `json:"message,omitempty"`
	PullRequest int               `json:"pullRequest,omitempty"`
	Superseded  bool              `json:"superseded,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	CreatedBy   string            `json:"createdBy,omitempty"`
	ConfigData  json.RawMessage   `json:"configData,omitempty"` // of a single version only
}

// DiffResponse is the body of GET /configs/{name}/versions/{v1}/diff/{v2}.
type DiffResponse struct {
	Diff             Diff   `json:"diff"`
	IsBreakingChange bool   `json:"isBreakingChange"`
	Bump             string `json:"bump"` // None, Patch, Minor, Major
}

// Diff lists what differs, secrets masked.
type Diff struct {
	Added    []FieldChange `json:"added"`
	Removed  []FieldChange `json:"removed"`
	Modified []FieldChange `json:"modified"`
}

// FieldChange is one field's change.
type FieldChange struct {
	Field    string `json:"field"`
	OldValue any    `json:"oldValue,omitempty"`
	NewValue any    `json:"newValue,omitempty"`
}

// Instance is an instance as the API shows it.
type Instance struct {
	ID            string            `json:"id"`
	ServiceName   string            `json:"serviceName"`
	Hostname      string            `json:"hostname"`
	Port          int               `json:"port"`
	Environment   string            `json:"environment"`
	Version       string            `json:"version,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Health        string            `json:"health"`
	Liveness      string            `json:"liveness"`
	RegisteredAt  time.Time         `json:"registeredAt"`
	LastHeartbeat time.Time         `json:"lastHeartbeat"`
	Configs       []InstanceConfig  `json:"configs,omitempty"`
}

// InstanceConfig is one profile's assignment to an instance.
type InstanceConfig struct {
	ConfigName     string     `json:"configName"`
	DesiredVersion string     `json:"desiredVersion"`
	AppliedVersion string     `json:"appliedVersion,omitempty"`
	Generation     int64      `json:"generation"`
	AppliedAt      *time.Time `json:"appliedAt,omitempty"`
	Error          string     `json:"error,omitempty"`
}

// AuditEvent is one link of the audit chain.
type AuditEvent struct {
	ID         int64          `json:"id"`
	EventType  string         `json:"eventType"`
	EntityType string         `json:"entityType,omitempty"`
	EntityID   string         `json:"entityId,omitempty"`
	User       string         `json:"user,omitempty"`
	Details    map[string]any `json:"details,omitempty"`
	TraceID    string         `json:"traceId,omitempty"`
	CreatedAt  time.Time      `json:"createdAt"`
	Hash       string         `json:"hash"`
}

// AuditVerification says whether the chain of the audit log holds.
type AuditVerification struct {
	Holds    bool        `json:"holds"`
	Verified int         `json:"verified"`
	Broken   *AuditBreak `json:"broken,omitempty"`
}

// AuditBreak is the first place where the chain does not hold.
type AuditBreak struct {
	ID     int64  `json:"id"`
	Reason string `json:"reason"`
}

// CommitStatus is one commit status as it should be and as it was posted.
type CommitStatus struct {
	Source       string     `json:"source"`
	Commit       string     `json:"commit"`
	Context      string     `json:"context"`
	State        string     `json:"state"`
	Description  string     `json:"description"`
	DeploymentID string     `json:"deploymentId,omitempty"`
	UpdatedAt    time.Time  `json:"updatedAt"`
	PostedAt     *time.Time `json:"postedAt,omitempty"` // when the forge took the state shown; null while it waits
	PostError    string     `json:"postError,omitempty"`
	Quiet        bool       `json:"quiet,omitempty"` // The forge is not told of it: its commit changes too many profiles.
}

// Source is a watched repository with its sync position.
type Source struct {
	ID         string     `json:"id"`
	URL        string     `json:"url"` // without credentials
	Branch     string     `json:"branch"`
	Path       string     `json:"path,omitempty"`
	Head       string     `json:"head,omitempty"`
	SyncedAt   *time.Time `json:"syncedAt,omitempty"`
	LastError  string     `json:"lastError,omitempty"`
	ErrorSince *time.Time `json:"errorSince,omitempty"`
	// PullRequestsError is why its pull requests could not be looked at.
	PullRequestsError string `json:"pullRequestsError,omitempty"`
}

// TokenRequest is the body of POST /tokens.
type TokenRequest struct {
	Name string `json:"name"`
	Role string `json:"role"` // Viewer, Developer, Operator, Admin, Registration
	TTL  string `json:"ttl,omitempty"`
	// Environments and Profiles narrow what the token is for: an empty list is
	// everything. Profiles are globs of names: * is any text, ? one character.
	Environments []string `json:"environments,omitempty"`
	Profiles     []string `json:"profiles,omitempty"`
}

// Token is a named API token; Token itself is given once, at its creation.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Token     string     `json:"token,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
	CreatedBy string     `json:"createdBy,omitempty"`
	Owner     string     `json:"owner,omitempty"`
	Stopped   bool       `json:"stopped,omitempty"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	// Environments and Profiles are its scope; without any it is everything.
	Environments []string `json:"environments,omitempty"`
	Profiles     []string `json:"profiles,omitempty"`
}
