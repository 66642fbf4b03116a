package profile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxCompatSteps bounds one comparison of two schemas: past it, they are found too different to be compared.
const maxCompatSteps = 20_000

// narrowed returns where data that is valid under wide may not be valid under narrow.
//
// It is a proof by cases: a schema is implied when each of its keywords is implied by what is known of the value, which
// is a list of schemas that all hold. A keyword of the known ones that is not understood is only less known, one of
// the schema to be implied that is not understood is a break.
func narrowed(wide, narrow *Schema, direction Compatibility) (found []SchemaBreak) {
	c := &compat{direction: direction, wide: "the version before", narrow: "this version", proving: map[string]int{}, equal: map[[2]nodePlace]bool{}}
	if direction == CompatibilityForward {
		c.wide, c.narrow = c.narrow, c.wide
	}
	w, n := &schemaDoc{root: wide.doc}, &schemaDoc{root: narrow.doc}
	if sameMeaning(wide.doc, narrow.doc) {
		return nil
	}
	for _, doc := range []map[string]any{wide.doc, narrow.doc} {
		if word := ownBase(doc, true); word != "" {
			c.fail("$", "%s inside of a schema is not followed: whether data stays valid cannot be told", word)
			return c.found
		}
	}
	if n.loops() {
		c.fail("$", "%s refers to itself without going deeper into the data ($ref loop)", c.narrow)
		return c.found
	}
	c.implies("$", 0, []schemaNode{{doc: w, v: wide.doc}}, schemaNode{doc: n, v: narrow.doc})
	if c.steps > maxCompatSteps {
		c.found = []SchemaBreak{{Path: "$", Message: "the two are too large to be compared", Direction: direction}}
	}
	return c.found
}

// ownBase returns the keyword by which a part of a schema changes what references mean, "" when none does.
func ownBase(v any, root bool) string {
	switch v := v.(type) {
	case map[string]any:
		for _, word := range []string{"$id", "$anchor"} {
			if _, text := v[word].(string); text && !(root && word == "$id") {
				return word
			}
		}
		for _, k := range sortedKeys(v) {
			if word := ownBase(v[k], false); word != "" {
				return word
			}
		}
	case []any:
		for _, item := range v {
			if word := ownBase(item, false); word != "" {
				return word
			}
		}
	}
	return ""
}

// compat is one comparison.
type compat struct {
	direction    Compatibility
	wide, narrow string // what people call the two
	found        []SchemaBreak
	steps        int
	// proving are the claims under way, with how deep in the data each was begun: a schema that refers to itself is
	// compared once a level.
	proving map[string]int
	equal   map[[2]nodePlace]bool // pairs of schemas that were found the same, or not
}

// fail reports that narrow is not implied, and is always false.
func (c *compat) fail(path, format string, args ...any) bool {
	return c.report(SchemaBreak{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (c *compat) report(b SchemaBreak) bool {
	b.Direction, b.Message = c.direction, printable(shortenTo(b.Message, 300))
	if len(c.found) < maxSchemaErrors {
		c.found = append(c.found, b)
	}
	return false
}

// quietly says whether something can be proved, and reports nothing.
func (c *compat) quietly(prove func() bool) bool {
	kept := c.found
	c.found = nil
	ok := prove()
	c.found = kept
	return ok
}

// implies proves that a value for which every one of known holds is valid under want, or reports at path why not.
// Depth is how deep the value lies in the data.
func (c *compat) implies(path string, depth int, known []schemaNode, want schemaNode) bool {
	if c.steps++; c.steps > maxCompatSteps {
		return false
	}
	facts := takeApart(known)
	if facts.none || want.trivial() || facts.types() == 0 {
		return true
	}
	if want.v == false {
		return c.fail(path, "is allowed by %s and not by %s", c.wide, c.narrow)
	}
	if slices.ContainsFunc(facts.parts, func(p schemaNode) bool { return c.same(p, want) }) {
		return true
	}
	claim := facts.key() + " => " + want.key()
	if begun, under := c.proving[claim]; under {
		if depth > begun {
			return true // by induction over the depth of the data
		}
		return c.fail(path, "refers to itself without going deeper into the data")
	}
	c.proving[claim] = depth
	defer delete(c.proving, claim)
	if done, ok := c.oneByOne(path, facts, want); done {
		return ok
	}
	before := len(c.found)
	if c.directly(path, depth, facts, want) {
		return true
	}
	if c.byCases(path, depth, facts, want) {
		c.found = c.found[:min(before, len(c.found))]
		return true
	}
	return false
}

// oneByOne tries every value when there are only few. Done is false when there are others.
func (c *compat) oneByOne(path string, facts facts, want schemaNode) (done, ok bool) {
	values, few := facts.values()
	if !few {
		return false, false
	}
	c.steps += len(values)
	for _, word := range []string{"enum", "const"} {
		if want.has(word) {
			path = joinKey(path, word)
			break
		}
	}
	ok = true
	for _, v := range values {
		if !want.holds(v) {
			ok = c.fail(path, "%s is allowed by %s and not by %s", shorten(string(canonicalValue(v))), c.wide, c.narrow)
		}
	}
	return true, ok
}

// byCases proves want for each alternative of an anyOf or oneOf that is known.
func (c *compat) byCases(path string, depth int, facts facts, want schemaNode) bool {
	for i, p := range facts.parts {
		for _, word := range []string{"anyOf", "oneOf"} {
			cases := p.list(word)
			if len(cases) == 0 || p.split != "" {
				continue
			}
			rest := slices.Clone(facts.parts)
			rest[i].split = word
			return c.quietly(func() bool {
				for _, one := range cases {
					if !c.implies(path, depth, append(slices.Clone(rest), one), want) {
						return false
					}
				}
				return true
			})
		}
	}
	return false
}

// directly proves want keyword by keyword.
func (c *compat) directly(path string, depth int, facts facts, want schemaNode) bool {
	ok := true
	types := facts.types()
	obj, _ := want.v.(map[string]any)
	for _, k := range sortedKeys(obj) {
		if domain, limited := keywordDomain[k]; limited && types&domain == 0 {
			continue // it says nothing of such values
		}
		prove, known := keywordProofs[k]
		if !known {
			continue // no keyword: it says nothing
		}
		if !prove(c, spot{joinKey(path, k), path, depth}, facts, want) {
			ok = false
		}
	}
	return ok
}

// spot is where a keyword stands: its own path, that of its schema, and how deep in the data.
type spot struct {
	at, schema string
	depth      int
}

// keywordProofs prove the keywords of a schema. A keyword that is not here asserts nothing: the validator does not know it
// either.
var keywordProofs map[string]func(*compat, spot, facts, schemaNode) bool

func init() {
	keywordProofs = map[string]func(*compat, spot, facts, schemaNode) bool{
		"type": proveType, "enum": proveValues, "const": proveValues,
		"minimum": proveLower, "exclusiveMinimum": proveLower, "maximum": proveUpper, "exclusiveMaximum": proveUpper, "multipleOf": proveMultiple,
		"minLength": proveLeast, "minItems": proveLeast, "minProperties": proveLeast,
		"maxLength": proveMost, "maxItems": proveMost, "maxProperties": proveMost,
		"pattern": proveSameText, "format": proveSameText, "uniqueItems": proveUnique,
		"required": proveRequired, "properties": proveProperties, "patternProperties": provePatterns, "additionalProperties": proveAdditional,
		"propertyNames": proveNames, "dependentRequired": proveDependentRequired, "dependentSchemas": proveDependentSchemas,
		"prefixItems": provePrefix, "items": proveItems, "contains": proveContains,
		"$ref": proveRef, "allOf": proveAllOf, "anyOf": proveAnyOf, "oneOf": proveOneOf, "not": proveNot, "if": proveIf,
		"unevaluatedProperties": proveUnevaluated, "unevaluatedItems": proveUnevaluated,
		"dependencies": proveUnknown, "additionalItems": proveUnknown, "$recursiveRef": proveUnknown, "$dynamicRef": proveUnknown,
	}
}

// keywordDomain are the types that a keyword says something of; the others say it of every value.
var keywordDomain = map[string]typeSet{
	"minimum": numberTypes, "exclusiveMinimum": numberTypes, "maximum": numberTypes, "exclusiveMaximum": numberTypes, "multipleOf": numberTypes,
	"minLength": stringType, "maxLength": stringType, "pattern": stringType,
	"minItems": arrayType, "maxItems": arrayType, "uniqueItems": arrayType, "prefixItems": arrayType, "items": arrayType, "contains": arrayType,
	"unevaluatedItems": arrayType,
	"minProperties":    objectType, "maxProperties": objectType, "required": objectType, "properties": objectType, "patternProperties": objectType,
	"additionalProperties": objectType, "propertyNames": objectType, "dependentRequired": objectType, "dependentSchemas": objectType,
	"unevaluatedProperties": objectType,
}

func proveUnknown(c *compat, at spot, _ facts, _ schemaNode) bool {
	return c.fail(at.at, "is not understood here: whether data stays valid cannot be told")
}

func proveUnevaluated(c *compat, at spot, _ facts, want schemaNode) bool {
	key := at.at[len(at.schema)+1:]
	if want.child(key).trivial() {
		return true
	}
	return c.fail(at.at, "rests on everything beside it, which changed: whether data stays valid cannot be told")
}

// sameMeaning compares two schemas without what says nothing about what is valid.
func sameMeaning(a, b map[string]any) bool {
	bare := func(m map[string]any) map[string]any {
		m = maps.Clone(m)
		for _, k := range annotations {
			delete(m, k)
		}
		return m
	}
	return equalValues(bare(a), bare(b))
}

// annotations say nothing about what is valid.
var annotations = []string{
	"$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", compatibilityKey,
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func names(list []string) string { return strings.Join(list, ", ") }
