package api

import (
	"slices"
	"testing"

	"github.com/sluicehq/sluice/coord"
)

// Whoever asks after a message came waits until it was told of, in the round that takes it, and no
// longer; who asks when there is none does not wait.
func TestWhoAsksAfterAMessageWaitsForIt(t *testing.T) {
	t.Parallel()
	bus := coord.NewMemory()
	m := &watermark{seats: map[string]*seat{}, running: true, rounds: rounds{end: make(chan struct{})}}
	m.follow(bus.Follow(t.Context(), profileTopics))
	w := m.join("i-1")
	w.settle(t.Context())
	if names, all := m.take(); len(names) > 0 || all {
		t.Errorf("took %v, %t", names, all)
	}
	m.told()
	w.settle(t.Context())

	bus.Publish(t.Context(), ProfileTopic("shop.production"))
	if names, _ := m.take(); !slices.Equal(names, []string{"shop.production"}) {
		t.Errorf("took %v", names)
	}
	bus.Publish(t.Context(), ProfileTopic("shop.staging")) // too late for this round
	until, end := m.untold()
	if end == nil {
		t.Fatal("nobody waits for two messages")
	}
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		w.settle(t.Context())
	}()
	m.told()
	if <-end; m.ending(until) == nil {
		t.Error("the second message was told of with the first")
	}
	m.take()
	m.told()
	if <-settled; m.ending(until) != nil {
		t.Error("both were told of, and somebody waits")
	}

	bus.Publish(t.Context(), ProfileTopic("shop.production"))
	m.remove(w)
	w.settle(t.Context()) // its place was taken, or the server stops
}
