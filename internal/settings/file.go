package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decodeFile lays sluice.yaml over s. Unknown and doubled keys, a second
// document and a wrong type are errors with their place.
func decodeFile(s *Settings, in Input) error {
	dec := yaml.NewDecoder(bytes.NewReader(in.File))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %s", in.fileName(), strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one document", in.fileName())
	}
	f := fileDecoder{in: in}
	f.mapping(reflect.ValueOf(s).Elem(), doc.Content[0], "")
	return errors.Join(f.errs...)
}

func (in Input) fileName() string {
	if in.FileName == "" {
		return "sluice.yaml"
	}
	return in.FileName
}

type fileDecoder struct {
	in   Input
	errs []error
}

func (f *fileDecoder) errorf(n *yaml.Node, format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s:%d:%d: %w", f.in.fileName(), n.Line, n.Column, fmt.Errorf(format, args...)))
}

// mapping sets the fields of a struct from a YAML mapping; prefix leads to it.
func (f *fileDecoder) mapping(v reflect.Value, n *yaml.Node, prefix string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		f.errorf(n, "%s must be a mapping", strings.TrimSuffix(cmp.Or(prefix, "the file"), "."))
		return
	}
	set, seen := map[string]string{}, map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			f.errorf(key, "%s%s is given twice", prefix, key.Value)
			continue
		}
		seen[key.Value] = true
		f.entry(v, key, value, prefix, set)
	}
}

func (f *fileDecoder) entry(v reflect.Value, key, value *yaml.Node, prefix string, set map[string]string) {
	field, ok := lookup(v.Type(), key.Value)
	name := prefix + key.Value
	switch {
	case !ok:
		f.errorf(key, "unknown key %q%s", name, suggestion(v.Type(), key.Value))
	case value.Kind == yaml.AliasNode:
		f.errorf(value, "%s: aliases are not supported", name)
	case isNull(value): // as if it were not there
	case field.Kind == "map":
		f.mapping(v.FieldByIndex(field.index), value, name+".")
	case field.Kind == "entries":
		f.entries(v.FieldByIndex(field.index), value, name)
	case field.Kind == "list":
		f.list(v.FieldByIndex(field.index), value, name)
	case value.Kind != yaml.ScalarNode:
		f.errorf(value, "%s must be a single value", name)
	default:
		if err := f.in.assign(v, key.Value, value.Value, set); err != nil {
			f.errorf(value, "%s: %w", name, err)
		}
	}
}

// entries sets a list of structs, each over its defaults.
func (f *fileDecoder) entries(v reflect.Value, n *yaml.Node, name string) {
	if n.Kind != yaml.SequenceNode {
		f.errorf(n, "%s must be a list", name)
		return
	}
	entries := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		setDefaults(entries.Index(i))
		f.mapping(entries.Index(i), item, fmt.Sprintf("%s[%d].", name, i))
	}
	v.Set(entries)
}

func (f *fileDecoder) list(v reflect.Value, n *yaml.Node, name string) {
	if n.Kind != yaml.SequenceNode {
		f.errorf(n, "%s must be a list", name)
		return
	}
	var list []string
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode || isNull(item) {
			f.errorf(item, "%s must be a list of texts", name)
			continue
		}
		list = append(list, item.Value)
	}
	v.Set(reflect.ValueOf(list))
}

// lookup finds a key, or the key whose secret a *_file key holds.
func lookup(t reflect.Type, key string) (Field, bool) {
	for _, f := range fieldsOf(t) {
		if f.Key == key || f.Secret && f.Key+"_file" == key {
			return f, true
		}
	}
	return Field{}, false
}

// suggestion names the key that was likely meant.
func suggestion(t reflect.Type, key string) string {
	flat := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	best, distance := "", 3
	for _, f := range fieldsOf(t) {
		for _, candidate := range []string{f.Key, f.Key + "_file"} {
			if candidate != f.Key && !f.Secret {
				continue
			}
			if d := editDistance(flat(candidate), flat(key)); d < distance {
				best, distance = candidate, d
			}
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}

// editDistance counts the single-letter edits between two short words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{cost, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
