package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Compatibility is what a schema promises about its next edition.
type Compatibility string

// The compatibilities.
const (
	CompatibilityNone     Compatibility = "None"     // nothing
	CompatibilityBackward Compatibility = "Backward" // data valid before stays valid
	CompatibilityForward  Compatibility = "Forward"  // data valid from now on was valid before
	CompatibilityFull     Compatibility = "Full"     // both
)

// Compatibilities lists every Compatibility.
func Compatibilities() []Compatibility {
	return []Compatibility{CompatibilityNone, CompatibilityBackward, CompatibilityForward, CompatibilityFull}
}

const compatibilityKey = "x-sluice-compatibility"

const (
	draft2020        = "https://json-schema.org/draft/2020-12/schema"
	maxSchemaNodes   = 10_000
	maxPatternLength = 1_000
	maxSchemaErrors  = 50
)

// ErrSchema is wrapped by every error of CompileSchema.
var ErrSchema = errors.New("schema")

// Schema is a compiled JSON Schema of draft 2020-12. It may be used by many goroutines.
type Schema struct {
	id            string
	compatibility Compatibility
	doc           map[string]any
	compiled      *jsonschema.Schema
}

// ID returns the schema's ID, such as payment-config.v1.
func (s *Schema) ID() string { return s.id }

// Compatibility returns what the schema declares as x-sluice-compatibility, None when it says nothing.
func (s *Schema) Compatibility() Compatibility { return s.compatibility }

// CompileSchema reads a schema from YAML or JSON. References stay inside the document: nothing is ever fetched or read.
// Size, pattern length and pattern cost are bounded, and dynamic references are not read. Errors wrap ErrSchema.
func CompileSchema(id string, src []byte) (*Schema, error) {
	s, problems := compileSchema(id, "", src, DefaultLimits())
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w %s: %w", ErrSchema, shorten(id), problems)
	}
	return s, nil
}

// CompileSchemaFile is CompileSchema for a file of the repository: its error is Problems, each at its place.
func CompileSchemaFile(id, path string, src []byte) (*Schema, error) {
	s, problems := compileSchema(id, path, src, DefaultLimits())
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// compileSchema is CompileSchema with the problems at their places in the file at path.
func compileSchema(id, path string, src []byte, lim Limits) (*Schema, Problems) {
	lim.MaxNodes = min(lim.MaxNodes, maxSchemaNodes)
	out := &collector{max: lim.MaxProblems}
	root := parseYAML(path, src, lim, out)
	if root == nil || len(out.errors) > 0 {
		out.errors.sort()
		return nil, out.errors
	}
	if err := ValidName(id); err != nil {
		out.add(root.at.problem("", err.Error()))
	}
	if root.kind != mapTree {
		out.add(root.at.problem("", "a schema must be an object, got "+root.typeName()))
		return nil, out.errors
	}
	s := &Schema{id: id, compatibility: CompatibilityNone}
	if f, ok := root.fields[compatibilityKey]; ok {
		text, isText := f.value.scalar.(string)
		s.compatibility = Compatibility(text)
		if !isText || !slices.Contains(Compatibilities(), s.compatibility) {
			out.add(f.value.at.problem("$."+compatibilityKey, oneOf("compatibility", text, Compatibilities())))
		}
	}
	checkSchemaTree(root, "$", out)
	if len(out.errors) > 0 {
		out.errors.sort()
		return nil, out.errors
	}
	s.doc, _ = root.value().(map[string]any)
	compiled, err := compileDocument(s.doc)
	if err != nil {
		out.add(root.at.problem("", schemaMessage(err)))
		return nil, out.errors
	}
	s.compiled = compiled
	return s, nil
}

// checkSchemaTree refuses what cannot be bounded or must not be read: other drafts, dynamic references, references that
// leave the document, long patterns. It looks at every map, also those that are data (enum, const), which costs nobody a schema.
func checkSchemaTree(t *tree, path string, out *collector) {
	for i, item := range t.items {
		checkSchemaTree(item, joinIndex(path, i), out)
	}
	for _, k := range t.keys {
		f := t.fields[k]
		at := joinKey(path, k)
		text, isText := f.value.scalar.(string)
		isText = isText && f.value.kind == scalarTree
		switch {
		case k == "$schema" && isText && strings.TrimSuffix(text, "#") != draft2020:
			out.add(f.value.at.problem(at, "only JSON Schema 2020-12 is read: "+draft2020))
		case k == "$vocabulary", k == "$dynamicRef" && isText, k == "$dynamicAnchor" && isText, k == "$recursiveRef" && isText:
			out.add(f.at.problem(at, k+" is not read: use $ref"))
		case k == "pattern" && isText:
			checkPattern(text, f.value.at, at, out)
		case k == "patternProperties" && f.value.kind == mapTree:
			for _, p := range f.value.keys {
				checkPattern(p, f.value.fields[p].at, joinKey(at, p), out)
			}
		}
		checkSchemaTree(f.value, at, out)
	}
}

func checkPattern(p string, at place, path string, out *collector) {
	if len(p) > maxPatternLength {
		out.add(at.problem(path, fmt.Sprintf("pattern has %d characters, at most %d are read", len(p), maxPatternLength)))
		return
	}
	if _, err := compilePattern(p); err != nil {
		out.add(at.problem(path, err.Error()))
	}
}

// noLoader refuses every reference that is not answered by the document itself.
type noLoader struct{}

// Load always fails.
func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references must stay inside the schema")
}

// compileDocument compiles under a URL of its own scheme. The library is young enough to be taken as able to panic on
// what it did not foresee; that is then an invalid schema.
func compileDocument(doc map[string]any) (s *jsonschema.Schema, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, errors.New("cannot be compiled")
		}
	}()
	c := newCompiler()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// schemaURL is what a document is called while it is compiled.
const schemaURL = "sluice:///schema"

// newCompiler returns a compiler that reads and fetches nothing.
func newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(compilePattern)
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "duration", Validate: durationFormat})
	return c
}

func durationFormat(v any) error {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	_, err := ParseDuration(s)
	return err
}

// schemaMessage turns the library's error into one line without its internal URL.
func schemaMessage(err error) string {
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if v, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			if found := flatten(v, nil); len(found) > 0 {
				return "not a valid JSON Schema: " + found[0].Path + ": " + found[0].Message
			}
		}
	}
	msg := strings.ReplaceAll(err.Error(), schemaURL, "")
	return shortenTo(strings.ReplaceAll(msg, "\n", "; "), 300)
}

// Validate returns what in d breaks the schema, ordered by path, at most fifty. A secret passes any schema for its
// place, because what it holds is not known here. Messages never repeat a string from the data.
func (s *Schema) Validate(d Data) []FieldError { return s.validate(d, true) }

// validate does so; mayHold is false for data that certainly holds no secrets.
func (s *Schema) validate(d Data, mayHold bool) []FieldError {
	doc, secrets := any(map[string]any(d)), map[string]bool(nil)
	if mayHold || d == nil {
		doc, secrets = openSecrets(any(cloneMap(d)), "", nil)
	}
	if err := checkCost(s.compiled, doc); err != nil {
		return []FieldError{{Path: "$", Message: err.Error()}}
	}
	err := s.run(doc)
	if err == nil {
		return nil
	}
	v, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []FieldError{{Path: "$", Message: err.Error()}}
	}
	var out []FieldError
	for _, e := range flatten(v, doc) {
		if secrets[strings.Join(e.keys, "\x00")] && !e.aboutKey || slices.ContainsFunc(out, func(o FieldError) bool { return o.Path == e.Path && o.Message == e.Message }) {
			continue
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
	return out[:min(len(out), maxSchemaErrors)]
}

func (s *Schema) run(doc any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the schema cannot be applied to this data")
		}
	}()
	return s.compiled.Validate(doc)
}

// openSecrets replaces each secret by an empty string and remembers where it stood.
func openSecrets(v any, path string, found map[string]bool) (any, map[string]bool) {
	if found == nil {
		found = map[string]bool{}
	}
	if isSecret(v) {
		found[path] = true
		return "", found
	}
	at := func(key string) string {
		if path == "" {
			return key
		}
		return path + "\x00" + key
	}
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k], _ = openSecrets(v[k], at(k), found)
		}
	case []any:
		for i := range v {
			v[i], _ = openSecrets(v[i], at(strconv.Itoa(i)), found)
		}
	}
	return v, found
}

var english = message.NewPrinter(language.English)

// flatten turns the library's tree of errors into one error a place: the leaves, except that alternatives (anyOf, oneOf) stay one error.
func flatten(e *jsonschema.ValidationError, doc any) []FieldError {
	at := func(message string, more ...string) FieldError {
		keys := append(slices.Clone(e.InstanceLocation), more...)
		return FieldError{Path: pathOf(keys, doc), Message: message, keys: keys}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var out []FieldError
		for _, p := range slices.Sorted(slices.Values(k.Properties)) {
			e := at(fmt.Sprintf("property %q is not in the schema", shorten(p)), p)
			e.aboutKey = true
			out = append(out, e)
		}
		return out
	case *kind.AnyOf:
		return []FieldError{at("fits none of the alternatives" + alternatives(e))}
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return []FieldError{at("fits more than one of the alternatives")}
		}
		return []FieldError{at("fits none of the alternatives" + alternatives(e))}
	case *kind.Format:
		return []FieldError{at("is not a valid " + k.Want)}
	case *kind.Pattern:
		return []FieldError{at("does not match the pattern " + shortenTo(k.Want, 120))}
	case *kind.PropertyNames:
		return []FieldError{at(fmt.Sprintf("property name %q is not allowed", shorten(k.Property)))}
	case *kind.FalseSchema:
		e := at("is not allowed")
		e.aboutKey = true
		return []FieldError{e}
	case *kind.Not:
		return []FieldError{at("is what the schema excludes (not)")}
	}
	if len(e.Causes) > 0 {
		var out []FieldError
		for _, c := range e.Causes {
			out = append(out, flatten(c, doc)...)
		}
		return out
	}
	return []FieldError{at(shortenTo(e.ErrorKind.LocalizedString(english), 300))}
}

// alternatives says briefly why each alternative failed.
func alternatives(e *jsonschema.ValidationError) string {
	var reasons []string
	for _, c := range e.Causes {
		if found := flatten(c, nil); len(found) > 0 && !slices.Contains(reasons, found[0].Message) {
			reasons = append(reasons, found[0].Message)
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	return ": " + strings.Join(reasons[:min(len(reasons), 3)], "; ")
}

// pathOf writes keys as a JSON path; doc tells indexes from keys that are digits.
func pathOf(keys []string, doc any) string {
	path := "$"
	for _, k := range keys {
		if list, ok := doc.([]any); ok {
			path += "[" + k + "]"
			doc = nil
			if i, err := strconv.Atoi(k); err == nil && i >= 0 && i < len(list) {
				doc = list[i]
			}
			continue
		}
		m, _ := doc.(map[string]any)
		doc = m[k]
		path = joinKey(path, k)
	}
	return path
}

// MarshalJSON writes the schema document.
func (s *Schema) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	writeMap(&b, s.doc)
	return b.Bytes(), nil
}

var _ json.Marshaler = (*Schema)(nil)
