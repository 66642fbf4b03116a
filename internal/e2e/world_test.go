package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const (
	profileName  = "payment-service.staging"
	profileFile  = "payment-service/staging.yaml"
	password     = "correct horse battery"
	registration = "slr_0123456789abcdef0123456789abcdef"
	patience     = 60 * time.Second
)

// text is the profile with one value in it; "bad" is refused by every instance.
func text(value string) string {
	return fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: payment-service
environment: Staging
strategy: {type: Canary, steps: [25, 50, 100], phaseInterval: 1s, progressDeadline: 2m}
health: {enabled: false, checkInterval: 1s}
data:
  value: %s
`, profileName, value)
}

// world is one daemon with its repository and its instances.
type world struct {
	t       *testing.T
	dir     string
	address string
	repo    *testenv.Repo
	client  *client.Client
	cmd     *exec.Cmd
	logs    *lines
	ended   chan struct{}
	fleet   []*instance
}

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

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), address: fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t)), repo: testenv.NewRepo(t), logs: &lines{}}
	t.Cleanup(func() {
		for _, i := range w.fleet {
			i.stop()
		}
		if w.cmd != nil {
			w.kill()
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", w.logs)
		}
	})
	return w
}

// start starts the daemon and waits until it is ready; with a crash point it
// may be gone before.
func (w *world) start(binary, failpoint string, more ...string) {
	w.t.Helper()
	w.cmd = exec.Command(binary, append([]string{
		"serve", "--listen", w.address, "--data-dir", w.dir, "--source-id", "configs", "--source-url", "file://" + w.repo.Bare,
		"--allow-file-urls", "--poll-interval", "150ms", "--min-poll-interval", "50ms", "--rate-limit-factor", "-1",
	}, more...)...)
	w.cmd.Env = append(os.Environ(), "SLUICE_ADMIN_PASSWORD="+password, "SLUICE_REGISTRATION_TOKEN="+registration, "SLUICE_FAILPOINT="+failpoint)
	w.cmd.Stdout, w.cmd.Stderr = w.logs, w.logs
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended, cmd := make(chan struct{}), w.cmd
	w.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is read from its state
	}()
	w.until("the daemon to be ready", func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		resp, err := http.Get("http://" + w.address + "/readyz") //nolint:noctx // a probe of a loopback server
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if w.client == nil {
		w.signIn()
	}
}

func (w *world) signIn() {
	w.t.Helper()
	c, err := client.New(client.Options{Server: "http://" + w.address})
	if err != nil {
		w.t.Fatal(err)
	}
	session, err := c.Login(w.t.Context(), "admin", password)
	if err != nil {
		w.t.Fatal(err)
	}
	w.client = c.WithToken(session.Token)
}

// kill is kill -9.
func (w *world) kill() {
	w.t.Helper()
	if err := w.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		w.t.Fatal(err)
	}
	<-w.ended
}

// stop is SIGTERM; it answers the exit code.
func (w *world) stop() int {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-w.ended:
	case <-time.After(20 * time.Second):
		w.t.Fatalf("the daemon did not stop")
	}
	return w.cmd.ProcessState.ExitCode()
}

// died waits until the daemon was killed by its crash point.
func (w *world) died() {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(patience):
		w.t.Fatal("the daemon never came to the crash point")
	}
	status, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		w.t.Fatalf("the daemon ended with %s, not by kill -9", w.cmd.ProcessState)
	}
}

func (w *world) until(what string, happened func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// commit pushes the profile with a value and returns the commit.
func (w *world) commit(value string) string {
	w.t.Helper()
	w.repo.Write(profileFile, text(value))
	sha := w.repo.Commit("Set the value to " + value)
	w.repo.Push()
	return sha
}

// ends waits until the commit's status is final and posted, and answers it.
func (w *world) ends(commit string) wire.CommitStatus {
	w.t.Helper()
	var out wire.CommitStatus
	w.until("the status of "+commit, func() bool {
		statuses, err := w.client.Statuses(w.t.Context(), commit)
		if err != nil {
			return false
		}
		for _, s := range statuses {
			if s.Context == "sluice/"+profileName && s.State != "pending" && s.PostedAt != nil {
				out = s
				return true
			}
		}
		return false
	})
	return out
}

// instance is one that takes what it is assigned, but nothing bad.
type instance struct {
	watcher *client.Watcher
	cancel  context.CancelFunc
	ended   chan error

	mu          sync.Mutex
	version     string
	generations []int64
	applied     []string
}

func (w *world) join(n int) {
	w.t.Helper()
	for range n {
		i := &instance{ended: make(chan error, 1)}
		var err error
		i.watcher, err = client.NewWatcher(client.SessionOptions{
			Server: "http://" + w.address, RegistrationToken: registration, Service: "payment-service", Environment: "Staging",
			Hostname: fmt.Sprintf("host-%02d", len(w.fleet)+1), StateDir: filepath.Join(w.dir, fmt.Sprintf("instance-%d", len(w.fleet)+1)),
			Logger: slog.New(slog.DiscardHandler),
			Health: func(context.Context) (wire.Health, func()) { return wire.Health{Status: "Healthy"}, nil },
		})
		if err != nil {
			w.t.Fatal(err)
		}
		var ctx context.Context
		ctx, i.cancel = context.WithCancel(context.Background())
		go func() { i.ended <- i.watcher.Watch(ctx, profileName, i.apply) }()
		w.fleet = append(w.fleet, i)
	}
	w.until("the instances to register", func() bool {
		page, err := w.client.Instances(w.t.Context(), client.InstanceFilter{})
		return err == nil && page.Total == len(w.fleet)
	})
}

func (i *instance) apply(c client.Config) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.generations = append(i.generations, c.Generation)
	if strings.Contains(string(c.Data), `"bad"`) {
		return errors.New("this value is bad")
	}
	i.version = c.Version
	i.applied = append(i.applied, c.Version)
	return nil
}

func (i *instance) stop() {
	if i.cancel != nil {
		i.cancel()
		<-i.ended //nolint:errcheck // it says that it was cancelled
		i.watcher.Close()
		i.cancel = nil
	}
}

func (i *instance) runs() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.version
}

// allRun waits until every instance runs the version.
func (w *world) allRun(version string) {
	w.t.Helper()
	w.until("every instance to run "+version, func() bool {
		for _, i := range w.fleet {
			if i.runs() != version {
				return false
			}
		}
		return true
	})
}

// promises checks what holds whatever happened: generations never fall, the
// audit chain holds, each commit made one version and one deployment, and the
// last status that was posted of each commit is its final one.
func (w *world) promises(commits ...string) {
	w.t.Helper()
	for n, i := range w.fleet {
		i.mu.Lock()
		for k := 1; k < len(i.generations); k++ {
			if i.generations[k] < i.generations[k-1] {
				w.t.Errorf("instance %d was given the generations %v", n+1, i.generations)
			}
		}
		i.mu.Unlock()
	}
	db, err := store.Open(w.t.Context(), store.Options{URL: filepath.Join(w.dir, "sluice.db"), ReadOnly: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, broken, err := db.VerifyAudit(w.t.Context()); err != nil || broken != nil {
		w.t.Errorf("the audit log: %+v, %v", broken, err)
	}
	for _, commit := range commits {
		deployments, _, err := db.Deployments(w.t.Context(), store.DeploymentFilter{Commit: commit})
		if err != nil || len(deployments) != 1 {
			w.t.Errorf("commit %s made %d deployments (%v)", commit, len(deployments), err)
			continue
		}
		w.posted(db, commit, deployments[0])
	}
}

// posted checks that the statuses of a commit never went back from a final one.
func (w *world) posted(db *store.Store, commit string, d rollout.Deployment) {
	w.t.Helper()
	statuses, err := db.PostedStatuses(w.t.Context(), commit)
	if err != nil {
		w.t.Fatal(err)
	}
	final := ""
	for _, s := range statuses {
		if s.Context != "sluice/"+profileName {
			continue
		}
		if final != "" && string(s.State) != final {
			w.t.Errorf("commit %s was %s and then %s", commit, final, s.State)
		}
		if s.State != rollout.StatusPending {
			final = string(s.State)
		}
	}
	want, _ := rollout.StatusOf(d)
	if final != string(want.State) {
		w.t.Errorf("commit %s ended as %q, its deployment says %s", commit, final, want.State)
	}
}
