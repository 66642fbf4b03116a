// Package fakeserver speaks the server's side of the instances' contract over real HTTP, for tests of
// what talks to it.
package fakeserver

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// RegistrationToken is the one that the server takes.
const RegistrationToken = "slr_registration-canary"

// Server is the fake. Its fields are read and changed under Update and Until only.
type Server struct {
	t    *testing.T
	srv  *httptest.Server
	mux  http.Handler
	addr string
	// patience ends Until.
	patience time.Duration

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at each change
	Set       []wire.Assignment
	Large     map[string][]byte
	Opened    map[string][]byte // in the place of Large, with the hash of its own
	Shut      int               // status that refuses what is in Opened, 0 for none
	Tokens    map[string]string // instance -> token
	Registers []wire.RegisterRequest
	Acks      []wire.AppliedRequest
	Traces    []string // traceparents of requests for data and of acknowledgements, "" without one
	Beats     []wire.Health
	Gone      []string
	Refused   int // registrations
	Misses    int // requests for data that is not in Large
	Polls     int
	Streams   int

	// How it misbehaves.
	NoStream     bool // watch answers with something else
	Silent       bool // watch opens and says nothing
	RefuseAcks   int  // answers 503 so often
	RefuseBeats  int
	RefuseStatus int // what they are refused with, 503 when 0
	HeartbeatGap int // milliseconds asked for
	Hint         int // milliseconds; ends each stream after its first event when > 0
}

// New starts a server that ends with the test.
func New(t *testing.T) *Server {
	f := Unstarted(t)
	f.Start()
	return f
}

// Unstarted returns a server that Start brings up.
func Unstarted(t *testing.T) *Server {
	t.Helper()
	f := Offline(t)
	f.patience = 20 * time.Second
	f.srv = httptest.NewUnstartedServer(f.mux)
	f.addr = f.srv.Listener.Addr().String()
	t.Cleanup(f.Stop)
	return f
}

// Offline returns a server that is reached by Transport alone, in simulated time.
func Offline(t *testing.T) *Server {
	f := &Server{t: t, addr: "sluice.test", patience: time.Hour, changed: make(chan struct{}), Large: map[string][]byte{},
		Tokens: map[string]string{}, HeartbeatGap: 30_000}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/instances", f.register)
	mux.HandleFunc("GET /api/v1/instances/{id}/watch", f.auth(f.watch))
	mux.HandleFunc("GET /api/v1/instances/{id}/configs", f.auth(f.poll))
	mux.HandleFunc("GET /api/v1/instances/{id}/configs/{name}/{hash}/data", f.auth(f.data))
	mux.HandleFunc("POST /api/v1/instances/{id}/heartbeat", f.auth(f.heartbeat))
	mux.HandleFunc("POST /api/v1/instances/{id}/applied", f.auth(f.applied))
	mux.HandleFunc("DELETE /api/v1/instances/{id}", f.auth(f.deregister))
	f.mux = mux
	return f
}

// URL is the server's address, the same after a restart.
func (f *Server) URL() string { return "http://" + f.addr }

// Start takes requests; before that, connections are accepted and not answered.
func (f *Server) Start() { f.srv.Start() }

// Stop kills the server in the middle of whatever it does: connections are refused from then on.
func (f *Server) Stop() {
	f.srv.Listener.Close() //nolint:errcheck // an error says that it is closed already
	f.srv.CloseClientConnections()
	f.srv.Close()
}

// Restart brings a stopped server up again on the same address, with what it knew.
func (f *Server) Restart() {
	f.t.Helper()
	l, err := net.Listen("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.srv = &httptest.Server{Listener: l, Config: &http.Server{Handler: f.mux}}
	f.srv.Start()
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wire.Error{Error: wire.ErrorDetail{Code: code, Message: strings.ToLower(code), TraceID: "abc"}}) // the client may be gone
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (f *Server) register(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+RegistrationToken {
		f.Update(func() { f.Refused++ })
		fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	var req wire.RegisterRequest
	if json.NewDecoder(r.Body).Decode(&req) != nil {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Registers = append(f.Registers, req)
	id := fmt.Sprintf("inst-%d", len(f.Registers))
	f.Tokens[id] = "sli_" + id
	f.touch()
	reply(w, http.StatusCreated, wire.RegisterResponse{ID: id, Token: f.Tokens[id], HeartbeatSeconds: 30})
}

func (f *Server) auth(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		token := f.Tokens[r.PathValue("id")]
		f.mu.Unlock()
		if token == "" || r.Header.Get("Authorization") != "Bearer "+token {
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
			return
		}
		next(w, r)
	}
}

func (f *Server) watch(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	noStream, silent, hint := f.NoStream, f.Silent, f.Hint
	f.Streams++
	f.touch()
	f.mu.Unlock()
	if noStream {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if silent {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	var said []byte
	for {
		f.mu.Lock()
		raw, err := json.Marshal(wire.Assignments{Assignments: f.Set})
		changed, known := f.changed, f.Tokens[r.PathValue("id")] != ""
		f.mu.Unlock()
		if err != nil || !known {
			return
		}
		if !bytes.Equal(raw, said) {
			fmt.Fprintf(w, ": hello\n\nevent: assignments\ndata: %s\n\n", raw)
			w.(http.Flusher).Flush()
			said = raw
		}
		if hint > 0 {
			fmt.Fprintf(w, "event: reconnect\ndata: {\"afterMillis\":%d}\n\n", hint)
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

func (f *Server) poll(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Prefer"), "wait=") {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	f.Update(func() { f.Polls++ })
	for {
		f.mu.Lock()
		raw, err := json.Marshal(wire.Assignments{Assignments: f.Set})
		changed := f.changed
		f.mu.Unlock()
		if err != nil {
			return
		}
		etag := `"` + Hash(raw) + `"`
		if r.Header.Get("If-None-Match") != etag {
			w.Header().Set("ETag", etag)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(raw)
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

func (f *Server) data(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	raw, ok := f.Large[r.PathValue("hash")]
	opened, secret := f.Opened[r.PathValue("hash")]
	shut := f.Shut
	f.Traces = append(f.Traces, r.Header.Get("Traceparent"))
	f.mu.Unlock()
	if secret && shut != 0 {
		fail(w, shut, "REFUSED")
		return
	}
	if secret {
		raw, ok = opened, true
		w.Header().Set(wire.DeliveredHashHeader, Hash(opened))
	}
	if !ok {
		f.Update(func() { f.Misses++ })
		fail(w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	_, _ = w.Write(raw)
}

func (f *Server) heartbeat(w http.ResponseWriter, r *http.Request) {
	var req wire.HeartbeatRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.RefuseBeats > 0 {
		f.RefuseBeats--
		f.touch()
		w.Header().Set("Retry-After", "2")
		fail(w, cmp.Or(f.RefuseStatus, http.StatusServiceUnavailable), "SERVICE_UNAVAILABLE")
		return
	}
	f.Beats = append(f.Beats, req.Health)
	f.touch()
	reply(w, http.StatusOK, wire.HeartbeatResponse{NextHeartbeatMillis: f.HeartbeatGap, Assignments: f.Set})
}

func (f *Server) applied(w http.ResponseWriter, r *http.Request) {
	var req wire.AppliedRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.RefuseAcks > 0 {
		f.RefuseAcks--
		f.touch()
		fail(w, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE")
		return
	}
	f.Acks = append(f.Acks, req)
	f.Traces = append(f.Traces, r.Header.Get("Traceparent"))
	f.touch()
	w.WriteHeader(http.StatusNoContent)
}

func (f *Server) deregister(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.Tokens, r.PathValue("id"))
	f.Gone = append(f.Gone, r.PathValue("id"))
	f.touch()
	w.WriteHeader(http.StatusNoContent)
}

// touch wakes whoever waits for a change. f.mu is held.
func (f *Server) touch() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// Update changes the fake and wakes its streams.
func (f *Server) Update(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.touch()
}

// Assign replaces one profile's assignment.
func (f *Server) Assign(a wire.Assignment) {
	f.Update(func() {
		f.Set = slices.DeleteFunc(slices.Clone(f.Set), func(b wire.Assignment) bool { return b.ConfigName == a.ConfigName })
		f.Set = append(f.Set, a)
	})
}

// Until waits for a condition on the fake.
func (f *Server) Until(what string, cond func() bool) {
	f.t.Helper()
	deadline := time.After(f.patience)
	for {
		f.mu.Lock()
		ok, changed := cond(), f.changed
		f.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			f.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// UntilAck waits for the first acknowledgement of a generation with that outcome and returns it.
func (f *Server) UntilAck(generation int64, ok bool) wire.AppliedRequest {
	f.t.Helper()
	var got wire.AppliedRequest
	f.Until(fmt.Sprintf("acknowledgement of generation %d (ok=%t)", generation, ok), func() bool {
		for _, a := range f.Acks {
			if a.Generation == generation && a.OK == ok {
				got = a
				return true
			}
		}
		return false
	})
	return got
}

// Hash is the SHA-256 in hex.
func Hash(raw []byte) string {
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}

// Assignment makes one of canonical data.
func Assignment(profile, version string, generation int64, data map[string]any) wire.Assignment {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(maps.Clone(data)); err != nil {
		panic(err)
	}
	raw := bytes.TrimSpace(b.Bytes())
	return wire.Assignment{ConfigName: profile, Version: version, Generation: generation, Hash: Hash(raw), Data: raw}
}

// Quiet logs nowhere.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
