package flags

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Reasons of an evaluation, as OpenFeature names them.
const (
	Static    = "STATIC"          // there is no rule
	Default   = "DEFAULT"         // the rule names no variant
	Targeting = "TARGETING_MATCH" // the rule names the variant
	Disabled  = "DISABLED"        // the flag is off: the program's own default holds
)

// Error codes of an evaluation, as OpenFeature names them.
const (
	NotFound   = "FLAG_NOT_FOUND"
	ParseError = "PARSE_ERROR"
	General    = "GENERAL"
)

// Evaluation is what a flag is in a context: a value, or no value where the program's own default
// holds, or why it could not be told.
type Evaluation struct {
	Key      string
	Reason   string
	Variant  string // "" where the program's own default holds
	Value    any    // as it was written; nothing without a variant
	Metadata map[string]any

	ErrorCode string // "" when it went well
	Details   string
}

// Evaluate is what the flag is in the context at the time. It changes neither.
func (s Set) Evaluate(key string, context map[string]any, now time.Time) Evaluation {
	f, ok := s.flags[key]
	e := Evaluation{Key: key, Metadata: f.metadata}
	switch {
	case !ok:
		return e.failed(NotFound, fmt.Sprintf("there is no flag %q in this profile", key))
	case f.broken != nil:
		return e.failed(ParseError, fmt.Sprintf("flag %q: %s", key, f.broken))
	case f.state == disabled:
		e.Reason = Disabled
		return e
	case f.targeting == nil:
		return e.chose(f, f.defaultVariant, Static)
	}
	result, err := evaluateRule(f.targeting, environment(key, context, now))
	if errors.Is(err, errNoOperator) {
		return e.failed(ParseError, fmt.Sprintf("flag %q: its rule: %s", key, err))
	}
	if err != nil {
		return e.failed(General, fmt.Sprintf("flag %q: its rule: %s", key, err))
	}
	if result == nil {
		return e.chose(f, f.defaultVariant, Default)
	}
	return e.chose(f, text(result), Targeting)
}

// environment is what a rule sees: the caller's context, with what flagd adds to it.
func environment(key string, context map[string]any, now time.Time) map[string]any {
	seen := maps.Clone(context)
	if seen == nil {
		seen = map[string]any{}
	}
	seen["$flagd"] = map[string]any{"flagKey": key, "timestamp": float64(now.Unix())}
	return seen
}

func (e Evaluation) failed(code, details string) Evaluation {
	e.ErrorCode, e.Details = code, details
	return e
}

func (e Evaluation) chose(f flag, variant, reason string) Evaluation {
	if variant == "" {
		e.Reason = Default
		return e
	}
	value, ok := f.variants[variant]
	if !ok {
		return e.failed(General, fmt.Sprintf("flag %q: its rule gives %q, which is none of its variants", e.Key, variant))
	}
	e.Variant, e.Value, e.Reason = variant, value, reason
	return e
}
