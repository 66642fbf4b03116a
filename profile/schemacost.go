package profile

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	maxPatternSize = 5_000     // instructions of one compiled pattern
	maxCost        = 2_000_000 // steps of one validation, each some 100 ns
)

// pattern is a compiled pattern that knows its size. Go's engine takes linear time in text times size, so both are bounded.
type pattern struct {
	*regexp.Regexp
	size int
}

func compilePattern(s string) (jsonschema.Regexp, error) {
	parsed, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern is not valid RE2: %w", err)
	}
	size := patternSize(parsed)
	if size > maxPatternSize {
		return nil, fmt.Errorf("pattern is too large: its repetitions make more than %d steps", maxPatternSize)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("pattern is not valid RE2: %w", err)
	}
	return &pattern{re, size}, nil
}

// patternSize estimates the instructions of a pattern before it is compiled, from above.
func patternSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size = 1 + len(re.Rune)/8
	default:
	}
	for _, sub := range re.Sub {
		size += patternSize(sub) + 1
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Max, re.Min+1, 1)
	}
	return min(size, 1<<30)
}

var (
	errCost = errors.New("the schema takes too many steps on this data: its alternatives multiply")
	errLoop = errors.New("the schema refers to itself without going deeper into the data ($ref loop)")
)

// coster counts, without validating, how many times the validator would look at a value. Each pair of schema and value
// is counted once and remembered, so that counting stays cheap where validating would not.
type coster struct {
	known map[costKey]int
	pairs int
}

type costKey struct {
	schema *jsonschema.Schema
	value  string // path of the value
}

const onStack = -1

// checkCost returns an error when validating doc would take more than maxCost steps or never end.
func checkCost(s *jsonschema.Schema, doc any) error {
	c := &coster{known: map[costKey]int{}}
	_, err := c.cost(s, doc, "")
	return err
}

func (c *coster) cost(s *jsonschema.Schema, v any, path string) (int, error) {
	if s == nil || s.Bool != nil {
		return 1, nil
	}
	key := costKey{s, path}
	switch n, ok := c.known[key]; {
	case ok && n == onStack:
		return 0, errLoop
	case ok:
		return n, nil
	}
	if c.pairs++; c.pairs > maxCost/10 {
		return 0, errCost
	}
	c.known[key] = onStack
	total := ownCost(s, v)
	add := func(n int, err error) error {
		if total += n; err == nil && total > maxCost {
			err = errCost
		}
		return err
	}
	below := func(sub *jsonschema.Schema, value any, key string) error { return add(c.below(sub, value, path, key)) }
	err := c.inPlace(s, func(sub *jsonschema.Schema) error { return add(c.cost(sub, v, path)) })
	if err == nil {
		switch v := v.(type) {
		case map[string]any:
			err = c.object(s, v, below, &total)
		case []any:
			err = c.array(s, v, below)
		}
	}
	if err == nil && total > maxCost {
		err = errCost
	}
	if err != nil {
		return 0, err
	}
	c.known[key] = total
	return total, nil
}

// below is the cost of the value of a key of the one at path. Most are such that nothing can multiply: they are counted
// and not remembered.
func (c *coster) below(s *jsonschema.Schema, v any, path, key string) (int, error) {
	switch v.(type) {
	case map[string]any, []any:
	default:
		if s.Bool == nil && !appliesInPlace(s) {
			c.pairs++
			return ownCost(s, v), nil
		}
	}
	return c.cost(s, v, path+"\x00"+key)
}

// ownCost is what a value costs by itself.
func ownCost(s *jsonschema.Schema, v any) int {
	total := 1
	if text, ok := v.(string); ok {
		if p, ok := s.Pattern.(*pattern); ok {
			total += len(text) * p.size / 8
		}
		total += len(text) / 1024
	}
	if s.Enum != nil {
		total += len(s.Enum.Values)
	}
	return total
}

// appliesInPlace says that a schema applies others to the same value.
func appliesInPlace(s *jsonschema.Schema) bool {
	return s.Ref != nil || s.Not != nil || s.If != nil || s.Then != nil || s.Else != nil ||
		len(s.AllOf) > 0 || len(s.AnyOf) > 0 || len(s.OneOf) > 0 || len(s.DependentSchemas) > 0
}

// inPlace visits the schemas that are applied to the same value.
func (c *coster) inPlace(s *jsonschema.Schema, visit func(*jsonschema.Schema) error) error {
	for _, list := range [][]*jsonschema.Schema{{s.Ref, s.Not, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf} {
		for _, sub := range list {
			if sub == nil {
				continue
			}
			if err := visit(sub); err != nil {
				return err
			}
		}
	}
	for _, sub := range s.DependentSchemas {
		if err := visit(sub); err != nil {
			return err
		}
	}
	return nil
}

// addCost adds what a schema costs on the value of a key.
type addCost func(sub *jsonschema.Schema, value any, key string) error

func (c *coster) object(s *jsonschema.Schema, m map[string]any, add addCost, total *int) error {
	additional, _ := s.AdditionalProperties.(*jsonschema.Schema)
	for k, v := range m {
		for _, sub := range []*jsonschema.Schema{s.Properties[k], additional, s.UnevaluatedProperties} {
			if sub == nil {
				continue
			}
			if err := add(sub, v, k); err != nil {
				return err
			}
		}
		if s.PropertyNames != nil {
			if err := add(s.PropertyNames, k, k+"\x01"); err != nil {
				return err
			}
		}
		for re, sub := range s.PatternProperties {
			if p, ok := re.(*pattern); ok {
				*total += len(k) * p.size / 8
			}
			if !re.MatchString(k) {
				continue
			}
			if err := add(sub, v, k); err != nil {
				return err
			}
		}
		if *total > maxCost {
			return errCost
		}
	}
	return nil
}

func (c *coster) array(s *jsonschema.Schema, list []any, add addCost) error {
	for i, v := range list {
		subs := []*jsonschema.Schema{s.Items2020, s.Contains, s.UnevaluatedItems}
		if i < len(s.PrefixItems) {
			subs = append(subs, s.PrefixItems[i])
		}
		for _, sub := range subs {
			if sub == nil {
				continue
			}
			if err := add(sub, v, strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
