package testenv

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// GitHTTP serves the bare repositories of one folder to readers, by git's own
// smart HTTP backend, and counts what was asked of it.
type GitHTTP struct {
	// Allow says who may read; nil lets everybody.
	Allow func(user, password string) bool

	backend        http.Handler
	lists, fetches atomic.Int64
}

// gitPrograms is where git keeps the programs that it is made of.
var gitPrograms = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	return strings.TrimSpace(string(out)), err
})

// NewGitHTTP returns a handler that serves root/NAME.git below /NAME.git.
func NewGitHTTP(t testing.TB, root string) *GitHTTP {
	t.Helper()
	programs, err := gitPrograms()
	must(t, err)
	return &GitHTTP{backend: &cgi.Handler{
		Path: filepath.Join(programs, "git-http-backend"), Dir: root, InheritEnv: []string{"PATH"},
		Env: []string{
			"HOME=" + root, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "LC_ALL=C",
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		},
	}}
}

// Lists counts how often the refs were listed.
func (g *GitHTTP) Lists() int { return int(g.lists.Load()) }

// Fetches counts how often objects were fetched.
func (g *GitHTTP) Fetches() int { return int(g.fetches.Load()) }

// ServeHTTP answers one request of a git client.
func (g *GitHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	if g.Allow != nil && !g.Allow(user, password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/git-receive-pack") || r.URL.Query().Get("service") == "git-receive-pack" {
		http.Error(w, "read only", http.StatusForbidden)
		return
	}
	g.count(r)
	g.backend.ServeHTTP(w, r)
}

// count knows both protocols: the second one lists refs by a command of its own.
func (g *GitHTTP) count(r *http.Request) {
	switch second := strings.Contains(r.Header.Get("Git-Protocol"), "version=2"); {
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/info/refs"):
		if !second {
			g.lists.Add(1)
		}
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		body := bufio.NewReader(r.Body)
		start, _ := body.Peek(32) // a short body is no listing
		r.Body = struct {
			io.Reader
			io.Closer
		}{body, r.Body}
		if bytes.Contains(start, []byte("command=ls-refs")) {
			g.lists.Add(1)
		} else {
			g.fetches.Add(1)
		}
	}
}
