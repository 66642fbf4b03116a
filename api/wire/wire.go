// Package wire holds the JSON bodies of the REST API, so that the server and
// its clients cannot disagree. Times are RFC 3339 UTC, durations ISO 8601.
package wire

import (
	"encoding/json"
	"time"
)

// Error is the body of every answer that is not a success.
type Error struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what went wrong and where.
type ErrorDetail struct {
	Code      string       `json:"code"`
	Message   string       `json:"message"`
	Details   []FieldError `json:"details,omitempty"`
	TraceID   string       `json:"traceId,omitempty"`
	Timestamp time.Time    `json:"timestamp"`
}

// FieldError is one field that was refused.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Page is one page of a list.
type Page[T any] struct {
	Items      []T  `json:"items"`
	Total      int  `json:"total"`
	Limit      int  `json:"limit"`
	Offset     int  `json:"offset"`
	HasMore    bool `json:"hasMore"`
	NextOffset *int `json:"nextOffset,omitempty"`
}

// RegisterRequest is the body of POST /instances.
type RegisterRequest struct {
	ServiceName string            `json:"serviceName"`
	Hostname    string            `json:"hostname"`
	Port        int               `json:"port"`
	Environment string            `json:"environment"`
	Version     string            `json:"version,omitempty"` // of the service itself
	Labels      map[string]string `json:"labels,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// RegisterResponse gives an instance its identity. The token is shown once.
type RegisterResponse struct {
	ID               string `json:"id"`
	Token            string `json:"token"`
	HeartbeatSeconds int    `json:"heartbeatSeconds"`
}

// HeartbeatRequest is the body of POST /instances/{id}/heartbeat. Requests and
// errors are counted since the heartbeat before.
type HeartbeatRequest struct {
	Health Health `json:"health"`
}

// Health is how an instance does.
type Health struct {
	Status        string             `json:"status,omitempty"` // Unknown when left out
	Requests      *uint64            `json:"requests,omitempty"`
	Errors        *uint64            `json:"errors,omitempty"`
	Latency       *Histogram         `json:"latency,omitempty"`
	LatencySketch []byte             `json:"latencySketch,omitempty"` // in its place: a DDSketch of milliseconds, as protobuf
	ErrorRate     *float64           `json:"errorRate,omitempty"`     // percent
	P99Latency    *float64           `json:"p99Latency,omitempty"`    // milliseconds
	CPUUsage      *float64           `json:"cpuUsage,omitempty"`      // percent
	MemoryUsage   *float64           `json:"memoryUsage,omitempty"`
	CustomMetrics map[string]float64 `json:"customMetrics,omitempty"`
}

// Histogram counts requests by upper bound in milliseconds; counts has one
// more entry than bounds and is not cumulative.
type Histogram struct {
	Bounds []float64 `json:"bounds"`
	Counts []uint64  `json:"counts"`
}

// HeartbeatResponse says what is assigned and when to beat next.
type HeartbeatResponse struct {
	NextHeartbeatMillis int          `json:"nextHeartbeatMillis"`
	Assignments         []Assignment `json:"assignments"`
}

// DeliveredHashHeader carries the SHA-256, hex, of fetched data whose secrets
// were opened. Without it the data's hash is that of its assignment.
const DeliveredHashHeader = "Sluice-Delivered-Hash"

// Assignment is what an instance should run of one profile. Data is inline up
// to 32 KiB; larger data, and data with secrets, is fetched from URL and checked
// against Hash or the DeliveredHashHeader that comes with it.
type Assignment struct {
	ConfigName   string          `json:"configName"`
	Version      string          `json:"version"`
	Generation   int64           `json:"generation"`
	Hash         string          `json:"hash"` // SHA-256, hex, of the version's canonical JSON; what stands for secrets is part of it
	DeploymentID string          `json:"deploymentId,omitempty"`
	ActiveGroup  string          `json:"activeGroup,omitempty"` // of a BlueGreen profile: the group that requests go to
	Data         json.RawMessage `json:"data,omitempty"`
	URL          string          `json:"url,omitempty"` // path on the same server
	TraceParent  string          `json:"traceparent,omitempty"`
}

// Assignments is the whole of what one instance should run: the data of the
// "assignments" event of the watch stream and the answer of the long poll.
type Assignments struct {
	Assignments []Assignment `json:"assignments"`
}

// Reconnect is the data of the event "reconnect" of a stream: the server ends
// it, and the reader comes back after a while.
type Reconnect struct {
	AfterMillis int64 `json:"afterMillis"`
}

// AppliedRequest is the body of POST /instances/{id}/applied.
type AppliedRequest struct {
	ConfigName string `json:"configName"`
	Version    string `json:"version"`
	Hash       string `json:"hash"`
	Generation int64  `json:"generation"`
	OK         bool   `json:"ok"`
	DurationMs int64  `json:"durationMs"`
	Error      string `json:"error,omitempty"`
	// Snapshot says that the instance ran a bootstrap snapshot until it heard of this.
	Snapshot *SnapshotStart `json:"snapshot,omitempty"`
}

// SnapshotStart is a start from a bootstrap snapshot, while no server answered.
type SnapshotStart struct {
	Version   string    `json:"version"`
	WrittenAt time.Time `json:"writtenAt"`
	StartedAt time.Time `json:"startedAt"`
}
