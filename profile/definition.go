package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// ParseDefinition reads a profile's definition, which is everything of a ConfigProfile but its data, from one JSON object with
// the fields of a file: name, description, service, environment, serviceType, schema, targets, strategy, health, windows and
// settings. Missing ones have the same defaults, and the same rules hold; Production needs a schema here too. What is wrong is
// returned by field below "$"; the profile then holds what could be read. Warnings of a file are errors here: nobody reads them.
func ParseDefinition(src []byte) (Profile, []FieldError) {
	var p Profile
	wrong := readObject(src, func(o *object) {
		decodeProfile(o, &p)
		o.done()
		if p.Environment == Production && o.t.fields["schema"].value.isAbsent() {
			o.out.add(o.t.at.problem("$.schema", "Production needs a schema"))
		}
	})
	return p, wrong
}

// OverStrategy lays the fields of one JSON object over a strategy, whose type stays. What is wrong is returned by field below "$".
func OverStrategy(base Strategy, src []byte) (Strategy, []FieldError) {
	out := base
	return out, readObject(src, func(o *object) { out = decodeStrategyOver(o, base) })
}

// OverHealth lays the fields of one JSON object over a health section. What is wrong is returned by field below "$".
func OverHealth(base Health, src []byte) (Health, []FieldError) {
	out := base
	wrong := readObject(src, func(o *object) { out = decodeHealthOver(o, base) })
	return out, wrong
}

// readObject reads one JSON object as strictly as a file: within the same limits, no key twice, no field that nobody knows.
func readObject(src []byte, read func(*object)) []FieldError {
	lim := DefaultLimits()
	out := &collector{max: lim.MaxProblems}
	var line bytes.Buffer // the white space of JSON is not all that of YAML
	if err := json.Compact(&line, src); err != nil {
		return []FieldError{{Path: "$", Message: "is not JSON"}}
	}
	switch root := parseYAML("", line.Bytes(), lim, out); {
	case root == nil:
	case root.kind != mapTree:
		out.add(root.at.problem("$", "must be an object, got "+root.typeName()))
	default:
		read(newObject(root, "$", out))
	}
	return out.fields()
}

// fields are the problems, warnings too, as they are told to whoever sent no file but a request.
func (c *collector) fields() []FieldError {
	found := append(c.errors, c.warnings...)
	out := make([]FieldError, len(found))
	for i, p := range found {
		out[i] = FieldError{Path: p.Field, Message: p.Message}
		if p.Field == "" {
			out[i].Path = "$"
		}
	}
	if c.dropped > 0 {
		out = append(out, FieldError{Path: "$", Message: fmt.Sprintf("and %d more problems", c.dropped)})
	}
	return out
}

// isAbsent says that a field is not there, or null.
func (t *tree) isAbsent() bool { return t == nil || t.isNull() }

// CheckSecrets returns what is wrong with the secrets in data that was uploaded: references that cannot be opened. Strings under a
// secret's name are taken: what is uploaded lies in no repository.
func CheckSecrets(d Data) []FieldError {
	out := &collector{max: DefaultLimits().MaxProblems}
	checkDataSecrets(map[string]any(d), "$", out)
	return out.fields()
}

func checkDataSecrets(v any, path string, out *collector) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v[SecretKey]; ok {
			text, isText := ref.(string)
			if msg := secretRefProblem(len(v), text, isText); msg != "" {
				out.add(place{}.problem(path, msg))
			}
			return
		}
		for _, key := range []string{SealedKey, SopsKey} {
			if _, ok := v[key]; ok {
				out.add(place{}.problem(path, "the key "+key+` is Sluice's own: give the value as {"type": "secret", "value": ...}`))
				return
			}
		}
		for _, k := range sortedKeys(v) {
			checkDataSecrets(v[k], joinKey(path, k), out)
		}
	case []any:
		for i := range v {
			checkDataSecrets(v[i], joinIndex(path, i), out)
		}
	}
}

// HasSecretValues says whether data holds a secret as it is: {"type": "secret", "value": ...}.
func HasSecretValues(d Data) bool {
	return slices.ContainsFunc(Secrets(d), func(s Secret) bool { return s.Kind == Given })
}

// ParseData reads configuration data from a file, JSON or YAML, as the data of a profile's file is read: within the same limits,
// by the same rules for numbers and keys. What is wrong is Problems, each at its place in the file at path.
func ParseData(path string, src []byte) (Data, error) {
	lim := DefaultLimits()
	out := &collector{max: lim.MaxProblems}
	root := parseYAML(path, src, lim, out)
	if root != nil && root.kind != mapTree {
		out.add(root.at.problem("", "data must be an object, got "+root.typeName()))
	}
	if err := out.err(); err != nil {
		return nil, err
	}
	data, _ := root.value().(map[string]any)
	return data, nil
}
