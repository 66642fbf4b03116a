package client_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeserver"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

// shelf is a directory of snapshots and the key that signs them.
type shelf struct {
	t   *testing.T
	dir string
	key snapshot.PrivateKey
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	key, err := snapshot.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	return &shelf{t: t, dir: t.TempDir(), key: key}
}

// sign returns the file of a snapshot of version 1.0.0 with the data {"n": 1}, written an hour ago,
// which may be changed before.
func (s *shelf) sign(change func(*snapshot.Snapshot)) []byte {
	s.t.Helper()
	snap := snapshot.Snapshot{Profile: profileName, Service: "payment", Environment: "Production", Version: "1.0.0", Data: profile.Data{"n": json.Number("1")},
		WrittenAt: time.Now().Add(-time.Hour)}
	if change != nil {
		change(&snap)
	}
	snap.Hash = profile.Hash(snap.Data)
	file, err := snapshot.Sign(snap, s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	return file
}

func (s *shelf) put(file []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, snapshot.FileName(profileName)), file, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) from(place string) client.Bootstrap {
	return client.Bootstrap{From: place, Keys: []string{s.key.Public().String()}}
}

func TestStartsFromASnapshotWhileEverythingIsAway(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(s.sign(nil))
	for name, place := range map[string]string{"directory": s.dir, "URL of a file": "file://" + s.dir} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fakeserver.New(t)
			f.Stop()
			opts := options(f, t.TempDir())
			opts.Bootstrap = s.from(place)
			log := make(lines, 100)
			opts.Logger = slog.New(slog.NewTextHandler(log, nil))
			c := newCalls(nil)
			stop := watch(t, opts, c)
			if cfg := <-c.called; cfg.Cached || cfg.Snapshot.IsZero() || cfg.Generation != 0 || cfg.Version != "1.0.0" || string(cfg.Data) != `{"n":1}` {
				t.Errorf("started from %+v", cfg)
			}
			log.until(t, "STARTING FROM A BOOTSTRAP SNAPSHOT")

			// The same content is not applied again, a newer one is.
			f.Restart()
			f.Assign(assigned("1.0.0", 7, 1))
			if ack := f.UntilAck(7, true); ack.Snapshot == nil || ack.Snapshot.Version != "1.0.0" || time.Since(ack.Snapshot.WrittenAt) < time.Hour || time.Since(ack.Snapshot.StartedAt) > time.Minute {
				t.Errorf("the server hears %+v of the snapshot", ack.Snapshot)
			}
			f.Assign(assigned("1.1.0", 8, 2))
			if ack := f.UntilAck(8, true); ack.Snapshot != nil {
				t.Error("the server hears of it twice")
			}
			c.want(t, "1.0.0, 1.1.0")
			stop()
			f.Stop()

			// From now on there is a copy on disk, and the older snapshot is nothing to it.
			again := newCalls(nil)
			watch(t, opts, again)
			if cfg := <-again.called; !cfg.Cached || cfg.Version != "1.1.0" || !cfg.Snapshot.IsZero() {
				t.Errorf("started again from %+v", cfg)
			}
		})
	}
}

// What was started from is not the server's word: it is not kept, and its age counts again at the
// next start.
func TestASnapshotIsNotKept(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(s.sign(nil))
	f := fakeserver.New(t)
	f.Stop()
	opts := options(f, t.TempDir())
	opts.Bootstrap = s.from(s.dir)
	c := newCalls(nil)
	stop := watch(t, opts, c)
	<-c.called
	stop()
	s.put(s.sign(func(s *snapshot.Snapshot) { s.WrittenAt = time.Now().Add(-8 * 24 * time.Hour) }))
	log := make(lines, 100)
	opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	watch(t, opts, newCalls(nil))
	log.until(t, "too old")
}

// A snapshot that the service refuses is as good as none, and the server's word comes through.
func TestASnapshotCanBeRefused(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(s.sign(nil))
	f := fakeserver.New(t)
	f.Stop()
	opts := options(f, t.TempDir())
	opts.Bootstrap = s.from(s.dir)
	c := newCalls(func(cfg client.Config) error {
		if cfg.Version == "1.0.0" {
			return errors.New("not with me")
		}
		return nil
	})
	watch(t, opts, c)
	<-c.called
	f.Restart()
	f.Assign(assigned("1.1.0", 1, 2))
	if ack := f.UntilAck(1, true); ack.Snapshot != nil {
		t.Error("it says that it runs from the snapshot")
	}
	c.want(t, "1.0.0, 1.1.0")
}

// gate is the network to the server: closed, connections are refused.
type gate struct {
	open atomic.Bool
	next http.RoundTripper
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if !g.open.Load() {
		return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	}
	return g.next.RoundTrip(r)
}

// place is an HTTP server of snapshots that answers with a function.
type place func(*http.Request) (*http.Response, error)

func (p place) RoundTrip(r *http.Request) (*http.Response, error) { return p(r) }

func page(status int, body io.Reader) place {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(body), Header: http.Header{"Location": {"https://elsewhere.example.com/"}}}, nil
	}
}

// endless has no end.
type endlessBytes struct{}

func (endlessBytes) Read(p []byte) (int, error) { return len(p), nil }

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// The place of the snapshots can do what it wants: nothing is started from what is not whole,
// ours, fresh and signed, the reason is told, and no secret of the URL is.
func TestSnapshotsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	whole := s.sign(nil)
	other := newShelf(t)
	var err error
	if other.key, err = snapshot.NewKey("k2"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte            // in the directory
		make func(path string) // or something else in its place
		http place             // or an HTTP server
		want string            // in the log
	}{
		"nothing there":           {make: func(string) {}, want: "no such file"},
		"a tampered byte":         {file: tampered(t, whole), want: "the signature is wrong"},
		"a truncated file":        {file: whole[:len(whole)-20], want: "not a whole snapshot"},
		"an empty file":           {file: []byte{}, want: "not a whole snapshot"},
		"another profile's":       {file: s.sign(func(s *snapshot.Snapshot) { s.Profile = "billing.production" }), want: "another profile's snapshot"},
		"an old one":              {file: s.sign(func(s *snapshot.Snapshot) { s.WrittenAt = time.Now().Add(-169 * time.Hour) }), want: "too old"},
		"one of tomorrow":         {file: s.sign(func(s *snapshot.Snapshot) { s.WrittenAt = time.Now().Add(24 * time.Hour) }), want: "written in the future"},
		"by another key":          {file: other.sign(nil), want: "signed by an unknown key"},
		"for another service":     {file: s.sign(func(s *snapshot.Snapshot) { s.Service = "billing" }), want: "not for this instance"},
		"for another region":      {file: s.sign(func(s *snapshot.Snapshot) { s.Labels = map[string]string{"region": "us"} }), want: "not for this instance"},
		"with secrets":            {file: s.sign(func(s *snapshot.Snapshot) { s.Data["key"] = map[string]any{"$secret": "vault:secret/payment#key"} }), want: "needs secrets"},
		"ten gigabytes":           {make: func(path string) { sparse(t, path, 10<<30) }, want: "more than 32 MiB"},
		"a pipe":                  {make: func(path string) { must(t, syscall.Mkfifo(path, 0o600)) }, want: "no regular file"},
		"a folder":                {make: func(path string) { must(t, os.Mkdir(path, 0o700)) }, want: "no regular file"},
		"a server without it":     {http: page(http.StatusNotFound, strings.NewReader("no")), want: "answers 404"},
		"a server that redirects": {http: page(http.StatusFound, bytes.NewReader(whole)), want: "answers 302"},
		"a server without an end": {http: page(http.StatusOK, endlessBytes{}), want: "more than 32 MiB"},
		"a server that is down": {http: func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
		}, want: "connection refused"},
		"a server that hangs":         {http: hangs, want: "does not answer"},
		"a server that stops halfway": {http: page(http.StatusOK, io.MultiReader(bytes.NewReader(whole[:100]), &failing{})), want: "cut off"},
		"a server that has it":        {http: page(http.StatusOK, bytes.NewReader(s.sign(func(s *snapshot.Snapshot) { s.WrittenAt = time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC) }))), want: "STARTING FROM A BOOTSTRAP SNAPSHOT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, snapshot.FileName(profileName))
			if c.file != nil {
				must(t, os.WriteFile(path, c.file, 0o600))
			}
			if c.make != nil {
				c.make(path)
			}
			if c.http != nil {
				bootsFrom(t, s.from("https://user:hunter2@store.example.com/production/?signature=hunter2"), c.http, c.want)
				return
			}
			f := fakeserver.New(t)
			f.Stop()
			opts := options(f, filepath.Join(dir, "state"))
			opts.Bootstrap = s.from(dir)
			log := make(lines, 100)
			opts.Logger = slog.New(slog.NewTextHandler(log, nil))
			got := newCalls(nil)
			stop := watch(t, opts, got)
			log.until(t, c.want)
			stop()
			if len(got.got) > 0 {
				t.Errorf("started from %+v", got.got)
			}
		})
	}
}

// bootsFrom starts an instance in simulated time, with no server and snapshots at a URL.
func bootsFrom(t *testing.T, b client.Bootstrap, p place, want string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b.HTTPClient = &http.Client{Transport: p}
		f := fakeserver.Offline(t)
		opts := options(f, "")
		opts.HTTPClient, opts.Bootstrap = &http.Client{Transport: &gate{next: f.Transport()}}, b
		log := make(lines, 1000)
		opts.Logger = slog.New(slog.NewTextHandler(log, nil))
		c := newCalls(nil)
		start := time.Now()
		stop := watch(t, opts, c)
		said := log.until(t, want)
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("it took %s", took)
		}
		if strings.Contains(said, "hunter2") {
			t.Errorf("a secret is in the log: %s", said)
		}
		synctest.Wait()
		if started := strings.HasPrefix(want, "STARTING"); started != (len(c.called) > 0) {
			t.Errorf("started from %+v", c.got)
		}
		stop()
	})
}

// until waits for a line with a text, and returns all up to it.
func (l lines) until(t *testing.T, text string) string {
	t.Helper()
	var all strings.Builder
	late := time.After(20 * time.Second)
	for {
		select {
		case line := <-l:
			all.WriteString(line)
			if strings.Contains(line, text) {
				return all.String()
			}
		case <-late:
			t.Fatalf("nobody said %q, but:\n%s", text, all.String())
		}
	}
}

// tampered says 2 where 1 was signed.
func tampered(t *testing.T, file []byte) []byte {
	t.Helper()
	var e map[string]any
	must(t, json.Unmarshal(file, &e))
	payload, err := base64.StdEncoding.DecodeString(e["payload"].(string))
	must(t, err)
	e["payload"] = bytes.Replace(payload, []byte(`"n":1`), []byte(`"n":2`), 1)
	out, err := json.Marshal(e)
	must(t, err)
	return out
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errors.New("cut off") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sparse makes a file of that size that takes no room.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(size))
	must(t, f.Close())
}

// A server that answers, even with a refusal, is not away: no snapshot is looked at, whatever it says.
func TestAServerThatAnswersNeedsNoSnapshot(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for name, c := range map[string]struct {
		token string
		set   func(f *fakeserver.Server)
		looks bool
	}{
		"it refuses the token":         {"wrong", nil, false},
		"it assigns nothing":           {"", nil, false},
		"its stream says nothing":      {"", func(f *fakeserver.Server) { f.Silent = true }, false},
		"no stream comes through":      {"", func(f *fakeserver.Server) { f.NoStream = true }, false},
		"it cannot be reached":         {"", nil, true},
		"something else answers there": {"", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := fakeserver.Offline(t)
				if c.set != nil {
					f.Update(func() { c.set(f) })
				}
				g := &gate{next: f.Transport()}
				g.open.Store(name != "it cannot be reached")
				if name == "something else answers there" {
					g.next = page(http.StatusNotFound, strings.NewReader("<html>default backend</html>"))
				}
				opts := options(f, "")
				opts.HTTPClient = &http.Client{Transport: g}
				if c.token != "" {
					opts.RegistrationToken = c.token
				}
				var asked atomic.Int64
				opts.Bootstrap = s.from("https://store.example.com")
				opts.Bootstrap.HTTPClient = &http.Client{Transport: place(func(*http.Request) (*http.Response, error) {
					asked.Add(1)
					return nil, syscall.ECONNREFUSED
				})}
				stop := watch(t, opts, newCalls(nil))
				<-time.After(5 * time.Minute) // simulated
				if looked := asked.Load() > 0; looked != c.looks {
					t.Errorf("snapshots were asked for %d times", asked.Load())
				}
				stop()
			})
		})
	}
}

// dying is a server that is gone once it has registered an instance.
type dying struct{ next http.RoundTripper }

func (d dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/v1/instances" {
		return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	}
	return d.next.RoundTrip(r)
}

// A server that dies between registration and its first word is away too.
func TestAServerThatDiesBeforeItsFirstWord(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	synctest.Test(t, func(t *testing.T) {
		file := s.sign(func(s *snapshot.Snapshot) { s.WrittenAt = time.Now() })
		f := fakeserver.Offline(t)
		opts := options(f, "")
		opts.HTTPClient = &http.Client{Transport: dying{f.Transport()}}
		opts.Bootstrap = s.from("https://store.example.com/production")
		asked := make(chan string, 10)
		opts.Bootstrap.HTTPClient = &http.Client{Transport: place(func(r *http.Request) (*http.Response, error) {
			asked <- r.URL.String()
			return page(http.StatusOK, bytes.NewReader(file))(r)
		})}
		c := newCalls(nil)
		stop := watch(t, opts, c)
		if got := <-asked; got != "https://store.example.com/production/"+snapshot.FileName(profileName) {
			t.Errorf("asked for %s", got)
		}
		if cfg := <-c.called; cfg.Version != "1.0.0" {
			t.Errorf("started from %+v", cfg)
		}
		f.Until("a registration", func() bool { return len(f.Registers) == 1 })
		stop()
	})
}

// While a snapshot is fetched the server comes back: its word does not wait.
func TestTheServersWordDoesNotWaitForASnapshot(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	synctest.Test(t, func(t *testing.T) {
		f := fakeserver.Offline(t)
		f.Assign(assigned("1.1.0", 1, 2))
		g := &gate{next: f.Transport()}
		opts := options(f, "")
		opts.HTTPClient = &http.Client{Transport: g}
		opts.Bootstrap = s.from("https://store.example.com/")
		asked := make(chan struct{})
		opts.Bootstrap.HTTPClient = &http.Client{Transport: place(func(r *http.Request) (*http.Response, error) {
			close(asked)
			return hangs(r)
		})}
		c := newCalls(nil)
		stop := watch(t, opts, c)
		<-asked
		start := time.Now()
		g.open.Store(true)
		f.UntilAck(1, true)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		c.want(t, "1.1.0")
		stop()
	})
}

func TestBootstrapOptionsAreChecked(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	key := s.key.Public().String()
	for name, c := range map[string]struct {
		b    client.Bootstrap
		want string
	}{
		"no key":           {client.Bootstrap{From: "/srv"}, "no key is trusted"},
		"no place":         {client.Bootstrap{Keys: []string{key}}, "of no use"},
		"the private key":  {client.Bootstrap{From: "/srv", Keys: []string{s.key.Reveal()}}, "private key"},
		"a negative age":   {client.Bootstrap{From: "/srv", Keys: []string{key}, MaxAge: -1}, "takes no snapshot"},
		"another scheme":   {client.Bootstrap{From: "s3://hunter2/x", Keys: []string{key}}, "want a directory"},
		"no URL":           {client.Bootstrap{From: "https://hunter2:x@[/", Keys: []string{key}}, "want a directory"},
		"a file elsewhere": {client.Bootstrap{From: "file://host/x", Keys: []string{key}}, "want a directory"},
		"a directory":      {client.Bootstrap{From: "/srv", Keys: []string{key}}, ""},
		"nothing":          {client.Bootstrap{}, ""},
	} {
		opts := client.SessionOptions{Server: "http://127.0.0.1:1", Service: "payment", Environment: "Production", Bootstrap: c.b}
		session, err := client.NewSession(opts)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err == nil {
			session.Close()
		}
	}
}
