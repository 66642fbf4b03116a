package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeserver"
)

const profileName = "payment.production"

// assigned is the configuration {"n": n}, and fileOf(n) its file.
func assigned(version string, generation int64, n int) wire.Assignment {
	return fakeserver.Assignment(profileName, version, generation, map[string]any{"n": n})
}

func fileOf(n int) string { return fmt.Sprintf("{\n  \"n\": %d\n}\n", n) }

// bench is an agent's place: a directory, a file, a server.
type bench struct {
	t    *testing.T
	f    *fakeserver.Server
	dir  string
	opts agent.Options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, f: fakeserver.New(t), dir: t.TempDir()}
	b.opts = agent.Options{
		File: filepath.Join(b.dir, "app.json"),
		Session: client.SessionOptions{Server: b.f.URL(), RegistrationToken: fakeserver.RegistrationToken,
			Service: "payment", Environment: "Production", Hostname: "host-1", Logger: fakeserver.Quiet()},
	}
	return b
}

// run runs the agent until the test, or the returned stop, ends it.
func (b *bench) run() (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx, b.opts) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run returned %v", err)
		}
	})
	b.t.Cleanup(stop)
	return stop
}

// program starts one that loads its file at a POST; the channel tells what it loaded.
func (b *bench) program() <-chan string {
	loaded := make(chan string, 10)
	program := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { loaded <- b.read("app.json") }))
	b.t.Cleanup(program.Close)
	b.opts.Reload.URL = program.URL
	return loaded
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) read(name string) string {
	b.t.Helper()
	raw, err := os.ReadFile(b.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return "(none)"
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return string(raw)
}

func (b *bench) write(name, text string, mode os.FileMode) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), mode); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chmod(b.path(name), mode); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) want(name, text string) {
	b.t.Helper()
	if got := b.read(name); got != text {
		b.t.Errorf("%s holds %q, want %q", name, got, text)
	}
}

// noLeftovers checks that nothing but the file, its state and what the test names is there.
func (b *bench) noLeftovers() {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".sluice-") {
			b.t.Errorf("%s is left over", e.Name())
		}
	}
}

func TestFileIsWrittenAndReloaded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.Reload.Command = `cat "$SLUICE_FILE" >> ` + b.path("loaded")
	b.f.Assign(assigned("1.0.0", 1, 1))
	stop := b.run()
	b.f.UntilAck(1, true)
	b.want("app.json", fileOf(1))
	b.f.Assign(assigned("1.0.1", 2, 2))
	b.f.UntilAck(2, true)
	b.want("app.json", fileOf(2))
	b.want("loaded", fileOf(1)+fileOf(2))
	stop()

	b.run() // the same again is not loaded again
	b.f.Until("the second life", func() bool { return b.f.Streams == 2 })
	b.f.Assign(assigned("1.0.2", 3, 2)) // nor is the same content under another number
	b.f.UntilAck(3, true)
	b.want("loaded", fileOf(1)+fileOf(2))
	b.noLeftovers()
}

func TestFileThatSomebodyChangedIsMadeRightAtTheStart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	loaded := b.program()
	b.f.Assign(assigned("1.0.0", 1, 1))
	stop := b.run()
	b.f.UntilAck(1, true)
	<-loaded
	stop()
	b.write("app.json", "mine", 0o600)
	b.run()
	if got := <-loaded; got != fileOf(1) {
		t.Errorf("loaded %q", got)
	}
}

func TestCheckCommandRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.json", "former", 0o600)
	b.opts.CheckCommand = `echo first; echo "line 3: no such key $SLUICE_PROFILE $SLUICE_VERSION in $(basename $SLUICE_FILE | sed 's/.*-//')" >&2; exit 3`
	b.opts.Reload.Command = "touch " + b.path("reloaded")
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	ack := b.f.UntilAck(1, false)
	want := "check command: exit status 3: first | line 3: no such key payment.production 1.0.0 in app.json"
	if ack.Error != want {
		t.Errorf("reason %q, want %q", ack.Error, want)
	}
	b.want("app.json", "former")
	b.want("reloaded", "(none)")
	b.noLeftovers()
}

func TestCheckCommandIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.CheckTimeout = time.Second
	b.opts.CheckCommand = `seq -f "noise %g" 2000; sleep 600 & sleep 600`
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	ack := b.f.UntilAck(1, false)
	if !strings.HasPrefix(ack.Error, "check command: no end within 1s: noise ") || !strings.HasSuffix(ack.Error, "noise 2000") || len(ack.Error) > 2048 {
		t.Errorf("reason %q", ack.Error)
	}
	b.want("app.json", "(none)")
}

func TestFailedReloadBringsTheFormerFileBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.json", fileOf(0), 0o600)
	b.opts.Reload.Command = `cat "$SLUICE_FILE" >> ` + b.path("loaded") + `; ! grep -q 666 "$SLUICE_FILE" || { echo "unlucky number"; exit 1; }`
	b.f.Assign(assigned("1.0.0", 1, 666))
	b.run()
	if ack := b.f.UntilAck(1, false); ack.Error != "reload command: exit status 1: unlucky number" {
		t.Errorf("reason %q", ack.Error)
	}
	b.want("app.json", fileOf(0))
	b.want("loaded", fileOf(666)+fileOf(0))
	b.f.Assign(assigned("0.9.0", 2, 0)) // the rollback: the file and the program are there already
	b.f.UntilAck(2, true)
	b.want("loaded", fileOf(666)+fileOf(0))
	b.noLeftovers()
}

func TestFailedReloadOfTheFirstFileRemovesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.Reload.Command = "false"
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	b.f.UntilAck(1, false)
	b.want("app.json", "(none)")
}

func TestFormerFileThatFailsTooIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.json", "former", 0o600)
	b.opts.Reload.Command = "exit 7"
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	ack := b.f.UntilAck(1, false)
	if want := "reload command: exit status 7; former file: reload command: exit status 7"; ack.Error != want {
		t.Errorf("reason %q, want %q", ack.Error, want)
	}
	b.want("app.json", "former")
}

func TestWayBackIsNotTurnedRound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.Reload.Command = "! test -e " + b.path("stuck")
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	b.f.UntilAck(1, true)
	b.f.Assign(assigned("1.0.1", 2, 2)) // loads, and then the program hangs
	b.f.UntilAck(2, true)
	b.write("stuck", "", 0o600)
	b.f.Assign(assigned("1.0.0", 3, 1))
	b.f.UntilAck(3, false)
	b.want("app.json", fileOf(1))
}

func TestReloadURL(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var loaded []string
	b := newBench(t)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		text := b.read("app.json")
		loaded = append(loaded, r.Method+" "+text)
		switch {
		case strings.Contains(text, "666"):
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, "timeout must be\npositive\x1b[31m", strings.Repeat("!", 5000))
		case strings.Contains(text, "302"):
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	}))
	t.Cleanup(program.Close)
	b.opts.Reload.URL = program.URL
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	b.f.UntilAck(1, true)
	b.f.Assign(assigned("1.0.1", 2, 666))
	ack := b.f.UntilAck(2, false)
	if !strings.HasPrefix(ack.Error, "reload: the program answered 422: timeout must be | positive [31m!!!") || len(ack.Error) > 1100 {
		t.Errorf("reason %q", ack.Error)
	}
	b.f.Assign(assigned("1.0.2", 3, 302))
	if ack := b.f.UntilAck(3, false); !strings.Contains(ack.Error, "the program answered 302") {
		t.Errorf("reason %q", ack.Error)
	}
	b.want("app.json", fileOf(1))
	mu.Lock()
	defer mu.Unlock()
	want := []string{fileOf(1), fileOf(666), fileOf(1), fileOf(302), fileOf(1)}
	for i := range want {
		want[i] = "POST " + want[i]
	}
	if fmt.Sprintf("%q", loaded) != fmt.Sprintf("%q", want) {
		t.Errorf("loaded %q, want %q", loaded, want)
	}
}

func TestProgramThatIsNotRunningReadsTheFileWhenItStarts(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	cases := map[string]func(b *bench){
		"no pid file": func(b *bench) { b.opts.Reload = agent.Reload{Signal: "HUP", PIDFile: b.path("pid")} },
		"stale pid file": func(b *bench) {
			b.write("pid", "4194300\n", 0o600)
			b.opts.Reload = agent.Reload{Signal: "HUP", PIDFile: b.path("pid")}
		},
		"no such process": func(b *bench) { b.opts.Reload = agent.Reload{Signal: "SIGHUP", Process: "no-such-program-anywhere"} },
		"refused":         func(b *bench) { b.opts.Reload.URL = closed.URL },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.write("app.json", "bad, and the program ended of it", 0o600)
			change(b)
			b.f.Assign(assigned("1.0.0", 1, 1))
			b.run()
			b.f.UntilAck(1, true)
			b.want("app.json", fileOf(1))
		})
	}
}

func TestNonsenseInPIDFileIsNoProcess(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "0", "1", "-1", "-5", "x", "99999999999999999999"} {
		b := newBench(t)
		b.write("pid", text, 0o600)
		b.opts.Reload = agent.Reload{Signal: "HUP", PIDFile: b.path("pid")}
		b.f.Assign(assigned("1.0.0", 1, 1))
		stop := b.run()
		if ack := b.f.UntilAck(1, false); !strings.Contains(ack.Error, "holds no process id") {
			t.Errorf("%q: %s", text, ack.Error)
		}
		stop()
	}
}

func TestModeOfTheFile(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ present, asked, want os.FileMode }{
		"a new file is not for everybody":   {0, 0, 0o640},
		"a new file gets what is asked for": {0, 0o600, 0o600},
		"a present file keeps its own":      {0o604, 0, 0o604},
		"unless asked":                      {0o604, 0o644, 0o644},
	}
	for name, tc := range cases {
		b := newBench(t)
		if tc.present != 0 {
			b.write("app.json", "former", tc.present)
		}
		b.opts.Mode = tc.asked
		b.f.Assign(assigned("1.0.0", 1, 1))
		stop := b.run()
		b.f.UntilAck(1, true)
		stop()
		info, err := os.Stat(b.path("app.json"))
		if err != nil || info.Mode().Perm() != tc.want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestLinkStaysALink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("real.json", "former", 0o600)
	if err := os.Symlink("real.json", b.path("app.json")); err != nil {
		t.Fatal(err)
	}
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	b.f.UntilAck(1, true)
	b.want("real.json", fileOf(1))
	if target, err := os.Readlink(b.path("app.json")); target != "real.json" {
		t.Errorf("link to %q, %v", target, err)
	}
}

func TestDaemonDeadAtTheStart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	loaded := b.program()
	b.f.Assign(assigned("1.0.0", 1, 1))
	stop := b.run()
	b.f.UntilAck(1, true)
	<-loaded
	stop()
	b.f.Stop()
	if err := os.Remove(b.path("app.json")); err != nil {
		t.Fatal(err)
	}

	b.run()
	if got := <-loaded; got != fileOf(1) {
		t.Errorf("started from %q", got)
	}
	b.f.Restart()
	b.f.Assign(assigned("1.0.1", 2, 2))
	b.f.UntilAck(2, true)
	b.want("app.json", fileOf(2))
	if got := <-loaded; got != fileOf(2) {
		t.Errorf("loaded %q", got)
	}
}

func TestFirstAssignedProfileIsTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.Assign(fakeserver.Assignment("zebra", "1.0.0", 8, map[string]any{"n": 8}))
	b.f.Assign(fakeserver.Assignment("ant", "1.0.0", 9, map[string]any{"n": 9}))
	stop := b.run()
	b.f.UntilAck(9, true)
	b.want("app.json", fileOf(9))
	stop()
	b.opts.Profile = "zebra"
	b.run()
	b.f.UntilAck(8, true)
	b.want("app.json", fileOf(8))
}

func TestTemplateIsReadEachTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.Template = b.path("app.tmpl")
	b.f.Assign(assigned("1.0.0", 1, 1))
	b.run()
	if ack := b.f.UntilAck(1, false); !strings.HasPrefix(ack.Error, "template: ") {
		t.Errorf("reason %q", ack.Error)
	}
	b.write("app.tmpl", "n is {{.Data.n}}", 0o600)
	b.f.Assign(assigned("1.0.1", 2, 2))
	b.f.UntilAck(2, true)
	b.want("app.json", "n is 2")
	b.f.Assign(fakeserver.Assignment(profileName, "1.0.2", 3, map[string]any{"m": 3}))
	if ack := b.f.UntilAck(3, false); !strings.Contains(ack.Error, `map has no entry for key "n"`) {
		t.Errorf("reason %q", ack.Error)
	}
	b.want("app.json", "n is 2")
}

func TestUnwritableDirectoryIsReported(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.Session.StateDir = b.path("state")
	b.opts.File = "/proc/sluice/app.json"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := agent.Run(ctx, b.opts); err == nil {
		t.Error("a directory that cannot be read was taken")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	bad := map[string]func(*agent.Options){
		"no file":                        func(o *agent.Options) { o.File = "" },
		"unknown format":                 func(o *agent.Options) { o.Format = "xml" },
		"template without a template":    func(o *agent.Options) { o.Format = agent.FormatTemplate },
		"template with another format":   func(o *agent.Options) { o.Format, o.Template = agent.FormatJSON, "t" },
		"mode with more than permission": func(o *agent.Options) { o.Mode = os.ModeSetuid | 0o644 },
		"two ways to reload":             func(o *agent.Options) { o.Reload.Command, o.Reload.URL = "true", "http://x/" },
		"signal to nobody":               func(o *agent.Options) { o.Reload.Signal = "HUP" },
		"signal to two":                  func(o *agent.Options) { o.Reload = agent.Reload{Signal: "HUP", PIDFile: "p", Process: "q"} },
		"unknown signal":                 func(o *agent.Options) { o.Reload = agent.Reload{Signal: "KILL", PIDFile: "p"} },
		"process without a signal":       func(o *agent.Options) { o.Reload.Process = "q" },
		"reload URL":                     func(o *agent.Options) { o.Reload.URL = "unix:///x" },
		"health URL":                     func(o *agent.Options) { o.Probe.HealthURL = "localhost:80" },
		"metrics URL":                    func(o *agent.Options) { o.Probe.MetricsURL = "http://u:hunter2@\x7f" },
		"latency unit":                   func(o *agent.Options) { o.Probe.LatencyUnit = "us" },
		"no service":                     func(o *agent.Options) { o.Session.Service = "" },
		"snapshots of no profile":        func(o *agent.Options) { o.Session.Bootstrap.From = "/srv/snapshots" },
		"profile":                        func(o *agent.Options) { o.Profile = "../x" },
	}
	for name, change := range bad {
		b := newBench(t)
		change(&b.opts)
		err := agent.Run(t.Context(), b.opts)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: tells a secret: %v", name, err)
		}
	}
}

func TestHeartbeatsTellTheProgramsHealth(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	status, metrics := http.StatusOK, ""
	set := func(s int, m string) { mu.Lock(); defer mu.Unlock(); status, metrics = s, m }
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/metrics" {
			if metrics == "" {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = io.WriteString(w, metrics)
			return
		}
		w.Header().Set("Location", "/metrics")
		w.WriteHeader(status)
	}))
	t.Cleanup(program.Close)
	b := newBench(t)
	b.f.Update(func() { b.f.HeartbeatGap = 200 })
	b.opts.Probe = agent.Probe{HealthURL: program.URL + "/healthz", MetricsURL: program.URL + "/metrics"}
	page := func(ok, bad int) string {
		return fmt.Sprintf("# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} %d\nhttp_requests_total{code=\"503\"} %d\n", ok, bad)
	}
	last := func() wire.Health { return b.f.Beats[len(b.f.Beats)-1] }
	until := func(what string, cond func(wire.Health) bool) {
		t.Helper()
		b.f.Until(what, func() bool { return len(b.f.Beats) > 0 && cond(last()) })
	}
	set(http.StatusOK, page(100, 10))
	b.run()
	until("a first one without counts", func(h wire.Health) bool { return h.Status == "Healthy" && len(b.f.Beats) == 1 && h.Requests == nil })
	until("nothing new", func(h wire.Health) bool { return h.Requests != nil && *h.Requests == 0 && *h.Errors == 0 })
	b.f.Update(func() { b.f.Beats = nil })
	set(http.StatusOK, page(107, 13))
	b.f.Until("what was counted since", func() bool {
		for _, h := range b.f.Beats {
			if h.Requests != nil && *h.Requests == 10 && *h.Errors == 3 {
				return true
			}
		}
		return false
	})
	set(http.StatusServiceUnavailable, page(107, 13))
	until("an unhealthy one", func(h wire.Health) bool { return h.Status == "Unhealthy" && h.Requests != nil })
	set(http.StatusFound, page(107, 13))
	until("a redirect", func(h wire.Health) bool { return h.Status == "Unknown" })
	set(http.StatusOK, "")
	until("metrics that fail", func(h wire.Health) bool { return h.Status == "Unknown" && h.Requests == nil })
	set(http.StatusOK, "not { metrics")
	until("metrics that are none", func(h wire.Health) bool { return h.Status == "Unknown" && h.Requests == nil })
	set(http.StatusInternalServerError, "")
	until("both", func(h wire.Health) bool { return h.Status == "Unhealthy" })
	set(http.StatusOK, strings.Repeat("# comment\n", 1<<20))
	until("metrics that are endless", func(h wire.Health) bool { return h.Status == "Unknown" })
	set(http.StatusOK, page(107, 13))
	until("all well", func(h wire.Health) bool { return h.Status == "Healthy" && h.Requests != nil })
	program.CloseClientConnections()
	program.Close()
	until("a dead one", func(h wire.Health) bool { return h.Status == "Unhealthy" })
}
