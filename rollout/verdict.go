package rollout

import "time"

// Outcome is what a gate check says.
type Outcome string

// The outcomes of a gate check.
const (
	Pass         Outcome = "Pass"
	Fail         Outcome = "Fail"
	Inconclusive Outcome = "Inconclusive" // missing data, too few samples, or an outage that the control shares: holds
	Error        Outcome = "Error"        // a metrics backend did not answer: holds
	Skipped      Outcome = "Skipped"      // nothing to judge: health is off, or there is nothing to compare with
)

// Verdict is the judgement of one gate check over all metrics.
type Verdict struct {
	Outcome Outcome       `json:"outcome"`
	Reason  string        `json:"reason"` // one line for people, with the numbers
	Metrics []MetricCheck `json:"metrics,omitempty"`
}

// MetricCheck is one metric's part of a verdict, with the numbers it rests on.
type MetricCheck struct {
	Name      string   `json:"name"`               // "errorRate", "latencyP99", "failedChecks", "apply", "probes", or of the profile
	Provider  string   `json:"provider,omitempty"` // whom the value is of, where that is not the heartbeats
	Query     string   `json:"query,omitempty"`    // as it was sent
	DryRun    bool     `json:"dryRun,omitempty"`   // the outcome is shown and has no effect
	Outcome   Outcome  `json:"outcome"`
	Reason    string   `json:"reason,omitempty"`
	Unit      string   `json:"unit,omitempty"` // "%" or "ms"
	N         uint64   `json:"n"`              // observations behind Value
	Value     *float64 `json:"value,omitempty"`
	ControlN  uint64   `json:"controlN,omitempty"`
	Control   *float64 `json:"control,omitempty"`
	BaselineN uint64   `json:"baselineN,omitempty"`
	Baseline  *float64 `json:"baseline,omitempty"`
	Threshold float64  `json:"threshold"`
	Limit     *float64 `json:"limit,omitempty"` // the value past which it may fail; nil when there was nothing to count it from
	P         *float64 `json:"p,omitempty"`     // chance to see the difference with no real one
}

// Check is a verdict at its place in a deployment.
type Check struct {
	DeploymentID string
	At           time.Time
	Phase        int
	Verdict      Verdict
}
