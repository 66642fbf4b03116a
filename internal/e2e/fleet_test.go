package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// values are what the instances read of their configuration.
type values struct {
	Greeting string `json:"greeting"`
	Failing  int    `json:"failing"` // percent of requests that fail with it
	Refused  bool   `json:"refused"` // the instance will not take it
	Backlog  int    `json:"backlog"` // that only Prometheus hears of
	Sick     bool   `json:"sick"`    // that only a probe hears of
}

// entry is one configuration that an instance applied.
type entry struct {
	at         time.Time
	version    string
	generation int64
	deployment string
	active     string // group that requests go to
	values     values
}

// member is one instance: it applies what it is told, serves the requests of
// nobody, and reports how they went. What the gate sees is exact.
type member struct {
	name  string
	group string // blue or green; "" takes requests always
	port  int    // 0 when it serves nothing
	mu    sync.Mutex
	log   []entry
	lost  error // what the SDK should never have let through
}

// fleet is instances of one profile.
type fleet struct{ members []*member }

// join starts n instances of a service in the environment Staging. They end
// with the test.
func join(t *testing.T, server, service string, n int) *fleet {
	t.Helper()
	return joinAs(t, server, service, n, func(int) string { return "" })
}

// joinAs is join with the group of each instance, "" for none.
func joinAs(t *testing.T, server, service string, n int, group func(i int) string) *fleet {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	f := &fleet{}
	for i := range n {
		f.members = append(f.members, &member{name: fmt.Sprintf("%s-%02d", service, i+1), group: group(i)})
	}
	f.join(ctx, t, server, service, &running)
	return f
}

// join registers the members, which end with ctx.
func (f *fleet) join(ctx context.Context, t *testing.T, server, service string, running *sync.WaitGroup) {
	t.Helper()
	dir := t.TempDir()
	for _, m := range f.members {
		session, err := client.NewSession(client.SessionOptions{
			Server: server, RegistrationToken: registrationToken, Service: service, Environment: "Staging", Hostname: m.name, Port: m.port,
			Metadata: map[string]string{"group": m.group},
			StateDir: filepath.Join(dir, m.name), Health: m.health, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			defer session.Close()
			var both sync.WaitGroup
			both.Go(func() { m.keep(session.Watch(ctx, service+".staging", m.apply)) })
			both.Go(func() { m.keep(session.Run(ctx)) })
			both.Wait()
		})
	}
}

func (m *member) keep(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !errors.Is(err, context.Canceled) {
		m.lost = errors.Join(m.lost, err)
	}
}

func (m *member) apply(_ context.Context, c client.Config) error {
	var v values
	if err := c.Decode(&v); err != nil {
		return err
	}
	if v.Refused {
		return errors.New("this program will not run so")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, entry{time.Now(), c.Version, c.Generation, c.DeploymentID, c.ActiveGroup, v})
	return nil
}

// health reports a hundred requests, of which the configuration lets some fail.
// Those of a group that is idle get none.
func (m *member) health(context.Context) (wire.Health, func()) {
	now := m.now()
	requests, failed := uint64(100), uint64(now.values.Failing)
	if m.group != "" && m.group != cmp.Or(now.active, "blue") {
		requests, failed = 0, 0
	}
	return wire.Health{Status: "Healthy", Requests: &requests, Errors: &failed}, nil
}

// now is what the instance applied last.
func (m *member) now() entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.log) == 0 {
		return entry{}
	}
	return m.log[len(m.log)-1]
}

func (m *member) history() []entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]entry(nil), m.log...)
}

// running counts the instances that run a version.
func (f *fleet) running(version string) int {
	n := 0
	for _, m := range f.members {
		if m.now().version == version {
			n++
		}
	}
	return n
}
