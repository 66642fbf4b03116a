package profile_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

const (
	reference  = "../docs/profiles.md"
	beginTable = "<!-- fields: written by go test ./profile -run TestReference -update -->\n"
	endTable   = "<!-- end of fields -->\n"
)

// TestReference keeps the tables of the format's page true: the fields, types, choices and defaults are those that the
// decoders ask for, and the words those of sluice explain.
func TestReference(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), beginTable)
	old, after, ok2 := strings.Cut(rest, endTable)
	if !ok || !ok2 {
		t.Fatalf("%s has lost the marks of its tables", reference)
	}
	want := fieldTables(profile.Explain(profile.KindProfile))
	if *update {
		if err := os.WriteFile(reference, []byte(before+beginTable+want+endTable+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Errorf("%s is out of date: go test ./profile -run TestReference -update", reference)
	}
}

// fieldTables is a table of the top of the file, then one of each object in it, then the defaults by environment.
func fieldTables(root profile.Field) string {
	var b strings.Builder
	writeTable(&b, root.Fields)
	for _, path := range root.Paths() {
		f, _, _ := root.Find(path)
		if len(f.Fields) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n", f.Path, f.Description)
		writeTable(&b, f.Fields)
	}
	writeEnvironments(&b, root)
	b.WriteString("\n")
	return b.String()
}

func writeTable(b *strings.Builder, fields []profile.Field) {
	used := slices.ContainsFunc(fields, func(f profile.Field) bool { return len(f.UsedBy) > 0 })
	head := []string{"field", "what it is", "type", "may be", "default"}
	if used {
		head = slices.Insert(head, 1, "used by")
	}
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, f := range fields {
		cells := []string{"`" + f.Path[strings.LastIndexByte(f.Path, '.')+1:] + "`", f.Description, f.Type, bounds(f), usual(f)}
		if used {
			by := "all"
			if len(f.UsedBy) > 0 {
				by = strings.Join(f.UsedBy, ", ")
			}
			cells = slices.Insert(cells, 1, by)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}

func bounds(f profile.Field) string {
	var words []string
	if len(f.Choices) > 0 {
		words = append(words, "`"+strings.Join(f.Choices, "`, `")+"`")
	}
	for _, w := range []string{f.Unit, f.Limits} {
		if w != "" && w != f.Type {
			words = append(words, w)
		}
	}
	return strings.Join(words, "; ")
}

func usual(f profile.Field) string {
	switch {
	case f.Required:
		return "required"
	case len(f.Fields) > 0:
		return "see [below](#" + strings.ReplaceAll(strings.ToLower(f.Path), ".", "") + ")"
	}
	words := make([]string, len(f.Defaults))
	for i, d := range f.Defaults {
		words[i] = "`" + d.Value + "`"
		if d.When != "" {
			words[i] = d.When + " " + words[i]
		}
	}
	return strings.Join(words, ", ")
}

// writeEnvironments shows what a profile that says nothing of its rollout gets.
func writeEnvironments(b *strings.Builder, root profile.Field) {
	b.WriteString("\n### Defaults by environment\n\nA profile without `strategy` and `health` is rolled out like this:\n\n| |")
	for _, e := range profile.Environments() {
		fmt.Fprintf(b, " %s |", e)
	}
	b.WriteString("\n|---|---|---|---|\n")
	for _, path := range root.Paths() {
		f, _, _ := root.Find(path)
		if section, _, _ := strings.Cut(path, "."); section != "strategy" && section != "health" {
			continue
		}
		row, known := "| `"+path+"` |", false
		for _, e := range profile.Environments() {
			value := inEnvironment(f, e)
			known = known || value != ""
			row += " " + value + " |"
		}
		if known && !strings.HasPrefix(path, "health.metrics") {
			b.WriteString(row + "\n")
		}
	}
}

func inEnvironment(f profile.Field, e profile.Environment) string {
	if len(f.UsedBy) > 0 && !slices.Contains(f.UsedBy, string(profile.DefaultStrategyType(e))) {
		return ""
	}
	for _, d := range f.Defaults {
		if d.When == "" || d.When == string(e) {
			return "`" + d.Value + "`"
		}
	}
	return ""
}
