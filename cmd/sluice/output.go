package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/profile"
)

// The formats of -o.
const (
	formatTable = "table"
	formatWide  = "wide" // the table whole, whatever the terminal's width
	formatJSON  = "json"
	formatYAML  = "yaml"
	formatName  = "name"
)

func formats() []string { return []string{formatTable, formatWide, formatJSON, formatYAML, formatName} }

// listing is an answer that can be shown as a table, as names, or whole.
type listing struct {
	value any // what -o json and -o yaml show: the bodies of the API as they are
	table func(l look) table
	// kind stands before each name in -o name, as in profile/payment-service.production; "" for nothing.
	kind  string
	names []string
	empty string // what people read when there is nothing
	// text draws what is no list, such as one profile with all that belongs to it; nil draws the table.
	text func(l look) string
}

// outputFlag adds -o to a command.
func outputFlag(cmd *cobra.Command) *string {
	format := cmd.Flags().StringP("output", "o", formatTable, "output format: table, wide, json, yaml or name")
	cmd.Flags().Bool("no-headers", false, "tables without their first line")
	complete(cmd, "output", func(string) []string { return formats() })
	return format
}

// checkFormat refuses an unknown -o before anything is asked for.
func checkFormat(format string) error {
	if slices.Contains(formats(), format) {
		return nil
	}
	if guess := profile.Nearest(format, formats()); guess != "" {
		return fmt.Errorf("unknown output format %q, did you mean %s?", format, guess)
	}
	return fmt.Errorf("unknown output format %q, want table, wide, json, yaml or name", format)
}

// show writes the listing in the format asked for.
func (sh *shell) show(format string, answer listing) error {
	if v := reflect.ValueOf(answer.value); v.Kind() == reflect.Slice && v.IsNil() {
		answer.value = []any{} // an empty list is [], not null
	}
	switch format {
	case formatJSON:
		return writeJSON(sh.stdout, answer.value)
	case formatYAML:
		return writeYAML(sh.stdout, answer.value)
	case formatName:
		_, err := io.WriteString(sh.stdout, strings.Join(answer.nameLines(), ""))
		return err
	}
	l := sh.lookOf(sh.stdout)
	if answer.text != nil {
		_, err := io.WriteString(sh.stdout, answer.text(l))
		return err
	}
	t := answer.table(l)
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(sh.stderr, answer.empty)
		return err
	}
	return t.write(sh.stdout, l, sh.layout(format))
}

// nameLines are the lines of -o name.
func (answer listing) nameLines() []string {
	lines := make([]string, len(answer.names))
	for i, name := range answer.names {
		lines[i] = oneLine(name) + "\n"
		if answer.kind != "" {
			lines[i] = answer.kind + "/" + lines[i]
		}
	}
	return lines
}

// layout is how a table is laid out on standard output.
func (sh *shell) layout(format string) layout {
	return layout{narrow: format != formatWide && sh.onTerminal(sh.stdout), headless: sh.noHeaders}
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
