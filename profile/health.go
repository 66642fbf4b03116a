package profile

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Health is what a deployment of a profile is judged by.
type Health struct {
	Enabled              bool     `json:"enabled"`
	CheckInterval        Duration `json:"checkInterval"`
	ErrorRateThreshold   float64  `json:"errorRateThreshold"`   // percentage points above baseline
	LatencyThreshold     float64  `json:"latencyThreshold"`     // percent above baseline p99
	FailedCheckThreshold float64  `json:"failedCheckThreshold"` // percent of probes failing
	Endpoint             string   `json:"endpoint,omitempty"`   // path that is probed on every updated instance
	Metrics              []Metric `json:"metrics,omitempty"`
	AutoRollback         bool     `json:"autoRollback"`
}

// Metric is one more figure that must stay within bounds.
type Metric struct {
	Name     string   `json:"name"`
	Provider string   `json:"provider"` // ProviderPrometheus, ProviderHeartbeat or ProviderWebhook
	Query    string   `json:"query,omitempty"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	DryRun   bool     `json:"dryRun,omitempty"` // judged and shown, never acted on
}

// The providers of a Metric.
const (
	ProviderPrometheus = "prometheus" // Query is PromQL
	ProviderHeartbeat  = "heartbeat"  // the custom metric called Query, or Name, in the heartbeats
	ProviderWebhook    = "webhook"    // Query names a gate of the server's settings, which says pass, fail or wait
)

// DefaultHealth returns the checks of an environment whose profile says nothing: on in Staging and Production, off in Development.
func DefaultHealth(env Environment) Health {
	return Health{
		Enabled:              env != Development,
		CheckInterval:        Duration(30 * time.Second),
		ErrorRateThreshold:   5,
		LatencyThreshold:     50,
		FailedCheckThreshold: 10,
		AutoRollback:         true,
	}
}

const (
	minCheckInterval = Duration(time.Second)
	maxCheckInterval = Duration(10 * time.Minute)
	maxMetrics       = 20
	maxQuery         = 4096
	maxEndpoint      = 512
)

// Problems returns what is wrong with h, by path below "$" ("$.metrics[0].min").
func (h Health) Problems() []FieldError {
	var out []FieldError
	add := func(format string, message string, keys ...string) {
		out = append(out, FieldError{Path: format, Message: message, keys: keys})
	}
	if h.CheckInterval < minCheckInterval || h.CheckInterval > maxCheckInterval {
		add("$.checkInterval", "must be from 1s to 10m", "checkInterval")
	}
	for _, t := range []struct {
		field string
		value float64
		max   float64
	}{
		{"errorRateThreshold", h.ErrorRateThreshold, 100},
		{"latencyThreshold", h.LatencyThreshold, 10_000},
		{"failedCheckThreshold", h.FailedCheckThreshold, 100},
	} {
		if !(t.value > 0 && t.value <= t.max) { // not the other way round, so that NaN fails too
			add("$."+t.field, fmt.Sprintf("must be above 0 and at most %g", t.max), t.field)
		}
	}
	if msg := checkEndpoint(h.Endpoint); msg != "" {
		add("$.endpoint", msg, "endpoint")
	}
	if len(h.Metrics) > maxMetrics {
		add("$.metrics", fmt.Sprintf("has %d metrics, at most %d are read", len(h.Metrics), maxMetrics), "metrics")
		return out
	}
	names := map[string]bool{}
	for i, m := range h.Metrics {
		at := joinIndex("$.metrics", i)
		for field, msg := range m.problems() {
			add(at+"."+field, msg, "metrics", fmt.Sprint(i), field)
		}
		if names[m.Name] {
			add(at+".name", fmt.Sprintf("metric %s is named twice", m.Name), "metrics", fmt.Sprint(i), "name")
		}
		names[m.Name] = true
	}
	return out
}

func (m Metric) problems() map[string]string {
	out := map[string]string{}
	if err := ValidName(m.Name); err != nil {
		out["name"] = err.Error()
	}
	switch providers := []string{ProviderPrometheus, ProviderHeartbeat, ProviderWebhook}; {
	case !slices.Contains(providers, m.Provider):
		out["provider"] = oneOf("provider", m.Provider, providers)
	case m.Provider == ProviderPrometheus && strings.TrimSpace(m.Query) == "":
		out["query"] = "must be a PromQL query"
	case m.Provider == ProviderWebhook && ValidName(m.Query) != nil:
		out["query"] = "must name a gate of the server's settings"
	case len(m.Query) > maxQuery:
		out["query"] = fmt.Sprintf("has more than %d characters", maxQuery)
	case m.Provider == ProviderPrometheus && checkPlaceholders(m.Query) != "":
		out["query"] = checkPlaceholders(m.Query)
	}
	switch bounded := m.Min != nil || m.Max != nil; {
	case m.Provider == ProviderWebhook && bounded:
		out["provider"] = "webhook says pass or fail itself: leave min and max out"
	case m.Provider != ProviderWebhook && !bounded && !m.DryRun:
		out["min"] = "a metric needs min, max or dryRun: true"
	}
	for field, bound := range map[string]*float64{"min": m.Min, "max": m.Max} {
		if bound != nil && (math.IsNaN(*bound) || math.IsInf(*bound, 0)) {
			out[field] = "must be a finite number"
		}
	}
	if m.Min != nil && m.Max != nil && *m.Min > *m.Max {
		out["max"] = fmt.Sprintf("must not be below min (%g)", *m.Min)
	}
	return out
}

// checkEndpoint allows a path only: a URL would let a file choose what host the daemon calls.
func checkEndpoint(s string) string {
	switch {
	case s == "":
		return ""
	case len(s) > maxEndpoint:
		return fmt.Sprintf("has more than %d characters", maxEndpoint)
	case !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, `\#`):
		return "must be a path on the instance, such as /healthz"
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "must not hold spaces, control or non-ASCII characters"
	}
	return ""
}
