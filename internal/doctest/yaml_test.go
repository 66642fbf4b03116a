package doctest_test

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/internal/doctest"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

// foreign are the pages, or folders of pages, that show YAML of somebody else.
var foreign = map[string]string{
	"charts/":         "values of the chart, read by the chart's own tests",
	"examples/":       "objects of Kubernetes",
	"docs/agent.md":   "a container of a pod",
	"docs/schemas.md": "schemas and data, read by profile's own test of the page",
}

// Every YAML block of the pages is taken by the loader that it is meant for.
func TestYAMLBlocks(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if b.Language != "yaml" || foreign[p.Path] != "" || foreign[topFolder(p.Path)] != "" {
				continue
			}
			kind, err := load(b.Text)
			if err != nil {
				t.Errorf("%s:%d: as %s: %v", p.Path, b.Line, kind, err)
			}
			seen[kind]++
		}
	}
	for _, kind := range []string{"a profile", "a part of a profile", "a base", "settings"} {
		if seen[kind] == 0 {
			t.Errorf("no page shows %s", kind)
		}
	}
}

func load(text string) (kind string, err error) {
	var top map[string]any
	if err := yaml.Unmarshal([]byte(text), &top); err != nil {
		return "YAML", err
	}
	switch top["kind"] {
	case string(profile.KindProfile):
		return "a profile", loadProfile(text)
	case string(profile.KindBase):
		_, _, err := profile.LoadBase(oneFile(text), "", "file.yaml", profile.DefaultLimits())
		return "a base", err
	}
	parts := []string{"strategy", "health", "windows", "settings", "data", "targets"}
	if all(top, func(key string) bool { return slices.Contains(parts, key) }) {
		return "a part of a profile", loadProfile("apiVersion: sluice/v1\nkind: ConfigProfile\nname: a.staging\nservice: a\nenvironment: Staging\n" + text)
	}
	_, err = settings.Load(settings.Input{File: []byte(text), FileName: "sluice.yaml", ReadFile: secretFile})
	return "settings", err
}

func loadProfile(text string) error {
	_, err := profile.Load(oneFile(text), "", "file.yaml", profile.DefaultLimits())
	return err
}

func all(m map[string]any, is func(string) bool) bool {
	for key := range m {
		if !is(key) {
			return false
		}
	}
	return true
}

// oneFile is a repository with one file of interest; what it may name beside
// it, a schema or a base, is there and demands nothing.
type oneFile string

func (o oneFile) ReadFile(name string) ([]byte, error) {
	switch {
	case name == "file.yaml":
		return []byte(o), nil
	case path.Dir(name) == "schemas" && path.Ext(name) == ".json":
		return []byte("{}"), nil
	case path.Dir(name) != "schemas":
		return []byte("apiVersion: sluice/v1\nkind: ConfigBase\n"), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// secretFile is what a file of a secret may hold, by the end of its name.
func secretFile(name string) ([]byte, error) {
	if strings.HasSuffix(name, ".pem") || strings.Contains(name, "age") {
		return nil, errors.New("write down here what the file holds")
	}
	if strings.HasSuffix(name, "snapshot.key") {
		key, err := snapshot.NewKey("k1")
		return []byte(key.Reveal()), err
	}
	if strings.HasSuffix(name, "-url") {
		return []byte("https://hooks.example.com/q7Zp3Vw9"), nil
	}
	return []byte("n3Jx8Qv1Lk5Tz7Rb2Yw9Hc4Mf6Ps0Dg8aUeKiXoB"), nil
}

func TestBrokenBlocksAreSeen(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"kind: ConfigProfile\napiVersion: sluice/v1\nname: a\n", "strategy: {type: Canary, stepps: [1]}\n", "listne: :5000\n", "kind: ConfigBase\napiVersion: sluice/v2\n", "a: [\n",
	} {
		if kind, err := load(text); err == nil {
			t.Errorf("%q was taken as %s", text, kind)
		}
	}
	if p := (doctest.Block{Language: "sh", Marks: []string{"norun"}}); p.Runs() {
		t.Error("a block that is marked norun runs")
	}
}
