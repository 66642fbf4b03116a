package profile

import (
	"fmt"
	"slices"
	"strings"
)

// Breaks returns how s breaks what previous promised about its next edition (previous.Compatibility), by place in the
// schema; none when it keeps the promise. The check is structural and errs on broken: a change that it cannot judge,
// such as another pattern, is reported.
func (s *Schema) Breaks(previous *Schema) []FieldError {
	var c compatChecker
	switch previous.compatibility {
	case CompatibilityBackward:
		c.narrower("$", previous.doc, s.doc)
	case CompatibilityForward:
		c.narrower("$", s.doc, previous.doc)
	case CompatibilityFull:
		c.narrower("$", previous.doc, s.doc)
		c.narrower("$", s.doc, previous.doc)
	}
	slices.SortStableFunc(c.found, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(c.found, func(a, b FieldError) bool { return a.Path == b.Path && a.Message == b.Message })
}

type compatChecker struct{ found []FieldError }

func (c *compatChecker) add(path, format string, args ...any) {
	if len(c.found) < maxSchemaErrors {
		c.found = append(c.found, FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// annotations say nothing about what is valid.
var annotations = []string{
	"$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", compatibilityKey,
}

// narrower reports where data that wide accepts may not be accepted by narrow.
func (c *compatChecker) narrower(path string, wide, narrow map[string]any) {
	keys := map[string]bool{}
	for k := range wide {
		keys[k] = true
	}
	for k := range narrow {
		keys[k] = true
	}
	for _, k := range sortedKeys(keys) {
		if slices.Contains(annotations, k) || equalValues(wide[k], narrow[k]) {
			continue
		}
		c.keyword(path, k, wide, narrow)
	}
}

func (c *compatChecker) keyword(path, k string, wide, narrow map[string]any) {
	at := joinKey(path, k)
	was, is := wide[k], narrow[k]
	switch k {
	case "type":
		c.sets(at, "type", asSet(was), asSet(is))
	case "enum":
		c.sets(at, "value", asSet(was), asSet(is))
	case "required":
		for _, name := range asSet(is) {
			if !slices.Contains(asSet(was), name) {
				c.add(at, "%s is required on one side only", name)
			}
		}
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
		c.bound(at, was, is, 1)
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
		c.bound(at, was, is, -1)
	case "properties", "$defs":
		c.properties(at, wide, narrow, k)
	case "items", "additionalProperties":
		c.schema(at, was, is)
	default:
		if is != nil { // a constraint that is gone accepts more
			c.add(at, "%s changed in a way that is not known to keep data valid", k)
		}
	}
}

// schema compares two subschemas, of which an absent one is true.
func (c *compatChecker) schema(path string, was, is any) {
	if was == nil {
		was = true
	}
	if is == nil {
		is = true
	}
	if is == true || was == false {
		return
	}
	w, ok := was.(map[string]any)
	if was == true {
		w, ok = map[string]any{}, true
	}
	n, isMap := is.(map[string]any)
	if !ok || !isMap {
		c.add(path, "allows less than before")
		return
	}
	c.narrower(path, w, n)
}

func (c *compatChecker) properties(path string, wide, narrow map[string]any, keyword string) {
	was, _ := wide[keyword].(map[string]any)
	is, _ := narrow[keyword].(map[string]any)
	closed := narrow["additionalProperties"] == false
	for _, name := range sortedKeys(was) {
		if _, still := is[name]; still {
			c.schema(joinKey(path, name), was[name], is[name])
		} else if closed && keyword == "properties" {
			c.add(joinKey(path, name), "property is allowed on one side only")
		}
	}
	for _, name := range sortedKeys(is) {
		// A new property narrows only what a schema for other names allowed. Data that used the name before the schema
		// knew it is not thought of: every profile is validated again when a schema changes.
		others, ok := wide["additionalProperties"].(map[string]any)
		if _, had := was[name]; !had && ok && keyword == "properties" {
			c.schema(joinKey(path, name), others, is[name])
		}
	}
}

// sets reports the members that wide has and narrow lacks; an absent set is everything.
func (c *compatChecker) sets(path, what string, wide, narrow []string) {
	if len(narrow) == 0 {
		return
	}
	if len(wide) == 0 {
		c.add(path, "%s was free and is restricted", what)
		return
	}
	for _, member := range wide {
		if !slices.Contains(narrow, member) && !(what == "type" && member == `"integer"` && slices.Contains(narrow, `"number"`)) {
			c.add(path, "%s %s is allowed on one side only", what, shorten(member))
		}
	}
}

func (c *compatChecker) bound(path string, was, is any, sign float64) {
	if is == nil {
		return
	}
	before, had := asFloat(was)
	after, has := asFloat(is)
	if !had || !has || sign*after > sign*before {
		c.add(path, "bound is tighter on one side")
	}
}

func asFloat(v any) (float64, bool) {
	n, ok := v.(interface{ Float64() (float64, error) })
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// asSet returns the members of a list as canonical JSON, or those of a list of one.
func asSet(v any) []string {
	list, ok := v.([]any)
	if !ok {
		if v == nil {
			return nil
		}
		list = []any{v}
	}
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = string(canonicalValue(item))
	}
	return out
}
