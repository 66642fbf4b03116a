package profile_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/profile"
)

var (
	someNames    = rapid.SampledFrom([]string{"a", "b", "ab", "x1"})
	somePatterns = rapid.SampledFrom([]string{"^a", "b$", "^x[0-9]", "a"})
	someScalars  = rapid.SampledFrom([]any{nil, true, false, -1, 0, 1, 2, 3, 0.5, 1.5, "", "a", "ab", "b", "5m"})
	someTypes    = rapid.SampledFrom([]any{"null", "boolean", "string", "array", "object", "integer", "number"})
	smallNumbers = rapid.SampledFrom([]any{0, 1, 2, 3, 0.5, -1})
	smallCounts  = rapid.IntRange(0, 3)
)

// anyValue draws what data can hold, of few values, so that it often fits.
func anyValue(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 5).Draw(t, "kind of value"); {
	case kind == 0 && depth > 0:
		out := []any{}
		for range smallCounts.Draw(t, "items") {
			out = append(out, anyValue(t, depth-1))
		}
		return out
	case kind <= 2 && depth > 0:
		return anyObject(t, depth)
	}
	return someScalars.Draw(t, "scalar")
}

func anyObject(t *rapid.T, depth int) map[string]any {
	out := map[string]any{}
	for range smallCounts.Draw(t, "properties") {
		out[someNames.Draw(t, "name")] = anyValue(t, depth-1)
	}
	return out
}

// anySchema draws a schema of a few keywords.
func anySchema(t *rapid.T, depth int) any {
	if depth <= 0 || rapid.IntRange(0, 9).Draw(t, "trivial") == 0 {
		return rapid.SampledFrom([]any{true, true, false, map[string]any{"type": "integer"}, map[string]any{"type": "string"}, map[string]any{"$ref": "#/$defs/d"}}).Draw(t, "leaf")
	}
	s := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "keywords") {
		addKeyword(t, s, depth)
	}
	return s
}

func addKeyword(t *rapid.T, s map[string]any, depth int) {
	below := func() any { return anySchema(t, depth-1) }
	some := func(n int) (out []any) {
		for range rapid.IntRange(1, n).Draw(t, "alternatives") {
			out = append(out, below())
		}
		return out
	}
	named := func(names *rapid.Generator[string]) map[string]any {
		out := map[string]any{}
		for range rapid.IntRange(1, 3).Draw(t, "named") {
			out[names.Draw(t, "name")] = below()
		}
		return out
	}
	distinct := func(names *rapid.Generator[string]) (out []any) {
		for _, name := range rapid.SliceOfNDistinct(names, 0, 2, rapid.ID[string]).Draw(t, "names") {
			out = append(out, name)
		}
		return append([]any{}, out...)
	}
	k := rapid.SampledFrom([]string{
		"type", "type", "types", "enum", "const", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"pattern", "format", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "required", "required",
		"properties", "properties", "properties", "patternProperties", "additionalProperties", "additionalProperties", "propertyNames",
		"dependentRequired", "dependentSchemas", "prefixItems", "items", "contains", "allOf", "anyOf", "oneOf", "not", "if", "$ref",
		"unevaluatedProperties", "unevaluatedItems", "dependencies", "unknown",
	}).Draw(t, "keyword")
	switch k {
	case "type":
		s[k] = someTypes.Draw(t, "type")
	case "types":
		s["type"] = rapid.SliceOfNDistinct(someTypes, 1, 4, func(v any) string { return v.(string) }).Draw(t, "types")
	case "enum":
		values := []any{}
		for range rapid.IntRange(1, 4).Draw(t, "values") {
			values = append(values, anyValue(t, 1))
		}
		s[k] = values
	case "const":
		s[k] = anyValue(t, 1)
	case "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum":
		s[k] = smallNumbers.Draw(t, k)
	case "multipleOf":
		s[k] = rapid.SampledFrom([]any{1, 2, 0.5, 3}).Draw(t, k)
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
		s[k] = smallCounts.Draw(t, k)
	case "pattern":
		s[k] = somePatterns.Draw(t, k)
	case "format":
		s[k] = rapid.SampledFrom([]string{"duration", "ipv4", "nobody-knows"}).Draw(t, k)
	case "uniqueItems":
		s[k] = rapid.Bool().Draw(t, k)
	case "required":
		s[k] = distinct(someNames)
	case "properties", "dependentSchemas":
		s[k] = named(someNames)
	case "patternProperties":
		s[k] = named(somePatterns)
	case "dependentRequired", "dependencies":
		s[k] = map[string]any{someNames.Draw(t, "name"): distinct(someNames)}
	case "prefixItems", "allOf", "anyOf", "oneOf":
		s[k] = some(3)
	case "additionalProperties", "propertyNames", "items", "not", "unevaluatedProperties", "unevaluatedItems":
		s[k] = below()
	case "contains":
		s[k] = below()
		if rapid.Bool().Draw(t, "counted") {
			s[rapid.SampledFrom([]string{"minContains", "maxContains"}).Draw(t, "bound")] = smallCounts.Draw(t, "contains")
		}
	case "if":
		s["if"], s["then"], s["else"] = below(), below(), below()
	case "$ref":
		s[k] = rapid.SampledFrom([]string{"#/$defs/d", "#/$defs/e", "#"}).Draw(t, "ref")
	case "unknown":
		s["x-nobody-knows"] = rapid.IntRange(0, 2).Draw(t, k)
	}
}

// changed draws a schema that differs from another in a place or two.
func changed(t *rapid.T, v any, depth int) any {
	m, ok := v.(map[string]any)
	if !ok || depth <= 0 || rapid.IntRange(0, 7).Draw(t, "anew") == 0 {
		return anySchema(t, min(depth, 2))
	}
	m = maps.Clone(m)
	keys := slices.Sorted(maps.Keys(m))
	switch what := rapid.IntRange(0, 4).Draw(t, "change"); {
	case what == 0 || len(keys) == 0:
		addKeyword(t, m, min(depth, 2))
	case what == 1:
		delete(m, rapid.SampledFrom(keys).Draw(t, "gone"))
	default:
		k := rapid.SampledFrom(keys).Draw(t, "within")
		switch inner := m[k].(type) {
		case map[string]any:
			if k == "properties" || k == "patternProperties" || k == "dependentSchemas" || k == "$defs" {
				inner = maps.Clone(inner)
				if len(inner) == 0 {
					inner["a"] = anySchema(t, 1)
				}
				name := rapid.SampledFrom(slices.Sorted(maps.Keys(inner))).Draw(t, "name")
				if k != "$defs" && rapid.IntRange(0, 3).Draw(t, "drop") == 0 {
					delete(inner, name)
				} else {
					inner[name] = changed(t, inner[name], depth-1)
				}
				m[k] = inner
			} else if k != "const" && k != "dependentRequired" && k != "dependencies" {
				m[k] = changed(t, inner, depth-1)
			}
		case []any:
			if (k == "allOf" || k == "anyOf" || k == "oneOf" || k == "prefixItems") && len(inner) > 0 {
				inner = slices.Clone(inner)
				i := rapid.IntRange(0, len(inner)-1).Draw(t, "i")
				inner[i] = changed(t, inner[i], depth-1)
				m[k] = inner
			}
		case bool:
			if k != "uniqueItems" && k != "const" {
				m[k] = anySchema(t, 1)
			}
		default:
			addKeyword(t, m, 1)
		}
	}
	return m
}

// editions are two of a schema.
type editions struct{ was, is *profile.Schema }

// drawSchemas draws two editions of a schema, of those that can be one.
func drawSchemas(t *rapid.T) (was, is *profile.Schema) {
	two := rapid.Custom(drawEditions).Filter(func(e editions) bool { return e.was != nil && e.is != nil }).Draw(t, "editions")
	return two.was, two.is
}

func drawEditions(t *rapid.T) editions {
	first := map[string]any{"$defs": map[string]any{"d": anySchema(t, 2), "e": anySchema(t, 1)}}
	for range rapid.IntRange(1, 5).Draw(t, "keywords") {
		addKeyword(t, first, 3)
	}
	var second any = first
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		if m, ok := changed(t, second, 4).(map[string]any); ok {
			if m["$defs"] == nil {
				m["$defs"] = first["$defs"]
			}
			second = m
		}
	}
	return editions{fromValue(t, first), fromValue(t, second)}
}

// fromValue compiles a drawn schema; nil for one that none may be.
func fromValue(t *rapid.T, v any) *profile.Schema {
	src, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	s, err := profile.CompileSchema("x", src)
	if err != nil {
		return nil
	}
	return s
}

// What the check of compatibility lets pass, it lets pass for every value: where
// data is valid under one edition and not under the other, a break was found.
func TestCompatibilityIsSound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		was, is := drawSchemas(t)
		backward, forward := is.Against(was, profile.CompatibilityBackward), is.Against(was, profile.CompatibilityForward)
		both := is.Against(was, profile.CompatibilityFull)
		if (len(both) == 0) != (len(backward)+len(forward) == 0) {
			t.Fatalf("Full found %v, Backward %v, Forward %v", both, backward, forward)
		}
		if len(was.Against(was, profile.CompatibilityFull)) > 0 {
			t.Fatal("a schema breaks itself")
		}
		for range 12 {
			d := drawData(t)
			before, now := was.Validate(d) == nil, is.Validate(d) == nil
			if before && !now && len(backward) == 0 {
				t.Fatalf("%s was valid and is not:\n%s\n%s\n%v", profile.Canonical(d), text(was), text(is), is.Validate(d))
			}
			if now && !before && len(forward) == 0 {
				t.Fatalf("%s is valid and was not:\n%s\n%s\n%v", profile.Canonical(d), text(was), text(is), was.Validate(d))
			}
		}
	})
}

func drawData(t *rapid.T) profile.Data {
	src, err := json.Marshal(anyObject(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	d, err := profile.DecodeData(src)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func text(s *profile.Schema) string {
	src, err := s.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(src)
}
