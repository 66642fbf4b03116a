package api_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
)

// watchOnly makes a world's server one of the role watch; wakes counts how often
// it had the engine woken, which is elsewhere.
func watchOnly(wakes *atomic.Int64) func(*api.Options) {
	return func(o *api.Options) {
		o.WatchOnly, o.Engine = true, nil
		o.Wake = func() { wakes.Add(1) }
		o.ExternalURL = "https://sluice.example.com"
	}
}

// Clients of other servers read there too.
func TestWatchOnlyServesClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, watchOnly(new(atomic.Int64)), func(o *api.Options) { o.Clients = []string{"consul"} })
	if got := w.call("", "GET", "//v1/kv/sluice/"+name, nil); got.status != http.StatusForbidden && got.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", got.status, got.body)
	}
	if got := w.call(w.tokens[api.Viewer], "GET", "//v1/kv/sluice/"+name, nil); got.status != http.StatusNotFound || got.header.Get("X-Consul-Index") == "" {
		t.Errorf("a key that is not there yet: %d %v", got.status, got.header)
	}
}

// Where instances alone are served, their doors and those of every process
// answer, and each of the others says where it is, whoever asks for it.
func TestWatchOnly(t *testing.T) {
	t.Parallel()
	served := map[string]bool{
		"GET /healthz": true, "GET /readyz": true, "GET /health": true, "GET /metrics": true,
		"GET /api/v1/instances": true, "GET /api/v1/instances/:id": true,
		"POST /api/v1/instances": true, "DELETE /api/v1/instances/:id": true,
		"POST /api/v1/instances/:id/heartbeat": true, "POST /api/v1/instances/:id/applied": true,
		"GET /api/v1/instances/:id/watch": true, "GET /api/v1/instances/:id/configs": true,
		"GET /api/v1/instances/:id/configs/:name/:hash/data": true,
	}
	w := newWorld(t, watchOnly(new(atomic.Int64)))
	elsewhere := 0
	for _, r := range api.RoutesOf(w.api) {
		path, v1 := strings.CutPrefix(r.Path, "/api/v1")
		if !v1 {
			path = "/" + r.Path
		}
		for _, accept := range []string{"application/json", "text/html"} {
			got := w.call("", r.Method, path, nil, "Accept", accept)
			if served[r.Method+" "+r.Path] {
				if got.status == http.StatusMisdirectedRequest || got.status == http.StatusNotFound {
					t.Errorf("%s %s: %d, it is a door of instances", r.Method, r.Path, got.status)
				}
				continue
			}
			elsewhere++
			w.want(got, http.StatusMisdirectedRequest, "MISDIRECTED")
			if text := string(got.body); !strings.Contains(text, "role watch") || !strings.Contains(text, "ask https://sluice.example.com for "+r.Method+" "+r.Path) {
				t.Errorf("%s %s says not where it is: %s", r.Method, r.Path, text)
			}
		}
		delete(served, r.Method+" "+r.Path)
	}
	if len(served) > 0 || elsewhere < 100 {
		t.Errorf("%d answers were of doors that are elsewhere; these are nowhere: %v", elsewhere, served)
	}
	w.want(w.call("", "GET", "//no-such-path", nil), http.StatusNotFound, "NOT_FOUND")
}

// What an instance does wakes the engine, which is in another process.
func TestWatchOnlyWakesTheEngineElsewhere(t *testing.T) {
	t.Parallel()
	var wakes atomic.Int64
	w := newWorld(t, watchOnly(&wakes))
	w.profile()
	one := w.register("one")
	if wakes.Load() != 1 {
		t.Errorf("a registration woke the engine %d times", wakes.Load())
	}
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", wire.HeartbeatRequest{Health: wire.Health{Status: "Healthy"}}), 200)
	w.want(w.call(one.token, "DELETE", "/instances/"+one.id, nil), 204)
	if wakes.Load() != 2 {
		t.Errorf("a registration and a leave woke the engine %d times", wakes.Load())
	}
}

// The metrics of such a replica are its own: what is in the store is told by
// those that decide, and it never makes the daemon look ready to roll out.
func TestWatchOnlyMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, watchOnly(new(atomic.Int64)))
	text := string(w.want(w.call("", "GET", "//metrics", nil), 200).body)
	if !strings.Contains(text, "\nsluice_database_up 1\n") {
		t.Error("the database is not told to be up")
	}
	for _, other := range []string{"sluice_ready", "sluice_instances{", "sluice_outbox_pending"} {
		if strings.Contains(text, "\n"+other) {
			t.Errorf("%s is told", other)
		}
	}
}

func TestWatchOnlyNeedsAWayToWake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	opts := api.Options{Store: w.store, Bus: bus{}, Heartbeats: nil, WatchOnly: true}
	if _, err := api.New(opts); err == nil {
		t.Error("an API without anybody to wake was built")
	}
}
