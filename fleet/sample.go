package fleet

import "time"

// Sample is what one heartbeat says of the time since the one before.
type Sample struct {
	InstanceID string
	Since, At  time.Time // the span that the counts cover, by the daemon's clock
	Status     Status
	Requests   uint64
	Errors     uint64
	Counted    bool      // Requests and Errors were given; otherwise only the rates below speak
	Latency    Histogram // milliseconds; empty when not given
	ErrorRate  *float64  // percent, taken at the instance's word when Counted is false
	P99        *float64  // milliseconds, taken at its word when Latency is empty
	CPU        *float64  // percent
	Memory     *float64  // percent
	Custom     map[string]float64
}
