package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/store"
)

// The embedded database has one writer at a time. What is urgent waits for the one
// that writes, and not for the crowd that waits too.
func TestAnUrgentWriterPassesTheCrowd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const crowd = 40
	var (
		mu    sync.Mutex
		order []string
		group sync.WaitGroup
	)
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	write := func(who string) func(*store.Tx) error {
		return func(*store.Tx) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, who)
			return nil
		}
	}
	writing, finish := make(chan struct{}), make(chan struct{})
	group.Go(func() {
		check(w.InTx(t.Context(), func(*store.Tx) error {
			close(writing)
			<-finish
			return nil
		}))
	})
	<-writing
	for range crowd {
		group.Go(func() { check(w.InTx(t.Context(), write("crowd"))) })
	}
	w.until("the crowd to wait", func() bool { return w.Waiting() == crowd })
	group.Go(func() { check(w.InTx(store.Urgent(t.Context()), write("urgent"))) })
	w.until("the urgent one to wait", func() bool { return w.Waiting() == crowd+1 })
	close(finish)
	group.Wait()
	if at := slices.Index(order, "urgent"); at < 0 || at > 1 || len(order) != crowd+1 {
		t.Errorf("%d wrote, the urgent one as number %d", len(order), at+1)
	}
}

// A crowd of readers that each keep a connection leaves some for what is urgent.
func TestAnUrgentReaderPassesTheCrowd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	giveBack := w.TakeReaders(t.Context())
	defer giveBack()
	got := make(chan error, 1)
	go func() {
		_, err := w.Profile(store.Urgent(t.Context()), payments)
		got <- err
	}()
	select {
	case err := <-got:
		w.must(err)
	case <-time.After(20 * time.Second):
		t.Error("it waits behind the crowd")
	}
}
