package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// fakeDaemon speaks the REST API from fixed answers and keeps what it was asked.
type fakeDaemon struct {
	*httptest.Server
	mux *http.ServeMux

	mu       sync.Mutex
	requests []string // method, path and query, body
	tokens   []string // Authorization headers
}

func newDaemon(t *testing.T) *fakeDaemon {
	t.Helper()
	d := &fakeDaemon{mux: http.NewServeMux()}
	d.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "NOT_FOUND", "no "+r.URL.Path)
	})
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		d.mu.Lock()
		d.requests = append(d.requests, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.URL.RequestURI(), "/api/v1")+" "+string(body)))
		d.tokens = append(d.tokens, r.Header.Get("Authorization"))
		d.mu.Unlock()
		d.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(d.Close)
	return d
}

// answers makes the daemon answer a pattern, such as "GET /configs", with v.
func (d *fakeDaemon) answers(pattern string, v any) {
	method, path, _ := strings.Cut(pattern, " ")
	d.mux.HandleFunc(method+" /api/v1"+path, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, v) })
}

// refuses makes the daemon answer a pattern with an error.
func (d *fakeDaemon) refuses(pattern string, status int, code, message string) {
	method, path, _ := strings.Cut(pattern, " ")
	d.mux.HandleFunc(method+" /api/v1"+path, func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, code, message) })
}

// streams makes the daemon send each connection to the events of a deployment
// its own list of states; the last list is sent again to whoever comes later.
func (d *fakeDaemon) streams(id string, connections ...[]wire.Deployment) {
	var n int
	d.mux.HandleFunc("GET /api/v1/deployments/"+id+"/events", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		states := connections[min(n, len(connections)-1)]
		n++
		d.mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for _, state := range states {
			data, err := json.Marshal(state)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(w, "event: deployment\nid: %d\ndata: %s\n\n", state.Revision, data)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
		}
	})
}

// asked is what the daemon was asked so far.
func (d *fakeDaemon) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.requests...)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, wire.Error{Error: wire.ErrorDetail{Code: code, Message: message}})
}

// page is a list's only page.
func page[T any](items ...T) wire.Page[T] {
	return wire.Page[T]{Items: items, Total: len(items), Limit: 100}
}

// console is a shell whose streams are buffers.
type console struct {
	*shell
	out, err bytes.Buffer
	env      map[string]string
}

func newConsole(t *testing.T, d *fakeDaemon) *console {
	t.Helper()
	c := &console{env: map[string]string{"LANG": "en_US.UTF-8"}}
	if d != nil {
		c.env["SLUICE_SERVER"] = d.URL
	}
	c.shell = newShell(strings.NewReader(""), &c.out, &c.err, func(name string) string { return c.env[name] })
	c.now = func() time.Time { return noon }
	dir := t.TempDir()
	c.configDir = func() (string, error) { return dir, nil }
	return c
}

// terminal makes every stream a terminal of that size; typed is what is typed.
func (c *console) terminal(width, height int, typed string) {
	c.onTerminal = func(any) bool { return true }
	c.size = func(io.Writer) (int, int) { return width, height }
	c.stdin = strings.NewReader(typed)
}

// do runs a command line and returns its exit code.
func (c *console) do(t *testing.T, args ...string) int {
	t.Helper()
	c.out.Reset()
	c.err.Reset()
	return c.run(t.Context(), args)
}

// wants fails the test unless the command ended with the code.
func (c *console) wants(t *testing.T, code int, args ...string) {
	t.Helper()
	if got := c.do(t, args...); got != code {
		t.Fatalf("sluice %s ended with %d, want %d\n%s%s", strings.Join(args, " "), got, code, c.out.String(), c.err.String())
	}
}
