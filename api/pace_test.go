package api_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

// What takes back or stops a change does not wait behind the others, and only
// doors that wait on purpose have no deadline of their own.
func TestPaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for pace, want := range map[string][]string{
		"urgent": {
			"GET /profiles/:name/rollback", "POST /profiles/:name/rollback",
			"POST /deployments/:id/pause", "GET /deployments/:id/cancel", "POST /deployments/:id/cancel",
			"GET /deployments/:id/rollback", "POST /deployments/:id/rollback",
			"GET /freeze", "POST /freeze",
			"GET /api/v1/configs/:name/rollback", "POST /api/v1/configs/:name/rollback",
			"POST /api/v1/deployments/:id/pause", "POST /api/v1/deployments/:id/cancel",
			"GET /api/v1/deployments/:id/rollback", "POST /api/v1/deployments/:id/rollback", "PUT /api/v1/freeze",
		},
		"waiting": {
			"GET /live", "GET /api/v1/deployments/:id/events", "GET /api/v1/instances/:id/watch", "GET /api/v1/instances/:id/configs",
			"POST /api/v1/validate", "POST /webhooks/:forge", "GET /api/v1/audit", "GET /api/v1/audit/verify",
		},
	} {
		if got := api.DoorsOf(w.api, pace); !slices.Equal(got, want) {
			t.Errorf("%s doors are %v, want %v", pace, got, want)
		}
	}
}

// held keeps every writer of the database waiting until released.
func (w *world) held() (release func()) {
	w.t.Helper()
	driver, dsn, begin := "sqlite", "file:"+w.path, []string{"PRAGMA busy_timeout = 10000", "BEGIN IMMEDIATE"}
	if store.IsPostgres(w.path) { // every write takes one of these, and reading none
		driver, dsn, begin = "pgx", w.path, []string{"BEGIN", "LOCK TABLE service_instances, config_deployments, audit_head IN EXCLUSIVE MODE"}
	}
	db, err := sql.Open(driver, dsn)
	w.must(err)
	conn, err := db.Conn(w.t.Context())
	w.must(err)
	for _, statement := range begin {
		_, err = conn.ExecContext(w.t.Context(), statement)
		w.must(err)
	}
	release = sync.OnceFunc(func() {
		if err := conn.Close(); err != nil {
			w.t.Error(err)
		}
		if err := db.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(release)
	return release
}

// While nobody can write, what must be written is refused in time, with a word
// on when to ask again, and all that is read is answered.
func TestWritesThatHang(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inTime)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	d := w.deploy("1.0.0")
	w.reaches(d.ID, "InProgress")
	release := w.held()

	beats := make(chan int, 20)
	var all sync.WaitGroup
	began := time.Now()
	for range cap(beats) {
		all.Go(func() {
			got := w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", wire.HeartbeatRequest{})
			seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
			if got.status != 503 || err != nil || !strings.Contains(string(got.body), "SERVICE_UNAVAILABLE") {
				t.Errorf("a heartbeat was answered %d %v: %s", got.status, got.header, got.body)
			}
			beats <- seconds
		})
	}
	all.Go(func() {
		got := w.call(w.tokens[api.Operator], "POST", "/deployments/"+d.ID+"/pause", wire.ReasonRequest{Reason: "look"})
		if got.status != 503 || got.header.Get("Retry-After") != "1" {
			t.Errorf("an order was answered %d %v: %s", got.status, got.header, got.body)
		}
	})
	for _, path := range []string{"//healthz", "//readyz", "//metrics", "/configs", "/deployments/" + d.ID} {
		w.want(w.admin("GET", path, nil), 200)
	}
	all.Wait()
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("it took %s to say that nothing can be written", took)
	}
	close(beats)
	after := map[int]bool{}
	for seconds := range beats {
		after[seconds] = true
		if seconds < 1 || seconds > 10 {
			t.Errorf("asked to come back after %d s", seconds)
		}
	}
	if len(after) < 2 {
		t.Errorf("all are asked to come back at once: %v", after)
	}
	release()
	w.until("a heartbeat to be taken", func() bool {
		return w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", wire.HeartbeatRequest{}).status == 200
	})
}

// said keeps what is logged.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) times(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), text)
}

// A database that is gone ends no stream, makes the daemon unready and not
// dead, and is told to the log once, whoever asks.
func TestDatabaseThatIsGone(t *testing.T) {
	t.Parallel()
	log := &said{}
	w := newWorld(t, func(o *api.Options) {
		o.Logger = slog.New(slog.NewTextHandler(log, nil))
		o.Degraded = func() map[string]string { return map[string]string{"redis": "away"} }
	})
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	d := w.deploy("1.0.0")
	path := "/instances/" + one.id + "/watch"
	w.next(w.events(one.token, path, "assignments"))
	alive, hint := w.events(one.token, path, "keep-alive"), w.events(one.token, path, "reconnect")
	following := w.events(w.tokens[api.Viewer], "/deployments/"+d.ID+"/events", "keep-alive")
	w.next(following)
	w.must(w.store.Close())

	api.Wake(w.api, one.id) // its streams look at the store now
	ready := w.want(w.call("", "GET", "//readyz", nil), 503)
	for _, want := range []string{`"status":"unavailable"`, `"database":"does not answer"`, `"redis":"away"`} {
		if !strings.Contains(string(ready.body), want) {
			t.Errorf("readyz does not say %s: %s", want, ready.body)
		}
	}
	w.want(w.call(one.token, "GET", "//healthz", nil), 200)
	w.until("metrics to tell", func() bool {
		return strings.Contains(string(w.want(w.call("", "GET", "//metrics", nil), 200).body), "sluice_database_up 0\n")
	})
	for range 20 { // keep-alives: two seconds, in which both streams look again and again
		w.next(alive)
		w.next(following)
		w.call("", "GET", "//readyz", nil)
	}
	if n := log.times("the database fails requests"); n != 1 {
		t.Errorf("the log tells it %d times", n)
	}
	w.api.Drain()
	w.next(hint)
	w.ends(alive)
	w.ends(following)
}
