package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// run executes one verb as the real root command would, and returns what it printed and its exit code.
func run(t *testing.T, newVerb func(*shell) *cobra.Command, args ...string) (out string, code int, err error) {
	t.Helper()
	root := &cobra.Command{Use: "sluice", SilenceUsage: true, SilenceErrors: true}
	var b bytes.Buffer
	verb := newVerb(newShell(strings.NewReader(""), &b, &b, func(string) string { return "" }))
	root.AddCommand(verb)
	root.SetOut(&b)
	root.SetErr(&b)
	root.SetArgs(append([]string{verb.Name()}, args...))
	err = root.ExecuteContext(t.Context())
	if coded, ok := errors.AsType[*exitError](err); ok {
		return b.String(), coded.ExitCode(), coded.Unwrap()
	}
	if err != nil {
		t.Fatalf("error without an exit code: %v", err)
	}
	return b.String(), 0, nil
}

// write lays out a directory from name to content.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const header = "apiVersion: sluice/v1\nkind: ConfigProfile\nservice: s\nenvironment: Development\n"

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule  string
		files map[string]string
		args  []string // relative to the directory; none is the directory
		code  int
		want  []string // parts of what is printed, or of the error
	}{
		{
			rule:  "a valid tree is 0, and a warning does not change that",
			files: map[string]string{"a.yaml": header + "name: a\ndata: {x: 1}\n", "notes.yaml": "hello: world\n"},
			want:  []string{"a.yaml:1:1: warning: no schema", "1 profile, 0 bases, 0 schemas: 0 errors, 1 warning\n"},
		},
		{
			rule:  "a problem is 1, with its place",
			files: map[string]string{"a.yaml": header + "name: a\nstratgy: {}\n"},
			code:  1,
			want:  []string{`a.yaml:6:1: unknown field "stratgy", did you mean strategy?`, "1 error, "},
		},
		{
			rule:  "a name defined twice over the tree is a problem of the second file",
			files: map[string]string{"a.yaml": header + "name: a\n", "b.yaml": header + "name: a\n"},
			code:  1,
			want:  []string{"b.yaml:5:7: profile a is defined twice, first in "},
		},
		{
			rule:  "a broken base is told once, also when two profiles extend it",
			files: map[string]string{"base.yaml": "apiVersion: sluice/v1\nkind: ConfigBase\nnonsense: 1\n", "a.yaml": header + "name: a\nextends: [base.yaml]\n", "b.yaml": header + "name: b\nextends: [base.yaml]\n"},
			code:  1,
			want:  []string{"base.yaml:3:1: unknown field", "2 profiles, 1 base, 0 schemas: 1 error"},
		},
		{
			rule:  "a schema is checked even when no profile names it",
			files: map[string]string{"schemas/x.yaml": "type: nonsense\n"},
			code:  1,
			want:  []string{"schemas/x.yaml:1:1: not a valid JSON Schema", "1 schema: 1 error"},
		},
		{
			rule:  "a hidden directory is passed over",
			files: map[string]string{"a.yaml": header + "name: a\n", ".github/b.yaml": header + "name: B!\n"},
			want:  []string{"1 profile"},
		},
		{
			rule:  "one file: its root is the nearest work tree, so that its base is found",
			files: map[string]string{".git/HEAD": "ref", "base.yaml": "apiVersion: sluice/v1\nkind: ConfigBase\ndata: {x: 1}\n", "svc/a.yaml": header + "name: a\nextends: [../base.yaml]\n"},
			args:  []string{"svc/a.yaml"},
			want:  []string{"1 profile, 0 bases"},
		},
		{
			rule:  "one file named twice is checked once",
			files: map[string]string{"a.yaml": header + "name: a\n"},
			args:  []string{"a.yaml", "a.yaml"},
			want:  []string{"1 profile,"},
		},
		{
			rule:  "a file that was asked for by name must be Sluice's",
			files: map[string]string{"a.yaml": "hello: world\n"},
			args:  []string{"a.yaml"},
			code:  1,
			want:  []string{"not a Sluice file"},
		},
		{
			rule:  "a path that does not exist is 2",
			files: map[string]string{"a.yaml": header + "name: a\n"},
			args:  []string{"missing.yaml"},
			code:  2,
			want:  []string{"read ", "no such file"},
		},
		{
			rule:  "a tree without any file of Sluice's is 2: the wrong directory must not pass",
			files: map[string]string{"notes.yaml": "hello: world\n"},
			code:  2,
			want:  []string{"no Sluice files in"},
		},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			dir := write(t, tc.files)
			args := []string{dir}
			if tc.args != nil {
				args = nil
				for _, a := range tc.args {
					args = append(args, filepath.Join(dir, a))
				}
			}
			out, code, err := run(t, newValidateCommand, args...)
			if err != nil {
				out += err.Error()
			}
			if code != tc.code {
				t.Errorf("exit code %d, want %d\n%s", code, tc.code, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestValidateUsage(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no path":        {},
		"unknown flag":   {"--nonsense", "."},
		"unknown format": {"-o", "xml", "."},
		"outside root":   {"--root", "/proc", "."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, code, err := run(t, newValidateCommand, args...); code != 2 || err == nil {
				t.Errorf("code %d, error %v, output %q; want code 2 and an error", code, err, out)
			}
		})
	}
}

func TestValidateRefusesSymbolicLinks(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.yaml": header + "name: a\nextends: [link.yaml]\n", "real.yaml": "apiVersion: sluice/v1\nkind: ConfigBase\n"})
	if err := os.Symlink("real.yaml", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	out, code, _ := run(t, newValidateCommand, dir)
	if code != 1 || !strings.Contains(out, "link.yaml is a symbolic link") {
		t.Errorf("code %d:\n%s", code, out)
	}
	out, code, _ = run(t, newValidateCommand, filepath.Join(dir, "link.yaml"))
	if code != 1 || !strings.Contains(out, "is a symbolic link") {
		t.Errorf("code %d:\n%s", code, out)
	}
}

func TestValidateJSON(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.yaml": header + "name: a\ndata: {x: 0777}\n"})
	out, code, _ := run(t, newValidateCommand, "-o", "json", dir)
	var got validation
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if code != 1 || got.Valid || len(got.Profiles) != 1 || got.Profiles[0].Valid || len(got.Problems) != 2 || got.Problems[1].Line != 6 {
		t.Errorf("code %d, got %+v", code, got)
	}
}

func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	out, code, err := run(t, newValidateCommand, "../../examples/configs")
	if code != 0 || err != nil {
		t.Fatalf("code %d, %v:\n%s", code, err, out)
	}
	if want := "5 profiles, 2 bases, 2 schemas: 0 errors, 0 warnings\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"a.yaml":      header + "name: a\nversion: 1.4.0\ndata: {retries: 3, pool: 20, apiKey: {$secret: 'env:A'}}\n",
		"same.yaml":   header + "name: a\ndata: {retries: 3.0, pool: 20, apiKey: {$secret: 'env:A'}}\n",
		"patch.yaml":  header + "name: a\ndata: {retries: 5, pool: 20, apiKey: {$secret: 'env:B'}}\n",
		"major.yaml":  header + "name: a\ndata: {retries: 'many', apiKey: {$secret: 'env:A'}}\n",
		"lower.yaml":  header + "name: a\nversion: 1.3.0\ndata: {retries: 4, pool: 20, apiKey: {$secret: 'env:A'}}\n",
		"first.yaml":  header + "name: a\ndata: {}\n",
		"second.yaml": header + "name: a\ndata: {x: 1}\n",
		"broken.yaml": header + "name: a\ndata: [\n",
	}
	dir := write(t, files)
	for _, tc := range []struct {
		rule, a, b string
		code       int
		want       []string
	}{
		{"equal numbers are no difference", "a.yaml", "same.yaml", 0, []string{"no change: none, no new version\n"}},
		{"a changed value is a patch, and secrets stay hidden", "a.yaml", "patch.yaml", 1, []string{"-$.retries: 3\n+$.retries: 5\n", "-$.apiKey: \"***\"\n", "2 modified: patch, next version 1.4.1 after 1.4.0\n"}},
		{"a removed key and a changed type are major", "a.yaml", "major.yaml", 1, []string{"-$.pool: 20\n", "1 removed, 1 modified: major, next version 2.0.0"}},
		{"an explicit version that does not rise is said", "a.yaml", "lower.yaml", 1, []string{"version 1.3.0 does not rise above 1.4.0"}},
		{"without a version the first is taken as 1.0.0", "first.yaml", "second.yaml", 1, []string{"1 added: minor, next version 1.1.0 after 1.0.0\n"}},
		{"a broken file is 2, with its place", "a.yaml", "broken.yaml", 2, []string{"broken.yaml:", "YAML syntax"}},
		{"a missing file is 2", "a.yaml", "missing.yaml", 2, []string{"no such file"}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			out, code, err := run(t, newDiffCommand, filepath.Join(dir, tc.a), filepath.Join(dir, tc.b))
			if err != nil {
				out += err.Error()
			}
			if code != tc.code {
				t.Errorf("exit code %d, want %d\n%s", code, tc.code, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("output lacks %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "env:") {
				t.Errorf("secret reference shown:\n%s", out)
			}
		})
	}
}

func TestDiffJSONAndUsage(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.yaml": header + "name: a\ndata: {x: 1}\n", "b.yaml": header + "name: a\ndata: {x: 2, y: 1}\n"})
	out, code, err := run(t, newDiffCommand, "-o", "json", filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml"))
	if code != 1 || err != nil {
		t.Fatalf("code %d, %v", code, err)
	}
	var got struct {
		Diff struct {
			Added, Removed, Modified []struct {
				Field              string
				OldValue, NewValue json.Number
			}
		}
		IsBreakingChange bool
		NextVersion      string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.IsBreakingChange || got.NextVersion != "1.1.0" || len(got.Diff.Modified) != 1 || got.Diff.Modified[0].OldValue != "1" ||
		got.Diff.Modified[0].NewValue != "2" || len(got.Diff.Added) != 1 || got.Diff.Added[0].Field != "$.y" {
		t.Errorf("got %+v from %s", got, out)
	}
	for _, args := range [][]string{{"a.yaml"}, {"-o", "xml", "a", "b"}, {"--nonsense"}} {
		if _, code, err := run(t, newDiffCommand, args...); code != 2 || err == nil {
			t.Errorf("%v: code %d, error %v", args, code, err)
		}
	}
}

func TestColourDiff(t *testing.T) {
	t.Parallel()
	if got, want := colourDiff("--- a\n x\n+b\n"), "\x1b[31m--- a\x1b[0m\n x\n\x1b[32m+b\x1b[0m\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestValidateRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.yaml":       header + "name: a\nextends: [dir.yaml, file.yaml/x.yaml, large.yaml]\n",
		"dir.yaml/x":   "",
		"file.yaml":    "a: 1\n",
		"large.yaml":   "#" + strings.Repeat("x", 1<<20),
		"notes/README": "",
	})
	out, code, _ := run(t, newValidateCommand, dir)
	for _, want := range []string{"dir.yaml is no regular file", "extends file.yaml/x.yaml: file does not exist", "large.yaml has 1048577 bytes, at most 1048576"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("code %d, output lacks %q:\n%s", code, want, out)
		}
	}
}

func TestShownPathsAreThoseOfTheCaller(t *testing.T) {
	t.Parallel()
	// The root may be the work tree of this project, two levels up; what is shown is the path as it was given.
	out, code, err := run(t, newValidateCommand, "files_test.go")
	if code != 1 || !strings.HasPrefix(out, "files_test.go: not a Sluice file") {
		t.Errorf("code %d, %v:\n%s", code, err, out)
	}
	out, code, err = run(t, newDiffCommand, "--root", "../../examples/configs",
		"../../examples/configs/payment-service/staging.yaml", "../../examples/configs/payment-service/production.yaml")
	if code != 1 || !strings.Contains(out, "4 modified: patch") {
		t.Errorf("code %d, %v:\n%s", code, err, out)
	}
}
