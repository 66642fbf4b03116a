package main

import (
	"context"
	"errors"

	"github.com/sluicehq/sluice/api"
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
	b, err := p.open(ctx, sh, conf, func(rollout.Deployment) {}) // none ends here
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()

	b.door.WatchOnly, b.door.Wake = true, wakesOthers(b.replicas.bus)
	door, err := api.New(b.door)
	if err != nil {
		return err
	}
	d, err := openDaemon(ctx, conf, door, b.log, b.registry)
	if err != nil {
		return err
	}
	d.keeping = append(d.keeping, b.keeping...)
	return d.run(ctx, conf, b.log)
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
