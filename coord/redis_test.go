package coord_test

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/coord/coordtest"
	"github.com/sluicehq/sluice/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// patience bounds the wait for what must come on a busy machine.
const patience = 30 * time.Second

func open(t *testing.T, opts coord.RedisOptions) *coord.Redis {
	t.Helper()
	r, err := coord.OpenRedis(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// raw is a client of the test's own.
func raw(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	return c
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited for %s", what)
		}
	}
}

// two are two replicas on one Redis.
type two struct{ a, b *coord.Fallback }

func replicas(t *testing.T, opts coord.RedisOptions) two {
	t.Helper()
	w := two{
		a: coord.NewFallback(open(t, opts), 1<<20),
		b: coord.NewFallback(open(t, opts), 1<<20),
	}
	w.settle(t)
	return w
}

// settle returns when what either said has come to the other: messages of one
// sender keep their order.
func (w two) settle(t *testing.T) {
	t.Helper()
	topic := "fence " + time.Now().String()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, way := range []two{w, {w.b, w.a}} {
		c := way.b.Subscribe(ctx, topic)
		until(t, "a message from one to the other", func() bool {
			way.a.Publish(ctx, topic)
			select {
			case <-c:
				return true
			case <-time.After(20 * time.Millisecond): // it is lost when the other does not listen yet
				return false
			}
		})
		way.a.Subscribe(ctx, topic) // closed with the others
	}
}

func (w two) harness(t *testing.T) coordtest.Harness {
	return coordtest.Harness{TTL: 300 * time.Millisecond, Pass: time.Sleep, Settle: func() { w.settle(t) }}
}

// healthy fails a case that passed in the process alone.
func (w two) healthy(t *testing.T) {
	t.Helper()
	for _, f := range []*coord.Fallback{w.a, w.b} {
		if why, is := f.Degraded(); is {
			t.Errorf("it was down meanwhile: %s", why)
		}
	}
}

// alternate asks one replica, then the other: they behave as one.
type alternate struct {
	two
	turn atomic.Int32
}

func (w *alternate) next() *coord.Fallback {
	if w.turn.Add(1)%2 == 0 {
		return w.b
	}
	return w.a
}

func (w *alternate) Lock(ctx context.Context, name string, ttl time.Duration) (func(), error) {
	return w.next().Lock(ctx, name, ttl)
}

// across puts into one and gets from the other, speaks to one and listens to the other.
type across struct{ two }

func (w across) Publish(ctx context.Context, topic string) { w.a.Publish(ctx, topic) }

func (w across) Follow(ctx context.Context, prefix string) *coord.Following {
	return w.b.Follow(ctx, prefix)
}

func (w across) Subscribe(ctx context.Context, topics ...string) <-chan struct{} {
	return w.b.Subscribe(ctx, topics...)
}

func (w across) Put(ctx context.Context, key string, value []byte, ttl time.Duration) {
	w.a.Put(ctx, key, value, ttl)
}

func (w across) Get(ctx context.Context, key string) ([]byte, bool) { return w.b.Get(ctx, key) }

// generous is the limiter of a process that lets everything pass, so that
// Redis alone decides.
type generous struct{}

func (generous) Take(_ context.Context, _ string, perMinute int) (int, time.Time, bool) {
	return perMinute, time.Now(), true
}

type alternateLimiter struct {
	limits [2]coord.Limiter
	turn   atomic.Int32
}

func (l *alternateLimiter) Take(ctx context.Context, key string, perMinute int) (int, time.Time, bool) {
	return l.limits[l.turn.Add(1)%2].Take(ctx, key, perMinute)
}

// one is how an implementation is made of two replicas.
type one[T any] struct {
	name string
	of   func(two) T
}

// conform runs the cases against a Redis that is empty at the start of each.
func conform[T any](t *testing.T, server *testenv.Redis, cases []coordtest.Case[T], ones ...one[T]) {
	t.Helper()
	for _, o := range ones {
		for _, c := range cases {
			t.Run(o.name+"/"+c.Name, func(t *testing.T) {
				if err := raw(t, server.Addr()).FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				w := replicas(t, coord.RedisOptions{URL: server.URL(), Timeout: patience})
				c.Run(t, o.of(w), w.harness(t))
				w.healthy(t)
			})
		}
	}
}

func TestRedisLocker(t *testing.T) {
	t.Parallel()
	conform(t, testenv.NewRedis(t), coordtest.Lockers(),
		one[coord.Locker]{"redis", func(w two) coord.Locker { return w.a.Redis }},
		one[coord.Locker]{"fallback", func(w two) coord.Locker { return w.a }},
		one[coord.Locker]{"replicas", func(w two) coord.Locker { return &alternate{two: w} }},
	)
}

func TestRedisBus(t *testing.T) {
	t.Parallel()
	conform(t, testenv.NewRedis(t), coordtest.Buses(),
		one[coord.Bus]{"redis", func(w two) coord.Bus { return w.a.Redis }},
		one[coord.Bus]{"replicas", func(w two) coord.Bus { return across{w} }},
	)
}

func TestRedisCache(t *testing.T) {
	t.Parallel()
	conform(t, testenv.NewRedis(t), coordtest.Caches(),
		one[coord.Cache]{"redis", func(w two) coord.Cache { return w.a.Redis }},
		one[coord.Cache]{"fallback", func(w two) coord.Cache { return w.a }},
		one[coord.Cache]{"replicas", func(w two) coord.Cache { return across{w} }},
	)
}

func TestRedisLimiter(t *testing.T) {
	t.Parallel()
	conform(t, testenv.NewRedis(t), coordtest.Limiters(),
		one[coord.Limiter]{"redis", func(w two) coord.Limiter { return w.a.Limiter(generous{}) }},
		one[coord.Limiter]{"replicas", func(w two) coord.Limiter {
			return &alternateLimiter{limits: [2]coord.Limiter{w.a.Limiter(generous{}), w.b.Limiter(generous{})}}
		}},
	)
}

// What this process's own limiter refuses is refused, and what is left is the
// less of the two.
func TestBothLimitersCount(t *testing.T) {
	t.Parallel()
	w := replicas(t, coord.RedisOptions{URL: testenv.NewRedis(t).URL(), Timeout: patience})
	here, there := w.a.Limiter(coord.NewMinutes(time.Now, 10)), w.b.Limiter(coord.NewMinutes(time.Now, 10))
	for _, step := range []struct {
		l    coord.Limiter
		left int
		ok   bool
	}{{here, 2, true}, {there, 1, true}, {here, 0, true}, {there, 0, false}, {here, 0, false}, {here, 0, false}} {
		if left, _, ok := step.l.Take(t.Context(), "a", 3); left != step.left || ok != step.ok {
			t.Errorf("%t with %d left, want %t with %d", ok, left, step.ok, step.left)
		}
	}
	w.healthy(t)
}

// Whoever may write to Redis cannot keep everybody out for longer than we do.
func TestNonsenseInRedis(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	client := raw(t, server.Addr())
	w := replicas(t, coord.RedisOptions{URL: server.URL(), Timeout: patience})
	do := func(args ...any) {
		t.Helper()
		if err := client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	lock := func() error {
		unlock, err := w.a.Lock(t.Context(), "a", 10*time.Second)
		if err == nil {
			unlock()
		}
		return err
	}
	for _, value := range [][]any{
		{"SET", "sluice:lock/a", "x"}, {"SET", "sluice:lock/a", "x", "EX", "3600"}, {"HSET", "sluice:lock/a", "x", "y"},
	} {
		do(value...)
		if err := lock(); err != nil {
			t.Errorf("%v keeps everybody out: %v", value, err)
		}
		do("DEL", "sluice:lock/a")
	}
	do("SET", "sluice:lock/a", "x", "EX", "10")
	if err := lock(); err == nil {
		t.Error("a lock that may be ours was taken from its holder")
	}

	limiter := w.a.Limiter(generous{})
	for _, value := range [][]any{
		{"SET", "sluice:rate:a", "9999999999"}, {"SET", "sluice:rate:a", "x"}, {"HSET", "sluice:rate:a", "x", "y"},
	} {
		do(value...)
		if _, _, ok := limiter.Take(t.Context(), "a", 1); !ok {
			t.Errorf("%v refuses everything", value)
		}
		until(t, "redis to be used again", func() bool { _, is := w.a.Degraded(); return !is })
		do("DEL", "sluice:rate:a")
	}

	do("HSET", "sluice:cache/a", "x", "y")
	if _, ok := w.a.Get(t.Context(), "a"); ok {
		t.Error("a hash is no cached value")
	}
	c := w.a.Subscribe(t.Context(), "a")
	for _, text := range []string{"", "x", "null", "[]", `{"topics":7}`, strings.Repeat("[", 100_000)} {
		do("PUBLISH", "sluice:bus", text)
	}
	do("PUBLISH", "sluice:bus", `{"topics":["a"]}`)
	<-c
	w.healthy(t)
}
