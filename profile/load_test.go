package profile_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sluicehq/sluice/profile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// files is a repository in memory.
type files fstest.MapFS

func (f files) ReadFile(name string) ([]byte, error) { return fstest.MapFS(f).ReadFile(name) }

// repo makes a repository of name, content pairs.
func repo(pairs ...string) files {
	f := files{}
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return f
}

type disk string

func (d disk) ReadFile(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), filepath.FromSlash(name)))
}

// TestLoadGolden loads each testdata/*.yaml and compares the whole profile, or every problem, with the .golden beside it.
func TestLoadGolden(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(names) < 20 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		base := filepath.Base(name)
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			p, err := profile.Load(disk("testdata"), "", base, profile.DefaultLimits())
			got := render(t, p, err)
			golden := strings.TrimSuffix(name, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if bad := strings.HasPrefix(base, "bad-"); bad != (err != nil) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func render(t *testing.T, p profile.Profile, err error) string {
	t.Helper()
	if err != nil {
		ps, ok := errors.AsType[profile.Problems](err)
		if !ok {
			t.Fatalf("error is no Problems: %v", err)
		}
		return ps.Error() + "\n"
	}
	out, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

const head = "apiVersion: sluice/v1\nkind: ConfigProfile\nname: a\nservice: s\nenvironment: Staging\n"

const baseHead = "apiVersion: sluice/v1\nkind: ConfigBase\n"

// problem returns the text of a load that must fail with Problems.
func problem(t *testing.T, err error) string {
	t.Helper()
	ps, ok := errors.AsType[profile.Problems](err)
	if !ok {
		t.Fatalf("got %v, want Problems", err)
	}
	return ps.Error()
}

func TestLoadStaysInsideTheRoot(t *testing.T) {
	t.Parallel()
	f := repo(
		"secret.yaml", baseHead+"data: {x: 1}\n",
		"profiles/a.yaml", head+"extends: [../secret.yaml]\n",
		"profiles/b.yaml", head+"extends: [sub/../base.yaml]\ndata: {y: 1}\n",
		"profiles/base.yaml", baseHead+"data: {x: 1}\n",
		"profilesx/base.yaml", baseHead,
		"profiles/c.yaml", head+"extends: [../profilesx/base.yaml]\n",
	)
	for _, name := range []string{"profiles/a.yaml", "profiles/c.yaml"} {
		_, err := profile.Load(f, "profiles/", name, profile.Limits{})
		if got := problem(t, err); !strings.Contains(got, name+":6:11: ") || !strings.Contains(got, "is outside of profiles") {
			t.Errorf("got %s", got)
		}
	}
	_, err := profile.Load(f, "profiles", "secret.yaml", profile.Limits{})
	if got := problem(t, err); !strings.Contains(got, "is outside of profiles") {
		t.Errorf("got %s", got)
	}
	p, err := profile.Load(f, "profiles", "profiles/b.yaml", profile.Limits{})
	if err != nil || string(profile.Canonical(p.Data)) != `{"x":1,"y":1}` {
		t.Errorf("got %v, %v", p.Data, err)
	}
}

func TestLoadFindsTheSchema(t *testing.T) {
	t.Parallel()
	f := repo(
		"schemas/s.v1.json", `{"required": ["top"]}`,
		"p/schemas/s.v1.yml", "required: [root]\n",
		"p/a.yaml", head+"schema: s.v1\ndata: {}\n",
		"q/a.yaml", head+"schema: s.v1\ndata: {}\n",
	)
	for root, want := range map[string]string{"p": "'root'", "q": "'top'"} {
		p, err := profile.Load(f, root, root+"/a.yaml", profile.Limits{})
		if got := problem(t, err); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", root, got, want)
		}
		// The paths that were looked at in vain are dependencies too: a file that appears there takes over.
		if !slices.Contains(p.Dependencies, root+"/schemas/s.v1.yaml") {
			t.Errorf("dependencies %v", p.Dependencies)
		}
	}
	if got := profile.SchemaPaths("", "x"); len(got) != 3 || got[0] != "schemas/x.yaml" {
		t.Errorf("schema paths %v", got)
	}
}

func TestLoaderNoticesAChangedSchema(t *testing.T) {
	t.Parallel()
	loader := profile.NewLoader("", profile.Limits{})
	profileText := head + "schema: s.v1\ndata: {a: 1}\n"
	for _, step := range []struct{ schema, want string }{
		{"properties: {a: {type: number}}\n", ""},
		{"properties: {a: {type: number}}\n", ""},
		{"properties: {a: {type: string}}\n", "a.yaml:7:11: got number, want string"},
		{"properties: {a: {type: nonsense}}\n", "schemas/s.v1.yaml:1:1: not a valid JSON Schema"},
		{"properties: {a: {type: number}}\n", ""},
	} {
		_, err := loader.Load(repo("a.yaml", profileText, "schemas/s.v1.yaml", step.schema), "a.yaml")
		if step.want == "" {
			if err != nil {
				t.Errorf("%s: %v", step.schema, err)
			}
		} else if got := problem(t, err); !strings.Contains(got, step.want) {
			t.Errorf("%s: got %s", step.schema, got)
		}
	}
}

func TestLoadDependencies(t *testing.T) {
	t.Parallel()
	f := repo(
		"a.yaml", head+"extends: [b.yaml, c.yaml]\n",
		"b.yaml", baseHead+"extends: [d.yaml]\n", "c.yaml", baseHead+"extends: [d.yaml]\n", "d.yaml", baseHead+"data: {x: 1}\n",
	)
	p, err := profile.Load(f, "", "a.yaml", profile.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"b.yaml", "c.yaml", "d.yaml"}; !slices.Equal(p.Dependencies, want) || !slices.Equal(p.Extends, want[:2]) {
		t.Errorf("dependencies %v, extends %v", p.Dependencies, p.Extends)
	}
	delete(f, "d.yaml")
	p, err = profile.Load(f, "", "a.yaml", profile.Limits{})
	if got := problem(t, err); !strings.Contains(got, "b.yaml:3:11: extends d.yaml: file does not exist") || !slices.Contains(p.Dependencies, "d.yaml") || p.Name != "a" {
		t.Errorf("got %s, %+v", got, p)
	}
}

type failing struct {
	files
	name string
	err  error
}

func (f failing) ReadFile(name string) ([]byte, error) {
	if name == f.name {
		return nil, f.err
	}
	return f.files.ReadFile(name)
}

func TestLoadTellsUnreadableFromWrong(t *testing.T) {
	t.Parallel()
	f := repo("a.yaml", head+"schema: s\nextends: [b.yaml]\n", "b.yaml", baseHead+"extends: [c.yaml]\n", "c.yaml", baseHead, "schemas/s.yaml", "{}\n")
	broken := errors.New("disk broke")
	for _, name := range []string{"a.yaml", "b.yaml", "c.yaml", "schemas/s.yaml"} {
		_, err := profile.Load(failing{f, name, broken}, "", "a.yaml", profile.Limits{})
		if _, isProblem := errors.AsType[profile.Problems](err); isProblem || !errors.Is(err, broken) {
			t.Errorf("%s: %v is no plain error", name, err)
		}
		_, err = profile.Load(failing{f, name, fmt.Errorf("%w: symbolic link", profile.ErrRefused)}, "", "a.yaml", profile.Limits{})
		if got := problem(t, err); !strings.Contains(got, "symbolic link") {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if _, _, err := profile.LoadBase(failing{f, "c.yaml", broken}, "", "b.yaml", profile.Limits{}); !errors.Is(err, broken) {
		t.Errorf("base: %v", err)
	}
	_, err := profile.Load(f, "", "gone.yaml", profile.Limits{})
	if got := problem(t, err); got != "gone.yaml: file does not exist" {
		t.Errorf("got %s", got)
	}
	if _, err := f.ReadFile("gone.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestLoadBase(t *testing.T) {
	t.Parallel()
	f := repo("a.yaml", baseHead+"extends: [b.yaml]\ndata: {x: 1}\n", "b.yaml", baseHead+"data: {y: 2}\n", "c.yaml", baseHead+"unknown: 1\n")
	d, deps, err := profile.LoadBase(f, "", "a.yaml", profile.Limits{})
	if err != nil || string(profile.Canonical(d)) != `{"x":1,"y":2}` || !slices.Equal(deps, []string{"b.yaml"}) {
		t.Errorf("got %v, %v, %v", d, deps, err)
	}
	_, _, err = profile.LoadBase(f, "", "c.yaml", profile.Limits{})
	if got := problem(t, err); !strings.Contains(got, `c.yaml:3:1: unknown field "unknown"`) {
		t.Errorf("got %s", got)
	}
	_, _, err = profile.LoadBase(f, "", "../c.yaml", profile.Limits{})
	if got := problem(t, err); !strings.Contains(got, "path segment") {
		t.Errorf("got %s", got)
	}
}

func TestLoadRefusesPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "/a.yaml", "../a.yaml", "a/../b.yaml", "a//b.yaml", ".git/config", "CON", "con.yaml", "x/nul", "A.yaml", "a b.yaml", "a\x00.yaml",
		"a\nb.yaml", "\u202ea.yaml", "a\xff.yaml", strings.Repeat("a", 64), strings.Repeat("a/", 600) + "a", "ä.yaml", "-a.yaml", ".hidden.yaml",
	} {
		_, err := profile.Load(repo(), "", name, profile.Limits{})
		if got := problem(t, err); strings.Contains(got, "\n") || strings.ContainsRune(got, 0) || strings.ContainsRune(got, '\u202e') {
			t.Errorf("%q: message can forge a line: %q", name, got)
		}
		if !errors.Is(profile.ValidPath(name), profile.ErrName) {
			t.Errorf("%q is a valid path", name)
		}
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, valid := range map[string]bool{
		"payment-service.production": true, "A_1": true, strings.Repeat("a", 253): true,
		"": false, ".": false, "..": false, "-rf": false, "a b": false, "a/b": false, "ä": false, "a\n": false, strings.Repeat("a", 254): false,
	} {
		if err := profile.ValidName(name); (err == nil) != valid || err != nil && !errors.Is(err, profile.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTargetsMatches(t *testing.T) {
	t.Parallel()
	targets := profile.Targets{Labels: map[string]string{"region": "eu", "tier": "1"}}
	for want, labels := range map[bool]map[string]string{true: {"region": "eu", "tier": "1", "x": "y"}, false: {"region": "eu"}} {
		if targets.Matches(labels) != want {
			t.Errorf("%v: want %t", labels, want)
		}
	}
	if !(profile.Targets{}).Matches(nil) {
		t.Error("no labels match everything")
	}
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	for _, env := range profile.Environments() {
		if found := profile.DefaultStrategy(profile.DefaultStrategyType(env)).Problems(); len(found) > 0 {
			t.Errorf("%s: %v", env, found)
		}
		if found := profile.DefaultHealth(env).Problems(); len(found) > 0 {
			t.Errorf("%s: %v", env, found)
		}
	}
	for _, s := range profile.StrategyTypes() {
		if found := profile.DefaultStrategy(s).Problems(); len(found) > 0 {
			t.Errorf("%s: %v", s, found)
		}
	}
	if found := (profile.Strategy{}).Problems(); len(found) == 0 || found[0].Error() != "$.progressDeadline: must be more than 0" {
		t.Errorf("the zero strategy: %v", found)
	}
	long := profile.DefaultStrategy(profile.Canary)
	long.PhaseInterval = 2 * profile.MaxDuration
	if found := long.Problems(); len(found) != 1 || found[0].Path != "$.phaseInterval" {
		t.Errorf("a phase of 60 days: %v", found)
	}
}
