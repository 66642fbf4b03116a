package coord_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/testenv"
)

// short is what a call may take in tests that make them take too long, and
// bound is when it must be over: our machine may be busy, but is not frozen.
const (
	short = 400 * time.Millisecond
	bound = 10 * short
)

// diary keeps what is logged.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) count(text string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.text.String(), text)
}

func (d *diary) logger() *slog.Logger { return slog.New(slog.NewTextHandler(d, nil)) }

// soon fails when work takes longer than a call may.
func soon(t *testing.T, what string, work func()) {
	t.Helper()
	began := time.Now()
	work()
	if took := time.Since(began); took > bound {
		t.Errorf("%s took %s", what, took)
	}
}

// outages are the ways to lose Redis, and to have it back.
var outages = []struct {
	name string
	end  func(*testing.T, *testenv.Redis)
	back func(*testing.T, *testenv.Redis)
}{
	{"killed and started empty", func(t *testing.T, r *testenv.Redis) { r.Kill(t) }, func(t *testing.T, r *testenv.Redis) { r.Start(t) }},
	{"frozen", func(t *testing.T, r *testenv.Redis) { r.Freeze(t) }, func(t *testing.T, r *testenv.Redis) { r.Thaw(t) }},
	{"full", config("maxmemory", "1"), config("maxmemory", "0")},
	{"read-only", command("REPLICAOF", "127.0.0.1", "1"), command("REPLICAOF", "NO", "ONE")},
}

func config(name, value string) func(*testing.T, *testenv.Redis) {
	return command("CONFIG", "SET", name, value)
}

func command(args ...any) func(*testing.T, *testenv.Redis) {
	return func(t *testing.T, r *testenv.Redis) {
		if err := raw(t, r.Addr()).Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever happens to Redis, each process goes on alone in bounded time, says
// so once, and is together with the others when Redis is back.
func TestRedisOutages(t *testing.T) {
	t.Parallel()
	for _, outage := range outages {
		t.Run(outage.name, func(t *testing.T) {
			t.Parallel()
			server, log := testenv.NewRedis(t), &diary{}
			w := replicas(t, coord.RedisOptions{URL: server.URL(), Timeout: short})
			watched := coord.NewFallback(open(t, coord.RedisOptions{URL: server.URL(), Timeout: short, Logger: log.logger()}), 1<<20)
			two{watched, w.b}.settle(t)

			outage.end(t, server)
			alone(t, watched)
			if why, is := watched.Degraded(); !is || !strings.Contains(why, "redis does not answer") || strings.Contains(why, "127.0.0.1") {
				t.Errorf("degraded: %t, %q", is, why)
			}
			soon(t, "a hundred calls while it is known to be down", func() {
				for i := range 100 {
					if _, err := watched.Redis.Lock(t.Context(), fmt.Sprint(i), time.Minute); !errors.Is(err, coord.ErrDown) {
						t.Fatalf("Lock: %v, want ErrDown", err)
					}
				}
			})

			outage.back(t, server)
			until(t, "it to be back", func() bool { _, is := watched.Degraded(); return !is })
			two{watched, w.b}.settle(t)
			until(t, "a lock to be everybody's again", func() bool {
				unlock, err := watched.Redis.Lock(t.Context(), "again", time.Minute)
				if err != nil {
					return false
				}
				_, err = w.b.Redis.Lock(t.Context(), "again", time.Minute)
				unlock()
				return errors.Is(err, coord.ErrHeld)
			})
			if down, up := log.count("redis does not answer: this process"), log.count("redis answers again"); down != 1 || up != 1 {
				t.Errorf("logged %d times that it is down, %d times that it is back:\n%s", down, up, &log.text)
			}
		})
	}
}

// alone checks what a process does by itself.
func alone(t *testing.T, f *coord.Fallback) {
	t.Helper()
	wake := f.Subscribe(t.Context(), "p")
	soon(t, "a message to itself", func() {
		f.Publish(t.Context(), "p")
		<-wake
	})
	soon(t, "a lock", func() {
		unlock, err := f.Lock(t.Context(), "a", time.Minute)
		if err != nil {
			t.Fatalf("Lock: %v", err)
		}
		if _, err := f.Lock(t.Context(), "a", time.Minute); !errors.Is(err, coord.ErrHeld) {
			t.Fatalf("Lock of what this process holds: %v, want ErrHeld", err)
		}
		unlock()
	})
	soon(t, "the cache", func() {
		f.Put(t.Context(), "a", []byte("x"), time.Minute)
		if _, ok := f.Get(t.Context(), "a"); !ok {
			t.Error("the process's own cache is not used")
		}
		if _, ok := f.Get(t.Context(), "b"); ok {
			t.Error("a failing cache has something")
		}
	})
	soon(t, "a rate limit", func() {
		limiter := f.Limiter(coord.NewMinutes(time.Now, 10))
		for want := 1; want >= 0; want-- {
			if left, _, ok := limiter.Take(t.Context(), "alone", 2); !ok || left != want {
				t.Errorf("Take: %t with %d left, want %d", ok, left, want)
			}
		}
		if _, _, ok := limiter.Take(t.Context(), "alone", 2); ok {
			t.Error("there is no limit")
		}
	})
}

// A daemon starts without Redis, and is with it when it comes.
func TestRedisComesLate(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	server.Kill(t)
	w := two{}
	soon(t, "opening", func() {
		opts := coord.RedisOptions{URL: server.URL(), Timeout: short}
		w.a, w.b = coord.NewFallback(open(t, opts), 1<<20), coord.NewFallback(open(t, opts), 1<<20)
	})
	alone(t, w.a)
	until(t, "it to be known without a call", func() bool { _, is := w.b.Degraded(); return is })
	wake := w.b.Subscribe(t.Context(), "p")
	server.Start(t)
	<-wake // something may have happened
	w.settle(t)
	until(t, "both to be well", func() bool { _, a := w.a.Degraded(); _, b := w.b.Degraded(); return !a && !b })
}

// Closing does not wait for a Redis that hangs.
func TestCloseWhileRedisHangs(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	r, err := coord.OpenRedis(t.Context(), coord.RedisOptions{URL: server.URL(), Timeout: short})
	if err != nil {
		t.Fatal(err)
	}
	server.Freeze(t)
	r.Publish(t.Context(), "p")
	soon(t, "closing", func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A lock that Redis forgot is another's; who had it takes nothing back, early or late.
func TestForgottenLock(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*testing.T, *testenv.Redis){
		"flushed":   command("FLUSHALL"),
		"restarted": func(t *testing.T, r *testenv.Redis) { r.Kill(t); r.Start(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.NewRedis(t)
			w := replicas(t, coord.RedisOptions{URL: server.URL(), Timeout: short})
			var unlock func()
			until(t, "a lock", func() (ok bool) {
				var err error
				unlock, err = w.a.Redis.Lock(t.Context(), "a", time.Minute)
				return err == nil
			})
			forget(t, server)
			until(t, "the next holder", func() bool {
				_, err := w.b.Redis.Lock(t.Context(), "a", time.Minute)
				return err == nil
			})
			until(t, "the first one's way to Redis", func() bool {
				_, err := w.a.Redis.Lock(t.Context(), "a", time.Minute)
				return errors.Is(err, coord.ErrHeld)
			})
			unlock()
			if _, err := w.a.Redis.Lock(t.Context(), "a", time.Minute); !errors.Is(err, coord.ErrHeld) {
				t.Errorf("Lock after the first holder's late unlock: %v, want ErrHeld", err)
			}
		})
	}
}

// Who may have missed a message looks once, and a server that throws the
// subscription out again and again is not stormed.
func TestLostSubscription(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	client := raw(t, server.Addr())
	w := replicas(t, coord.RedisOptions{URL: server.URL(), Timeout: short})
	wake := w.b.Subscribe(t.Context(), "p")
	kill := command("CLIENT", "KILL", "TYPE", "pubsub")
	kill(t, server)
	<-wake
	w.settle(t)
	subscribers := func() int64 {
		n, err := client.PubSubNumSub(t.Context(), "sluice:bus").Result()
		if err != nil {
			t.Fatal(err)
		}
		return n["sluice:bus"]
	}
	connections := func() int {
		text, err := client.Info(t.Context(), "stats").Result()
		if err != nil {
			t.Fatal(err)
		}
		var n int
		_, after, _ := strings.Cut(text, "total_connections_received:")
		if _, err := fmt.Sscan(after, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, began := connections(), time.Now()
	for range 5 {
		until(t, "both to subscribe", func() bool { return subscribers() == 2 })
		kill(t, server)
	}
	until(t, "both to subscribe", func() bool { return subscribers() == 2 })
	// Each attempt may take two connections, since go-redis makes one of its own accord.
	most := 2 * 2 * (5 + int(time.Since(began)/(short/2)))
	if n := connections() - before; n > most {
		t.Errorf("%d connections in %s, want at most %d", n, time.Since(began), most)
	}
}

// A network that swallows everything is noticed though nobody says so.
func TestSilentSubscription(t *testing.T) {
	t.Parallel()
	const timeout = 100 * time.Millisecond
	server, log := testenv.NewRedis(t), &diary{}
	r := open(t, coord.RedisOptions{URL: server.URL(), Timeout: timeout, Logger: log.logger()})
	client := raw(t, server.Addr())
	until(t, "the subscription", func() bool { return client.PubSubNumSub(t.Context(), "sluice:bus").Val()["sluice:bus"] == 1 })
	server.Freeze(t)
	until(t, "the silence to be noticed", func() bool { return log.count("nothing came for") == 1 })
	server.Thaw(t)
	until(t, "it to be back", func() bool { _, is := r.Degraded(); return !is })
}

// What could not be said is said later, and more than can be named is
// "anything": nobody misses a change.
func TestNothingIsLeftUnsaid(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	w := replicas(t, coord.RedisOptions{URL: server.URL(), Timeout: short})
	wake := w.b.Subscribe(t.Context(), "p")
	command("ACL", "SETUSER", "default", "-publish")(t, server)
	w.a.Publish(t.Context(), "p")
	until(t, "the sender to fail", func() bool { _, is := w.a.Degraded(); return is })
	select {
	case <-wake:
		t.Fatal("the message came through")
	default:
	}
	command("ACL", "SETUSER", "default", "+publish")(t, server)
	<-wake
	for i := range 3 * coord.MaxOutbox {
		w.a.Publish(t.Context(), fmt.Sprint("q", i))
	}
	w.a.Publish(t.Context(), "p")
	<-wake
}
