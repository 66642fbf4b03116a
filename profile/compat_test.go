package profile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

// broken lists the places where is breaks with was, with a ~ before those that are only open names.
func broken(t *testing.T, was, is string, c profile.Compatibility) string {
	t.Helper()
	var out []string
	for _, b := range compile(t, is).Against(compile(t, was), c) {
		place := b.Path
		if b.OpenName {
			place = "~" + place
		}
		if b.Message == "" || b.Direction != c {
			t.Errorf("a finding that says nothing: %+v", b)
		}
		out = append(out, place)
	}
	return strings.Join(out, " ")
}

// Changes as people make them, and what they break. The soundness of the check
// is TestCompatibilityIsSound's; here is that it does not cry wolf.
func TestCompatibility(t *testing.T) {
	t.Parallel()
	const kinds = `{oneOf: [{required: [kind], properties: {kind: {const: a}, n: {type: integer}}, type: object}, {required: [kind], properties: {kind: {const: b}}, type: object}]}`
	for _, tc := range []struct{ rule, was, is, backward, forward string }{
		{"a new optional property of an open object concerns only data that has the name", `{properties: {a: {type: string}}}`, `{properties: {a: {type: string}, b: {type: string}}}`, "~$.properties.b", ""},
		{"a property taken out of an open object", `{properties: {a: true, b: {type: string}}}`, `{properties: {a: true}}`, "", "~$.properties.b"},
		{"a new property that asks for nothing", `{properties: {a: true}}`, `{properties: {a: true, b: {description: new}}}`, "", ""},
		{"a property of a value that was not described", `{properties: {a: true}}`, `{properties: {a: {properties: {b: {type: string}}}}}`, "$.properties.a.properties.b.type", ""},
		{"a new property that was required before it was described", `{required: [b], properties: {a: true}}`, `{required: [b], properties: {a: true, b: {type: string}}}`, "$.properties.b.type", ""},
		{"bounds of numbers that are whole", `{properties: {a: {type: integer, exclusiveMinimum: 0, maximum: 9.5}}}`, `{properties: {a: {type: integer, minimum: 1, exclusiveMaximum: 10}}}`, "", ""},
		{"a keyword for another type", `{properties: {a: {type: integer}}}`, `{properties: {a: {type: integer, minLength: 3}}}`, "", ""},
		{"a list of values in a type", `{properties: {a: {enum: [x, y]}}}`, `{properties: {a: {type: string, maxLength: 1}}}`, "", "$.properties.a.enum"},
		{"a value less", `{properties: {a: {enum: [x, y]}}}`, `{properties: {a: {enum: [x]}}}`, "$.properties.a.enum", ""},
		{"a list of values that has all there are", `{properties: {a: {type: boolean}}}`, `{properties: {a: {enum: [true, false]}}}`, "", ""},
		{"a format more", `{properties: {a: {type: string}}}`, `{properties: {a: {type: string, format: ipv4}}}`, "$.properties.a.format", ""},
		{"multiples", `{properties: {a: {multipleOf: 10}}}`, `{properties: {a: {multipleOf: 5}}}`, "", "$.properties.a.multipleOf"},
		{"fewer properties", `{maxProperties: 3}`, `{maxProperties: 2}`, "$.maxProperties", ""},
		{"required names are properties", `{required: [a, b]}`, `{required: [a, b], minProperties: 2}`, "", ""},
		{"moved to a definition", `{properties: {a: {type: string, maxLength: 3}}}`, `{properties: {a: {$ref: "#/$defs/t"}}, $defs: {t: {type: string, maxLength: 3}}}`, "", ""},
		{"a definition that changed", `{properties: {a: {$ref: "#/$defs/t"}}, $defs: {t: {maxLength: 3}}}`, `{properties: {a: {$ref: "#/$defs/t"}}, $defs: {t: {maxLength: 2}}}`, "$.properties.a.$ref.maxLength", ""},
		{"a definition with an odd name", `{properties: {a: {$ref: "#/$defs/x%20y~1z"}}, $defs: {"x y/z": {enum: [1, 2]}}}`, `{properties: {a: {$ref: "#/$defs/x%20y~1z"}}, $defs: {"x y/z": {enum: [1]}}}`, "$.properties.a", ""},
		{"a definition that nobody uses", `{$defs: {t: {maxLength: 3}}}`, `{$defs: {t: {maxLength: 2}}}`, "", ""},
		{"a tree that is wider at each level", `{properties: {v: {type: integer}, next: {$ref: "#"}}}`, `{properties: {v: {type: number}, next: {$ref: "#"}}}`, "", "$.properties.next.$ref.properties.v.type $.properties.v.type"},
		{"split by allOf", `{type: object, properties: {a: {type: string}}, required: [a]}`, `{allOf: [{type: object}, {properties: {a: {type: string}}}, {required: [a]}]}`, "", ""},
		{"an alternative more", `{properties: {a: {anyOf: [{type: string}, {type: integer}]}}}`, `{properties: {a: {anyOf: [{type: string}, {type: integer}, {type: 'null'}]}}}`, "", "$.properties.a.anyOf"},
		{"alternatives as a list of types", `{properties: {a: {anyOf: [{type: string}, {type: integer}]}}}`, `{properties: {a: {type: [string, integer]}}}`, "", ""},
		{"a kind more, told apart by a constant", kinds, strings.TrimSuffix(kinds, "]}") + `, {required: [kind], properties: {kind: {const: c}}, type: object}]}`, "", "$.oneOf"},
		{"a wider kind", kinds, strings.Replace(kinds, "n: {type: integer}", "n: {type: number}", 1), "", "$.oneOf"},
		{"what is excluded", `{properties: {a: {not: {type: [string, 'null']}}}}`, `{properties: {a: {not: {type: string}}}}`, "", "$.properties.a.not"},
		{"a condition that asks for less", `{if: {required: [a]}, then: {required: [b, c]}}`, `{if: {required: [a]}, then: {required: [b]}}`, "", "$.then.required"},
		{"names that a pattern has", `{patternProperties: {"^n": {type: integer}}, additionalProperties: false}`, `{patternProperties: {"^n": {type: number}}, additionalProperties: false}`, "", `$.patternProperties["^n"].type`},
		{"a pattern's name, described", `{patternProperties: {"^n": {type: integer}}, additionalProperties: false}`, `{properties: {n1: {type: integer}}, patternProperties: {"^n": {type: integer}}, additionalProperties: false}`, "", ""},
		{"a place in a list", `{properties: {a: {prefixItems: [{type: string}], items: {type: integer}, maxItems: 3}}}`, `{properties: {a: {prefixItems: [{type: string}, {type: integer}, {type: integer}], items: false}}}`, "", "$.properties.a.maxItems"},
		{"how many contain it", `{properties: {a: {contains: {const: 1}, minContains: 2}}}`, `{properties: {a: {contains: {const: 1}}}}`, "", "$.properties.a.contains"},
		{"required together", `{dependentRequired: {a: [b, c]}}`, `{dependentRequired: {a: [b]}}`, "", "$.dependentRequired.a"},
		{"what rests on everything cannot be told", `{unevaluatedProperties: false, properties: {a: true}}`, `{unevaluatedProperties: false, properties: {a: true, b: true}}`, "$.unevaluatedProperties", "$.unevaluatedProperties"},
		{"anchors are not followed", `{properties: {a: {$anchor: x}}}`, `{properties: {a: {$anchor: y}}}`, "$", "$"},
		{"a word that is no keyword", `{x-owner: a}`, `{x-owner: b}`, "", ""},
		{"numbers are compared as they are written", `{properties: {a: {maximum: 9007199254740993}}}`, `{properties: {a: {maximum: 9007199254740992}}}`, "$.properties.a.maximum", ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			if got := broken(t, tc.was, tc.is, profile.CompatibilityBackward); got != tc.backward {
				t.Errorf("Backward: got %q, want %q", got, tc.backward)
			}
			if got := broken(t, tc.was, tc.is, profile.CompatibilityForward); got != tc.forward {
				t.Errorf("Forward: got %q, want %q", got, tc.forward)
			}
			if got := broken(t, tc.was, tc.is, profile.CompatibilityNone); got != "" {
				t.Errorf("None: got %q", got)
			}
		})
	}
}

func TestCompatibilityWords(t *testing.T) {
	t.Parallel()
	was := compile(t, `{required: [a], properties: {a: {maximum: 5, type: number}, b: {enum: [x, y]}, c: true}, additionalProperties: false}`)
	is := compile(t, `{required: [a, b], properties: {a: {maximum: 4, type: integer}, b: {enum: [x]}}, additionalProperties: false}`)
	var lines []string
	for _, b := range is.Against(was, profile.CompatibilityBackward) {
		lines = append(lines, b.Path+": "+b.Message)
	}
	want := `$.properties.a.maximum: maximum is 4 in this version, 5 in the version before
$.properties.a.type: numbers that are not whole are allowed by the version before and not by this version
$.properties.b.enum: "y" is allowed by the version before and not by this version
$.properties.c: is allowed by the version before and not by this version
$.required: b is required by this version and not by the version before`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Schemas that would take a comparison for ever are found too large instead.
func TestCompatibilityIsBounded(t *testing.T) {
	t.Parallel()
	doubling := func(leaf string) string {
		var b strings.Builder
		for i := range 40 {
			fmt.Fprintf(&b, `"d%d": {"anyOf": [{"properties": {"a": {"$ref": "#/$defs/d%d"}}}, {"properties": {"b": {"$ref": "#/$defs/d%d"}}}]}, `, i, i+1, i+1)
		}
		return `{"$ref": "#/$defs/d0", "$defs": {` + b.String() + `"d40": ` + leaf + `}}`
	}
	wide := func(n int) string {
		var b strings.Builder
		for i := range 300 {
			fmt.Fprintf(&b, `"k%d": {"enum": [1,2,3,4,%d]}, `, i, n)
		}
		return `{"properties": {` + b.String() + `"z": true}, "patternProperties": {"^a": {"maxLength": 1}, "^k": {"type": "integer"}}}`
	}
	for rule, tc := range map[string]struct{ was, is string }{
		"alternatives that double":  {doubling(`{"maxLength": 3}`), doubling(`{"maxLength": 2}`)},
		"many names, many patterns": {wide(5), wide(6)},
	} {
		t.Run(rule, func(t *testing.T) { // without bounds it would not end before the test does
			if found := compile(t, tc.is).Against(compile(t, tc.was), profile.CompatibilityFull); !profile.Broken(found) {
				t.Error("nothing was found")
			}
		})
	}
}
