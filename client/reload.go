package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/spans"
)

// Context returns ctx within the trace of the change that brought the configuration: spans that are started with it, and
// requests that carry it, belong to the trace that began with the commit. Without one it returns ctx as it is.
func (c Config) Context(ctx context.Context) context.Context { return spans.With(ctx, c.TraceParent) }

// startReload begins the span of one attempt to apply a configuration, a child of the span in ctx. It says which
// configuration and nothing of its data.
func startReload(ctx context.Context, profile, version string, generation int64) (context.Context, trace.Span) {
	return spans.Start(ctx, "config.reload", attribute.String("sluice.profile", profile),
		attribute.String("sluice.version", version), attribute.Int64("sluice.generation", generation))
}

// reload brings an assignment's configuration to the callback, and notes what is to be acknowledged.
func (sl *slot) reload(ctx context.Context, id identity, a wire.Assignment, log *slog.Logger) {
	ctx, span := startReload(ctx, a.ConfigName, a.Version, a.Generation)
	cfg, err := sl.fetch(ctx, id, a, log)
	if err != nil {
		spans.End(span, err)
		sl.notFetched(ctx, a, err, log)
		return
	}
	if sl.running != nil && sl.running.fits(a) && sl.running.DeliveredHash == cfg.DeliveredHash {
		span.End() // its secrets are what they were
		g := *sl.running
		g.Generation, g.DeploymentID, g.Acked = a.Generation, a.DeploymentID, false
		sl.succeed(ctx, g, a.ConfigName, 0)
		return
	}
	start := time.Now()
	err = sl.try(ctx, cfg)
	took := time.Since(start)
	spans.End(span, err)
	switch {
	case err != nil && ctx.Err() != nil:
		return // in the middle: no word on the configuration
	case err != nil:
		log.ErrorContext(ctx, "configuration refused", "error", err, "took", took)
		sl.fail(ctx, a, err, took)
		return
	}
	log.InfoContext(ctx, "configuration applied", "took", took)
	sl.succeed(ctx, good{Version: a.Version, Generation: a.Generation, Hash: a.Hash, ActiveGroup: a.ActiveGroup, DeploymentID: a.DeploymentID,
		Data: cfg.Data, DeliveredHash: cfg.DeliveredHash}, a.ConfigName, took)
}

// fetch returns the configuration, with the secrets that were delivered before where they cannot be had now.
func (sl *slot) fetch(ctx context.Context, id identity, a wire.Assignment, log *slog.Logger) (Config, error) {
	cfg, err := sl.session.fetch(ctx, id, a)
	kept := sl.rec.kept(a)
	if err == nil || kept == nil || ctx.Err() != nil || errors.Is(err, ErrHash) || lostIdentity(err) {
		return cfg, err
	}
	log.WarnContext(ctx, "secrets not opened: going on with those that were delivered before", "error", err)
	cfg = configOf(a, kept.Data)
	cfg.DeliveredHash, cfg.Cached = kept.DeliveredHash, true
	return cfg, nil
}

// notFetched refuses what will never be had, and tries again otherwise.
func (sl *slot) notFetched(ctx context.Context, a wire.Assignment, err error, log *slog.Logger) {
	if errors.Is(err, ErrHash) || IsStatus(err, http.StatusConflict) { // which says that a secret cannot be opened
		log.ErrorContext(ctx, "assignment refused", "error", err)
		sl.fail(ctx, a, err, 0)
		return
	}
	log.WarnContext(ctx, "configuration not fetched", "error", err)
	sl.later(Backoff(sl.failures, rand.Float64()))
}

// try calls the callback; a panic there is a refusal, so that the service goes on as it is. The error is one that may be
// told.
func (sl *slot) try(ctx context.Context, cfg Config) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		err = cfg.Hide(err)
	}()
	cfg.TraceParent = spans.Format(ctx)
	return sl.apply(ctx, cfg)
}
