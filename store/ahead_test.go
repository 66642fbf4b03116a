package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/store"
)

// What can wait lets an order by, for as long as it lasts and never for long.
func TestWhatCanWaitLetsAnOrderBy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		of   func(context.Context) context.Context
		last time.Duration // of the order
		want time.Duration
	}{
		{"a usual one", store.Usual, store.MostLetBy / 2, store.MostLetBy / 2},
		{"a step of a rollout", store.Stepping, store.MostLetBy / 2, store.MostLetBy / 2},
		{"an order that lasts", store.Usual, time.Hour, store.MostLetBy},
		{"another order", store.Urgent, time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s store.Store
				urgent := store.Urgent(t.Context())
				began, first, second := time.Now(), s.Ahead(urgent), s.Ahead(urgent)
				first()
				first() // once more is no other's end
				time.AfterFunc(c.last, second)
				s.LetBy(c.of(t.Context()))
				if waited := time.Since(began); waited != c.want {
					t.Errorf("it waited %s, want %s", waited, c.want)
				}
				second()
				defer s.Ahead(store.Usual(t.Context()))() // which holds up nobody
				if s.LetBy(c.of(t.Context())); time.Since(began) > c.want {
					t.Error("it waits for an order that is over")
				}
			})
		})
	}
}

// On the embedded database an order goes before steps that came sooner, and leaves
// no turn behind when it waits no longer.
func TestAnOrderPassesTheStepsOfRollouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const crowd = 10
	var (
		mu    sync.Mutex
		order []string
		group sync.WaitGroup
	)
	write := func(ctx context.Context, who string) {
		group.Go(func() {
			if err := w.InTx(ctx, func(*store.Tx) error {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, who)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	writing, finish := make(chan struct{}), make(chan struct{})
	group.Go(func() {
		w.must(w.InTx(t.Context(), func(*store.Tx) error {
			close(writing)
			<-finish
			return nil
		}))
	})
	<-writing
	for range crowd {
		write(store.Stepping(t.Context()), "step")
		write(t.Context(), "usual")
	}
	w.until("the crowd to wait", func() bool { return w.Waiting() == 2*crowd })
	ctx, leave := context.WithCancel(store.Urgent(t.Context()))
	left := make(chan error)
	go func() { left <- w.InTx(ctx, func(*store.Tx) error { return nil }) }()
	w.until("one to wait that leaves", func() bool { return w.Waiting() == 2*crowd+1 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left is told %v", err)
	}
	write(store.Urgent(t.Context()), "order")
	w.until("the order to wait", func() bool { return w.Waiting() == 2*crowd+1 })
	close(finish)
	group.Wait()
	if len(order) != 2*crowd+1 || order[0] != "order" {
		t.Errorf("%d wrote, the order as number %d", len(order), slices.Index(order, "order")+1)
	}
}

// A transaction of many steps ends early for an order: it holds what the order may
// wait for.
func TestManyStepsEndEarlyForAnOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		steps := w.several(3)
		var commits int
		w.BreakCommit(func(commit, _ func() error) error {
			commits++
			return commit()
		})
		done := w.Ahead(store.Urgent(t.Context()))
		defer done()
		w.must(errors.Join(w.Steps(t.Context(), steps)...))
		if commits != len(steps) {
			t.Errorf("%d steps beside an order took %d transactions, want one each", len(steps), commits)
		}
		w.verified()
	})
}

// Steps of rollouts that keep every connection of theirs leave an order some.
func TestAnOrderHasConnectionsOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newPostgresWorld(t)
	var holding, group sync.WaitGroup
	finish := make(chan struct{})
	for range w.Pools()["write_reserved"].Stats().MaxOpenConnections {
		holding.Add(1)
		group.Go(func() {
			w.must(w.InTx(store.Stepping(t.Context()), func(*store.Tx) error {
				holding.Done()
				<-finish
				return nil
			}))
		})
	}
	holding.Wait()
	ctx, cancel := context.WithTimeout(store.Urgent(t.Context()), 20*time.Second)
	defer cancel()
	if err := w.InTx(ctx, func(*store.Tx) error { return nil }); err != nil {
		t.Errorf("an order waits behind the steps: %v", err)
	}
	close(finish)
	group.Wait()
}
