package wire

// Probe is the body of /healthz, /readyz and /health.
type Probe struct {
	Status      string            `json:"status"`
	Unavailable map[string]string `json:"unavailable,omitempty"` // what is missing, by part, and why
	Degraded    map[string]string `json:"degraded,omitempty"`    // what works less well, by part, and why
}
