package profile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

func compile(t *testing.T, src string) *profile.Schema {
	t.Helper()
	s, err := profile.CompileSchema("test.v1", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaValidate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ rule, schema, data, want string }{
		{"valid data has no errors", `{type: object}`, `{"a": 1}`, ""},
		{"1.0 is an integer", `{properties: {a: {type: integer}}}`, `{"a": 1.0}`, ""},
		{"a type error names the path", `{properties: {a: {items: {type: string}}}}`, `{"a": ["x", 1]}`, "$.a[1]: got number, want string"},
		{"a key of digits is no index", `{properties: {"1": {type: string}}}`, `{"1": 1}`, `$["1"]: got number, want string`},
		{"a missing property is an error of its object", `{properties: {a: {required: [b]}}}`, `{"a": {}}`, "$.a: missing property 'b'"},
		{"each property too many is an error of its own", `{additionalProperties: false}`, `{"b": 1, "a": 1}`, "$.a: property \"a\" is not in the schema\n$.b: property \"b\" is not in the schema"},
		{"a pattern does not show the value", `{properties: {a: {pattern: "^x"}}}`, `{"a": "s3cret"}`, "$.a: does not match the pattern ^x"},
		{"a format does not show the value", `{properties: {a: {format: ipv4}}}`, `{"a": "s3cret"}`, "$.a: is not a valid ipv4"},
		{"a duration reads both ways", `{properties: {a: {format: duration}, b: {format: duration}, c: {format: duration}}}`, `{"a": "5m", "b": "PT5M", "c": 5}`, ""},
		{"alternatives are one error with reasons", `{properties: {a: {oneOf: [{type: string}, {type: boolean}]}}}`, `{"a": 1}`, "$.a: fits none of the alternatives: got number, want string; got number, want boolean"},
		{"two alternatives that fit", `{properties: {a: {oneOf: [{type: number}, {minimum: 0}]}}}`, `{"a": 1}`, "$.a: fits more than one of the alternatives"},
		{"not", `{properties: {a: {not: {const: 1}}}}`, `{"a": 1}`, "$.a: is what the schema excludes (not)"},
		{"false", `{properties: {a: false}}`, `{"a": 1}`, "$.a: is not allowed"},
		{"property names", `{propertyNames: {maxLength: 1}}`, `{"ab": 1}`, `$: property name "ab" is not allowed`},
		{"a reference inside the document", `{properties: {a: {$ref: "#/$defs/n"}}, $defs: {n: {type: number}}}`, `{"a": "x"}`, "$.a: got string, want number"},
		{"recursion goes as deep as the data", `{properties: {a: {$ref: "#"}, b: {type: number}}}`, `{"a": {"a": {"b": "x"}}}`, "$.a.a.b: got string, want number"},
		{"a reference to a secret fits any schema", `{properties: {a: {type: number}, b: {pattern: "^x"}, c: {type: array, items: {minLength: 3}}}}`, `{"a": {"$secret": "env:A"}, "b": {"type": "secret", "value": "y"}, "c": [{"$secret": "env:A"}]}`, ""},
		{"a secret that is not expected at all is still an error", `{additionalProperties: false}`, `{"a": {"$secret": "env:A"}}`, "$.a: property \"a\" is not in the schema"},
		{"conditions", `{if: {required: [a]}, then: {required: [b]}}`, `{"a": 1}`, "$: missing property 'b'"},
		{"pattern properties", `{patternProperties: {"^n": {type: number}}}`, `{"n1": "x", "x": "x"}`, "$.n1: got string, want number"},
		{"dependent schemas", `{dependentSchemas: {a: {required: [b]}}}`, `{"a": 1}`, "$: missing property 'b'"},
		{"tuples, contains and the rest", `{properties: {a: {prefixItems: [{type: number}], items: {type: string}, contains: {const: z}}}}`, `{"a": [1, "z"]}`, ""},
		{"unevaluated properties", `{allOf: [{properties: {a: true}}], unevaluatedProperties: false}`, `{"a": 1, "b": 1}`, "$.b: is not allowed"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			d := data(t, tc.data)
			before := profile.Hash(d)
			var lines []string
			for _, e := range compile(t, tc.schema).Validate(d) {
				lines = append(lines, e.Error())
			}
			if got := strings.Join(lines, "\n"); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			if profile.Hash(d) != before {
				t.Error("Validate changed the data")
			}
		})
	}
}

func TestSchemaErrorsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	got := compile(t, `additionalProperties: false`).Validate(data(t, `{"a":1`+b.String()+`}`))
	if len(got) != 50 {
		t.Errorf("%d errors", len(got))
	}
}

func TestSchemaCompatibilityWord(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]profile.Compatibility{
		`{}`: profile.CompatibilityNone, `x-sluice-compatibility: Full`: profile.CompatibilityFull,
	} {
		s := compile(t, src)
		if s.Compatibility() != want || s.ID() != "test.v1" {
			t.Errorf("%s: %s %s", src, s.ID(), s.Compatibility())
		}
	}
	out, err := json.Marshal(compile(t, "type: object\nminProperties: 1.0\n"))
	if err != nil || string(out) != `{"minProperties":1,"type":"object"}` {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestCompileSchemaRefuses(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}()
	go func() {
		if c, err := listener.Accept(); err == nil {
			t.Error("a schema made a connection")
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	for rule, tc := range map[string]struct{ src, want string }{
		"a reference to a host":            {fmt.Sprintf(`{"$ref": "http://%s/x.json"}`, listener.Addr()), "must stay inside the schema"},
		"a reference to a file":            {`{"$ref": "file:///etc/passwd"}`, "must stay inside the schema"},
		"a reference to a neighbour":       {`{"$ref": "other.json"}`, "must stay inside the schema"},
		"a reference to nothing":           {`{"$ref": "#/$defs/x"}`, "not found"},
		"an $id that moves the base":       {`{"$id": "http://x.example/a", "$ref": "b"}`, "must stay inside the schema"},
		"an $id used twice":                {`{"$defs": {"a": {"$id": "http://x/y"}, "b": {"$id": "http://x/y"}}}`, "duplicate"},
		"another draft":                    {`{"$schema": "http://json-schema.org/draft-07/schema#"}`, "only JSON Schema 2020-12"},
		"another draft inside":             {`{"properties": {"a": {"$schema": "http://json-schema.org/draft-04/schema#"}}}`, "only JSON Schema 2020-12"},
		"a metaschema of its own":          {`{"$schema": "http://x.example/meta"}`, "only JSON Schema 2020-12"},
		"a dynamic reference":              {`{"$dynamicRef": "#a", "$dynamicAnchor": "a"}`, "$dynamicRef is not read"},
		"a vocabulary":                     {`{"$vocabulary": {}}`, "$vocabulary is not read"},
		"an unknown type":                  {`{"type": "strng"}`, "not a valid JSON Schema"},
		"a list":                           {`[]`, "must be an object"},
		"no JSON or YAML":                  {`{"a": `, "YAML syntax"},
		"an unknown compatibility":         {`x-sluice-compatibility: Backwards`, "did you mean Backward?"},
		"a pattern that is not RE2":        {`{"pattern": "(?=a)"}`, "not valid RE2"},
		"a pattern property that is not":   {`{"patternProperties": {"(?!a)": true}}`, "not valid RE2"},
		"a pattern of 1 MiB":               {`{"pattern": "` + strings.Repeat("a", 900_000) + `"}`, "at most 1000"},
		"repetitions that multiply":        {`{"pattern": "(a{1000}){1000}"}`, "pattern"},
		"repetitions that Go would take":   {`{"pattern": "(a{30}){30}(b{60}){15}(c{100}){10}(d{500}){2}(e{1000})(f{1000})(g{900})"}`, "pattern is too large"},
		"ten thousand values":              {`{"enum": [` + strings.Repeat("1,", 10_001) + `1]}`, "more than 10000 values"},
		"an alias inside its own anchor":   {"a: &a [*a]\n", "inside its own anchor"},
		"a duplicate key":                  {"type: object\ntype: object\n", "duplicate key"},
		"more than 1 MiB":                  {"a: " + strings.Repeat("x", 1<<20), "at most 1048576"},
		"an in-place loop is found by use": {`{"type": 5}`, "not a valid JSON Schema"},
	} {
		t.Run(rule, func(t *testing.T) {
			s, err := profile.CompileSchema("x", []byte(tc.src))
			if !errors.Is(err, profile.ErrSchema) || s != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		})
	}
	if _, err := profile.CompileSchema("../x", []byte("{}")); err == nil {
		t.Error("a path passed as an ID")
	}
	if _, err := profile.CompileSchemaFile("x", "schemas/x.yaml", []byte("type: object\npattern: '('\n")); err == nil || !strings.HasPrefix(err.Error(), "schemas/x.yaml:2:10: ") {
		t.Errorf("got %v", err)
	}
	if s, err := profile.CompileSchemaFile("x", "schemas/x.json", []byte("{\n\t\"type\":\t\"object\",\n\t\"title\": \"a\\/b \\u00e9 \\ud83d\\ude00 \\\\ud83d\"\n}\n")); err != nil || s.ID() != "x" {
		t.Errorf("JSON with tabs and escapes: %v", err)
	}
}

// TestSchemaCostIsBounded applies schemas that would take the validator for ever. That they return at all is the test.
func TestSchemaCostIsBounded(t *testing.T) {
	t.Parallel()
	var chain strings.Builder // each level is applied twice by the one above
	for i := range 60 {
		fmt.Fprintf(&chain, `"d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}, `, i, i+1, i+1)
	}
	deep := strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50)
	var wide strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&wide, `,"k%d": "%s"`, i, strings.Repeat("a", 500))
	}
	for rule, tc := range map[string]struct{ schema, data, want string }{
		"alternatives that double 60 times":    {`{"$ref": "#/$defs/d0", "$defs": {` + chain.String() + `"d60": true}}`, `{"a": 1}`, "too many steps"},
		"recursion that triples at each level": {`{"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]}`, deep, "too many steps"},
		"a $ref loop":                          {`{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}`, `{}`, "$ref loop"},
		"a $ref to itself":                     {`{"$ref": "#"}`, `{}`, "$ref loop"},
		"a $ref loop at a plain value":         {`{"properties": {"a": {"allOf": [{"$ref": "#/properties/a"}]}}}`, `{"a": 1}`, "$ref loop"},
		"a loop below a dependent schema":      {`{"dependentSchemas": {"a": {"$ref": "#"}}}`, `{"a": 1}`, "$ref loop"},
		"a large pattern on large text":        {`{"properties": {"a": {"pattern": "a{900}"}}}`, `{"a": "` + strings.Repeat("a", 500_000) + `"}`, "too many steps"},
		"many patterns on many keys":           {`{"patternProperties": {"a{900}": true, "b{900}": true, "c{900}": true, "d{900}": true, "e{900}": true, "f{900}": true}}`, `{"x": 1` + wide.String() + `}`, "too many steps"},
		"a large enum on many values":          {`{"properties": {"a": {"items": {"enum": [` + strings.Repeat("1,", 5000) + `2]}}}}`, `{"a": [` + strings.Repeat("3,", 20_000) + `3]}`, "too many steps"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			got := compile(t, tc.schema).Validate(data(t, tc.data))
			if len(got) != 1 || !strings.Contains(got[0].Message, tc.want) {
				t.Errorf("got %v, want %q", got, tc.want)
			}
		})
	}
	// What is large but plain passes.
	if got := compile(t, `{"properties": {"a": {"items": {"type": "number", "minimum": 0}}}}`).Validate(data(t, `{"a": [`+strings.Repeat("3,", 40_000)+`3]}`)); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestSchemaBreaks(t *testing.T) {
	t.Parallel()
	const from = "type: object\nrequired: [a]\nproperties: {a: {type: integer, minimum: 1, maximum: 9}, b: {enum: [x, y]}, c: {type: [string, 'null'], pattern: p}}\n"
	for _, tc := range []struct {
		rule, was, is     string
		backward, forward string // paths that break, joined by a space
	}{
		{"nothing changed", from, from, "", ""},
		{"a title says nothing", "title: a\n", "title: b\n", "", ""},
		{"a new optional property", "properties: {a: true}\n", "properties: {a: true, b: {type: string}}\n", "", ""},
		{"a new optional property of a closed schema", "additionalProperties: false\nproperties: {a: true}\n", "additionalProperties: false\nproperties: {a: true, b: {type: string}}\n", "", "$.properties.b"},
		{"a property gone from a closed schema", "additionalProperties: false\nproperties: {a: true, b: true}\n", "additionalProperties: false\nproperties: {a: true}\n", "$.properties.b", ""},
		{"a new required property", "required: [a]\n", "required: [a, b]\n", "$.required", ""},
		{"a required property becomes optional", "required: [a]\n", "{}\n", "", "$.required"},
		{"another type", "type: string\n", "type: number\n", "$.type", "$.type"},
		{"integer to number widens", "type: integer\n", "type: number\n", "", "$.type"},
		{"one more type widens", "type: string\n", "type: [string, 'null']\n", "", "$.type"},
		{"a type where there was none", "{}\n", "type: string\n", "$.type", ""},
		{"one more enum value widens", "enum: [a]\n", "enum: [a, b]\n", "", "$.enum"},
		{"a tighter minimum", "minimum: 1\n", "minimum: 2\n", "$.minimum", ""},
		{"a looser maximum", "maximum: 1\n", "maximum: 2\n", "", "$.maximum"},
		{"a bound where there was none", "{}\n", "maxLength: 2\n", "$.maxLength", ""},
		{"closing an open schema", "{}\n", "additionalProperties: false\n", "$.additionalProperties", ""},
		{"opening a schema in part", "additionalProperties: false\n", "additionalProperties: {type: string}\n", "", "$.additionalProperties"},
		{"a narrower schema for other names", "additionalProperties: {type: [string, number]}\n", "additionalProperties: {type: string}\n", "$.additionalProperties.type", ""},
		{"a name taken out of the others", "additionalProperties: {type: string}\n", "additionalProperties: {type: string}\nproperties: {a: {type: number}}\n", "$.properties.a.type", "$.properties.a.type"},
		{"inside items", "items: {type: string}\n", "items: {type: string, maxLength: 3}\n", "$.items.maxLength", ""},
		{"another pattern cannot be judged", "pattern: a\n", "pattern: b\n", "$.pattern", "$.pattern"},
		{"a pattern gone widens", "pattern: a\n", "{}\n", "", "$.pattern"},
		{"a bound that is no number on one side", "minimum: 1\n", "exclusiveMinimum: 1\n", "$.exclusiveMinimum", ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			for mode, want := range map[string]string{"Backward": tc.backward, "Forward": tc.forward, "None": "", "Full": "*"} {
				was := compile(t, merged(tc.was, mode))
				var paths []string
				for _, e := range compile(t, merged(tc.is, mode)).Breaks(was) {
					paths = append(paths, e.Path)
				}
				got := strings.Join(paths, " ")
				if want == "*" {
					if (got == "") != (tc.backward == "" && tc.forward == "") {
						t.Errorf("Full: %q", got)
					}
				} else if got != want {
					t.Errorf("%s: got %q, want %q", mode, got, want)
				}
			}
		})
	}
}

func merged(src, mode string) string {
	if strings.TrimSpace(src) == "{}" {
		src = ""
	}
	return "x-sluice-compatibility: " + mode + "\n" + src
}
