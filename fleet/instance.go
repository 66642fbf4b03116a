package fleet

import (
	"time"

	"github.com/sluicehq/sluice/profile"
)

// How long a silent instance keeps its place.
const (
	StaleAfter = 2 * time.Minute
	GoneAfter  = time.Hour
)

// Status is the health that an instance reports of itself.
type Status string

// The health statuses of an instance.
const (
	StatusUnknown   Status = "Unknown"
	StatusHealthy   Status = "Healthy"
	StatusDegraded  Status = "Degraded"
	StatusUnhealthy Status = "Unhealthy"
)

// Liveness says whether an instance still counts.
type Liveness string

// Live instances are waited for; stale ones are not; gone ones are deregistered.
const (
	Live  Liveness = "Live"
	Stale Liveness = "Stale"
	Gone  Liveness = "Gone"
)

// Instance is one running process of a service.
type Instance struct {
	ID             string
	Service        string
	Hostname       string
	Port           int
	Environment    profile.Environment
	ServiceVersion string // of the service's own build, so that a report can name it
	Labels         map[string]string
	Metadata       map[string]string // "group" is blue or green
	Status         Status
	RegisteredAt   time.Time
	LastHeartbeat  time.Time
}

// Liveness judges the instance by its last heartbeat.
func (i Instance) Liveness(now time.Time) Liveness {
	switch silent := now.Sub(i.LastHeartbeat); {
	case silent >= GoneAfter:
		return Gone
	case silent >= StaleAfter:
		return Stale
	default:
		return Live
	}
}

// Selector names the instances that a profile is for.
type Selector struct {
	Service     string
	Environment profile.Environment
	Labels      map[string]string // all must match
	Instances   []string          // when not empty, only these IDs
}
