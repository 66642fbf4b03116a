package main

import (
	"context"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/coord"
)

// The embedded database belongs to one process: there is nothing to serve beside it.
func TestWatchNeedsPostgres(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	dir := t.TempDir()
	code := c.do(t, "serve", "--role", "watch", "--listen", "127.0.0.1:0", "--data-dir", dir)
	if code == 0 || !strings.Contains(c.err.String(), "role: watch needs a database_url of PostgreSQL") {
		t.Errorf("ended with %d, %s", code, c.err.String())
	}
	c.wants(t, 2, "serve", "--role", "reader", "--data-dir", dir)
	if !strings.Contains(c.err.String(), `role: "reader" is not all or watch`) {
		t.Errorf("a role that there is not: %s", c.err.String())
	}
}

type wakes chan struct{}

func (w wakes) Wake() { w <- struct{}{} }

// What a replica without an engine says reaches those of the others.
func TestEnginesElsewhereAreWoken(t *testing.T) {
	t.Parallel()
	bus, engine := subscribed{coord.NewMemory(), make(chan struct{})}, make(wakes)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- woken(engine, bus)(ctx) }()
	<-bus.ready
	wakesOthers(bus)()
	<-engine
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// subscribed says when somebody listens.
type subscribed struct {
	coord.Bus
	ready chan struct{}
}

func (s subscribed) Subscribe(ctx context.Context, topics ...string) <-chan struct{} {
	defer close(s.ready)
	return s.Bus.Subscribe(ctx, topics...)
}
