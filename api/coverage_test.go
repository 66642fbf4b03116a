package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
)

var (
	coverageRow = regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\| ((?:Test\\w+)(?:, Test\\w+)*) \\|$")
	pathParam   = regexp.MustCompile(`:(\w+)`)
	testFunc    = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
)

// The table of docs/api.md has every endpoint, none that is gone, and only tests
// that there are.
func TestCoverageTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, folder := range []string{".", filepath.Join("..", "internal", "e2e")} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range testFunc.FindAllStringSubmatch(string(source), -1) {
				tests[found[1]] = true
			}
		}
	}
	table := map[string]string{}
	for _, row := range coverageRow.FindAllStringSubmatch(string(text), -1) {
		table[row[1]] = row[2]
	}
	for _, route := range api.RoutesOf(newWorld(t).api) {
		path := strings.TrimPrefix(route.Path, "/api/v1")
		if path == route.Path {
			path = "/" + path
		}
		door := route.Method + " " + pathParam.ReplaceAllString(path, "{$1}")
		names, ok := table[door]
		if !ok {
			t.Errorf("%s has no row", door)
		}
		delete(table, door)
		for name := range strings.SplitSeq(names, ", ") {
			if name != "" && !tests[name] {
				t.Errorf("%s: there is no %s", door, name)
			}
		}
	}
	for door := range table {
		t.Errorf("%s has a row and is no endpoint", door)
	}
}
