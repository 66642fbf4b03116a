package flags

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/profile"
)

// ErrNone says that a profile's data holds no flags: no object of that name at its top.
var ErrNone = errors.New("the profile holds no flags: its data has no object `flags`")

// The states of a flag.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

// Set is the flags of one profile.
type Set struct {
	flags map[string]flag
}

// flag is one flag, or why it cannot be evaluated.
type flag struct {
	state          string
	variants       map[string]any // as they were written
	defaultVariant string         // "" leaves the value to the program's own default
	targeting      any            // nil where there is no rule
	metadata       map[string]any
	broken         error
}

// Definition is the part of a profile's data that defines flags, as flagd reads it from a file, and
// whether there is any. What else the profile holds is no business of a reader of flags.
func Definition(data profile.Data) (profile.Data, bool) {
	if _, ok := data["flags"].(map[string]any); !ok {
		return nil, false
	}
	definition := profile.Data{}
	for _, key := range []string{"$schema", "$evaluators", "flags", "metadata"} {
		if value, ok := data[key]; ok {
			definition[key] = value
		}
	}
	return definition, true
}

// Parse reads the flags of a profile's data. A flag that is written wrongly says so when it is asked
// for and does not keep the others from being read. It returns ErrNone.
func Parse(data profile.Data) (Set, error) {
	definition, ok := Definition(data)
	if !ok {
		return Set{}, ErrNone
	}
	shared, _ := definition["$evaluators"].(map[string]any)
	common, _ := definition["metadata"].(map[string]any)
	set := Set{flags: map[string]flag{}}
	for key, written := range definition["flags"].(map[string]any) {
		set.flags[key] = parseFlag(written, shared, common)
	}
	return set, nil
}

// Keys are the names of all flags that are not disabled, sorted.
func (s Set) Keys() []string {
	keys := make([]string, 0, len(s.flags))
	for key, f := range s.flags {
		if f.state != disabled {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func parseFlag(written any, shared, common map[string]any) flag {
	fields, ok := written.(map[string]any)
	if !ok {
		return flag{broken: errors.New("it is no object")}
	}
	f := flag{metadata: map[string]any{}}
	maps.Copy(f.metadata, common)
	if own, ok := fields["metadata"].(map[string]any); ok {
		maps.Copy(f.metadata, own)
	}
	f.state, _ = fields["state"].(string)
	f.variants, _ = fields["variants"].(map[string]any)
	f.defaultVariant, _ = fields["defaultVariant"].(string)
	f.targeting, f.broken = resolved(fields["targeting"], shared, 0)
	switch _, known := f.variants[f.defaultVariant]; {
	case f.broken != nil:
	case f.state != enabled && f.state != disabled:
		f.broken = fmt.Errorf("its state is neither %s nor %s", enabled, disabled)
	case f.defaultVariant != "" && !known:
		f.broken = fmt.Errorf("its default variant %q is none of its variants", f.defaultVariant)
	}
	if rule, ok := f.targeting.(map[string]any); ok && len(rule) == 0 {
		f.targeting = nil
	}
	return f
}

// deepestRef is how many shared rules may lie in one another: one that holds itself never ends.
const deepestRef = 16

// resolved is a rule with its {"$ref": name} replaced by the shared rules they name, and numbers as
// the operators take them.
func resolved(rule any, shared map[string]any, depth int) (any, error) {
	switch rule := rule.(type) {
	case json.Number:
		return rule.Float64()
	case []any:
		out := make([]any, len(rule))
		for i, item := range rule {
			var err error
			if out[i], err = resolved(item, shared, depth); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		if name, ok := rule["$ref"].(string); ok && len(rule) == 1 {
			target, found := shared[name]
			if !found {
				return nil, fmt.Errorf("its rule names $ref %q, which is not in $evaluators", name)
			}
			if depth == deepestRef {
				return nil, fmt.Errorf("its rule names $ref %q in itself", name)
			}
			return resolved(target, shared, depth+1)
		}
		out := make(map[string]any, len(rule))
		for key, item := range rule {
			var err error
			if out[key], err = resolved(item, shared, depth); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return rule, nil
}
