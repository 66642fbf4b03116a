package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/compat"
	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// base is what a daemon of any role stands on: what it shares with other replicas, its database, and
// what its doors have in common.
type base struct {
	process
	replicas coordination
	db       *store.Store
	keeper   *secrets.Keeper
	door     api.Options
	keeping  []func(context.Context) error
	closing  []func() error
}

// open opens it. ended is told of each deployment that this daemon brings to its end.
func (p process) open(ctx context.Context, sh *shell, conf settings.Settings, ended func(rollout.Deployment)) (b *base, err error) {
	b = &base{process: p, closing: []func() error{func() error { return bounded(ctx, p.end) }}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.replicas, err = openCoordination(ctx, conf, p.log, p.registry); err != nil {
		return b, err
	}
	b.closing = append(b.closing, b.replicas.close)
	if b.db, err = openStore(ctx, conf, p.log, ended); err != nil {
		return b, err
	}
	b.closing = append(b.closing, b.db.Close)
	return b, b.furnish(ctx, sh, conf)
}

// furnish makes what the doors have in common.
func (b *base) furnish(ctx context.Context, sh *shell, conf settings.Settings) error {
	keeper, keepSecrets, err := openSecrets(conf, sh, b.db, b.log, b.registry)
	if err != nil {
		return err
	}
	keys, err := sessionKeys(ctx, b.db, conf)
	if err != nil {
		return err
	}
	proxies, err := prefixes("trusted_proxies", conf.TrustedProxies)
	if err != nil {
		return err
	}
	limits, err := conf.LimitsOfOperations()
	if err != nil {
		return fmt.Errorf("rate_limits: %w", err)
	}
	if _, err := compat.Named(conf.Clients...); err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	heartbeats := store.NewHeartbeatWriter(b.db, 0)
	databaseMetrics(b.registry, b.db, heartbeats)
	b.keeper = keeper
	b.door = api.Options{
		Store: b.db, Bus: b.replicas.bus, Cache: b.replicas.cache, Heartbeats: heartbeats, Secrets: keeper,
		Registry: b.registry, Logger: b.log.With("component", "api"), LogLevels: b.levels, Degraded: b.replicas.degraded,
		TrustedProxies: proxies, LimitFactor: conf.RateLimitFactor, Limits: limits, SharedLimits: b.replicas.limits, SharedTries: b.replicas.tries,
		Clients: conf.Clients, ApolloKeys: conf.ApolloKeys(),
		SessionLife: conf.SessionLifetime, SessionKeys: keys, Issuer: conf.ExternalURL, ExternalURL: conf.ExternalURL,
	}
	b.keeping = []func(context.Context) error{heartbeats.Run, keepSecrets, logging{b.db, b.levels, b.log}.follow(b.replicas.bus)}
	return nil
}

// close gives it back, what was opened last first.
func (b *base) close() error {
	var errs []error
	for _, one := range slices.Backward(b.closing) {
		errs = append(errs, one())
	}
	return errors.Join(errs...)
}
