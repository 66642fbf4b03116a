package web

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v3"
)

// YAML shows a JSON value in block style, its keys in the order that they have.
// JSON is YAML, so it is read as that. What cannot be shown so is shown as JSON.
func YAML(value json.RawMessage) string {
	var doc yaml.Node
	if err := yaml.Unmarshal(value, &doc); err != nil {
		return string(value)
	}
	blockStyle(&doc)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if e.Encode(&doc) != nil || e.Close() != nil {
		return string(value)
	}
	return b.String()
}

func blockStyle(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// valueText is one value of a difference, as JSON on one line.
func valueText(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the template escapes
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
