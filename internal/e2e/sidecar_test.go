package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// program is a small HTTP service that knows nothing of Sluice: it reads its
// file when it is told to.
type program struct {
	*httptest.Server
	file string

	mu     sync.Mutex
	loaded string
}

func newProgram(t *testing.T, file string) *program {
	t.Helper()
	p := &program{file: file}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /-/reload", p.reload)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *program) reload(w http.ResponseWriter, _ *http.Request) {
	raw, err := os.ReadFile(p.file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded = string(raw)
}

// runs says whether the program loaded a configuration with the word.
func (p *program) runs(word string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.loaded, word)
}

// forget is a restart of the program: it has no configuration until it is told.
func (p *program) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded = ""
}

// sidecar is a real `sluice agent` process beside a program.
type sidecar struct {
	t       *testing.T
	program *program
	binary  string
	args    []string
	env     []string // beside the test's own
	log     string

	cmd  *exec.Cmd
	done chan struct{}
}

func newSidecar(t *testing.T, s *stage, service string) *sidecar {
	t.Helper()
	dir := t.TempDir()
	p := newProgram(t, filepath.Join(dir, "config.json"))
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(registrationToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &sidecar{t: t, program: p, binary: s.daemon.program, log: filepath.Join(dir, "agent.log"), args: []string{
		"agent", "--server", s.url(), "--token-file", token, "--service", service, "--environment", "Staging", "--hostname", service + "-1",
		"--file", p.file, "--reload-url", p.URL + "/-/reload", "--health-url", p.URL + "/healthz", "--max-heartbeat", "1s",
	}}
	t.Cleanup(func() {
		if a.cmd != nil {
			a.kill()
		}
		if t.Failed() {
			t.Logf("the end of the agent's log:\n%s", tail(a.logs(), 25))
		}
	})
	return a
}

func (a *sidecar) start() {
	a.t.Helper()
	logs, err := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer logs.Close()
	cmd, done := exec.Command(a.binary, a.args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.Env = append(os.Environ(), a.env...)
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.cmd, a.done = cmd, done
	go func() {
		defer close(done)
		cmd.Wait() //nolint:errcheck // it is killed, or ends by SIGTERM
	}()
}

func (a *sidecar) kill() { a.end(syscall.SIGKILL) }

func (a *sidecar) end(signal syscall.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(signal); err != nil {
		a.t.Error(err)
	}
	<-a.done
	a.cmd = nil
}

func (a *sidecar) logs() string {
	raw, err := os.ReadFile(a.log)
	if err != nil {
		a.t.Error(err)
	}
	return string(raw)
}

// loads waits until the program runs the configuration with the word, and it
// stands in the file.
func (a *sidecar) loads(word string) {
	a.t.Helper()
	eventually(a.t, "the program to load "+word, func() bool { return a.program.runs(word) })
	raw, err := os.ReadFile(a.program.file)
	if err != nil || !strings.Contains(string(raw), word) {
		a.t.Errorf("the file holds %s, %v; want %s", raw, err, word)
	}
}
