package fakeforge

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
)

// Options of a fake forge; the zero value is a usual one.
type Options struct {
	Repository  string           // OWNER/NAME; "acme/configs" when empty
	MaxStatuses int              // of one commit and context, 1000 when 0
	PageSize    int              // at most so many on one page, 100 when 0
	Quota       int              // requests in an hour, 5000 when 0
	Now         func() time.Time // the forge's clock, time.Now when nil
}

// Forge is the fake. Its methods fail the test at the first error and are safe
// for concurrent use.
type Forge struct {
	URL        string // of the forge, without a path
	CloneURL   string
	Repository string
	Token      string // that the API and Git take; it is the user Me's
	Me         string
	Repo       *testenv.Repo    // the bare repository, and a clone in which a person works
	Git        *testenv.GitHTTP // counts what Git clients did

	t       testing.TB
	speak   dialect
	options Options
	now     func() time.Time
	server  *httptest.Server
	done    chan struct{} // closed when the test is over: hanging requests end

	mu       sync.Mutex
	memory   map[string]string // what git said that cannot change
	lastID   int64
	roles    map[string]string
	pulls    []*Pull
	statuses []Status
	checks   []CheckRun
	requests []Request
	faults   []*Fault
	quota    quota
	app      *App
}

// dialect is one forge's API over the state of a Forge. All but mux are called
// with the state locked; the handlers of mux run with it locked too.
type dialect interface {
	// prefix is the path that the API is below: /api/v3.
	prefix() string
	// pullRef is the ref of a pull request's head.
	pullRef(number int) string
	// who is the user whose credentials a request bears; ok is false where the
	// forge answers 401.
	who(f *Forge, r *http.Request) (login string, ok bool)
	// mux serves the API below the prefix.
	mux(f *Forge) http.Handler
	// refuse writes an error as the forge words it.
	refuse(w http.ResponseWriter, status int, message string)
	// showQuota sets the headers that tell the quota, if the forge has any.
	showQuota(h http.Header, q quota)
	// event is the webhook delivery of an event, not signed yet.
	event(f *Forge, e Event) (http.Header, []byte)
	// sign adds what proves that the body comes from who knows the secret.
	sign(h http.Header, secret string, body []byte)
}

// Dialect names the forge that the fake speaks like.
type Dialect string

// The dialects.
const (
	GitHub Dialect = "github"
	Gitea  Dialect = "gitea"
	GitLab Dialect = "gitlab"
)

// dialects is filled by the files of the dialects.
var dialects = map[Dialect]dialect{
	GitHub: github{},
}

// New starts a forge that ends with the test. Its repository holds one commit on main.
func New(t testing.TB, d Dialect, o Options) *Forge {
	t.Helper()
	speak, ok := dialects[d]
	if !ok {
		t.Fatalf("fakeforge: no dialect %q", d)
	}
	o.Repository = cmp.Or(o.Repository, "acme/configs")
	o.MaxStatuses, o.PageSize, o.Quota = cmp.Or(o.MaxStatuses, 1000), cmp.Or(o.PageSize, 100), cmp.Or(o.Quota, 5000)
	f := &Forge{
		Repository: o.Repository, Token: "fake-token-canary-" + string(d), Me: "sluice-bot",
		Repo: testenv.NewRepo(t),
		t:    t, speak: speak, options: o, now: o.Now, done: make(chan struct{}),
		roles: map[string]string{"sluice-bot": "write"}, memory: map[string]string{},
	}
	if f.now == nil {
		f.now = time.Now
	}
	f.quota = quota{limit: o.Quota, remaining: o.Quota, reset: f.now().Add(time.Hour)}
	f.Repo.Write("README.md", "# Configuration\n")
	f.Repo.Commit("begin")
	f.Repo.Push()
	f.Git = testenv.NewGitHTTP(t, filepath.Dir(f.Repo.Bare))
	f.Git.Allow = f.allowGit
	f.server = httptest.NewServer(f.handler())
	t.Cleanup(func() {
		close(f.done)
		f.server.Close()
	})
	f.URL = f.server.URL
	f.CloneURL = f.URL + "/" + f.Repository + ".git"
	return f
}

// handler tells the API from Git.
func (f *Forge) handler() http.Handler {
	api := f.door(http.StripPrefix(f.speak.prefix(), f.speak.mux(f)))
	git := "/" + f.Repository + ".git"
	mux := http.NewServeMux()
	mux.Handle(f.speak.prefix()+"/", api)
	// Where a redirect may lead: it looks like success.
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, struct{}{}) })
	mux.HandleFunc(git+"/", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.refresh()
		f.mu.Unlock()
		r.URL.Path = "/" + filepath.Base(f.Repo.Bare) + strings.TrimPrefix(r.URL.Path, git)
		f.Git.ServeHTTP(w, r)
	})
	return mux
}

// allowGit takes the token as the password, as every forge does.
func (f *Forge) allowGit(_, password string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return password == f.Token || f.app.knows(password)
}

// id is a number that nothing else here has.
func (f *Forge) id() int64 {
	f.lastID++
	return f.lastID
}

// Allow gives a user a role: read, triage, write, maintain or admin; "" takes it.
func (f *Forge) Allow(user, role string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roles[user] = role
}

// owner and name are the two halves of the repository's name.
func (f *Forge) owner() string { owner, _, _ := strings.Cut(f.Repository, "/"); return owner }
func (f *Forge) name() string  { _, name, _ := strings.Cut(f.Repository, "/"); return name }
