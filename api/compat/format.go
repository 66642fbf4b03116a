package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/profile"
)

// format is how a profile's data is written for a client that takes it as one text.
type format string

const (
	formatJSON       format = "json"
	formatYAML       format = "yaml"
	formatProperties format = "properties"
)

// cutFormat takes the ending off a name that says how it wants to be written. What says nothing, or
// something that data is not written as, stays whole.
func cutFormat(name string) (rest string, as format, ok bool) {
	for _, ending := range []struct {
		text string
		as   format
	}{{".json", formatJSON}, {".yaml", formatYAML}, {".yml", formatYAML}, {".properties", formatProperties}} {
		if len(name) > len(ending.text) && strings.EqualFold(name[len(name)-len(ending.text):], ending.text) {
			return name[:len(name)-len(ending.text)], ending.as, true
		}
	}
	return name, "", false
}

// contentType is the format's own.
func (f format) contentType() string {
	switch f {
	case formatYAML:
		return "application/yaml;charset=UTF-8"
	case formatProperties:
		return "text/plain;charset=UTF-8"
	}
	return "application/json;charset=UTF-8"
}

// write gives data in the format: the same data, the same bytes.
func (f format) write(data profile.Data) ([]byte, error) {
	switch f {
	case formatYAML:
		return writeYAML(data)
	case formatProperties:
		return writeProperties(data), nil
	}
	return profile.Canonical(data), nil
}

// flat is the data as properties: a.b[0] and its value as a text.
func flat(data profile.Data) map[string]string {
	out := map[string]string{}
	for _, l := range leaves(data) {
		out[l.dotted()] = l.text()
	}
	return out
}

// writeYAML quotes every text: a reader of YAML 1.1 takes a plain yes for true, and 1_000 for a number.
func writeYAML(data profile.Data) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(yamlNode(map[string]any(data))); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), enc.Close()
}

func yamlNode(value any) *yaml.Node {
	switch v := value.(type) {
	case profile.Data:
		return yamlNode(map[string]any(v))
	case map[string]any:
		node := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			node.Content = append(node.Content, yamlNode(key), yamlNode(v[key]))
		}
		return node
	case []any:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			node.Content = append(node.Content, yamlNode(item))
		}
		return node
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v, Style: yaml.DoubleQuotedStyle}
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(value)}
}

func writeProperties(data profile.Data) []byte { return propertiesOf(flat(data)) }

// propertiesOf writes what java.util.Properties reads, sorted.
func propertiesOf(values map[string]string) []byte {
	var b bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%s=%s\n", escaped(key, true), escaped(values[key], false))
	}
	return b.Bytes()
}

// escaped writes a key or a value of properties. Whatever is not ASCII is \u and four digits, for
// readers that take the file for ISO 8859-1.
func escaped(text string, key bool) string {
	var b strings.Builder
	for i, unit := range utf16.Encode([]rune(text)) {
		switch {
		case unit == '\n':
			b.WriteString(`\n`)
		case unit == '\r':
			b.WriteString(`\r`)
		case unit == '\t':
			b.WriteString(`\t`)
		case unit == '\\', key && strings.ContainsRune(":=#! ", rune(unit)), i == 0 && unit == ' ':
			b.WriteByte('\\')
			b.WriteByte(byte(unit))
		case unit < ' ' || unit > '~':
			fmt.Fprintf(&b, `\u%04X`, unit)
		default:
			b.WriteByte(byte(unit))
		}
	}
	return b.String()
}
