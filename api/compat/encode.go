package compat

import (
	"bytes"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/profile"
)

// asJSON is one value as canonical JSON.
func asJSON(value any) []byte {
	wrapped := profile.Canonical(profile.Data{"": value}) // {"":VALUE}
	return wrapped[len(`{"":`) : len(wrapped)-1]
}

// asYAML writes data as YAML whose numbers are as they were written: it is read from JSON, which is
// YAML too, and set in blocks.
func asYAML(data profile.Data) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(profile.Canonical(data), &doc); err != nil {
		return nil, fmt.Errorf("read JSON as YAML: %w", err)
	}
	inBlocks(&doc)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// inBlocks takes the braces off, and the quotes of keys that are plain words. Texts keep theirs: what
// a reader of YAML 1.1, as Spring's, takes for something else is a longer list than anybody remembers.
func inBlocks(n *yaml.Node) {
	if len(n.Content) > 0 {
		n.Style = 0
	}
	for i, child := range n.Content {
		if key := n.Kind == yaml.MappingNode && i%2 == 0; key && plainKey.MatchString(child.Value) && !oldBool.MatchString(child.Value) {
			child.Style = 0
		}
		inBlocks(child)
	}
}

var (
	plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	oldBool  = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)
