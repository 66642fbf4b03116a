package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small is a tree with one guard.
var small = map[string]string{
	"go.mod":   "module example.com/small\n\ngo 1.26\n",
	"small.go": "package small\n\nfunc Bounded(n int) int {\n\treturn min(n, 10)\n}\n",
	"small_test.go": `package small

import "testing"

func TestBounded(t *testing.T) {
	if n := Bounded(99); n != 10 {
		t.Errorf("%d passed the bound", n)
	}
}

func TestNothing(*testing.T) {}

func TestBroken(t *testing.T) { t.Error("broken anyway") }
`,
}

// patch replaces the line that guards.
func patch(test, says, line string) string {
	return "# guard: the bound\n# test: go test " + test + "\n# says: " + says + `
--- a/small.go
+++ b/small.go
@@ -3,3 +3,3 @@
 func Bounded(n int) int {
-	return min(n, 10)
+	` + line + "\n }\n"
}

func TestOnlyATestThatMissesTheGuardCatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		patch string
		want  string // part of the complaint, "" for caught
	}{
		"a test misses it":             {patch(". -run TestBounded", "99 passed the bound", "return n"), ""},
		"no test misses it":            {patch(". -run TestNothing", "passed", "return n"), "pass without it"},
		"no test runs":                 {patch(". -run TestGone", "passed", "return n"), "no test ran"},
		"the test fails anyway":        {patch(". -run TestBroken", "broken", "return n"), "fail with the guard in its place"},
		"it does not compile":          {patch(". -run TestBounded", "passed", "return missing"), "does not compile"},
		"it fails for another reason":  {patch(". -run TestBounded", "99 passed the bound", "return n + 1"), "did not say"},
		"it panics":                    {patch(". -run TestBounded", "passed the bound", `panic("passed the bound")`), "panicked"},
		"it panics, which is foreseen": {patch(". -run TestBounded", "panic: no bound", `panic("no bound")`), ""},
		"the tree has moved on":        {strings.Replace(patch(". -run TestBounded", "passed", "return n"), "min(n, 10)", "min(n, 11)", 1), "does not apply"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range small {
				write(t, filepath.Join(dir, file), text)
			}
			folder := t.TempDir()
			write(t, filepath.Join(folder, "bound.patch"), c.patch)
			guards, err := readGuards(folder, []string{"bound"})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = tryAll(t.Context(), newBench(dir), guards, &out)
			if caught := c.want == ""; caught != (err == nil) || !strings.Contains(out.String(), c.want) {
				t.Errorf("got %v, want %q in\n%s", err, c.want, out.String())
			}
			if left, err := os.ReadFile(filepath.Join(dir, "small.go")); err != nil || string(left) != small["small.go"] {
				t.Errorf("the guard was not put back (%v):\n%s", err, left)
			}
		})
	}
}

func TestAPatchSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "bound.patch"), strings.Replace(patch(".", "passed", "return n"), "# says", "# hopes", 1))
	if _, err := readGuards(folder, nil); err == nil || !strings.Contains(err.Error(), "bound.patch") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if _, err := readGuards(folder, []string{"limit"}); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("got %v, want an error that names what is not there", err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
