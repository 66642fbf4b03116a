package doctest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/doctest"
)

// notRun says of each page, or folder at the top, why its blocks marked "sh norun" are not run here.
// Their sluice commands are parsed all the same, by cmd/sluice.
var notRun = map[string]string{
	"README.md":           "make demo and make test have tests of their own; the other block is the shape of a day's work",
	"CONTRIBUTING.md":     "make, from where the tests themselves are run",
	"charts/":             "needs a cluster; the chart's own tests render it",
	"examples/":           "needs a cluster",
	"docs/agent.md":       "stands beside a program with metrics and health URLs of its own",
	"docs/cli.md":         "speaks to two servers by names that are not there; pauses whatever is under way",
	"docs/cluster.md":     "the watch replicas, which TestClusterWatchReplicas starts; the rest is run",
	"docs/clients.md":     "needs a registration token of a fleet, with which the tests of clients/ run it as it stands, and flagd itself",
	"docs/images.md":      "needs a container engine; deploy/checks carries the steps out",
	"docs/install.md":     "needs systemd, a container engine or a cluster; what a reader can do anywhere is run",
	"docs/performance.md": "takes a machine for ten minutes",
	"docs/openapi.md":     "writes the description again, in a working copy",
	"docs/monitoring.md":  "needs the Go toolchain, and a daemon with its profiles served; cmd/sluice asks for them",
	"docs/secrets.md":     "needs sops",
}

// topFolder is "docs/" of a page in docs, "" of one beside it.
func topFolder(page string) string {
	folder, _, inside := strings.Cut(page, "/")
	if !inside {
		return ""
	}
	return folder + "/"
}

// scripts are the pages that are run, with how many blocks a script runs.
func scripts(t *testing.T) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "internal/e2e/testdata/docs/*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		page := ""
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(strings.TrimPrefix(line, "! "))
			switch {
			case len(words) > 1 && words[0] == "page":
				page = words[1]
			case len(words) > 1 && words[0] == "block":
				found[page]++
			}
		}
	}
	return found
}

// Each sh block of each page is run by a script, or told why not.
func TestEveryBlockIsRunOrToldWhyNot(t *testing.T) {
	t.Parallel()
	ran, excused := scripts(t), map[string]bool{}
	for _, p := range pages(t) {
		runs := 0
		for _, b := range p.Blocks {
			switch {
			case slices.Contains([]string{"bash", "shell", "console", "zsh"}, b.Language):
				t.Errorf("%s:%d: a block of commands is sh, or sh norun", p.Path, b.Line)
			case b.Runs():
				runs++
			case b.Language == "sh":
				excused[p.Path], excused[topFolder(p.Path)] = true, true
				if notRun[p.Path]+notRun[topFolder(p.Path)] == "" {
					t.Errorf("%s:%d: nobody says why the block is not run: add the page to notRun", p.Path, b.Line)
				}
			}
			if b.Language != "sh" && strings.Contains(b.Text, "\n$ ") && b.Language != "text" {
				t.Errorf("%s:%d: a recorded session is text", p.Path, b.Line)
			}
		}
		if runs != ran[p.Path] {
			t.Errorf("%s has %d blocks to run, the scripts of internal/e2e/testdata/docs run %d", p.Path, runs, ran[p.Path])
		}
		delete(ran, p.Path)
	}
	for path := range ran {
		t.Errorf("a script runs %s, which is not there", path)
	}
	for path := range notRun {
		if !excused[path] && !strings.HasSuffix(path, "/") {
			t.Errorf("notRun excuses %s, all of which is run", path)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][][]string{
		"sluice get profiles": {{"get", "profiles"}},
		"a=$(sluice status \"$(git rev-parse HEAD)\" --wait)":    {{"status", "X", "--wait"}},
		"sluice a \\\n  --b 'c d' && sluice e | jq . # sluice f": {{"a", "--b", "c d"}, {"e"}},
		"for i in 1 2; do sluice x $i; done; echo sluice y":      {{"x", "X"}},
		"sluice get -o name | xargs -n 1 sluice pause":           {{"get", "-o", "name"}, {"pause", "X"}},
	} {
		got, err := doctest.Commands(text, "sluice")
		if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := doctest.Commands("if true; then", "sluice"); err == nil {
		t.Error("half of a command was taken")
	}
}
