package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/client"
)

// Credentials of the demo's daemon, which listens on loopback only and keeps
// nothing but the demo.
const (
	password          = "a-demo-on-loopback-only"
	registrationToken = "slr_a-demo-on-loopback-only-registration"
)

// member is one instance: a service, the agent beside it, and its callers.
type member struct {
	service *service
	agent   agent.Options
}

func newMember(r *run, serviceName, profile, name string) (member, error) {
	dir := filepath.Join(r.dir, "instances", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return member{}, fmt.Errorf("make a folder for %s: %w", name, err)
	}
	file := filepath.Join(dir, "config.json")
	s, err := newService(name, file)
	if err != nil {
		return member{}, err
	}
	logs, err := os.Create(filepath.Join(dir, "agent.log"))
	if err != nil {
		return member{}, fmt.Errorf("open the agent's log: %w", err)
	}
	return member{service: s, agent: agent.Options{
		Session: client.SessionOptions{
			Server: r.server, RegistrationToken: registrationToken,
			Service: serviceName, Environment: "Production", Labels: map[string]string{"region": "eu-central-1"},
			Hostname: name, Port: s.port(), ServiceVersion: "1.0.0",
			Logger: slog.New(slog.NewJSONHandler(logs, nil)),
		},
		Profile: profile,
		File:    file,
		Reload:  agent.Reload{URL: s.url() + "/-/reload"},
		Probe:   agent.Probe{HealthURL: s.url() + "/healthz", MetricsURL: s.url() + "/metrics"},
	}}, nil
}

// run starts all three parts in group.
func (m member) run(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return m.service.run(ctx) })
	group.Go(func() error { load(ctx, loadClient(), m.service.url()+"/work", requestsPerSecond); return nil })
	group.Go(func() error {
		if err := agent.Run(ctx, m.agent); err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("agent of %s: %w", m.service.name, err)
		}
		return nil
	})
}
