package forge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/forge/forgetest"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// signedIn is a repository that is reached as an app.
func signedIn(t *testing.T) (*fakeforge.Forge, *forge.GitHub, *forgetest.Clock) {
	t.Helper()
	clock := &forgetest.Clock{}
	clock.Advance(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).Sub(time.Time{}))
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{Now: clock.Now})
	app := f.InstallApp()
	g, err := forge.NewGitHub(forge.GitHubOptions{
		URL: f.URL, Repository: f.Repository, Now: clock.Now, App: forge.GitHubApp{ID: app.ID, PrivateKey: app.PrivateKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, g, clock
}

func TestGitHubAsAnApp(t *testing.T) {
	t.Parallel()
	forgetest.RunHost(t, forgetest.Kind{
		Dialect: fakeforge.GitHub, Shown: shownAtGitHub, Conditional: true, Quota: true, Maintain: true, Limit: true,
		Only: []string{"comments", "comments of others", "proposals", "limits", "classes of refusals", "no token in errors"},
		Open: func(t *testing.T, f *fakeforge.Forge, gate *forge.Gateway) forge.Host {
			app := f.InstallApp()
			f.Me = app.Slug + "[bot]"
			g, err := forge.NewGitHub(forge.GitHubOptions{
				URL: f.URL, Repository: f.Repository, Gateway: gate,
				App: forge.GitHubApp{ID: app.ID, InstallationID: app.Installation, PrivateKey: app.PrivateKey},
			})
			if err != nil {
				t.Fatal(err)
			}
			return g
		},
	})
}

func TestAnAppsTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	f, g, clock := signedIn(t)
	list := func() {
		t.Helper()
		if _, err := g.OpenPullRequests(t.Context(), "main"); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := g.GitToken(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 1}, {49 * time.Minute, 1}, {2 * time.Minute, 2}, {49 * time.Minute, 2}} {
		clock.Advance(step.wait)
		list()
		if got := f.AppTokens(); got != step.want {
			t.Fatalf("after %s more: %d tokens, want %d", step.wait, got, step.want)
		}
	}
	f.RevokeAppTokens()
	list()
	if got := f.AppTokens(); got != 3 {
		t.Fatalf("after the token was taken back: %d tokens, want 3", got)
	}
	f.RevokeAppTokens()
	if err := g.PostStatus(t.Context(), forge.Status{Commit: f.Repo.Head(), Context: "sluice", State: forge.Success}); err != nil {
		t.Fatalf("a request with a body, after the token was taken back: %v", err)
	}
}

func TestGitFetchesWithAnAppsToken(t *testing.T) {
	t.Parallel()
	f, g, _ := signedIn(t)
	token, err := g.GitToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "git", "ls-remote", strings.Replace(f.CloneURL, "://", "://git:"+token+"@", 1), "HEAD")
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.Output(); err != nil || !strings.HasPrefix(string(out), f.Repo.Head()) {
		t.Fatalf("ls-remote: %q, %v", out, err)
	}
}

func TestAnAppThatIsNotInstalledIsSaidSo(t *testing.T) {
	t.Parallel()
	f, g, _ := signedIn(t)
	for _, path := range []string{"/repos/acme/configs/installation", "/app/installations/"} {
		f.Inject(fakeforge.Fault{Path: path, Status: http.StatusNotFound, Body: `{"message":"Not Found"}`})
		_, err := g.PullRequest(t.Context(), 1)
		if !errors.Is(err, forge.ErrAccess) || errors.Is(err, forge.ErrTerminal) || !strings.Contains(err.Error(), "not installed on acme/configs") {
			t.Fatalf("%s: error %v, want ErrAccess alone", path, err)
		}
	}
	if _, err := g.OpenPullRequests(t.Context(), "main"); err != nil {
		t.Fatalf("once it is: %v", err)
	}
}

func TestAKeyThatIsNoneIsNotQuoted(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{
		"nothing": "", "text": "key-canary", "another kind": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"broken": "-----BEGIN RSA PRIVATE KEY-----\nkeycanary\n-----END RSA PRIVATE KEY-----\n",
	} {
		o := forge.GitHubOptions{Repository: "acme/configs", App: forge.GitHubApp{ID: 1, PrivateKey: []byte(key)}}
		_, err := forge.NewGitHub(o)
		if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "private key") {
			t.Errorf("%s: error %v", name, err)
		}
		if shown := fmt.Sprintf("%v %+v %#v", o, o, o); strings.Contains(shown, "canary") {
			t.Errorf("%s: printed %s", name, shown)
		}
	}
}

func TestAnotherAppsKeyIsRefused(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{})
	app := f.InstallApp()
	other, err := rsa.GenerateKey(rand.Reader, 1024) // it is quickly made, and secures nothing
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(other)})
	g, err := forge.NewGitHub(forge.GitHubOptions{URL: f.URL, Repository: f.Repository, App: forge.GitHubApp{ID: app.ID, PrivateKey: key}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.GitToken(t.Context()); !errors.Is(err, forge.ErrAccess) || errors.Is(err, forge.ErrTerminal) {
		t.Fatalf("error %v, want ErrAccess alone", err)
	}
}

// remarks are n of them on the lines of a file.
func remarks(path string, n int) []forge.Remark {
	var all []forge.Remark
	for i := range n {
		all = append(all, forge.Remark{Path: path, Line: i + 1, Text: fmt.Sprintf("line %d is wrong", i+1)})
	}
	return all
}

func TestAnAppAnnotatesByACheckRun(t *testing.T) {
	t.Parallel()
	f, g, _ := signedIn(t)
	f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("a: 1\n")})
	n := f.Open("feature", "Add a", "alice")
	head := f.Pull(n).Head
	said := remarks("a.yaml", 120)
	// Whichever answer is lost, another try ends with one whole run of them.
	for lost := range 4 {
		f.Inject(fakeforge.Fault{Path: "/repos/acme/configs/check-runs", Cut: true, Skip: lost})
	}
	tries := 0
	for err := errors.New("not tried"); err != nil; tries++ {
		if err = g.Annotate(t.Context(), n, head, said); errors.Is(err, forge.ErrTerminal) || tries > 10 {
			t.Fatal(err)
		}
	}
	if tries < 2 {
		t.Fatal("no answer was lost")
	}
	before := len(f.CheckRuns(head))
	if err := g.Annotate(t.Context(), n, head, said); err != nil || len(f.CheckRuns(head)) != before {
		t.Fatalf("again: %v, %d runs, want %d", err, len(f.CheckRuns(head)), before)
	}
	last := f.CheckRuns(head)[before-1]
	if last.Status != "completed" || last.Conclusion != "neutral" || len(last.Annotations) != 120 || last.Annotations[119].Line != 120 {
		t.Fatalf("%s %s with %d annotations", last.Status, last.Conclusion, len(last.Annotations))
	}
	if err := g.Annotate(t.Context(), n, head, said[:1]); err != nil || len(f.CheckRuns(head)) != before+1 {
		t.Fatalf("other remarks: %v, %d runs", err, len(f.CheckRuns(head)))
	}
	if slices.ContainsFunc(f.Pull(n).Reviews, func(fakeforge.Review) bool { return true }) {
		t.Fatal("an app needs no review for it")
	}
}
