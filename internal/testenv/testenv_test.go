package testenv_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func TestBinary(t *testing.T) {
	t.Parallel()
	program := testenv.Binary(t)
	out, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "sluice ") {
		t.Errorf("it says %q, %v", out, err)
	}
	if again := testenv.Binary(t); again != program {
		t.Errorf("it is built again: %s and %s", program, again)
	}
}

func TestRepo(t *testing.T) {
	t.Parallel()
	r := testenv.NewRepo(t)
	r.Write("a/b.yaml", "one\n")
	first := r.Commit("first")
	r.Push()
	merge := r.Merge("change", "Merge pull request #1 from ann/change", func() {
		r.Write("a/b.yaml", "two\n")
		r.Write("c.yaml", "three\n")
	})
	r.Push()
	if parents := r.Git("rev-list", "--first-parent", "--parents", "-n1", merge); parents == merge {
		t.Error("the merge has no parents")
	}
	if got := r.Git("rev-parse", merge+"^1"); got != first {
		t.Errorf("the first parent is %s, want %s", got, first)
	}
	if got := r.Git("ls-remote", r.Bare, "refs/heads/main"); got[:40] != merge {
		t.Errorf("main is %s, want %s", got, merge)
	}
	r.Remove("c.yaml")
	r.Commit("without c")
	r.Push()
	r.Git("reset", "--quiet", "--hard", first)
	r.ForcePush()
	if got := r.Git("ls-remote", r.Bare, "refs/heads/main"); got[:40] != first {
		t.Errorf("main was not rewritten: %s", got)
	}
	if _, err := os.Stat(filepath.Join(r.Work, "c.yaml")); !os.IsNotExist(err) {
		t.Errorf("c.yaml is still there: %v", err)
	}
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(testenv.FreePort(t))))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
