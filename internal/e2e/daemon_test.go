package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// Credentials of the daemons, planted to be looked for in everything they say.
const (
	adminPassword     = "canary-admin-password-5f1e0c"
	registrationToken = "slr_canary-registration-token-8d21b7a9"
)

// daemon is a real `sluice serve` process on its own folder and port, started
// and ended any number of times.
type daemon struct {
	t       *testing.T
	program string
	data    string
	addr    string
	args    []string
	env     []string // beside the credentials
	log     string   // file with everything that every process of it printed

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

func newDaemon(t *testing.T, program string, args ...string) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{
		t: t, program: program, data: filepath.Join(dir, "data"), log: filepath.Join(dir, "daemon.log"),
		addr: fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t)),
	}
	d.args = append([]string{
		"serve", "--listen", d.addr, "--data-dir", d.data, "--poll-interval", "200ms", "--min-poll-interval", "100ms",
		"--rate-limit-factor", "1000", "--log-level", "debug",
	}, args...)
	t.Cleanup(func() {
		if d.running() {
			d.kill()
		}
		if t.Failed() {
			t.Logf("the end of the daemon's log:\n%s", tail(d.logs(), 25))
		}
	})
	return d
}

// launch starts the process without waiting for it to be ready.
func (d *daemon) launch(env ...string) {
	d.t.Helper()
	logs, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer logs.Close()
	cmd := exec.Command(d.program, d.args...)
	cmd.Dir = filepath.Dir(d.log)
	cmd.Env = append(os.Environ(), "SLUICE_ADMIN_PASSWORD="+adminPassword, "SLUICE_REGISTRATION_TOKEN="+registrationToken)
	cmd.Env = append(append(cmd.Env, d.env...), env...)
	cmd.Stdout, cmd.Stderr = logs, logs
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	done := make(chan struct{})
	d.cmd, d.done = cmd, done
	go func() {
		defer close(done)
		cmd.Wait() //nolint:errcheck // how it ended is read from ProcessState
	}()
}

// start starts the process and waits until it is ready.
func (d *daemon) start(env ...string) {
	d.t.Helper()
	d.launch(env...)
	eventually(d.t, "the daemon to be ready", func() bool {
		if !d.running() {
			if len(env) > 0 {
				return true // it met its crash point before it was seen to be ready
			}
			d.t.Fatalf("the daemon ended at its start: %v", d.cmd.ProcessState)
		}
		return d.ready()
	})
}

func (d *daemon) ready() bool {
	resp, err := http.Get(d.url() + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (d *daemon) url() string { return "http://" + d.addr }

func (d *daemon) running() bool {
	if d.cmd == nil {
		return false
	}
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// kill ends the process as kill -9 does.
func (d *daemon) kill() {
	d.t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	d.ended()
}

// ended waits for the process to end and returns how it did.
func (d *daemon) ended() syscall.WaitStatus {
	d.t.Helper()
	eventually(d.t, "the daemon to end", func() bool { return !d.running() })
	return d.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// killedItself waits until the process died at its crash point.
func (d *daemon) killedItself() {
	d.t.Helper()
	if status := d.ended(); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		d.t.Fatalf("the daemon was not killed at its crash point: %v", d.cmd.ProcessState)
	}
}

// stop asks the process to end, which must go well.
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	if status := d.ended(); status.ExitStatus() != 0 {
		d.t.Fatalf("the daemon stopped badly: %v", d.cmd.ProcessState)
	}
}

func (d *daemon) logs() string {
	raw, err := os.ReadFile(d.log)
	if err != nil {
		d.t.Error(err)
	}
	return string(raw)
}

// signIn returns a client of the API in the name of admin. Its token outlives
// the process.
func (d *daemon) signIn() *client.Client {
	d.t.Helper()
	return signIn(d.t, d.url())
}

func signIn(t *testing.T, server string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Login(t.Context(), "admin", adminPassword)
	if err != nil {
		t.Fatal(err)
	}
	return c.WithToken(session.Token)
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// metric reads a series of the daemon's metrics by its name and labels, as
// they stand there; -1 when it is not there.
func (d *daemon) metric(series string) float64 {
	d.t.Helper()
	for line := range strings.Lines(d.get("/metrics")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				d.t.Fatalf("metric %s: %v", series, err)
			}
			return number
		}
	}
	return -1
}

// get reads an open page.
func (d *daemon) get(path string) string {
	d.t.Helper()
	resp, err := http.Get(d.url() + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(body)
}
