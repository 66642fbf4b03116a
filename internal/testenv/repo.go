package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Repo is a bare repository, as a forge would hold it, and a clone of it in
// which a person works. Its methods fail the test at the first error.
type Repo struct {
	Bare string // what a source's URL names
	Work string
	t    testing.TB
	home string
}

// NewRepo makes an empty repository with the branch main.
func NewRepo(t testing.TB) *Repo {
	t.Helper()
	dir := t.TempDir()
	r := &Repo{Bare: filepath.Join(dir, "configs.git"), Work: filepath.Join(dir, "work"), t: t, home: dir}
	r.run(dir, "init", "--quiet", "--bare", "--initial-branch=main", r.Bare)
	r.run(dir, "init", "--quiet", "--initial-branch=main", r.Work)
	r.Git("remote", "add", "origin", r.Bare)
	return r
}

// Git runs git in the clone and returns what it printed, trimmed.
func (r *Repo) Git(args ...string) string {
	r.t.Helper()
	return r.run(r.Work, args...)
}

// run keeps the configuration of whoever runs the test out.
func (r *Repo) run(dir string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"HOME="+r.home, "XDG_CONFIG_HOME="+r.home, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=Ann Author", "GIT_COMMITTER_EMAIL=ann@example.com",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Write puts a file into the clone, folders and all.
func (r *Repo) Write(path, content string) {
	r.t.Helper()
	name := filepath.Join(r.Work, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// Remove takes a file out of the clone.
func (r *Repo) Remove(path string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.Work, filepath.FromSlash(path))); err != nil {
		r.t.Fatal(err)
	}
}

// Commit records everything in the clone and returns the commit.
func (r *Repo) Commit(message string) string {
	r.t.Helper()
	r.Git("add", "--all")
	r.Git("commit", "--quiet", "--allow-empty", "--message", message)
	return r.Head()
}

// Merge makes change on a branch of its own and merges that into main, as a
// forge merges a pull request. It returns the merge commit.
func (r *Repo) Merge(branch, message string, change func()) string {
	r.t.Helper()
	r.Git("checkout", "--quiet", "-b", branch)
	change()
	r.Commit("work on " + branch)
	r.Git("checkout", "--quiet", "main")
	r.Git("merge", "--quiet", "--no-ff", "--message", message, branch)
	return r.Head()
}

// Push brings main to the bare repository.
func (r *Repo) Push() {
	r.t.Helper()
	r.Git("push", "--quiet", "origin", "main")
}

// ForcePush brings main to the bare repository whatever was there.
func (r *Repo) ForcePush() {
	r.t.Helper()
	r.Git("push", "--quiet", "--force", "origin", "main")
}

// Head is the commit that the clone stands on.
func (r *Repo) Head() string {
	r.t.Helper()
	return r.Git("rev-parse", "HEAD")
}
