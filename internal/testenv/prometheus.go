package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Prometheus is a private Prometheus server. It keeps what it scraped in a
// folder of its own, over its restarts too.
type Prometheus struct{ web }

// NewPrometheus starts a Prometheus server of the test's own with the scrape
// configuration given: the entries of scrape_configs, as YAML. Times are as
// short as it takes. Flags are more of the server's own.
func NewPrometheus(t testing.TB, scrape string, flags ...string) *Prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("Prometheus 2.40 or newer is needed: please install it (Debian: apt-get install prometheus)")
	}
	dir, addr := t.TempDir(), ownAddress(t)
	conf := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(conf, []byte("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n"+scrape), 0o600))
	p := &Prometheus{web{server{
		name: "prometheus", program: program, dir: dir, addr: addr,
		args: append([]string{
			"--config.file=" + conf, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--storage.tsdb.retention.time=1h",
			"--web.listen-address=" + addr, "--log.level=warn",
		}, flags...),
	}}}
	p.begin(t, "/-/ready")
	return p
}

// Kill ends the server as kill -9 does.
func (p *Prometheus) Kill(t testing.TB) {
	t.Helper()
	must(t, p.end(syscall.SIGKILL))
}

// Freeze makes the server hang until Thaw: connections stand and nothing answers.
func (p *Prometheus) Freeze(t testing.TB) {
	t.Helper()
	must(t, p.signal(syscall.SIGSTOP))
}

// Thaw lets a frozen server go on.
func (p *Prometheus) Thaw(t testing.TB) {
	t.Helper()
	must(t, p.signal(syscall.SIGCONT))
}

// Start starts it again at the same address.
func (p *Prometheus) Start(t testing.TB) {
	t.Helper()
	must(t, p.start())
}
