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

// The groups of a BlueGreen. Requests go to one of them; the other is idle.
const (
	Blue  = "blue" // where requests go before the first switch
	Green = "green"
)

// OtherGroup is green for blue and blue for anything else.
func OtherGroup(group string) string {
	if group == Blue {
		return Green
	}
	return Blue
}

// Group is the instance's metadata group, when that is blue or green, "" otherwise.
func (i Instance) Group() string {
	if group := i.Metadata["group"]; group == Blue || group == Green {
		return group
	}
	return ""
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
