package client

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

// startSnapshot applies a bootstrap snapshot: the last resort of an instance that keeps nothing and
// hears nothing. It is not kept on disk, where only what the server assigned is: at the next start its age
// counts again. Nor does it count as a generation, so that whatever the server assigns replaces it.
func (sl *slot) startSnapshot(ctx context.Context, name string) {
	if sl.session.bootstrap == nil || sl.retry != nil || !sl.session.silent.Load() {
		return
	}
	s, offered, err := sl.fetchSnapshot(ctx, name)
	switch {
	case offered || ctx.Err() != nil:
		return
	case err != nil:
		sl.log.ErrorContext(ctx, "the server is away, nothing is kept here, and no bootstrap snapshot can be taken: trying again", "profile", name, "error", err)
		sl.later(retryPause(sl.failures))
		return
	}
	log := sl.log.With("profile", name, "version", s.Version, "written_at", s.WrittenAt, "age", time.Since(s.WrittenAt).Round(time.Second), "key", s.KeyID)
	log.WarnContext(ctx, "the server is away and nothing is kept here: STARTING FROM A BOOTSTRAP SNAPSHOT, which may be older than what the server would say")
	cfg := Config{Profile: name, Version: s.Version, Hash: s.Hash, Data: profile.Canonical(s.Data), Snapshot: s.WrittenAt}
	ctx, span := startReload(ctx, name, s.Version, 0)
	err = sl.try(ctx, cfg)
	spans.End(span, err)
	if err != nil {
		log.ErrorContext(ctx, "bootstrap snapshot refused", "error", err)
		sl.later(retryPause(sl.failures))
		return
	}
	sl.failures = 0
	sl.running = &good{Version: s.Version, Hash: s.Hash, Data: cfg.Data}
	sl.started = &wire.SnapshotStart{Version: s.Version, WrittenAt: s.WrittenAt, StartedAt: time.Now().UTC()}
}

// fetchSnapshot fetches a snapshot until the server is heard: then there is no need of one.
func (sl *slot) fetchSnapshot(ctx context.Context, name string) (s snapshot.Snapshot, offered bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sl.mu.Lock()
	sl.fetching = cancel
	offered = sl.desired != nil
	sl.mu.Unlock()
	if !offered {
		r := sl.session.request
		s, err = sl.session.bootstrap.snapshot(ctx, name, r.ServiceName, r.Environment, r.Labels)
	}
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.fetching = nil
	return s, sl.desired != nil, err
}
