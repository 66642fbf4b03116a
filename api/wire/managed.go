package wire

import "encoding/json"

// CreateConfigRequest is the body of POST /configs. The fields of the YAML format keep their meaning and their defaults.
type CreateConfigRequest struct {
	Name            string            `json:"name"`
	Description     string            `json:"description,omitempty"`
	ServiceName     string            `json:"serviceName,omitempty"` // the part of the name before its last dot when left out
	Environment     string            `json:"environment"`           // Development, Staging, Production
	ServiceType     string            `json:"serviceType,omitempty"` // Microservice, Gateway, Worker, Database, MessageBroker
	SchemaID        string            `json:"schemaId,omitempty"`    // of a registered schema; Production needs one
	DefaultStrategy json.RawMessage   `json:"defaultStrategy,omitempty"`
	Health          json.RawMessage   `json:"health,omitempty"`
	Windows         json.RawMessage   `json:"windows,omitempty"`
	Settings        json.RawMessage   `json:"settings,omitempty"`
	Labels          map[string]string `json:"targetLabels,omitempty"` // that an instance must have; at most 32
}

// UpdateConfigRequest is the body of PUT /configs/{name}. A field that is left out stays as it is. Name, environment, service and
// schema cannot change: they may be given as they are.
type UpdateConfigRequest struct {
	Name            string             `json:"name,omitempty"`
	ServiceName     string             `json:"serviceName,omitempty"`
	Environment     string             `json:"environment,omitempty"`
	SchemaID        *string            `json:"schemaId,omitempty"`
	Description     *string            `json:"description,omitempty"`
	ServiceType     string             `json:"serviceType,omitempty"`
	DefaultStrategy json.RawMessage    `json:"defaultStrategy,omitempty"`
	Health          json.RawMessage    `json:"health,omitempty"`
	Windows         json.RawMessage    `json:"windows,omitempty"`
	Settings        json.RawMessage    `json:"settings,omitempty"`
	Labels          *map[string]string `json:"targetLabels,omitempty"`
}

// UploadRequest is the body of POST /configs/{name}/versions.
type UploadRequest struct {
	// Version is a semantic version above the newest one; left out, it follows from what changed.
	Version string `json:"version,omitempty"`
	// ConfigData is a JSON object, or a string that holds one; at most 1 MiB.
	ConfigData  json.RawMessage   `json:"configData"`
	Description string            `json:"description,omitempty"` // at most 4,096 bytes
	Tags        []string          `json:"tags,omitempty"`        // at most 20
	Metadata    map[string]string `json:"metadata,omitempty"`    // at most 32 entries
}

// VersionPatch is the body of PATCH /configs/{name}/versions/{version}. A field that is left out stays as it is.
type VersionPatch struct {
	Tags       *[]string `json:"tags,omitempty"`       // all of them
	Deprecated *string   `json:"deprecated,omitempty"` // why it is not to be used any more; "" takes it back
}

// Strategy is how a profile's versions are rolled out; fields that its type does not use are absent.
type Strategy struct {
	Type               string `json:"type"`                         // Canary, BlueGreen, Rolling, Direct
	Steps              []int  `json:"steps,omitempty"`              // of a Canary: percent of targets, rising to 100
	PhaseInterval      string `json:"phaseInterval,omitempty"`      // of a Canary: how long each step is watched
	AutoPromote        bool   `json:"autoPromote"`                  // false: each phase waits for promote
	ProgressDeadline   string `json:"progressDeadline,omitempty"`   // without progress for so long it fails
	BatchSize          string `json:"batchSize,omitempty"`          // of a Rolling: a count ("3") or a share ("25%")
	BatchInterval      string `json:"batchInterval,omitempty"`      // of a Rolling: how long each batch is watched
	StopOnFailure      bool   `json:"stopOnFailure,omitempty"`      // of a Rolling: a batch that fails takes all back
	MaxConcurrency     int    `json:"maxConcurrency,omitempty"`     // of a Direct: instances at a time, 0 for all
	VerificationPeriod string `json:"verificationPeriod,omitempty"` // of a BlueGreen: how long the idle group is watched
	KeepBlueDuration   string `json:"keepBlueDuration,omitempty"`   // of a BlueGreen: how long the old group stays as it was
	TrafficHook        string `json:"trafficHook,omitempty"`        // of a BlueGreen: that is told which group requests go to
}

// HealthRules are what a deployment is judged by.
type HealthRules struct {
	Enabled              bool           `json:"enabled"`
	CheckInterval        string         `json:"checkInterval"`
	ErrorRateThreshold   float64        `json:"errorRateThreshold"`   // percentage points above the baseline
	LatencyThreshold     float64        `json:"latencyThreshold"`     // percent above the baseline's p99
	FailedCheckThreshold float64        `json:"failedCheckThreshold"` // percent of probes that fail
	Endpoint             string         `json:"endpoint,omitempty"`   // path that is probed on every updated instance
	Metrics              []HealthMetric `json:"metrics,omitempty"`
	AutoRollback         bool           `json:"autoRollback"`
}

// HealthMetric is one more figure that must stay within bounds.
type HealthMetric struct {
	Name     string   `json:"name"`
	Provider string   `json:"provider"` // prometheus, heartbeat, webhook
	Query    string   `json:"query,omitempty"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	DryRun   bool     `json:"dryRun,omitempty"` // judged and shown, never acted on
}

// Windows say when no deployment starts.
type Windows struct {
	Deny    []string `json:"deny"`              // such as "Fri 16:00-Mon 06:00 Europe/Berlin"
	Overrun string   `json:"overrun,omitempty"` // Finish or Hold: what becomes of one that is under way
}
