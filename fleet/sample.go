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
	Beats      int                `json:"-"` // heartbeats that it is of; 0 is one
}

// Join is two samples of an instance, one right after the other, as one; s is
// used up by it. ok is false where a window would not say the same of it as of
// both.
func (s Sample) Join(next Sample) (joined Sample, ok bool) {
	if !s.joins() || !next.joins() || s.InstanceID != next.InstanceID || s.Status != next.Status || !s.At.Equal(next.Since) {
		return s, false
	}
	joined = s
	joined.At, joined.Beats = next.At, s.beats()+next.beats()
	joined.Requests, joined.Errors = plus(s.Requests, next.Requests), plus(min(s.Errors, s.Requests), min(next.Errors, next.Requests))
	joined.Latency = s.Latency.add(next.Latency)
	return joined, true
}

// joins says that a sample counts all that it tells.
func (s Sample) joins() bool {
	return s.Counted && len(s.Custom) == 0 && (s.P99 == nil || !s.Latency.Empty())
}

func (s Sample) beats() int { return max(1, s.Beats) }
