package api_test

import (
	"database/sql"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// frozenFor is longer than everything that is bounded takes.
const frozenFor = 10 * time.Second

// A database that takes everything and answers nothing: every request is
// answered in time, every stream and long poll stays, and afterwards all is as
// it was. It runs alone: goroutines are counted.
func TestFrozenDatabase(t *testing.T) { //nolint:paralleltest // it counts goroutines
	server := testenv.NewPostgres(t)
	w := newWorldOn(t, store.Options{URL: server.CreateDatabase(t, "")}, time.Minute, inTime)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	one := w.register("one")
	w.complete("1.0.0", one)
	stranger := w.registerOf("another-service", "stranger") // whom this server has not met since
	path := "/instances/" + one.id
	tag := w.want(w.call(one.token, "GET", path+"/configs", nil), 200).header.Get("ETag")
	stream := w.events(one.token, path+"/watch", "assignments")
	w.next(stream)
	alive := w.events(one.token, path+"/watch", "keep-alive")
	w.next(alive)
	polled := make(chan answer, 1)
	go func() {
		polled <- w.call(one.token, "GET", path+"/configs", nil, "If-None-Match", tag, "Prefer", "wait=8")
	}()
	w.until("the poll to wait", func() bool { return api.Readers(w.api) == 3 })
	before := runtime.NumGoroutine()

	t.Cleanup(func() { server.Thaw(t) }) // a frozen server would not hear that it is to end
	server.Freeze(t)
	frozen := time.Now()
	w.refusesInTime(one, stranger)
	api.Wake(w.api, one.id) // all of its readers look at the store now
	select {
	case got := <-polled:
		w.want(got, 503, "SERVICE_UNAVAILABLE") // it cannot know that nothing changed
		if took := time.Since(frozen); took > 20*time.Second {
			t.Errorf("the poll took %s", took)
		}
	case <-time.After(40 * time.Second):
		t.Fatal("the long poll goes on")
	}
	for time.Since(frozen) < frozenFor {
		w.next(alive)
	}

	server.Thaw(t)
	w.until("the daemon to be ready", func() bool { return w.call("", "GET", "//readyz", nil).status == 200 })
	w.deploy("1.0.1")
	for got := ""; !strings.Contains(got, `"1.0.1"`); { // the same stream
		got = w.next(stream)
	}
	w.until("the goroutines of the freeze to be gone", func() bool { return runtime.NumGoroutine() <= before+10 })
}

// refusesInTime asks for a bit of everything at once, more than there are
// connections, while nothing answers. Whom the server met a moment ago it tells
// what it knows.
func (w *world) refusesInTime(one, stranger instance) {
	w.t.Helper()
	operator := w.tokens[api.Operator]
	asks := map[string]struct {
		status int
		ask    func() answer
	}{
		"healthz": {200, func() answer { return w.call(one.token, "GET", "//healthz", nil) }},
		"readyz":  {503, func() answer { return w.call("", "GET", "//readyz", nil) }},
		"metrics": {200, func() answer { return w.call("", "GET", "//metrics", nil) }},
		"list":    {503, func() answer { return w.admin("GET", "/configs", nil) }},
		"audit":   {503, func() answer { return w.admin("GET", "/audit", nil) }},
		"heartbeat": {503, func() answer {
			return w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", wire.HeartbeatRequest{})
		}},
		"a stranger's stream": {503, func() answer { return w.call(stranger.token, "GET", "/instances/"+stranger.id+"/watch", nil) }},
		"a stranger's poll":   {503, func() answer { return w.call(stranger.token, "GET", "/instances/"+stranger.id+"/configs", nil) }},
		"a poll":              {200, func() answer { return w.call(one.token, "GET", "/instances/"+one.id+"/configs", nil) }},
		"a registration":      {503, func() answer { return w.call(w.tokens[api.Registration], "POST", "/instances", wire.RegisterRequest{}) }},
		"a rollback": {503, func() answer {
			return w.call(operator, "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "it hurts"})
		}},
	}
	var all sync.WaitGroup
	for what, a := range asks {
		times := 5
		if what == "a poll" {
			times = 1 // more readers of one instance than four end the oldest
		}
		for n := range times {
			all.Go(func() {
				began := time.Now()
				got := a.ask()
				took := time.Since(began)
				if got.status != a.status || got.status == 503 && what != "readyz" && got.header.Get("Retry-After") == "" {
					w.t.Errorf("%s (%d) was answered %d %v: %s", what, n, got.status, got.header, got.body)
				}
				if took > 9*time.Second { // 5 s, and room for a slow machine
					w.t.Errorf("%s (%d) was answered after %s", what, n, took)
				}
			})
		}
	}
	all.Wait()
}

// patient, in a URL, lets a statement wait for a lock for longer than any request of a test lasts.
const patient = "&statement_timeout=120000&lock_timeout=120000"

// A crowd that holds every connection for everybody is not in the way of who
// stops a deployment or takes it back.
func TestEmergencyBehindACrowd(t *testing.T) {
	t.Parallel()
	database := testenv.SharedPostgres(t).CreateDatabase(t, "") + patient
	w := newWorldOn(t, store.Options{URL: database, Connections: 2}, time.Minute)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	one := w.register("one")
	w.complete("1.0.0", one)
	d := w.deploy("1.0.1")
	w.until("the new version to be assigned", func() bool { return one.assigned().Assignments[0].Version == "1.0.1" })

	db, err := sql.Open("pgx", database)
	w.must(err)
	defer db.Close()
	lock, err := db.BeginTx(t.Context(), nil)
	w.must(err)
	_, err = lock.ExecContext(t.Context(), "LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
	w.must(err)
	var crowd sync.WaitGroup
	var let atomic.Int64 // through, or refused
	for range 20 {
		crowd.Go(func() {
			w.admin("GET", "/sources", nil)
			let.Add(1)
		})
	}
	w.until("the crowd to hold all connections", func() bool {
		var n int
		w.must(db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sources'::regclass").Scan(&n))
		return n > 0
	})

	operator := w.tokens[api.Operator]
	paused := w.call(operator, "POST", "/deployments/"+d.ID+"/pause", wire.ReasonRequest{Reason: "look"})
	back := w.call(operator, "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "it hurts"})
	before := let.Load()
	w.must(lock.Rollback())
	crowd.Wait()
	w.want(paused, 200)
	w.want(back, 200)
	if before > 0 {
		t.Errorf("the emergency was served after %d of the crowd", before)
	}
	w.reaches(d.ID, "RollingBack")
}

// What takes long to read is given all the same: a slow reader's time begins with the answer.
func TestAnAnswerThatTakesLongToMake(t *testing.T) {
	t.Parallel()
	on := postgres(t)
	on.URL += patient
	w := newWorldOn(t, on, time.Minute, func(o *api.Options) { o.WriteTimeout = 3 * time.Second })
	w.profile()
	w.version("1.0.0", profile.Data{"text": strings.Repeat("x", 64<<10)}) // more than waits for the end of the answer
	db, err := sql.Open("pgx", on.URL)
	w.must(err)
	defer db.Close()
	lock, err := db.BeginTx(t.Context(), nil)
	w.must(err)
	_, err = lock.ExecContext(t.Context(), "LOCK TABLE config_versions IN ACCESS EXCLUSIVE MODE")
	w.must(err)
	got := make(chan answer, 1)
	go func() { got <- w.admin("GET", "/configs/"+name+"/versions/1.0.0", nil) }()
	w.until("it to be waited for longer than a reader may take", func() bool {
		var n int
		w.must(db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '3.2 seconds'`).Scan(&n))
		return n > 0
	})
	w.must(lock.Rollback())
	w.want(<-got, 200)
}
