package openapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schemas makes the schemas of Go types. Each struct type becomes a component
// that others refer to.
type Schemas struct {
	comments Comments
	texts    map[string]string   // what fields mean that have no comment, by "Component.field" or "field"
	enums    map[string][]string // of "Component.field", the values it may have
	names    map[reflect.Type]string
	made     map[string]*Schema
	sent     map[string]bool // components that are within requests
}

// NewSchemas makes schemas that carry the comments, or else the texts by field
// or by component and field, as in "Config.environment", and the values of enums
// by component and field.
func NewSchemas(comments Comments, texts map[string]string, enums map[string][]string) *Schemas {
	return &Schemas{
		comments: comments, texts: texts, enums: enums, names: map[reflect.Type]string{}, made: map[string]*Schema{},
		sent: map[string]bool{},
	}
}

const componentPrefix = "#/components/schemas/"

// Component is the component that a schema refers to, "" when it refers to none.
func Component(s *Schema) string {
	name, ok := strings.CutPrefix(s.Ref, componentPrefix)
	if !ok {
		return ""
	}
	return name
}

// Of is the schema of a value's type.
func (s *Schemas) Of(value any) (*Schema, error) {
	t := reflect.TypeOf(value)
	if err := s.collect(t); err != nil {
		return nil, err
	}
	return s.schema(t, nil)
}

// Request is the schema of what is sent: it and all within say whether the
// server refuses fields that they do not name, or, lenient, leaves them alone.
func (s *Schemas) Request(value any, lenient bool) (*Schema, error) {
	out, err := s.Of(value)
	if err != nil {
		return nil, err
	}
	others := &Schema{} // any
	if !lenient {
		others = &Schema{Not: &Schema{}} // none
	}
	s.letOthers(out, others)
	return out, nil
}

func (s *Schemas) letOthers(one, others *Schema) {
	for part := range parts(one) {
		name := Component(part)
		if name == "" || s.sent[name] {
			continue
		}
		s.sent[name] = true
		s.made[name].AdditionalProperties = others
		s.letOthers(s.made[name], others)
	}
}

// Components are all structs that were met.
func (s *Schemas) Components() map[string]*Schema { return s.made }

// collect names every struct type within t, and makes its component.
func (s *Schemas) collect(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return s.collect(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	if _, done := s.names[t]; done || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	name := nameOf(t)
	if s.made[name] != nil {
		return fmt.Errorf("openapi: two types are called %s", name)
	}
	s.names[t], s.made[name] = name, &Schema{}
	for _, field := range fieldsOf(t) {
		if err := s.collect(field.Type); err != nil {
			return err
		}
	}
	made, err := s.schema(t, t)
	if err != nil {
		return err
	}
	*s.made[name] = *made
	return s.describe(t, s.made[name])
}

// nameOf is the type's name; Page[Config] is ConfigPage.
func nameOf(t reflect.Type) string {
	name, of, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return name
	}
	of = strings.TrimSuffix(of, "]")
	return of[strings.LastIndexAny(of, "./")+1:] + name
}

// fieldsOf are the fields that are in the JSON of a struct, those of embedded
// structs among them.
func fieldsOf(t reflect.Type) []reflect.StructField {
	var out []reflect.StructField
	for _, field := range reflect.VisibleFields(t) {
		if !field.Anonymous && field.IsExported() && field.Tag.Get("json") != "-" {
			out = append(out, field)
		}
	}
	return out
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" {
		return field.Name
	}
	return name
}

// schema is the schema of a type, in which all structs but the one given are
// references.
func (s *Schemas) schema(t, but reflect.Type) (*Schema, error) {
	known := map[reflect.Type]*Schema{
		reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time"},
		reflect.TypeFor[json.RawMessage](): {Description: "Any JSON."}, // not empty: generators stumble over a schema that is true
		reflect.TypeFor[[]byte]():          {Type: "string", ContentEncoding: "base64"},
		reflect.TypeFor[int64]():           {Type: "integer", Format: "int64"},
	}
	embedded := map[reflect.Type]bool{}
	if but != nil {
		for _, field := range reflect.VisibleFields(but) {
			embedded[field.Type] = embedded[field.Type] || field.Anonymous
		}
	}
	for one, name := range s.names {
		if one != but && !embedded[one] {
			known[one] = &Schema{Ref: componentPrefix + name}
		}
	}
	out, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, fmt.Errorf("openapi: schema of %s: %w", t, err)
	}
	for part := range parts(out) {
		notNull(part)
	}
	if t.Kind() == reflect.Struct && but != nil {
		out.AdditionalProperties = nil // a later server may say more
	}
	return out, nil
}

// notNull: what is not there is left out of the JSON, and never null. The test
// of every answer holds the code to it.
func notNull(s *Schema) {
	types := slices.DeleteFunc(slices.Clone(s.Types), func(one string) bool { return one == "null" })
	switch len(types) {
	case 0:
		s.Types = nil
	case 1:
		s.Type, s.Types = types[0], nil
	default:
		s.Types = types
	}
}

// describe adds what the source says of a struct and its fields, and the values
// of enums.
func (s *Schemas) describe(t reflect.Type, made *Schema) error {
	name := s.names[t]
	source, _, _ := strings.Cut(t.Name(), "[")
	made.Description = s.comments[source]
	for _, field := range fieldsOf(t) {
		called := jsonName(field)
		property := made.Properties[called]
		if property == nil {
			return fmt.Errorf("openapi: %s has no property %s", name, called)
		}
		owner := source
		if len(field.Index) > 1 {
			inner := t
			for _, i := range field.Index[:len(field.Index)-1] {
				inner = inner.Field(i).Type
			}
			owner = inner.Name()
		}
		property.Description = cmp.Or(s.comments.of(owner, field.Name, called), s.texts[name+"."+called], s.texts[called])
		if values := s.enums[name+"."+called]; values != nil {
			limit(property, values)
		}
	}
	return nil
}

// limit lets a schema, or its items, have only some values.
func limit(s *Schema, values []string) {
	if s.Items != nil {
		s = s.Items
	}
	s.Enum = Values(values)
}

// Values are strings as an enum has them.
func Values[T ~string](values []T) []any {
	out := make([]any, len(values))
	for i, one := range values {
		out[i] = string(one)
	}
	return out
}

// parts are a schema and every schema within it, components not followed.
func parts(s *Schema) func(yield func(*Schema) bool) {
	return func(yield func(*Schema) bool) { walk(s, yield) }
}

func walk(s *Schema, yield func(*Schema) bool) bool {
	if s == nil {
		return true
	}
	if !yield(s) {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if !walk(s.Properties[name], yield) {
			return false
		}
	}
	for _, list := range [][]*Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, one := range list {
			if !walk(one, yield) {
				return false
			}
		}
	}
	return walk(s.Items, yield) && walk(s.AdditionalProperties, yield)
}
