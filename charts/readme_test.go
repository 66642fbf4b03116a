package charts

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	readme      = "sluice/README.md"
	beginValues = "<!-- values: written by go test . -run TestReadme -update -->\n"
	endValues   = "<!-- end of values -->\n"
)

// The table of the README is what values.yaml says.
func TestReadme(t *testing.T) {
	raw, err := os.ReadFile("sluice/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	table := &strings.Builder{}
	table.WriteString("\n| value | default | what it is |\n|---|---|---|\n")
	rows(t, table, "", doc.Content[0])
	table.WriteString("\n")

	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), beginValues)
	old, after, ok2 := strings.Cut(rest, endValues)
	if !ok || !ok2 {
		t.Fatalf("%s has lost the marks of its table", readme)
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+beginValues+table.String()+endValues+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Errorf("%s is out of date: go test . -run TestReadme -update", readme)
	}
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// What the README shows are values that the chart takes.
func TestReadmeValues(t *testing.T) {
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 3 {
		t.Errorf("%s shows %d values", readme, len(blocks))
	}
	for _, block := range blocks {
		values := parseValues(t, block[1])
		if values["secrets"] == nil {
			values["secrets"] = loadValues(t, "cluster")["secrets"]
		}
		files, err := render(loadChart(t), values, nil)
		if err != nil {
			t.Errorf("%v in\n%s", err, block[1])
			continue
		}
		mustDecode(t, files)
	}
}

// rows writes a row for each value that has a comment of its own. A mapping
// whose values have none is one value.
func rows(t *testing.T, table *strings.Builder, prefix string, mapping *yaml.Node) {
	t.Helper()
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		name := prefix + key.Value
		if commented(value) {
			rows(t, table, name+".", value)
			continue
		}
		if key.HeadComment == "" {
			t.Errorf("values.yaml:%d: nothing says what %s is", key.Line, name)
		}
		fmt.Fprintf(table, "| `%s` | `%s` | %s |\n", name, flow(t, value), comment(key.HeadComment))
	}
}

// commented says that something inside of a value has a comment of its own.
func commented(value *yaml.Node) bool {
	return slices.ContainsFunc(value.Content, func(n *yaml.Node) bool { return n.HeadComment != "" || commented(n) })
}

func comment(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, strings.TrimSpace(strings.TrimPrefix(line, "#")))
	}
	return strings.ReplaceAll(strings.Join(lines, " "), "|", `\|`)
}

// flow writes a default on one line.
func flow(t *testing.T, value *yaml.Node) string {
	t.Helper()
	inline(value)
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func inline(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, c := range n.Content {
		inline(c)
	}
}
