package wire

import "time"

// Logging is the answer of GET, PUT and DELETE /logging. Without a change in
// force it has neither components, actor nor times.
type Logging struct {
	Configured      string            `json:"configured"`           // the level that the replica that answers is configured with
	Level           string            `json:"level"`                // from which on everything is logged that has no level of its own
	Components      map[string]string `json:"components,omitempty"` // levels of components that have their own, by name
	KnownComponents []string          `json:"knownComponents"`      // the components that may have their own
	Actor           string            `json:"actor,omitempty"`
	BegunAt         *time.Time        `json:"begunAt,omitempty"`
	ExpiresAt       *time.Time        `json:"expiresAt,omitempty"`
}

// LoggingRequest is the body of PUT /logging. At least one of Level and
// Components is given.
type LoggingRequest struct {
	Level      string            `json:"level,omitempty"`      // of everything; as configured when left out
	Components map[string]string `json:"components,omitempty"` // levels of components that get their own, by name
	ExpiresIn  string            `json:"expiresIn,omitempty"`  // a duration such as 15m or PT15M, which it is when left out; at most a day
}
