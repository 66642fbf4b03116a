package browsertest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// values are what the instances read of their configuration.
type values struct {
	Greeting string `json:"greeting"`
	Failing  int    `json:"failing"` // percent of requests that fail with it
}

// member is one instance: it applies what it is told and reports requests that
// nobody sent.
type member struct {
	mu      sync.Mutex
	version string
	values  values
}

// fleet is the shop's instances.
type fleet struct{ members []*member }

// What a careless page would run: in the names of the instances, and in what
// somebody writes.
const (
	hostileName  = `"><script>alert(1)</script>`
	hostileWords = `<img src=x onerror=alert(1)>`
)

// join starts n instances of the shop, which end with the test.
func join(t *testing.T, server string, n int) *fleet {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	f := &fleet{}
	for i := range n {
		m := &member{}
		f.members = append(f.members, m)
		session, err := client.NewSession(client.SessionOptions{
			Server: server, RegistrationToken: testenv.RegistrationToken, Service: "shop", Environment: "Staging", Hostname: fmt.Sprintf("%s-%d", hostileName, i+1),
			StateDir: filepath.Join(t.TempDir(), "state"), Health: m.health, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			defer session.Close()
			var both sync.WaitGroup
			both.Go(func() { lasts(t, session.Watch(ctx, shop, m.apply)) })
			both.Go(func() { lasts(t, session.Run(ctx)) })
			both.Wait()
		})
	}
	return f
}

// lasts wants the SDK to go on, whatever happens, until it is told to end.
func lasts(t *testing.T, err error) {
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an instance gave up: %v", err)
	}
}

func (m *member) apply(_ context.Context, c client.Config) error {
	var v values
	if err := c.Decode(&v); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version, m.values = c.Version, v
	return nil
}

// health reports a hundred requests, of which the configuration lets some fail.
func (m *member) health(context.Context) (wire.Health, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	requests, failed := uint64(100), uint64(m.values.Failing)
	return wire.Health{Status: "Healthy", Requests: &requests, Errors: &failed}, nil
}

// running counts the instances that run a version.
func (f *fleet) running(version string) (n int) {
	for _, m := range f.members {
		m.mu.Lock()
		if m.version == version {
			n++
		}
		m.mu.Unlock()
	}
	return n
}
