package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Alertmanager is a private Prometheus Alertmanager that notifies nobody.
type Alertmanager struct{ web }

// NewAlertmanager starts an Alertmanager of the test's own.
func NewAlertmanager(t testing.TB) *Alertmanager {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager") // as Debian calls it
	if err != nil {
		program, err = exec.LookPath("alertmanager")
	}
	if err != nil {
		t.Fatal("Alertmanager is needed: please install it (Debian: apt-get install prometheus-alertmanager)")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	must(t, os.WriteFile(file, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), 0o644))
	addr := ownAddress(t)
	a := &Alertmanager{web{server{
		name: "alertmanager", program: program, dir: dir, addr: addr,
		args: []string{
			"--config.file=" + file, "--storage.path=" + dir, "--web.listen-address=" + addr, "--cluster.listen-address=", "--log.level=warn",
		},
	}}}
	a.begin(t, "/-/ready")
	return a
}
