package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// listing is an answer that can be shown as a table, as names, or whole.
type listing struct {
	value any // what -o json and -o yaml show
	table func(l look) table
	names []string
	empty string // what people read when there is nothing
}

// outputFlag adds -o to a command.
func outputFlag(cmd *cobra.Command) *string {
	format := cmd.Flags().StringP("output", "o", "table", "output format: table, json, yaml or name")
	return format
}

// checkFormat refuses an unknown -o before anything is asked for.
func checkFormat(format string) error {
	switch format {
	case "table", "json", "yaml", "name":
		return nil
	}
	return fmt.Errorf("unknown output format %q, want table, json, yaml or name", format)
}

// show writes the listing in the format asked for.
func (sh *shell) show(format string, answer listing) error {
	if v := reflect.ValueOf(answer.value); v.Kind() == reflect.Slice && v.IsNil() {
		answer.value = []any{} // an empty list is [], not null
	}
	switch format {
	case "json":
		return writeJSON(sh.stdout, answer.value)
	case "yaml":
		return writeYAML(sh.stdout, answer.value)
	case "name":
		var b strings.Builder
		for _, name := range answer.names {
			b.WriteString(oneLine(name) + "\n")
		}
		_, err := io.WriteString(sh.stdout, b.String())
		return err
	}
	l := sh.lookOf(sh.stdout)
	t := answer.table(l)
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(sh.stderr, answer.empty)
		return err
	}
	return t.write(sh.stdout, l, sh.onTerminal(sh.stdout))
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeYAML shows the same fields as JSON does, in the same order: JSON is
// YAML, so it is read as that and written in block style.
func writeYAML(w io.Writer, v any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b.Bytes(), &doc); err != nil {
		return err
	}
	blockStyle(&doc)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return err
	}
	return enc.Close()
}

func blockStyle(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}
