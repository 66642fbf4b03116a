package charts

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
)

// Every scenario is clean under helm lint --strict, renders to objects that the
// API takes, and to the text that was agreed on.
func TestGolden(t *testing.T) {
	for _, scenario := range scenarios(t) {
		t.Run(scenario, func(t *testing.T) {
			for _, m := range lint.RunAll(chartFolder, loadValues(t, scenario), namespace).Messages {
				if m.Severity >= support.WarningSev {
					t.Errorf("lint: %s", m)
				}
			}
			files := mustRender(t, scenario)
			for _, o := range mustDecode(t, files) {
				if o.GetObjectKind().GroupVersionKind().Empty() {
					t.Errorf("%s says no kind", nameOf(o))
				}
			}
			golden(t, scenario+".yaml", manifests(files))
			golden(t, scenario+".notes.txt", files["sluice/templates/NOTES.txt"])
		})
	}
}

// A field that the API does not know, or that is there twice, is found.
func TestStrictDecoding(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"enableServiceLinks: false", "enableServiceLink: false", `unknown field "spec.template.spec.enableServiceLink"`},
		{"args: [serve]", "args: [serve]\n          args: [serve]", "already set"},
		{"maxUnavailable: 0}", "maxUnavailable: 0, paused: false}", `unknown field "spec.strategy.rollingUpdate.paused"`},
		{"args: [serve]", "args: serve", "cannot unmarshal"},
	} {
		files := mustRender(t, "cluster")
		const name = "sluice/templates/deployment.yaml"
		edited := strings.Replace(files[name], c.old, c.new, 1)
		if edited == files[name] {
			t.Fatalf("there is no %q to change", c.old)
		}
		files[name] = edited
		if _, err := decode(files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %q is in no error: %v", c.new, c.want, err)
		}
	}
}

// Values without a database are what helm lint sees of a bare chart.
func TestLintOfTheDefaults(t *testing.T) {
	for _, m := range lint.RunAll(chartFolder, nil, namespace).Messages {
		if m.Severity >= support.WarningSev {
			t.Errorf("lint: %s", m)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata/golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			t.Errorf("%s:%d: was %q, is %q; if that is meant: go test . -run TestGolden -update", file, i+1, was[i], is[i])
			return
		}
	}
	t.Errorf("%s has %d lines, now there are %d; if that is meant: go test . -run TestGolden -update", file, len(was), len(is))
}

var (
	madeUp  = regexp.MustCompile(`(?m)^(  (?:admin-password|master-key|registration-token|session-keys): ).+$`)
	blanks  = regexp.MustCompile(`(?m)[ \t]+$`)
	secret  = regexp.MustCompile(`(?m)^  name: \S+-generated$`)
	ownText = []string{"dashboard.yaml", "prometheus-rule.yaml"} // copies of files, see TestCopies
)

// manifests puts the files of a release one behind the other. What differs from
// one rendering to the next is left out: what was made up.
func manifests(files map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := strings.Trim(files[name], "\n")
		if !strings.HasSuffix(name, ".yaml") || text == "" {
			continue
		}
		if secret.MatchString(text) {
			text = madeUp.ReplaceAllString(text, "${1}(made up)")
		}
		if slices.Contains(ownText, path.Base(name)) {
			text, _, _ = strings.Cut(text, "\nspec:")
			text, _, _ = strings.Cut(text, "\ndata:")
			text += "\n# and the content of a file of files/"
		}
		b.WriteString("---\n# " + name + "\n" + blanks.ReplaceAllString(text, "") + "\n")
	}
	return b.String()
}
