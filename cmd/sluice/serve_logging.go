package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/telemetry"
	"github.com/sluicehq/sluice/store"
)

// Every replica looks so often what it is to log, and gives the database so
// long to say so.
const (
	loggingEvery  = 2 * time.Second
	loggingWithin = 2 * time.Second
)

// logging makes this replica log what the store says.
type logging struct {
	db     *store.Store
	levels *telemetry.Levels
	log    *slog.Logger
}

// follow looks at each message and every few seconds. While the database is
// away, what it said last holds until its time is over.
func (l logging) follow(bus coord.Bus) func(context.Context) error {
	return func(ctx context.Context) error {
		changed := bus.Subscribe(ctx, api.LoggingTopic)
		tick := time.NewTicker(loggingEvery)
		defer tick.Stop()
		var said, present store.Logging
		for ctx.Err() == nil {
			said = l.look(ctx, said)
			now := said
			if !now.InForce(l.db.Clock()) {
				now = store.Logging{}
			}
			if !now.BegunAt.Equal(present.BegunAt) {
				l.apply(ctx, now)
				present = now
			}
			select {
			case <-ctx.Done():
			case <-changed:
			case <-tick.C:
			}
		}
		return nil
	}
}

// look asks the store. That it does not answer is said by whoever needs it.
func (l logging) look(ctx context.Context, said store.Logging) store.Logging {
	ctx, cancel := context.WithTimeout(ctx, loggingWithin)
	defer cancel()
	now, err := l.db.Logging(ctx)
	if err != nil {
		return said
	}
	return now
}

func (l logging) apply(ctx context.Context, now store.Logging) {
	if now.BegunAt.IsZero() {
		l.levels.Reset()
		l.log.InfoContext(ctx, "log levels are as configured")
		return
	}
	level := l.level(now.Level)
	components := map[string]slog.Level{}
	for name, own := range now.Components {
		components[name] = l.level(own)
	}
	l.log.InfoContext(ctx, "log levels changed", "level", level, "components", now.Components, "by", now.Actor, "expires", now.ExpiresAt)
	l.levels.Set(level, components)
}

// level reads one that was stored. Another release may know more of them.
func (l logging) level(text string) slog.Level {
	level, err := telemetry.ParseLevel(text)
	if err != nil { // "" among others
		return l.levels.Configured()
	}
	return level
}
