package gitsource_test

import (
	"crypto/subtle"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

// gitEnv keeps the machine's and the user's Git configuration out of the tests.
func gitEnv(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Grace", "GIT_COMMITTER_EMAIL=grace@example.com",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:06Z", "LC_ALL=C",
	}
}

// repo is a real repository with a working tree, driven by the git command.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	r := &repo{t: t, dir: filepath.Join(t.TempDir(), "origin")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	return r.gitInput("", args...)
}

func (r *repo) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = r.dir, gitEnv(r.dir)
	return cmd
}

func (r *repo) gitInput(stdin string, args ...string) string {
	r.t.Helper()
	cmd := r.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// write puts files into the working tree; an empty content deletes.
func (r *repo) write(files map[string]string) {
	r.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.dir, name)
		if content == "" {
			if err := os.Remove(path); err != nil {
				r.t.Fatal(err)
			}
			r.removeIfEmpty(filepath.Dir(path))
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// removeIfEmpty removes a folder that lost its last file.
func (r *repo) removeIfEmpty(dir string) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
		if err := os.Remove(dir); err != nil {
			r.t.Fatal(err)
		}
	}
}

// commit writes files and commits everything; it returns the commit.
func (r *repo) commit(message string, files map[string]string) string {
	r.t.Helper()
	r.write(files)
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// options returns options for a source that reads the repository directly.
func (r *repo) options() gitsource.Options {
	return gitsource.Options{ID: "configs", URL: "file://" + r.dir, Branch: "main", Dir: r.t.TempDir(), AllowFile: true}
}

func open(t *testing.T, o gitsource.Options) *gitsource.Mirror {
	t.Helper()
	m, err := gitsource.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func fetch(t *testing.T, m *gitsource.Mirror) string {
	t.Helper()
	head, err := m.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func read(t *testing.T, m *gitsource.Mirror, commit, path string) string {
	t.Helper()
	b, err := m.Read(t.Context(), commit, path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// changes renders the changes between two commits, one a line.
func changes(t *testing.T, m *gitsource.Mirror, from, to string) []string {
	t.Helper()
	list, err := m.Changes(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range list {
		line := string(c.Kind) + " " + c.Path
		if c.Reason != "" {
			line += ": " + c.Reason
		}
		out = append(out, line)
	}
	return out
}

// serveHTTP serves the repository by git's own smart HTTP backend, and asks for the credentials if there are any.
func (r *repo) serveHTTP(user, token string) *httptest.Server {
	r.t.Helper()
	backend := filepath.Join(r.git("--exec-path"), "git-http-backend")
	h := &cgi.Handler{
		Path: backend, Dir: r.dir, InheritEnv: []string{"PATH"},
		Env: append(gitEnv(r.dir), "GIT_PROJECT_ROOT="+filepath.Dir(r.dir), "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		u, p, _ := req.BasicAuth()
		if token != "" && (u != user || subtle.ConstantTimeCompare([]byte(p), []byte(token)) != 1) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "no: "+req.Header.Get("Authorization")+" "+p, http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, req)
	}))
	r.t.Cleanup(s.Close)
	return s
}

func (r *repo) httpOptions(s *httptest.Server) gitsource.Options {
	o := r.options()
	o.URL, o.AllowFile = s.URL+"/origin/.git", false
	o.AllowInsecureHTTP, o.AllowLoopback = true, true
	return o
}
