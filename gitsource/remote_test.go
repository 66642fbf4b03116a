package gitsource_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/gitsource"
)

const canary = "ghp_CANARY/secret+1"

// leaks reports whether a text shows the canary in any spelling.
func leaks(s string) bool {
	for _, c := range []string{canary, url.QueryEscape(canary), url.PathEscape(canary), "CANARY",
		base64.StdEncoding.EncodeToString([]byte("git:" + canary))} {
		if strings.Contains(s, c) {
			return true
		}
	}
	return false
}

func TestTokenOpensThePrivateRepository(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head := r.commit("first", map[string]string{"a.yaml": "one"})
	s := r.serveHTTP("git", canary)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*gitsource.Options){
		"token":      func(o *gitsource.Options) { o.Auth.Token = canary },
		"token file": func(o *gitsource.Options) { o.Auth.TokenFile = file },
		"token source": func(o *gitsource.Options) {
			o.Auth.TokenSource = func(context.Context) (string, error) { return canary, nil }
		},
		"url": func(o *gitsource.Options) {
			o.URL = strings.Replace(o.URL, "http://", "http://git:"+url.QueryEscape(canary)+"@", 1)
		},
		"url, token only": func(o *gitsource.Options) {
			o.URL = strings.Replace(o.URL, "http://", "http://"+url.QueryEscape(canary)+"@", 1)
		},
	} {
		o := r.httpOptions(s)
		o.Dir = t.TempDir()
		change(&o)
		if got := fetch(t, open(t, o)); got != head {
			t.Errorf("%s: Fetch = %s", name, got)
		}
	}
}

func TestWrongTokensAreRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.commit("first", map[string]string{"a.yaml": "one"})
	s := r.serveHTTP("git", "another")
	for name, auth := range map[string]gitsource.Auth{
		"none":              {},
		"wrong":             {Token: canary},
		"with a line break": {Token: canary + "\nX-Evil: 1"},
		"no file":           {TokenFile: "/nonexistent"},
		"source fails":      {TokenSource: func(context.Context) (string, error) { return "", errors.New("answer: " + canary) }},
	} {
		o := r.httpOptions(s)
		o.Auth, o.Dir = auth, t.TempDir()
		m := open(t, o)
		for call, do := range map[string]func(context.Context) (string, error){"Head": m.Head, "Fetch": m.Fetch} {
			if _, err := do(t.Context()); !errors.Is(err, gitsource.ErrAuth) || leaks(err.Error()) {
				t.Errorf("%s with %s: %v", call, name, err)
			}
		}
	}
}

func TestAuthNeverPrintsItself(t *testing.T) {
	t.Parallel()
	a := gitsource.Auth{Username: "u", Token: canary, SSHKey: []byte(canary), SSHPassphrase: canary, KnownHosts: []byte("x")}
	o := gitsource.Options{ID: "s", URL: "https://git:" + canary + "@example.com/x", Auth: a}
	j, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "auth", a, "options", o)
	text := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %s %s", a, a, a, a, o, &o, o, j, log.String())
	if leaks(text) {
		t.Errorf("shown: %s", text)
	}
	if got := a.String(); got != "credentials: token, ssh key (hidden)" {
		t.Errorf("String = %q", got)
	}
	if got := (gitsource.Auth{}).String(); got != "no credentials" {
		t.Errorf("String = %q", got)
	}
}

// Whatever a server answers, the error says its kind and shows neither the token nor the answer.
func TestAnswersOfBadServers(t *testing.T) {
	t.Parallel()
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, "%s %s CANARY", req.URL, req.Header.Get("Authorization"))
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"401": {echo(401), gitsource.ErrAuth}, "403": {echo(403), gitsource.ErrAuth},
		"404": {echo(404), gitsource.ErrRepositoryNotFound}, "500": {echo(500), gitsource.ErrRemote}, "429": {echo(429), gitsource.ErrRemote},
		"an endless error": {func(w http.ResponseWriter, req *http.Request) {
			w.WriteHeader(500)
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
					return
				}
			}
		}, gitsource.ErrRemote},
		"a page":  {func(w http.ResponseWriter, req *http.Request) { fmt.Fprint(w, "<html>sign in</html>") }, gitsource.ErrRemote},
		"hang up": {func(w http.ResponseWriter, req *http.Request) { panic(http.ErrAbortHandler) }, gitsource.ErrRemote},
		"nothing": {func(w http.ResponseWriter, req *http.Request) {}, gitsource.ErrRemote},
		"token in the protocol's error": {func(w http.ResponseWriter, req *http.Request) {
			_, token, _ := req.BasicAuth()
			fmt.Fprint(w, pkt("# service=git-upload-pack\n")+"0000"+pkt("ERR sorry "+token+"\x1b[31m\n"))
		}, gitsource.ErrRemote},
		"sha256": {func(w http.ResponseWriter, req *http.Request) {
			fmt.Fprint(w, pkt("# service=git-upload-pack\n")+"0000"+pkt(someHead+" refs/heads/main\x00object-format=sha256\n")+"0000")
		}, gitsource.ErrUnsupported},
		"shallow": {func(w http.ResponseWriter, req *http.Request) {
			fmt.Fprint(w, pkt("# service=git-upload-pack\n")+"0000"+pkt(someHead+" refs/heads/main\x00ofs-delta\n")+pkt("shallow "+someHead+"\n")+"0000")
		}, gitsource.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(c.handler)
			t.Cleanup(s.Close)
			o := serverOptions(t, s)
			o.Auth.Token = canary
			m := open(t, o)
			for call, do := range map[string]func(context.Context) (string, error){"Head": m.Head, "Fetch": m.Fetch} {
				_, err := do(t.Context())
				if !errors.Is(err, c.want) {
					t.Errorf("%s = %v, want %v", call, err, c.want)
				}
				if err != nil && (leaks(err.Error()) || strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 400) {
					t.Errorf("%s shows too much: %q", call, err)
				}
			}
		})
	}
}

func TestRedirectsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(evil.Close)
	for _, target := range []string{evil.URL, "http://169.254.169.254/latest/meta-data"} {
		s := httptest.NewServer(http.RedirectHandler(target+"/x.git/info/refs?service=git-upload-pack&t="+url.QueryEscape(canary), http.StatusFound))
		t.Cleanup(s.Close)
		o := serverOptions(t, s)
		o.Auth.Token = canary
		if _, err := open(t, o).Fetch(t.Context()); !errors.Is(err, gitsource.ErrRedirect) || leaks(err.Error()) {
			t.Errorf("Fetch = %v, want ErrRedirect", err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests followed the redirect", n)
	}
}

func TestARedirectSaysWhereTheRepositoryIs(t *testing.T) {
	t.Parallel()
	for location, says := range map[string]string{
		"https://git.example.com/new/name.git/info/refs?service=git-upload-pack":                                                      "https://git.example.com/new/name.git now",
		"https://" + url.UserPassword("me", canary).String() + "@git.example.com/name.git/info/refs?token=" + url.QueryEscape(canary): "https://git.example.com/name.git now",
		"/acme/configs.git/info/refs?service=git-upload-pack":                                                                         "/acme/configs.git now", // GitLab's, where the address lacks .git
		"https://git.example.com/users/sign_in":                                                                                       "final address",
		"https:///info/refs":                                                                                                          "final address",
		"javascript:alert(1)/info/refs":                                                                                               "final address",
		"":                                                                                                                            "final address",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusMovedPermanently)
		}))
		t.Cleanup(s.Close)
		_, err := open(t, serverOptions(t, s)).Head(t.Context())
		if !errors.Is(err, gitsource.ErrRedirect) || !strings.Contains(err.Error(), says) || leaks(err.Error()) {
			t.Errorf("to %s: %v, want it to say %q", location, err, says)
		}
	}
}

// A name that resolves to this machine is stopped when it is dialled, and never gets the token.
func TestAddressesAreJudgedWhenDialled(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{"http://localhost:" + port + "/x", "ssh://git@localhost:" + port + "/x"} {
		o := gitsource.Options{ID: "s", URL: u, Branch: "main", Dir: t.TempDir(), AllowInsecureHTTP: true}
		o.Auth = gitsource.Auth{Token: canary, SSHKey: newKey(t).pem, KnownHosts: []byte("# none\n")}
		if _, err := open(t, o).Head(t.Context()); !errors.Is(err, gitsource.ErrBlockedAddress) {
			t.Errorf("Head of %s = %v, want ErrBlockedAddress", u, err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d connections got through", n)
	}
}

func TestHangingServersTimeOut(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	hang := func(w http.ResponseWriter, req *http.Request) {
		select {
		case <-stop:
		case <-req.Context().Done():
		}
	}
	refs := httptest.NewServer(http.HandlerFunc(hang))
	pack := serveHead(t, someHead, "", func(w io.Writer) {
		w.(http.Flusher).Flush()
		<-stop
	})
	t.Cleanup(refs.Close)
	t.Cleanup(func() { close(stop) })
	for name, s := range map[string]*httptest.Server{"refs": refs, "pack": pack} {
		o := serverOptions(t, s)
		o.Limits.FetchTimeout, o.Limits.HeadTimeout = 100*time.Millisecond, 100*time.Millisecond
		start := time.Now()
		_, err := open(t, o).Fetch(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, gitsource.ErrRemote) || time.Since(start) > 5*time.Second {
			t.Errorf("%s: Fetch = %v after %v", name, err, time.Since(start))
		}
	}
	m := open(t, serverOptions(t, refs))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Head(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Head = %v, want context.Canceled", err)
	}
}

func TestUnreachableAndMissingRepositories(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	o := serverOptions(t, s)
	s.Close()
	if _, err := open(t, o).Head(t.Context()); !errors.Is(err, gitsource.ErrRemote) {
		t.Errorf("closed port: %v", err)
	}
	dir := t.TempDir()
	o = gitsource.Options{ID: "s", URL: dir, Branch: "main", Dir: t.TempDir(), AllowFile: true}
	if _, err := open(t, o).Head(t.Context()); !errors.Is(err, gitsource.ErrRepositoryNotFound) {
		t.Errorf("empty folder: %v", err)
	}
}

func TestEmptyRepositoriesAndMissingBranches(t *testing.T) {
	t.Parallel()
	empty := newRepo(t)
	other := newRepo(t)
	other.commit("x", map[string]string{"a": "a"})
	for name, options := range map[string]func(*repo) gitsource.Options{
		"file": (*repo).options,
		"http": func(r *repo) gitsource.Options { return r.httpOptions(r.serveHTTP("", "")) },
	} {
		if _, err := open(t, options(empty)).Fetch(t.Context()); !errors.Is(err, gitsource.ErrEmptyRepository) {
			t.Errorf("%s: empty repository: %v", name, err)
		}
		o := options(other)
		o.Branch = "release/2026"
		if _, err := open(t, o).Head(t.Context()); !errors.Is(err, gitsource.ErrBranchGone) {
			t.Errorf("%s: no such branch: %v", name, err)
		}
	}
}

// A connection that breaks in the middle of a pack is the remote's failure, not a malformed pack, and leaves nothing.
func TestPacksThatBreakOff(t *testing.T) {
	t.Parallel()
	var b packBuilder
	b.object(typeBlob, []byte(noise(3, 100_000)))
	pack := b.bytes()
	for name, c := range map[string]struct {
		capabilities string
		send         func(io.Writer)
	}{
		"connection lost": {"", func(w io.Writer) {
			fmt.Fprint(w, string(pack[:len(pack)/2]))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		"error on the side": {"side-band-64k", func(w io.Writer) {
			fmt.Fprint(w, pkt("\x01"+string(pack[:1000]))+pkt("\x02counting\n")+pkt("\x03out of "+canary+"\n"))
		}},
		"error in the old way": {"side-band", func(w io.Writer) {
			fmt.Fprint(w, pkt("\x01"+string(pack[:500]))+pkt("\x03out of memory\n"))
		}},
	} {
		o := serverOptions(t, serveHead(t, someHead, c.capabilities, c.send))
		o.Auth.Token = canary
		if _, err := open(t, o).Fetch(t.Context()); !errors.Is(err, gitsource.ErrRemote) || errors.Is(err, gitsource.ErrMalformed) || leaks(err.Error()) {
			t.Errorf("%s: Fetch = %v, want ErrRemote", name, err)
		}
		if left := packFiles(t, o, ""); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// A pack that lacks what its trees name is noticed when it is read; the next fetch asks for everything again.
func TestIncompletePacks(t *testing.T) {
	t.Parallel()
	var whole, part packBuilder
	blob, _ := whole.object(typeBlob, []byte("x"))
	lines := []treeLine{{fileMode, "x.yaml", blob}}
	sub, _ := whole.object(typeTree, treeContent(lines...))
	head := whole.tree(treeLine{folderMode, "sub", sub})
	part.tree(treeLine{folderMode, "sub", sub})
	var requests atomic.Int32
	s := serveHead(t, head, "", func(w io.Writer) {
		if requests.Add(1) == 1 {
			fmt.Fprint(w, string(part.bytes()))
			return
		}
		fmt.Fprint(w, string(whole.bytes()))
	})
	m := open(t, serverOptions(t, s))
	fetch(t, m)
	if _, err := m.Read(t.Context(), head, "sub/x.yaml"); !errors.Is(err, gitsource.ErrCorrupt) {
		t.Errorf("Read = %v, want ErrCorrupt", err)
	}
	fetch(t, m)
	if got := read(t, m, head, "sub/x.yaml"); got != "x" {
		t.Errorf("x.yaml = %q", got)
	}
}

// A panic on the way to a remote is this source's error and nobody else's.
func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	o := gitsource.Options{ID: "s", URL: "https://example.com/x", Branch: "main", Dir: t.TempDir()}
	o.Auth.TokenSource = func(context.Context) (string, error) { panic(canary) }
	m := open(t, o)
	for call, do := range map[string]func(context.Context) (string, error){"Head": m.Head, "Fetch": m.Fetch} {
		if _, err := do(t.Context()); !errors.Is(err, gitsource.ErrPanic) || leaks(err.Error()) {
			t.Errorf("%s = %v, want ErrPanic", call, err)
		}
	}
}
