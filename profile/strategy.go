package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StrategyType is how a version reaches its targets.
type StrategyType string

// The strategies.
const (
	Canary    StrategyType = "Canary"    // steps of targets, each judged before the next
	BlueGreen StrategyType = "BlueGreen" // the idle group first, then one switch
	Rolling   StrategyType = "Rolling"   // batch after batch
	Direct    StrategyType = "Direct"    // all at once
)

// StrategyTypes lists every StrategyType.
func StrategyTypes() []StrategyType { return []StrategyType{Canary, BlueGreen, Rolling, Direct} }

// Strategy is how a profile's versions are rolled out. Fields that its type does not use are zero.
type Strategy struct {
	Type StrategyType `json:"type"`

	// Steps are the shares of a Canary in percent of targets, rising to 100.
	Steps []int `json:"steps,omitempty"`
	// PhaseInterval is how long a Canary watches each step.
	PhaseInterval Duration `json:"phaseInterval,omitempty"`
	// AutoPromote, when false, makes each phase wait for `promote`.
	AutoPromote bool `json:"autoPromote"`
	// ProgressDeadline fails a deployment that made no progress for so long.
	ProgressDeadline Duration `json:"progressDeadline,omitempty"`

	// BatchSize is how many instances a Rolling updates at once: a count ("3") or a share of targets ("25%").
	BatchSize string `json:"batchSize,omitempty"`
	// BatchInterval is how long a Rolling watches each batch.
	BatchInterval Duration `json:"batchInterval,omitempty"`
	// StopOnFailure makes a Rolling roll back what was done when a batch fails.
	StopOnFailure bool `json:"stopOnFailure"`

	// MaxConcurrency is how many instances a Direct updates at a time; 0 is all.
	MaxConcurrency int `json:"maxConcurrency,omitempty"`

	// VerificationPeriod is how long a BlueGreen watches the idle group before the switch.
	VerificationPeriod Duration `json:"verificationPeriod,omitempty"`
	// KeepBlueDuration is how long a BlueGreen leaves the old group on the old version after the switch.
	KeepBlueDuration Duration `json:"keepBlueDuration,omitempty"`
	// TrafficHook names the hook of the server's settings that a BlueGreen tells which group requests go to; "" is none.
	TrafficHook string `json:"trafficHook,omitempty"`
}

// DefaultStrategyType returns the strategy of an environment whose profile names none: Development Direct, Staging
// Rolling, Production Canary. Anything else gets the most careful.
func DefaultStrategyType(env Environment) StrategyType {
	switch env {
	case Development:
		return Direct
	case Staging:
		return Rolling
	}
	return Canary
}

// DefaultStrategy returns a strategy of type t with everything filled in that the type uses.
func DefaultStrategy(t StrategyType) Strategy {
	s := Strategy{Type: t, AutoPromote: true, ProgressDeadline: Duration(30 * time.Minute)}
	switch t {
	case Canary:
		s.Steps = []int{10, 30, 50, 100}
		s.PhaseInterval = Duration(5 * time.Minute)
	case Rolling:
		s.BatchSize = "25%"
		s.BatchInterval = Duration(time.Minute)
		s.StopOnFailure = true
	case BlueGreen:
		s.VerificationPeriod = Duration(5 * time.Minute)
		s.KeepBlueDuration = Duration(time.Hour)
	case Direct:
	}
	return s
}

const maxSteps = 20

// Normalize returns s as it is rolled out: a Canary's steps end at 100.
func (s Strategy) Normalize() Strategy {
	if n := len(s.Steps); n > 0 && s.Steps[n-1] < 100 {
		s.Steps = append(slices.Clone(s.Steps), 100)
	}
	return s
}

// Problems returns what is wrong with s, by path below "$" ("$.steps"). A strategy without problems can be rolled out.
func (s Strategy) Problems() []FieldError {
	var out []FieldError
	add := func(field, format string, args ...any) {
		out = append(out, FieldError{Path: "$." + field, Message: fmt.Sprintf(format, args...), keys: []string{field}})
	}
	positive := func(field string, d Duration) {
		if d <= 0 {
			add(field, "must be more than 0")
		} else if d > MaxDuration {
			add(field, "must be at most 30 days")
		}
	}
	positive("progressDeadline", s.ProgressDeadline)
	switch s.Type {
	case Canary:
		if msg := checkSteps(s.Steps); msg != "" {
			add("steps", "%s", msg)
		}
		positive("phaseInterval", s.PhaseInterval)
	case Rolling:
		if _, _, err := ParseBatchSize(s.BatchSize); err != nil {
			add("batchSize", "%s", err)
		}
		positive("batchInterval", s.BatchInterval)
	case BlueGreen:
		positive("verificationPeriod", s.VerificationPeriod)
		if s.KeepBlueDuration < 0 || s.KeepBlueDuration > MaxDuration {
			add("keepBlueDuration", "must be 0 to 30 days")
		}
		if s.TrafficHook != "" {
			if err := ValidName(s.TrafficHook); err != nil {
				add("trafficHook", "%s", err)
			}
		}
	case Direct:
		if s.MaxConcurrency < 0 || s.MaxConcurrency > 1_000_000 {
			add("maxConcurrency", "must be 0 (all at once) to 1000000")
		}
	default:
		add("type", "%s", oneOf("strategy", string(s.Type), StrategyTypes()))
	}
	return out
}

func checkSteps(steps []int) string {
	switch {
	case len(steps) == 0:
		return "must name at least one step"
	case len(steps) > maxSteps:
		return fmt.Sprintf("steps has %d entries, at most %d are read", len(steps), maxSteps)
	}
	last := 0
	for _, p := range steps {
		if p < 1 || p > 100 {
			return fmt.Sprintf("steps hold %d, which is no percentage from 1 to 100", p)
		}
		if p <= last {
			return fmt.Sprintf("steps must rise, but %d follows %d", p, last)
		}
		last = p
	}
	return ""
}

var batchSize = regexp.MustCompile(`^[1-9][0-9]{0,5}%?$`)

// ParseBatchSize reads a batch size: "3" is a count, "25%" a share of targets in percent.
func ParseBatchSize(s string) (n int, percent bool, err error) {
	if !batchSize.MatchString(s) {
		return 0, false, fmt.Errorf("%q is neither a count (3) nor a share (25%%)", s)
	}
	number, percent := strings.CutSuffix(s, "%")
	n, err = strconv.Atoi(number)
	if err != nil {
		return 0, false, err
	}
	if percent && n > 100 {
		return 0, false, fmt.Errorf("%s is more than 100%%", s)
	}
	return n, percent, nil
}

// uses lists the fields of strategy that each type reads; any other is written in vain.
var uses = map[StrategyType][]string{
	Canary:    {"steps", "phaseInterval"},
	Rolling:   {"batchSize", "batchInterval", "stopOnFailure"},
	BlueGreen: {"verificationPeriod", "keepBlueDuration", "trafficHook"},
	Direct:    {"maxConcurrency"},
}

func oneOf[T ~string](what, got string, known []T) string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	msg := fmt.Sprintf("unknown %s %q, must be one of %s", what, shorten(got), strings.Join(names, ", "))
	if guess := Nearest(got, names); guess != "" {
		msg = fmt.Sprintf("unknown %s %q, did you mean %s?", what, shorten(got), guess)
	}
	return msg
}

// shorten cuts text from a file before it is quoted in a message.
func shorten(s string) string { return shortenTo(s, 60) }

func shortenTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
