package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

const goodProfile = `apiVersion: sluice/v1
kind: ConfigProfile
name: payment-service.staging
service: payment-service
environment: Staging
strategy: {type: Canary, steps: [50, 100], phaseInterval: 1s}
health: {enabled: false}
data:
  timeout: 1s
`

// lines keeps what the daemon says, for those who look while it runs.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startDaemon runs `sluice serve` in this process until the test or stop ends it.
func startDaemon(t *testing.T, args ...string) (address string, out *lines, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out = &lines{}
	sh := newShell(strings.NewReader(""), out, out, func(string) string { return "" })
	code := make(chan int, 1)
	go func() {
		code <- sh.run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--rate-limit-factor", "-1"}, args...))
	}()
	once := sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { once() })
	eventually(t, "the daemon to be ready", func() bool {
		for line := range strings.SplitSeq(out.String(), "\n") {
			var entry struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "ready" {
				address = entry.Address
			}
		}
		return address != ""
	})
	return "http://" + address, out, once
}

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.After(40 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// The whole way inside one process: a commit becomes a version, goes out to an
// instance and ends as a commit status; a second daemon is refused; a restart
// goes on with the same users and tokens.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	repo := testenv.NewRepo(t)
	repo.Write("payment-service/staging.yaml", goodProfile)
	first := repo.Commit("Configuration of the payment service")
	repo.Push()
	args := []string{
		"--data-dir", dir, "--source-id", "configs", "--source-url", "file://" + repo.Bare, "--allow-file-urls",
		"--poll-interval", "100ms", "--min-poll-interval", "50ms", "--admin-password", "correct horse battery",
	}
	server, out, stop := startDaemon(t, args...)

	c, err := client.New(client.Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Login(t.Context(), "admin", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	c = c.WithToken(session.Token)
	token, err := os.ReadFile(filepath.Join(dir, registrationTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	applied := make(chan string, 10)
	watcher, err := client.NewWatcher(client.SessionOptions{
		Server: server, RegistrationToken: strings.TrimSpace(string(token)), Service: "payment-service", Environment: "Staging", Hostname: "one",
	})
	if err != nil {
		t.Fatal(err)
	}
	watching, stopWatching := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- watcher.Watch(watching, "payment-service.staging", func(got client.Config) error {
			applied <- got.Version
			return nil
		})
	}()
	t.Cleanup(func() { stopWatching(); <-ended; watcher.Close() })

	statusOf := func(commit string) string {
		statuses, err := c.Statuses(t.Context(), commit)
		if err != nil {
			return ""
		}
		for _, s := range statuses {
			if s.Context == "sluice" && s.PostedAt != nil {
				return s.State
			}
		}
		return ""
	}
	eventually(t, "the first commit to succeed", func() bool { return statusOf(first) == "success" })
	repo.Write("payment-service/staging.yaml", strings.Replace(goodProfile, "1s\n", "2s\n", 1))
	repo.Write("payment-service/broken.yaml", "apiVersion: sluice/v1\nkind: ConfigProfile\nnam: x\n")
	second := repo.Commit("Two seconds, and a broken file")
	repo.Push()
	eventually(t, "the second commit to fail for its broken file", func() bool { return statusOf(second) == "failure" })
	eventually(t, "the instance to have the second version", func() bool {
		for {
			select {
			case v := <-applied:
				if v == "1.0.1" {
					return true
				}
			default:
				return false
			}
		}
	})
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		resp, err := http.Get(server + path) //nolint:noctx // a probe of a loopback server
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s answered %d, %v", path, resp.StatusCode, err)
		}
	}

	other := newShell(strings.NewReader(""), &lines{}, &lines{}, func(string) string { return "" })
	if code := other.run(t.Context(), []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dir}); code == 0 {
		t.Error("a second daemon runs on the same database")
	}
	if code := stop(); code != 0 {
		t.Fatalf("the daemon ended with %d:\n%s", code, out)
	}
	again, _, _ := startDaemon(t, args...)
	c, err = client.New(client.Options{Server: again, Token: session.Token})
	if err != nil {
		t.Fatal(err)
	}
	if config, err := c.Config(t.Context(), "payment-service.staging"); err != nil || config.CurrentVersion == "" {
		t.Errorf("after a restart: %+v, %v", config, err)
	}
	if strings.Contains(out.String(), "correct horse") || strings.Contains(out.String(), strings.TrimSpace(string(token))) {
		t.Error("the log shows a secret")
	}
}

func TestServeMakesUpAPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, out, stop := startDaemon(t, "--data-dir", dir)
	var password string
	for line := range strings.SplitSeq(out.String(), "\n") {
		if _, after, ok := strings.Cut(line, "with the password "); ok {
			password = after
		}
	}
	c, err := client.New(client.Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Login(t.Context(), "admin", password); err != nil {
		t.Errorf("the password that was printed does not work: %v", err)
	}
	if code := stop(); code != 0 {
		t.Fatalf("ended with %d", code)
	}
	_, out, _ = startDaemon(t, "--data-dir", dir)
	if strings.Contains(out.String(), "with the password") {
		t.Error("a second start prints a password")
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	for what, args := range map[string][]string{
		"a weak registration token": {"--registration-token", "short"},
		"a short password":          {"--admin-password", "short"},
		"a local source by default": {"--source-id", "x", "--source-url", "file:///tmp/x"},
		"a proxy that is none":      {"--trusted-proxies", "everybody"},
		"a database elsewhere":      {"--database-url", "mysql://x"},
		"a protocol of nobody":      {"--clients", "consul,etcd"},
		"a Redis elsewhere":         {"--redis-url", "redis://u:\"password\"/x@r"},
		"certificates of no Redis":  {"--redis-ca-file", "/dev/null"},
		"certificates that are not": {"--redis-url", "rediss://r", "--redis-ca-file", "/dev/null"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			out := &lines{}
			sh := newShell(strings.NewReader(""), out, out, func(string) string { return "" })
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			code := sh.run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}, args...))
			if code == 0 || ctx.Err() != nil {
				t.Errorf("it started:\n%s", out)
			}
			if strings.Contains(out.String(), `"password"`) || !strings.Contains(out.String(), "sluice: ") {
				t.Errorf("it said %s", out)
			}
		})
	}
}

func TestDatabaseCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(args ...string) (int, string) {
		out := &lines{}
		sh := newShell(strings.NewReader(""), out, out, func(string) string { return "" })
		return sh.run(t.Context(), append(args, "--data-dir", dir)), out.String()
	}
	if code, out := run("migrate", "status"); code != 0 || !strings.Contains(out, "missing") {
		t.Errorf("before: %d %s", code, out)
	}
	if code, out := run("audit", "verify"); code == 0 {
		t.Errorf("a database without tables verifies: %s", out)
	}
	if code, out := run("migrate", "up"); code != 0 {
		t.Errorf("up: %d %s", code, out)
	}
	if code, out := run("migrate", "status"); code != 0 || strings.Contains(out, "missing") {
		t.Errorf("after: %d %s", code, out)
	}
	if code, out := run("audit", "verify"); code != 0 || !strings.Contains(out, "0 rows") {
		t.Errorf("verify: %d %s", code, out)
	}
}

// A daemon that is asked to stop says so to load balancers, hands its claims
// back at once, and answers for as long as they may take to notice.
func TestServeStopsInOrder(t *testing.T) {
	t.Parallel()
	server, out, stop := startDaemon(t, "--data-dir", t.TempDir(), "--shutdown-delay", "4s")
	status := func(path string) int {
		resp, err := http.Get(server + path)
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	code := make(chan int, 1)
	began := time.Now()
	go func() { code <- stop() }()
	eventually(t, "the probe to fail", func() bool { return status("/readyz") == http.StatusServiceUnavailable })
	eventually(t, "the claims to be handed back", func() bool { return strings.Contains(out.String(), `"claims handed back"`) })
	if got := status("/healthz"); got != http.StatusOK {
		t.Errorf("a request that came before load balancers could notice was answered %d", got)
	}
	if got := <-code; got != 0 {
		t.Errorf("ended with %d", got)
	}
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("ended after %s", took)
	}
}

// A registration token that is set anew works beside the one of before, which goes
// on until somebody revokes it: no agent is left out while it changes.
func TestRegistrationTokenIsChanged(t *testing.T) {
	t.Parallel()
	const before, after = "slr_5f1e0c8d21b7a9e3f4a6b2d0c1e8f7", "slr_b2d0c1e8f75f1e0c8d21b7a9e3f4a6"
	dir := t.TempDir()
	_, _, stop := startDaemon(t, "--data-dir", dir, "--registration-token", before)
	if code := stop(); code != 0 {
		t.Fatalf("ended with %d", code)
	}
	server, _, _ := startDaemon(t, "--data-dir", dir, "--registration-token", after)
	for token, want := range map[string]int{before: http.StatusCreated, after: http.StatusCreated, after[1:]: http.StatusUnauthorized} {
		body := `{"serviceName": "payment-service", "hostname": "one", "port": 80, "environment": "Staging"}`
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/api/v1/instances", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("the token %s is answered %d, want %d", token[:6], resp.StatusCode, want)
		}
	}
}

// A password that is shown once is not shown by a start that comes to nothing.
func TestAPortThatIsTakenShowsNoPassword(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	const shown = "is shown this once"
	code, text := command(t, "serve", "--data-dir", dir, "--listen", taken.Addr().String())
	if code == 0 || strings.Contains(text, shown) || !strings.Contains(text, "address already in use") {
		t.Errorf("ended with %d: %s", code, text)
	}
	_, out, stop := startDaemon(t, "--data-dir", dir)
	if stop(); !strings.Contains(out.String(), shown) {
		t.Errorf("the start that works shows no password: %s", out)
	}
}
