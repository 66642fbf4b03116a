package client_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

const registrationToken = "slr_registration-canary"

// fake speaks the server's side of the contract over real HTTP.
type fake struct {
	t   *testing.T
	srv *httptest.Server

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at each change
	set       []wire.Assignment
	large     map[string][]byte
	tokens    map[string]string // instance -> token
	registers []wire.RegisterRequest
	acks      []wire.AppliedRequest
	beats     []wire.Health
	gone      []string
	polls     int
	streams   int

	// How it misbehaves.
	noStream     bool // watch answers with something else
	refuseAcks   int  // answers 503 so often
	refuseBeats  int
	heartbeatGap int // milliseconds asked for
	hint         int // milliseconds; ends each stream after its first event when > 0
	conn         map[string]http.ResponseWriter
}

func newFake(t *testing.T) *fake {
	f := unstarted(t)
	f.srv.Start()
	return f
}

func unstarted(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, changed: make(chan struct{}), large: map[string][]byte{}, tokens: map[string]string{}, heartbeatGap: 30_000}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/instances", f.register)
	mux.HandleFunc("GET /api/v1/instances/{id}/watch", f.auth(f.watch))
	mux.HandleFunc("GET /api/v1/instances/{id}/configs", f.auth(f.poll))
	mux.HandleFunc("GET /api/v1/instances/{id}/configs/{name}/{hash}/data", f.auth(f.data))
	mux.HandleFunc("POST /api/v1/instances/{id}/heartbeat", f.auth(f.heartbeat))
	mux.HandleFunc("POST /api/v1/instances/{id}/applied", f.auth(f.applied))
	mux.HandleFunc("DELETE /api/v1/instances/{id}", f.auth(f.deregister))
	f.srv = httptest.NewUnstartedServer(mux)
	t.Cleanup(func() { f.srv.CloseClientConnections(); f.srv.Close() })
	return f
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wire.Error{Error: wire.ErrorDetail{Code: code, Message: strings.ToLower(code), TraceID: "abc"}})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fake) register(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+registrationToken {
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
	f.registers = append(f.registers, req)
	id := fmt.Sprintf("inst-%d", len(f.registers))
	f.tokens[id] = "sli_" + id
	f.touch()
	reply(w, http.StatusCreated, wire.RegisterResponse{ID: id, Token: f.tokens[id], HeartbeatSeconds: 30})
}

func (f *fake) auth(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		token := f.tokens[r.PathValue("id")]
		f.mu.Unlock()
		if token == "" || r.Header.Get("Authorization") != "Bearer "+token {
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
			return
		}
		next(w, r)
	}
}

func (f *fake) watch(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	noStream, hint := f.noStream, f.hint
	f.streams++
	f.touch()
	f.mu.Unlock()
	if noStream {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	for {
		f.mu.Lock()
		raw, err := json.Marshal(wire.Assignments{Assignments: f.set})
		changed, known := f.changed, f.tokens[r.PathValue("id")] != ""
		f.mu.Unlock()
		if err != nil || !known {
			return
		}
		fmt.Fprintf(w, ": hello\n\nevent: assignments\ndata: %s\n\n", raw)
		if hint > 0 {
			fmt.Fprintf(w, "event: reconnect\ndata: {\"afterMillis\":%d}\n\n", hint)
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

func (f *fake) poll(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Prefer"), "wait=") {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	for {
		f.mu.Lock()
		raw, err := json.Marshal(wire.Assignments{Assignments: f.set})
		changed := f.changed
		f.polls++
		f.mu.Unlock()
		if err != nil {
			return
		}
		etag := `"` + hashOf(raw) + `"`
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

func (f *fake) data(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	raw, ok := f.large[r.PathValue("hash")]
	f.mu.Unlock()
	if !ok {
		fail(w, http.StatusNotFound, "VERSION_NOT_FOUND")
		return
	}
	_, _ = w.Write(raw)
}

func (f *fake) heartbeat(w http.ResponseWriter, r *http.Request) {
	var req wire.HeartbeatRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuseBeats > 0 {
		f.refuseBeats--
		fail(w, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE")
		return
	}
	f.beats = append(f.beats, req.Health)
	f.touch()
	reply(w, http.StatusOK, wire.HeartbeatResponse{NextHeartbeatMillis: f.heartbeatGap, Assignments: f.set})
}

func (f *fake) applied(w http.ResponseWriter, r *http.Request) {
	var req wire.AppliedRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuseAcks > 0 {
		f.refuseAcks--
		fail(w, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE")
		return
	}
	f.acks = append(f.acks, req)
	f.touch()
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) deregister(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, r.PathValue("id"))
	f.gone = append(f.gone, r.PathValue("id"))
	f.touch()
	w.WriteHeader(http.StatusNoContent)
}

// touch wakes whoever waits for a change. f.mu is held.
func (f *fake) touch() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// update changes the fake and wakes its streams.
func (f *fake) update(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.touch()
}

// assign replaces one profile's assignment.
func (f *fake) assign(a wire.Assignment) {
	f.update(func() {
		f.set = slices.DeleteFunc(slices.Clone(f.set), func(b wire.Assignment) bool { return b.ConfigName == a.ConfigName })
		f.set = append(f.set, a)
	})
}

// until waits for a condition on the fake.
func (f *fake) until(what string, cond func() bool) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
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

// untilAck waits for the first acknowledgement of a generation with that outcome and returns it.
func (f *fake) untilAck(generation int64, ok bool) wire.AppliedRequest {
	f.t.Helper()
	var got wire.AppliedRequest
	f.until(fmt.Sprintf("acknowledgement of generation %d (ok=%t)", generation, ok), func() bool {
		for _, a := range f.acks {
			if a.Generation == generation && a.OK == ok {
				got = a
				return true
			}
		}
		return false
	})
	return got
}

func hashOf(raw []byte) string {
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}

// assignment makes one of canonical data.
func assignment(profile, version string, generation int64, data map[string]any) wire.Assignment {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(maps.Clone(data)); err != nil {
		panic(err)
	}
	raw := bytes.TrimSpace(b.Bytes())
	return wire.Assignment{ConfigName: profile, Version: version, Generation: generation, Hash: hashOf(raw), Data: raw}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
