package testenv

import (
	"path/filepath"
	"syscall"
	"testing"
)

// Credentials of every Daemon.
const (
	AdminPassword     = "browser-test-password-7be31f"
	RegistrationToken = "slr_7be31f0a94c2d58e6613b0f7a2c9d4e5"
)

// Daemon is a real `sluice serve` process on the embedded database, with a
// folder and a port of its own. It can be killed and started again.
type Daemon struct{ web }

// NewDaemon starts a daemon that is in a hurry and limits nobody, with more
// arguments to say what it watches.
func NewDaemon(t testing.TB, args ...string) *Daemon {
	t.Helper()
	dir, addr := t.TempDir(), ownAddress(t)
	d := &Daemon{web{server{
		name: "sluice", program: Binary(t), dir: dir, addr: addr,
		args: append([]string{
			"serve", "--listen", addr, "--data-dir", filepath.Join(dir, "data"), "--poll-interval", "200ms", "--min-poll-interval", "100ms",
			"--rate-limit-factor", "1000",
		}, args...),
		env: []string{"SLUICE_ADMIN_PASSWORD=" + AdminPassword, "SLUICE_REGISTRATION_TOKEN=" + RegistrationToken},
	}}}
	d.begin(t, "/readyz")
	return d
}

// Kill ends the daemon as kill -9 does.
func (d *Daemon) Kill(t testing.TB) {
	t.Helper()
	must(t, d.end(syscall.SIGKILL))
}

// Start starts it again with what it has on disk.
func (d *Daemon) Start(t testing.TB) {
	t.Helper()
	must(t, d.start())
}

// PID is the process that runs now, or ran last.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }
