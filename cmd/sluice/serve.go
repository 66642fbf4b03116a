package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/settings"
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
		Args:  nothing,
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
// to bottom: this is all the wiring there is, but for what every role has.
func serve(ctx context.Context, sh *shell, conf settings.Settings) (err error) {
	if conf.Role == settings.RoleWatch {
		return serveWatch(ctx, sh, conf)
	}
	p, err := begin(ctx, sh, conf)
	if err != nil {
		return err
	}
	deployments := newDeploymentMetrics(p.registry)
	b, err := p.open(ctx, sh, conf, deployments.finished)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	log, registry, replicas, db := b.log, b.registry, b.replicas, b.db

	isAdmin := lookUpAdmin(ctx, db, conf.AdminPassword.Reveal())
	defer isAdmin() //nolint:errcheck // firstUsers takes the error; here it is waited for
	validated := validationMetrics(registry)
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
	synced := sourceMetrics(registry, conf, validated)
	sources, err := openSources(ctx, conf, db, sourceParts{
		forges: forges, engine: engine, locker: replicas.locker, reach: reach, log: log, keeper: b.keeper,
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
	deliveries := store.NewDeliveryWriter(db)
	webhooks, err := openWebhooks(conf, deliveries, sources, log, registry)
	if err != nil {
		return err
	}
	provider, err := identityProvider(conf)
	if err != nil {
		return err
	}
	b.door.Engine, b.door.SSO, b.door.Webhooks, b.door.TestNotification = engine, provider, webhooks, notifier.Test
	b.door.SyncSource, b.door.Preview = sources.wake, sources.preview
	b.door.Validated, b.door.Uploaded = validated, func() { synced.VersionsMade(noSource, 1) }
	b.door.SecureCookies = strings.HasPrefix(conf.ExternalURL, "https://") || conf.TLSCertFile != ""
	door, err := api.New(b.door)
	if err != nil {
		return err
	}
	pulls := newPullRequests(conf, forges, sources, pullParts{db: db, orders: orders{engine, door}, log: log})
	attempted, panicked := outboxMetrics(registry)
	outbox, err := store.NewOutbox(db, store.OutboxOptions{
		Post: poster{forges: forges.statuses, externalURL: conf.ExternalURL}.post, Logger: log.With("component", "outbox"), Fail: failpoint,
		Panicked: panicked, Attempted: attempted, Notify: tell(notifier), NotifyTogether: tellTogether(notifier), Notified: notificationMetrics(registry, conf),
		Switch: notify.NewHooks(conf.Hooks()...).Tell, Comment: pulls.comment, Rollback: pulls.rollback, Revert: pulls.revert, Command: pulls.command,
	})
	if err != nil {
		return err
	}
	d, err := openDaemon(ctx, conf, door, log, registry)
	if err != nil {
		return err
	}
	// Last, so that what is wrong with the settings, or a port that is taken, is said before a password is shown once.
	if err := firstUsers(ctx, sh, db, conf, isAdmin); err != nil {
		return errors.Join(err, d.listener.Close())
	}
	d.deciding = []func(context.Context) error{
		func(ctx context.Context) error { return engine.Run(store.Stepping(ctx)) }, woken(engine, replicas.bus),
		sources.run, sweeper(db, changes{replicas.bus}, log), retention(db, conf, registry, log), snapshots,
	}
	d.keeping = append(append(d.keeping, outbox.Run, deliveries.Run), b.keeping...)
	return d.run(ctx, conf, log.With("replica", replica, "sources", len(conf.Sources)))
}

// openStore opens the database and brings its schema up to date, or where that
// is not wanted makes sure that it is. The role watch never changes a schema.
func openStore(ctx context.Context, conf settings.Settings, log *slog.Logger, ended func(rollout.Deployment)) (*store.Store, error) {
	url := conf.DatabaseURL.Reveal()
	db, err := store.Open(ctx, store.Options{
		URL: url, Connections: conf.DatabaseConnections, Logger: log.With("component", "store"), Fail: failpoint,
		Routing: routing(conf), Ended: ended,
	})
	if errors.Is(err, store.ErrLocked) {
		err = fmt.Errorf("%w: stop the other sluice, or give this one a folder of its own with --data-dir", err)
	}
	if err != nil {
		return nil, err
	}
	ready := db.CheckSchema
	if conf.Role != settings.RoleWatch && (conf.Migrate == "true" || conf.Migrate == "auto" && !store.IsPostgres(url)) {
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

// sweeper deregisters instances that are gone, and gives stable versions to those that no
// deployment went to.
func sweeper(db *store.Store, pub rollout.Publisher, log *slog.Logger) func(context.Context) error {
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
			given, err := db.GiveStable(ctx)
			if err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "stable versions could not be given to new targets", "error", err)
			}
			for _, name := range given {
				pub.Publish(ctx, name)
				log.InfoContext(ctx, "the stable version was given to new targets", "profile", name)
			}
		}
	}
}
