package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	referencePage  = "../../docs/cli.md"
	beginReference = "<!-- commands: written by go test ./cmd/sluice -run TestReference -update -->\n"
	endReference   = "<!-- end of commands -->\n"
)

// TestReference keeps the reference of the command line true.
func TestReference(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), beginReference)
	old, after, ok2 := strings.Cut(rest, endReference)
	if !ok || !ok2 {
		t.Fatalf("%s has lost the marks of its reference", referencePage)
	}
	want := referenceOf(newRootCommand(newConsole(t, nil).shell))
	if *rewrite {
		if err := os.WriteFile(referencePage, []byte(before+beginReference+want+endReference+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Errorf("%s is out of date: go test ./cmd/sluice -run TestReference -update", referencePage)
	}
}

func referenceOf(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("\n### Exit codes\n\n| code | meaning |\n|---|---|\n")
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "| %d | %s |\n", c.code, c.meaning)
	}
	fmt.Fprintf(&b, "\n### Variables and files\n\n```text\n%s\n```\n", environmentText)
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n### %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, cmd := range root.Commands() {
			if cmd.GroupID == group.ID && cmd.Name() != "help" && cmd.Name() != "completion" {
				writeReference(&b, cmd)
			}
		}
	}
	b.WriteString("\n")
	return b.String()
}

func writeReference(b *strings.Builder, cmd *cobra.Command) {
	if cmd.Hidden {
		return
	}
	if !cmd.HasSubCommands() || cmd.Args != nil {
		fmt.Fprintf(b, "\n#### %s\n\n%s.\n\n    %s\n", cmd.CommandPath(), cmd.Short, strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		writeFlags(b, cmd)
	}
	for _, child := range cmd.Commands() {
		writeReference(b, child)
	}
}

// shared are the flags that the page explains once.
var shared = map[string]bool{
	"server": true, "context": true, "ca-file": true, "token": true, "token-file": true,
	"output": true, "no-headers": true, "watch": true, "color": true, "help": true,
}

func writeFlags(b *strings.Builder, cmd *cobra.Command) {
	settings := cmd.Flags().Lookup("database-url") != nil && cmd.Flags().Lookup("config") != nil
	if settings {
		b.WriteString("\nIt takes the [settings](configuration.md) as flags.\n")
	}
	headed := false
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || shared[f.Name] && (f.Name != "watch" || !followsDeployments(cmd)) && cmd.Name() != "add" || f.Name == "help" {
			return
		}
		if _, isSetting := f.Value.(*flagText); isSetting {
			return
		}
		if !headed {
			headed = true
			b.WriteString("\n| flag | what it does |\n|---|---|\n")
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		what := f.Usage
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
			what += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.ReplaceAll(what, "|", "\\|"))
	})
}

// followsDeployments tells --watch of one deployment from that of a list.
func followsDeployments(cmd *cobra.Command) bool {
	return strings.Contains(cmd.Flags().Lookup("watch").Usage, "until it ends")
}
