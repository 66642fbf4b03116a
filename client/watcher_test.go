package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/client"
)

const profileName = "payment.production"

func options(f *fake, dir string) client.SessionOptions {
	return client.SessionOptions{Server: f.srv.URL, RegistrationToken: registrationToken, Service: "payment",
		Environment: "Production", Hostname: "host-1", StateDir: dir, Logger: quiet()}
}

// calls collects what a callback is called with.
type calls struct {
	mu   sync.Mutex
	got  []client.Config
	more chan struct{}
	fn   func(client.Config) error
}

func newCalls() *calls { return &calls{more: make(chan struct{}, 100)} }

func (c *calls) take(cfg client.Config) error {
	c.mu.Lock()
	fn := c.fn
	c.got = append(c.got, cfg)
	c.mu.Unlock()
	c.more <- struct{}{}
	if fn != nil {
		return fn(cfg)
	}
	return nil
}

func (c *calls) versions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var v []string
	for _, cfg := range c.got {
		v = append(v, cfg.Version)
	}
	return v
}

// watch runs a watcher until the test, or the returned stop, ends it.
func watch(t *testing.T, opts client.SessionOptions, c *calls) (stop func()) {
	t.Helper()
	w, err := client.NewWatcher(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Watch(ctx, profileName, c.take) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
		w.Close()
	})
	t.Cleanup(stop)
	return stop
}

func TestWatchAppliesAndAcknowledges(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.assign(assignment(profileName, "1.0.0", 3, map[string]any{"a": 1, "html": "<&>"}))
	c := newCalls()
	watch(t, options(f, t.TempDir()), c)
	ack := f.untilAck(3, true)
	if ack.Version != "1.0.0" || ack.ConfigName != profileName || ack.Hash == "" {
		t.Errorf("acknowledged %+v", ack)
	}
	f.assign(assignment(profileName, "1.0.1", 4, map[string]any{"a": 2}))
	f.untilAck(4, true)
	f.assign(assignment(profileName, "1.0.0", 5, map[string]any{"a": 1, "html": "<&>"})) // a rollback
	f.untilAck(5, true)
	if got, want := fmt.Sprint(c.versions()), "[1.0.0 1.0.1 1.0.0]"; got != want {
		t.Errorf("callback got %s, want %s", got, want)
	}
	if string(c.got[0].Data) != `{"a":1,"html":"<&>"}` {
		t.Errorf("data is %s", c.got[0].Data)
	}
}
