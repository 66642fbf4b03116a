package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeserver"
)

const profileName = "payment.production"

func options(f *fakeserver.Server, dir string) client.SessionOptions {
	return client.SessionOptions{Server: f.URL(), RegistrationToken: fakeserver.RegistrationToken, Service: "payment",
		Environment: "Production", Hostname: "host-1", StateDir: dir, Logger: fakeserver.Quiet()}
}

// assigned is the configuration {"n": n}.
func assigned(version string, generation int64, n int) wire.Assignment {
	return fakeserver.Assignment(profileName, version, generation, map[string]any{"n": n})
}

// calls collects what a callback is called with.
type calls struct {
	mu  sync.Mutex
	got []client.Config
	// answer decides what the callback says; nil accepts all.
	answer func(client.Config) error
	called chan client.Config
}

func newCalls(answer func(client.Config) error) *calls {
	return &calls{answer: answer, called: make(chan client.Config, 1000)}
}

func (c *calls) take(cfg client.Config) error {
	c.mu.Lock()
	c.got = append(c.got, cfg)
	c.mu.Unlock()
	defer func() { c.called <- cfg }()
	if c.answer != nil {
		return c.answer(cfg)
	}
	return nil
}

func (c *calls) want(t *testing.T, what string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []string
	for _, cfg := range c.got {
		s := cfg.Version
		if cfg.Cached {
			s += " cached"
		}
		got = append(got, s)
	}
	if s := strings.Join(got, ", "); s != what {
		t.Errorf("callback got %q, want %q", s, what)
	}
}

// watch runs a watcher until the test, or the returned stop, ends it.
func watch(t *testing.T, opts client.SessionOptions, c *calls) (stop func()) {
	t.Helper()
	w, err := client.NewWatcher(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Watch(ctx, profileName, c.take) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
		w.Close()
	})
	t.Cleanup(stop)
	return stop
}

func TestWatchAppliesAndAcknowledges(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	first := fakeserver.Assignment(profileName, "1.0.0", 3, map[string]any{"a": 1, "html": "<&>"})
	f.Assign(first)
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	if ack := f.UntilAck(3, true); ack.Version != "1.0.0" || ack.ConfigName != profileName || ack.Hash != first.Hash {
		t.Errorf("acknowledged %+v", ack)
	}
	f.Assign(assigned("1.0.1", 4, 2))
	f.UntilAck(4, true)
	rollback := first
	rollback.Generation = 5
	f.Assign(rollback)
	f.UntilAck(5, true)
	c.want(t, "1.0.0, 1.0.1, 1.0.0")
	if data := string(c.got[0].Data); data != `{"a":1,"html":"<&>"}` {
		t.Errorf("data is %s", data)
	}
}

// A switch of the requests is news without a new version.
func TestSwitchIsGivenToTheCallback(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	before := assigned("1.0.0", 3, 1)
	f.Assign(before)
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	f.UntilAck(3, true)
	after := before
	after.Generation, after.ActiveGroup = 4, "green"
	f.Assign(after)
	f.UntilAck(4, true)
	again := after
	again.Generation = 5
	f.Assign(again)
	f.UntilAck(5, true)
	c.want(t, "1.0.0, 1.0.0")
	if last := c.got[len(c.got)-1]; last.ActiveGroup != "green" || string(last.Data) != string(before.Data) {
		t.Errorf("the callback got %+v", last)
	}
}

func TestConfigDecode(t *testing.T) {
	t.Parallel()
	cfg := client.Config{Profile: "p", Version: "1.0.0", Data: []byte(`{"n":1}`)}
	var good struct{ N int }
	if err := cfg.Decode(&good); err != nil || good.N != 1 {
		t.Errorf("decoded %+v, %v", good, err)
	}
	var other struct{ M int }
	if err := cfg.Decode(&other); err == nil || !strings.Contains(err.Error(), "p 1.0.0") {
		t.Errorf("an unknown field gave %v", err)
	}
}

func TestStartsFromLastKnownGoodWhileServerIsDead(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	dir := t.TempDir()
	stop := watch(t, options(f, dir), newCalls(nil))
	f.UntilAck(1, true)
	stop()
	f.Stop()

	c := newCalls(nil)
	watch(t, options(f, dir), c)
	if cfg := <-c.called; !cfg.Cached || cfg.Version != "1.0.0" || string(cfg.Data) != `{"n":1}` {
		t.Errorf("started from %+v", cfg)
	}
	f.Restart()
	f.Assign(assigned("1.1.0", 2, 2))
	f.UntilAck(2, true)
	c.want(t, "1.0.0 cached, 1.1.0")
	f.Until("one registration for both lives", func() bool { return len(f.Registers) == 1 })
}

func TestStartsFromLastKnownGoodWhenNothingAnswersInTime(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	dir := t.TempDir()
	stop := watch(t, options(f, dir), newCalls(nil))
	f.UntilAck(1, true)
	stop()
	f.Update(func() { f.Silent, f.HeartbeatGap = true, 3_600_000; f.Set = nil })
	opts := options(f, dir)
	opts.StartTimeout = 1
	c := newCalls(nil)
	watch(t, opts, c)
	if cfg := <-c.called; !cfg.Cached {
		t.Errorf("got %+v, want the cached one", cfg)
	}
}

func TestStartsFromLastKnownGoodWhenNothingIsAssigned(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	dir := t.TempDir()
	stop := watch(t, options(f, dir), newCalls(nil))
	f.UntilAck(1, true)
	stop()
	f.Update(func() { f.Set = nil })
	opts := options(f, dir)
	opts.StartTimeout = 1 << 40
	c := newCalls(nil)
	watch(t, opts, c)
	if cfg := <-c.called; !cfg.Cached {
		t.Errorf("got %+v, want the cached one", cfg)
	}
}

func TestSameConfigurationAfterRestartIsAcknowledgedOnce(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	dir := t.TempDir()
	for range 2 {
		c := newCalls(nil)
		stop := watch(t, options(f, dir), c)
		if cfg := <-c.called; cfg.Cached {
			t.Error("started from the disk although the server answers")
		}
		f.UntilAck(1, true)
		stop()
	}
}

func TestAcknowledgementSurvivesRestart(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	f.Update(func() { f.RefuseAcks = 1000 })
	dir := t.TempDir()
	c := newCalls(nil)
	stop := watch(t, options(f, dir), c)
	<-c.called
	f.Until("an attempt to acknowledge", func() bool { return f.RefuseAcks < 1000 })
	stop()
	f.Update(func() { f.RefuseAcks = 1 })
	watch(t, options(f, dir), newCalls(nil))
	f.UntilAck(1, true)
}

func TestServerKilledInMidStream(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	f.UntilAck(1, true)
	f.Stop()
	f.Assign(assigned("1.0.1", 2, 2))
	f.Restart()
	f.UntilAck(2, true)
	c.want(t, "1.0.0, 1.0.1")
}

// lines are what a logger wrote.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestOlderGenerationIsRefused(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.5", 5, 5))
	dir := t.TempDir()
	c := newCalls(nil)
	stop := watch(t, options(f, dir), c)
	f.UntilAck(5, true)
	f.Assign(assigned("1.0.4", 4, 4)) // a late writer
	f.Assign(assigned("1.0.6", 6, 6))
	f.UntilAck(6, true)
	c.want(t, "1.0.5, 1.0.6")
	stop()

	f.Assign(assigned("1.0.5", 5, 5)) // and one that comes after a restart
	c = newCalls(nil)
	log := make(lines, 1000)
	opts := options(f, dir)
	opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	watch(t, opts, c)
	for refused, deadline := false, time.After(30*time.Second); !refused; {
		select {
		case line := <-log:
			refused = strings.Contains(line, "older assignment refused")
		case cfg := <-c.called:
			t.Fatalf("generation %d was applied after 6", cfg.Generation)
		case <-deadline:
			t.Fatal("the older assignment was not heard of")
		}
	}
	f.Assign(assigned("1.0.7", 7, 7))
	f.UntilAck(7, true)
	c.want(t, "1.0.7")
	f.Until("acknowledgements", func() bool {
		var gens []int64
		for _, a := range f.Acks {
			gens = append(gens, a.Generation)
		}
		return slices.IsSorted(gens)
	})
}

func TestGenerationWithOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	f.UntilAck(1, true)
	f.Assign(assigned("1.0.0", 1, 2))
	if ack := f.UntilAck(1, false); !strings.Contains(ack.Error, "generation 1 is known") {
		t.Errorf("refused with %q", ack.Error)
	}
	c.want(t, "1.0.0")
}

func TestWrongHashIsRefusedAndReported(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`{"n":2}`, `{"n":1} {}`, `[]`, `{"n":`} {
		f := fakeserver.New(t)
		bad := assigned("1.0.0", 1, 1)
		bad.Data = nil // fetched, because an event cannot hold broken JSON
		f.Update(func() { f.Large[bad.Hash] = []byte(data) })
		f.Assign(bad)
		c := newCalls(nil)
		watch(t, options(f, t.TempDir()), c)
		if ack := f.UntilAck(1, false); !strings.Contains(ack.Error, "does not match its hash") {
			t.Errorf("%s: refused with %q", data, ack.Error)
		}
		f.Assign(assigned("1.0.1", 2, 3))
		f.UntilAck(2, true)
		c.want(t, "1.0.1")
	}
}

func TestRefusalsAreReportedWithTheirReason(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		answer func(client.Config) error
		reason string
	}{
		"error":  {func(client.Config) error { return errors.Join(errors.New("no such host"), errors.New("db-7")) }, "no such host; db-7"},
		"panic":  {func(client.Config) error { panic("nil map") }, "panic: nil map"},
		"length": {func(client.Config) error { return errors.New(strings.Repeat("é", 3000)) }, strings.Repeat("é", 1022) + "…"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fakeserver.New(t)
			f.Assign(assigned("1.0.0", 1, 1))
			watch(t, options(f, t.TempDir()), newCalls(func(cfg client.Config) error {
				if cfg.Version == "1.0.0" {
					return tc.answer(cfg)
				}
				return nil
			}))
			if ack := f.UntilAck(1, false); ack.Error != tc.reason {
				t.Errorf("reason %q, want %q", ack.Error, tc.reason)
			}
			f.Assign(assigned("0.9.0", 2, 0)) // the server's answer to it
			f.UntilAck(2, true)
		})
	}
}

func TestIdentityIsKeptPrivately(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	dir := filepath.Join(t.TempDir(), "state")
	stop := watch(t, options(f, dir), newCalls(nil))
	f.UntilAck(1, true)
	stop()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestInstanceThatIsDescribedDifferentlyIsAnother(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	dir := t.TempDir()
	stop := watch(t, options(f, dir), newCalls(nil))
	f.UntilAck(1, true)
	stop()
	opts := options(f, dir)
	opts.ServiceVersion = "2.0"
	watch(t, opts, newCalls(nil))
	f.Until("the former instance to go", func() bool { return slices.Equal(f.Gone, []string{"inst-1"}) })
	f.Until("the new version", func() bool { return f.Registers[1].Version == "2.0" })
}

func TestLostInstanceRegistersAgain(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 7, 1))
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	f.UntilAck(7, true)
	f.Update(func() { // a server that lost everything counts from one again
		clear(f.Tokens)
		f.Set = nil
	})
	f.Assign(assigned("1.0.0", 1, 1))
	f.UntilAck(1, true)
	c.want(t, "1.0.0") // the same content is not applied twice
	f.Assign(assigned("1.0.1", 2, 2))
	f.UntilAck(2, true)
	f.Until("two registrations", func() bool { return len(f.Registers) == 2 })
}

func TestHeartbeatFindsTheIdentityLost(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Update(func() { f.Silent, f.HeartbeatGap = true, 200 })
	watch(t, options(f, t.TempDir()), newCalls(nil))
	f.Until("a heartbeat", func() bool { return len(f.Beats) > 0 })
	f.Update(func() { clear(f.Tokens) })
	f.Until("another registration", func() bool { return len(f.Registers) == 2 })
}

func TestLongPollWhereStreamsAreSwallowed(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Update(func() { f.NoStream, f.HeartbeatGap = true, 3_600_000 })
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	f.Until("a poll", func() bool { return f.Polls > 0 })
	f.Assign(assigned("1.0.0", 1, 1))
	f.UntilAck(1, true)
	f.Assign(assigned("1.0.1", 2, 2))
	f.UntilAck(2, true)
	c.want(t, "1.0.0, 1.0.1")
}

func TestReconnectHintIsNoFailure(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Update(func() { f.Hint = 1 })
	f.Assign(assigned("1.0.0", 1, 1))
	watch(t, options(f, t.TempDir()), newCalls(nil))
	f.Until("the streams", func() bool { return f.Streams > 5 })
}

func TestLargeDataIsFetched(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	a := fakeserver.Assignment(profileName, "1.0.0", 1, map[string]any{"s": strings.Repeat("x", 40<<10)})
	f.Update(func() { f.Large[a.Hash] = a.Data })
	a.URL = "/api/v1/instances/inst-1/configs/" + profileName + "/" + a.Hash + "/data"
	a.Data = nil
	f.Assign(a)
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	f.UntilAck(1, true)
	if n := len((<-c.called).Data); n < 40<<10 {
		t.Errorf("got %d bytes", n)
	}
}

func TestDataThatWasReplacedMeanwhileIsNoLostIdentity(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	gone := assigned("1.0.0", 1, 1)
	gone.Data = nil
	f.Assign(gone)
	c := newCalls(nil)
	watch(t, options(f, t.TempDir()), c)
	f.Until("a request for the data", func() bool { return f.Misses > 0 })
	f.Assign(assigned("1.0.1", 2, 2))
	f.UntilAck(2, true)
	c.want(t, "1.0.1")
	f.Until("one registration and nothing refused", func() bool { return len(f.Registers) == 1 && len(f.Acks) == 1 })
}

func TestDataIsFetchedFromTheSameServerOnly(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Options{Server: "http://127.0.0.1:1/base", HTTPClient: &http.Client{Transport: refusing{t}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"http://evil.example/api/v1/x", "//evil.example/api/v1/x", "/metrics", "/api/v1/../../x", "/api/v1/a b",
		"/api/v1/x?y", "/api/v1/x#y", `/api/v1\x`, "file:///etc/passwd",
	} {
		if _, err := c.AssignmentData(t.Context(), "i", wire.Assignment{ConfigName: "p", URL: url}); err == nil {
			t.Errorf("%s was fetched", url)
		}
	}
}

type refusing struct{ t *testing.T }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("asked %s", req.URL)
	return nil, errors.New("refused")
}

func TestStateDirectoryBelongsToOne(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	opts := options(f, t.TempDir())
	w, err := client.NewWatcher(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.NewWatcher(opts); !errors.Is(err, client.ErrStateInUse) {
		t.Errorf("a second one got %v", err)
	}
	w.Close()
	w.Close()
	if err := w.Watch(t.Context(), profileName, nil); !errors.Is(err, client.ErrClosed) {
		t.Errorf("a closed one got %v", err)
	}
	again, err := client.NewWatcher(opts)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestInstanceWithoutStateLeaves(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	stop := watch(t, options(f, ""), newCalls(nil))
	f.UntilAck(1, true)
	stop()
	f.Until("the instance to leave", func() bool { return slices.Equal(f.Gone, []string{"inst-1"}) })
}

func TestBrokenStateIsNoReasonToFail(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "profiles"), 0o700); err != nil {
		t.Fatal(err)
	}
	tampered := `{"instance":"x","seen":9,"good":{"version":"9.0.0","generation":9,"hash":"00","data":{"n":9}}}`
	for name, text := range map[string]string{"instance.json": "{", "profiles/" + profileName + ".json": tampered} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.Assign(assigned("1.0.0", 1, 1))
	c := newCalls(nil)
	watch(t, options(f, dir), c)
	f.UntilAck(1, true)
	c.want(t, "1.0.0")
}

func TestWatchesShareOneInstance(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(assigned("1.0.0", 1, 1))
	f.Assign(fakeserver.Assignment("flags", "2.0.0", 2, map[string]any{"on": true}))
	w, err := client.NewWatcher(options(f, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, profile := range []string{profileName, "flags"} {
		wg.Go(func() {
			_ = w.Watch(ctx, profile, func(cfg client.Config) error {
				if cfg.Profile != profile {
					return fmt.Errorf("got %s", cfg.Profile)
				}
				return nil
			})
		})
		f.UntilAck(int64(i+1), true) // the second one comes when the first is connected
	}
	f.Until("one registration", func() bool { return len(f.Registers) == 1 })
	cancel()
	wg.Wait()
	w.Close()
}

func TestSessionOptionsAreChecked(t *testing.T) {
	t.Parallel()
	bad := map[string]func(*client.SessionOptions){
		"no service":                       func(o *client.SessionOptions) { o.Service = "" },
		"no environment":                   func(o *client.SessionOptions) { o.Environment = "" },
		"an environment that there is not": func(o *client.SessionOptions) { o.Environment = "Stagin" },
		"no server":                        func(o *client.SessionOptions) { o.Server = "" },
		"not http":                         func(o *client.SessionOptions) { o.Server = "ftp://x" },
		"credentials":                      func(o *client.SessionOptions) { o.Server = "http://u:hunter2@x" },
		"query":                            func(o *client.SessionOptions) { o.Server = "http://x/?token=hunter2" },
		"broken":                           func(o *client.SessionOptions) { o.Server = "http://u:hunter2@x\x7f" },
		"state":                            func(o *client.SessionOptions) { o.StateDir = "/dev/null/x" },
	}
	for name, change := range bad {
		opts := client.SessionOptions{Server: "http://x", Service: "s", Environment: "Production"}
		change(&opts)
		_, err := client.NewSession(opts)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

// What a person who starts an agent for the first time gets wrong is said in the log, with what to look at.
func TestTheLogSaysWhyNothingComes(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*client.SessionOptions){
		"no registration token is given":                     func(o *client.SessionOptions) { o.RegistrationToken = "" },
		"the server does not know this registration token":   func(o *client.SessionOptions) { o.RegistrationToken = "slr_other" },
		"nothing is assigned: waiting for a profile of this": func(*client.SessionOptions) {},
	} {
		f := fakeserver.New(t)
		f.Assign(fakeserver.Assignment("other.production", "1.0.0", 1, map[string]any{}))
		log := make(lines, 1000)
		opts := options(f, t.TempDir())
		opts.Logger = slog.New(slog.NewTextHandler(log, nil))
		change(&opts)
		watch(t, opts, newCalls(nil))
		log.until(t, want)
	}
}
