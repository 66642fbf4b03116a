package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/internal/telemetry"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const serveLong = `Run the daemon: watch the sources, roll out what is merged, serve the API.

Without any setting it keeps everything in ./sluice-data and listens on :5000.
Every setting is a flag, a SLUICE_ variable and a key of sluice.yaml, in that
order of precedence.`

func newServeCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long:  serveLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := loadSettings(cmd.Flags(), sh.getenv)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), sh, conf)
		},
	}
	addSettings(cmd.Flags())
	return cmd
}

// serve puts the daemon together and runs it until ctx ends. Read it from top
// to bottom: this is all the wiring there is.
func serve(ctx context.Context, sh *shell, conf settings.Settings) (err error) {
	log, levels, err := newLog(sh, conf)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "starting", "version", programVersion(), "settings", conf)
	registry := telemetry.NewRegistry(programVersion())
	telemetry.LogErrors(log)
	tracing, err := telemetry.NewTracerProvider(ctx, sh.getenv, "sluice", programVersion())
	if err != nil {
		return fmt.Errorf("set up tracing: %w", err)
	}
	otel.SetTracerProvider(tracing)
	otel.SetTextMapPropagator(telemetry.Propagator())
	defer func() { err = errors.Join(err, bounded(ctx, tracing.Shutdown)) }()

	replicas, err := openCoordination(ctx, conf, log, registry)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, replicas.close()) }()
	deployments := newDeploymentMetrics(registry)
	validated := validationMetrics(registry)
	db, err := openStore(ctx, conf, log, deployments.finished)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	replica := uuid.NewString()
	measurer, reach, err := openMeasurer(conf, log, registry)
	if err != nil {
		return err
	}
	engine := rollout.NewEngine(db, changes{replicas.bus}, rollout.EngineOptions{
		Measurer: measurer, Reach: reach,
		Owner: replica, Logger: log.With("component", "engine"), Metrics: engineMetrics(registry, deployments), Fail: failpoint,
	})
	forges, err := openForges(conf, db, registry)
	if err != nil {
		return err
	}
	keeper, keepSecrets, err := openSecrets(conf, sh, db, log, registry)
	if err != nil {
		return err
	}
	synced := sourceMetrics(registry, conf, validated)
	sources, err := openSources(ctx, conf, db, sourceParts{
		forges: forges, engine: engine, locker: replicas.locker, reach: reach, log: log, keeper: keeper,
		metrics: synced, git: gitMetrics(registry, conf),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sources.close()) }()
	notifier := notify.New(notify.Options{Router: conf.Notifications.Router(), ExternalURL: conf.ExternalURL})
	snapshots, err := openSnapshots(conf, db, replicas.locker, log, registry)
	if err != nil {
		return err
	}
	heartbeats := store.NewHeartbeatWriter(db, 0)
	databaseMetrics(registry, db, heartbeats)
	deliveries := store.NewDeliveryWriter(db, 0)
	webhooks, err := openWebhooks(conf, deliveries, sources, log, registry)
	if err != nil {
		return err
	}
	keys, err := sessionKeys(ctx, db, conf)
	if err != nil {
		return err
	}
	provider, err := identityProvider(conf)
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
	// Last, so that what is wrong with the settings is said before a password is shown once.
	if err := firstUsers(ctx, sh, db, conf); err != nil {
		return err
	}
	door, err := api.New(api.Options{
		Secrets: keeper,
		Store:   db, Engine: engine, Bus: replicas.bus, Cache: replicas.cache, Heartbeats: heartbeats, Registry: registry, Logger: log.With("component", "api"),
		SyncSource: sources.wake, Preview: sources.preview, TestNotification: notifier.Test, TrustedProxies: proxies,
		SecureCookies: strings.HasPrefix(conf.ExternalURL, "https://") || conf.TLSCertFile != "", LimitFactor: conf.RateLimitFactor, Limits: limits,
		SessionLife: conf.SessionLifetime, SessionKeys: keys, Issuer: conf.ExternalURL, ExternalURL: conf.ExternalURL, SSO: provider,
		SharedLimits: replicas.limits, Degraded: replicas.degraded, Webhooks: webhooks, LogLevels: levels, Validated: validated, Uploaded: func() { synced.VersionsMade(noSource, 1) },
	})
	if err != nil {
		return err
	}
	pulls := newPullRequests(conf, forges, sources, pullParts{db: db, orders: orders{engine, door}, log: log})
	attempted, panicked := outboxMetrics(registry)
	outbox, err := store.NewOutbox(db, store.OutboxOptions{
		Post: poster{forges: forges.statuses, externalURL: conf.ExternalURL}.post, Logger: log.With("component", "outbox"), Fail: failpoint,
		Panicked: panicked, Attempted: attempted, Notify: tell(notifier), Notified: notificationMetrics(registry, conf),
		Switch: notify.NewHooks(conf.Hooks()...).Tell, Comment: pulls.comment, Rollback: pulls.rollback, Revert: pulls.revert, Command: pulls.command,
	})
	if err != nil {
		return err
	}
	certificates, err := openTLS(conf, log.With("component", "tls"), registry)
	if err != nil {
		return err
	}
	server, listener, err := listen(conf, door, log)
	if err != nil {
		return err
	}

	server.TLSConfig = certificates
	profiling, err := openProfiling(ctx, conf, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}

	// What decides stops first, so that another replica takes its claims over
	// while this one answers its last requests; the outbox stops last: what was
	// accepted is still told to the outside.
	deciding, stopDeciding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDeciding()
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInner()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return serveHTTP(server, listener) })
	rollouts := func(ctx context.Context) error { return engine.Run(store.Urgent(ctx)) }
	for _, part := range []func(context.Context) error{rollouts, sources.run, sweeper(db, log), retention(db, conf, registry, log), snapshots} {
		group.Go(func() error { return part(deciding) })
	}
	for _, part := range []func(context.Context) error{outbox.Run, heartbeats.Run, deliveries.Run, keepSecrets, logging{db, levels, log}.follow(replicas.bus), profiling} {
		group.Go(func() error { return part(inner) })
	}
	group.Go(func() error {
		<-running.Done()
		defer stopInner()
		log.InfoContext(ctx, "stopping")
		door.Unready()
		stopDeciding()
		if ctx.Err() != nil { // asked to, not forced to: there is time for load balancers to notice
			time.Sleep(conf.ShutdownDelay)
		}
		door.Drain()
		return stopHTTP(ctx, server, door, conf.ShutdownTimeout)
	})
	log.InfoContext(ctx, "ready", "replica", replica, "address", listener.Addr().String(), "sources", len(conf.Sources))
	debug.FreeOSMemory() // what only the start needed: migrations, a password's hash
	err = group.Wait()
	log.InfoContext(ctx, "stopped")
	return err
}

func newLog(sh *shell, conf settings.Settings) (*slog.Logger, *telemetry.Levels, error) {
	level, err := telemetry.ParseLevel(conf.LogLevel)
	if err != nil {
		return nil, nil, err
	}
	levels := telemetry.NewLevels(level)
	return telemetry.NewLogger(sh.stderr, conf.LogFormat, levels), levels, nil
}

// openStore opens the database and brings its schema up to date, or where that
// is not wanted makes sure that it is.
func openStore(ctx context.Context, conf settings.Settings, log *slog.Logger, ended func(rollout.Deployment)) (*store.Store, error) {
	url := conf.DatabaseURL.Reveal()
	db, err := store.Open(ctx, store.Options{
		URL: url, Connections: conf.DatabaseConnections, Logger: log.With("component", "store"), Fail: failpoint,
		Routing: routing(conf), Ended: ended,
	})
	if err != nil {
		return nil, err
	}
	ready := db.CheckSchema
	if conf.Migrate == "true" || conf.Migrate == "auto" && !store.IsPostgres(url) {
		ready = db.Migrate
	}
	if err := ready(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// changes tells every stream that a profile's assignments changed.
type changes struct{ bus coord.Bus }

// Publish is a hint: whoever misses it looks a second later.
func (c changes) Publish(ctx context.Context, profileName string) {
	c.bus.Publish(ctx, api.ProfileTopic(profileName))
	c.bus.Publish(ctx, api.AnyProfileTopic)
}

// Bounds on what a client may make the server wait for.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

func listen(conf settings.Settings, door *api.API, log *slog.Logger) (*http.Server, net.Listener, error) {
	listener, err := net.Listen("tcp", conf.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", conf.Listen, err)
	}
	return &http.Server{
		Handler: door.Handler(), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}, listener, nil
}

func serveHTTP(server *http.Server, listener net.Listener) error {
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// stopHTTP lets requests and streams end, and cuts those that do not.
func stopHTTP(ctx context.Context, server *http.Server, door *api.API, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	door.Drained(ctx)
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}

// sweeper deregisters instances that are gone.
func sweeper(db *store.Store, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			switch n, err := db.SweepInstances(ctx); {
			case err != nil && ctx.Err() == nil:
				log.ErrorContext(ctx, "silent instances could not be removed", "error", err)
			case n > 0:
				log.InfoContext(ctx, "instances that were silent for an hour were removed", "instances", n)
			}
		}
	}
}

// bounded runs a last step that must not wait for ever.
func bounded(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return step(ctx)
}
