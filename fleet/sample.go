package fleet

import "time"

// Sample is what one heartbeat says of the time since the one before. It is stored without
// what is zero: most instances say little.
type Sample struct {
	InstanceID string
	Since, At  time.Time `json:",omitzero"` // the span that the counts cover, by the daemon's clock
	Status     Status
	Requests   uint64             `json:",omitzero"`
	Errors     uint64             `json:",omitzero"`
	Counted    bool               `json:",omitzero"` // Requests and Errors were given; otherwise only the rates below speak
	Latency    Histogram          `json:",omitzero"` // milliseconds; empty when not given
	ErrorRate  *float64           `json:",omitzero"` // percent, taken at the instance's word when Counted is false
	P99        *float64           `json:",omitzero"` // milliseconds, taken at its word when Latency is empty
	CPU        *float64           `json:",omitzero"` // percent
	Memory     *float64           `json:",omitzero"` // percent
	Custom     map[string]float64 `json:",omitzero"`
}
