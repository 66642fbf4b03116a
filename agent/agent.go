package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sluicehq/sluice/client"
)

// Run works as the sidecar until ctx ends, and then returns nil. It returns an error for options
// that cannot work and when another process holds the state directory; a server that is away or a
// configuration that is refused is logged and reported, never an error.
func Run(ctx context.Context, opts Options) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	log := opts.Session.Logger
	p := &prober{opts: opts.Probe, http: localClient(), log: log}
	opts.Session.Health = p.health
	session, err := client.NewSession(opts.Session)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer session.Close()
	a, err := newApplier(opts) // after the session, which holds the state directory
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if opts.Probe.HealthURL == "" && opts.Probe.MetricsURL == "" {
		log.WarnContext(ctx, "neither a health nor a metrics URL is given: this instance's health stays Unknown, and no health gate passes on it")
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	apply := a.apply
	if opts.AppConfigListen != "" {
		if apply, err = serveAppConfig(ctx, opts, apply, &wg); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
	}
	log.InfoContext(ctx, "agent started", "server", opts.Session.Server, "service", opts.Session.Service,
		"environment", opts.Session.Environment, "file", opts.File)

	wg.Go(func() { _ = session.Run(ctx) }) // ends with ctx alone, and says nothing else
	err = session.Watch(ctx, opts.Profile, apply)
	cancel()
	wg.Wait()
	log.InfoContext(ctx, "agent stopped")
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("agent: %w", err)
}
