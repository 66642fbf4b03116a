package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/store"
)

// inbox runs a writer of webhooks until the test ends, or stop is called.
func (w *world) inbox() (d *store.Deliveries, stop func()) {
	w.t.Helper()
	d = store.NewDeliveryWriter(w.Store)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return d, stop
}

// The same delivery is fresh once, however often, at whatever writer and in
// whatever batch it comes, and so is the order in it.
func TestADeliveryActsOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		var writers []*store.Deliveries
		for range 3 { // replicas
			d, _ := w.inbox()
			writers = append(writers, d)
		}
		var mu sync.Mutex
		acted := map[string]int{}
		for _, err := range race(50, func(i int) error {
			order := store.Delivery{Forge: "github", ID: "d1", Source: "configs", Event: "comment", PullRequest: 7, Comment: 99}
			others := store.Delivery{Forge: "github", ID: fmt.Sprint("other-", i%5), Source: "configs", Event: "push"}
			twice := order
			twice.Source = "more" // two sources of one repository: each is told
			fresh, err := writers[i%3].Record(t.Context(), order, others, twice)
			mu.Lock()
			defer mu.Unlock()
			for k, d := range []store.Delivery{order, others, twice} {
				if err == nil && fresh[k] {
					acted[d.ID+" "+d.Source]++
				}
			}
			return err
		}) {
			w.must(err)
		}
		if len(acted) != 7 {
			t.Errorf("acted on %v, want 7 deliveries", acted)
		}
		for d, n := range acted {
			if n != 1 {
				t.Errorf("%s was fresh %d times", d, n)
			}
		}
		if rows, jobs := w.rows("webhook_deliveries"), w.rows("river_job"); rows != 7 || jobs != 2 {
			t.Errorf("%d rows and %d jobs, want 7 and 2", rows, jobs)
		}
	})
}

// The id of a delivery is not signed: one that was recorded and comes again
// under another id brings its order no second time.
func TestAnOrderUnderAnotherIDIsTheSame(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d, _ := w.inbox()
		for _, id := range []string{"d1", "d2"} {
			fresh, err := d.Record(t.Context(), store.Delivery{Forge: "gitea", ID: id, Source: "configs", Event: "comment", PullRequest: 7, Comment: 99})
			w.must(err)
			if !fresh[0] {
				t.Errorf("%s is not fresh", id)
			}
		}
		if jobs := w.rows("river_job WHERE kind = 'pull_request_command'"); jobs != 1 {
			t.Errorf("%d jobs for one comment", jobs)
		}
		_, err := d.Record(t.Context(), store.Delivery{Forge: "gitea", ID: "d3", Source: "configs", Event: "comment", PullRequest: 7, Comment: 100})
		w.must(err)
		if jobs := w.rows("river_job"); jobs != 2 {
			t.Errorf("%d jobs for two comments", jobs)
		}
	})
}

// What cannot be kept is the trouble of whoever sent it, not of the batch.
func TestADeliveryThatCannotBeKeptSpoilsNoOther(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d, stop := w.inbox()
		bad := []store.Delivery{
			{ID: "a\x00b"}, {ID: "\xff"}, {ID: "a", PullRequest: math.MaxInt32 + 1}, {ID: "a", Comment: -1}, {ID: string(make([]byte, 300))},
		}
		errs := race(len(bad)+1, func(i int) error {
			if i == len(bad) {
				_, err := d.Record(t.Context(), store.Delivery{Forge: "gitlab", ID: "good", Source: "configs", Event: "push"})
				return err
			}
			_, err := d.Record(t.Context(), bad[i])
			return err
		})
		for i, err := range errs {
			if bad := i < len(bad); (err != nil) != bad {
				t.Errorf("delivery %d: %v", i, err)
			}
		}
		if n := w.rows("webhook_deliveries"); n != 1 {
			t.Errorf("%d rows, want the good one's", n)
		}
		stop()
		if _, err := d.Record(t.Context(), store.Delivery{ID: "late"}); !errors.Is(err, store.ErrStopped) {
			t.Errorf("after the stop: %v", err)
		}
	})
}

// A delivery is known to have come for a week, whatever else is kept longer.
func TestDeliveriesAreForgottenAfterAWeek(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d, _ := w.inbox()
		record := func(id string) {
			_, err := d.Record(t.Context(), store.Delivery{Forge: "github", ID: id, Source: "configs", Event: "push"})
			w.must(err)
		}
		record("old")
		w.advance(2 * day)
		record("young")
		w.advance(5 * day)
		same(t, w.retained(store.DefaultRetention()), store.Retained{"webhook_deliveries": 1})
		if n := w.rows("webhook_deliveries WHERE delivery_id = 'young'"); n != 1 {
			t.Error("the young one is gone")
		}
	})
}
