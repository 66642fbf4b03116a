package api_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/profile"
)

// liar is a cache that somebody else writes to: it answers whatever is asked
// for with data of its own.
type liar struct{ asked atomic.Int64 }

func (l *liar) Get(context.Context, string) ([]byte, bool) {
	l.asked.Add(1)
	return []byte(`{"timeout":"evil"}`), true
}

func (*liar) Put(context.Context, string, []byte, time.Duration) {}

// recorder counts what a real cache answers.
type recorder struct {
	coord.Cache
	hits atomic.Int64
}

func (r *recorder) Get(ctx context.Context, key string) ([]byte, bool) {
	value, ok := r.Cache.Get(ctx, key)
	if ok {
		r.hits.Add(1)
	}
	return value, ok
}

// forgotten waits until nobody holds what was sent.
func (w *world) forgotten() {
	w.t.Helper()
	w.until("earlier polls to be forgotten", func() bool {
		runtime.GC() // what they were sent is held by nobody then
		return !api.Watching(w.api)
	})
	runtime.GC()
}

func TestWhatManyInstancesGetComesFromTheCache(t *testing.T) {
	t.Parallel()
	cache := &recorder{Cache: coord.NewLRU(1 << 20)}
	w := newWorld(t, func(o *api.Options) { o.Cache = cache })
	w.profile()
	w.version("1.0.0", profile.Data{"timeout": "1s"})
	one, two := w.register("a"), w.register("b")
	w.complete("1.0.0", one, two)
	w.forgotten()
	before := cache.hits.Load()
	if set := two.assigned(); len(set.Assignments) != 1 || string(set.Assignments[0].Data) != `{"timeout":"1s"}` {
		t.Errorf("delivered is %+v", set)
	}
	if cache.hits.Load() != before+1 {
		t.Errorf("%d answers came from the cache, want one", cache.hits.Load()-before)
	}
}

// Data from the cache is delivered only when it is what its hash says.
func TestTheCacheIsNotBelieved(t *testing.T) {
	t.Parallel()
	cache := &liar{}
	w := newWorld(t, func(o *api.Options) { o.Cache = cache })
	w.profile()
	w.version("1.0.0", profile.Data{"timeout": "1s"})
	i := w.register("a")
	w.complete("1.0.0", i)
	w.forgotten()
	if set := i.assigned(); len(set.Assignments) != 1 || string(set.Assignments[0].Data) != `{"timeout":"1s"}` {
		t.Errorf("delivered is %+v", set)
	}
	if cache.asked.Load() == 0 {
		t.Error("the cache was not asked")
	}
}
