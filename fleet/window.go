package fleet

// Histogram counts observations by upper bound. Bounds rise; the last count,
// one past the bounds, is of everything above them. The zero value is empty.
type Histogram struct {
	Bounds []float64 // upper bounds, in milliseconds
	Counts []uint64  // not cumulative; len(Bounds)+1
}

// Window is what samples of some instances over some time add up to.
type Window struct {
	Instances int       `json:"instances"`
	Samples   int       `json:"samples"`
	Unhealthy int       `json:"unhealthy"` // samples whose status was Unhealthy
	Unknown   int       `json:"unknown"`   // samples that did not say how the instance is
	Counted   int       `json:"counted"`   // samples that counted requests
	Requests  uint64    `json:"requests"`  // of samples that count
	Errors    uint64    `json:"errors"`
	Latency   Histogram `json:"latency"`
	// For samples without counts: the rates taken at their word.
	RatedSamples int                `json:"ratedSamples,omitempty"`
	RatedErrors  float64            `json:"ratedErrors,omitempty"` // mean error rate, percent
	RatedP99     float64            `json:"ratedP99,omitempty"`    // median of the p99s given, milliseconds
	Custom       map[string]float64 `json:"custom,omitempty"`      // mean of each custom metric
}
