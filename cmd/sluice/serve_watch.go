package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/compat"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// errWatchAlone is the role watch on a database that has room for one process.
var errWatchAlone = errors.New("role: watch needs a database_url of PostgreSQL, shared with replicas of the role all; " +
	"the embedded database belongs to one process, which serves instances itself")

// serveWatch is serve for the role watch: the doors of instances and nothing
// that decides. It makes no versions, steps no deployments, posts and removes
// nothing, and goes on while those who do are away.
func serveWatch(ctx context.Context, sh *shell, conf settings.Settings) (err error) {
	if !store.IsPostgres(conf.DatabaseURL.Reveal()) {
		return errWatchAlone
	}
	p, err := begin(ctx, sh, conf)
	if err != nil {
		return err
	}
	log, registry := p.log, p.registry
	defer func() { err = errors.Join(err, bounded(ctx, p.end)) }()

	replicas, err := openCoordination(ctx, conf, log, registry)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, replicas.close()) }()
	db, err := openStore(ctx, conf, log, func(rollout.Deployment) {}) // none ends here
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	keeper, keepSecrets, err := openSecrets(conf, sh, db, log, registry)
	if err != nil {
		return err
	}
	heartbeats := store.NewHeartbeatWriter(db, 0)
	databaseMetrics(registry, db, heartbeats)
	keys, err := sessionKeys(ctx, db, conf)
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
	door, err := api.New(api.Options{
		WatchOnly: true, Clients: conf.Clients, ApolloKeys: conf.ApolloKeys(), Wake: wakesOthers(replicas.bus),
		Store: db, Bus: replicas.bus, Cache: replicas.cache, Heartbeats: heartbeats, Registry: registry, Logger: log.With("component", "api"),
		Secrets: keeper, TrustedProxies: proxies, LimitFactor: conf.RateLimitFactor, Limits: limits, SharedLimits: replicas.limits,
		SessionLife: conf.SessionLifetime, SessionKeys: keys, Issuer: conf.ExternalURL, ExternalURL: conf.ExternalURL, Degraded: replicas.degraded,
	})
	if err != nil {
		return err
	}
	d, err := openDaemon(ctx, conf, door, log, registry)
	if err != nil {
		return err
	}
	d.keeping = append(d.keeping, heartbeats.Run, keepSecrets, logging{db, p.levels, log}.follow(replicas.bus))
	return d.run(ctx, conf, log)
}

// dueTopic is the message "a deployment may be due": an instance came, went or
// acknowledged at a replica without an engine.
const dueTopic = "deployments/due"

// wakesOthers wakes the engines of other replicas. What is due stands in the
// database already: an engine that misses this looks within a second.
func wakesOthers(bus coord.Bus) func() {
	return func() { bus.Publish(context.Background(), dueTopic) }
}

// woken wakes this process's engine when a replica without one says so.
func woken(engine interface{ Wake() }, bus coord.Bus) func(context.Context) error {
	return func(ctx context.Context) error {
		for range bus.Subscribe(ctx, dueTopic) {
			engine.Wake()
		}
		return nil
	}
}
