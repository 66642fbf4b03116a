package reconciler

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/gitsource"
)

// Reconciler keeps the store in line with one source. Its methods are safe for
// concurrent use.
type Reconciler struct {
	source  SourceOptions
	git     Git
	store   Store
	locker  coord.Locker
	rouse   func()
	log     *slog.Logger
	metrics Metrics
	rand    func() float64
	fail    func(point string)

	wake chan struct{}

	pass     sync.Mutex // one pass at a time in this process
	told     bool       // whether recorded says what the store has; under pass
	recorded string     // why the last pass failed, "" when it did not; under pass
}

// New returns a Reconciler of one source. Its errors wrap ErrOptions.
func New(opts Options) (*Reconciler, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Reconciler{
		source: opts.Source, git: opts.Git, store: opts.Store, locker: opts.Locker, rouse: opts.WakeEngine,
		log:     opts.Logger.With("component", "reconciler", "source", opts.Source.ID),
		metrics: opts.Metrics, rand: opts.Rand, fail: opts.Fail,
		wake: make(chan struct{}, 1),
	}, nil
}

// Wake makes Run look at the source now. Many calls before the look are one.
func (r *Reconciler) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// startSpread bounds the wait before the first pass: replicas that start
// together do not ask the remote together.
const startSpread = time.Second

// Run syncs at every poll and whenever it is woken, until ctx ends; then it
// returns nil. Failures are recorded with the source and make it wait longer.
func (r *Reconciler) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Duration(r.rand() * float64(min(startSpread, r.source.PollInterval/10))))
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-r.wake:
		}
		_, err := r.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			r.log.WarnContext(ctx, "sync failed", "error", err, "failures", failures)
		case failures > 0:
			r.log.InfoContext(ctx, "sync works again", "failures", failures)
			failures = 0
		}
		timer.Reset(gitsource.NextPoll(r.source.PollInterval, failures, r.rand()))
	}
}

// describeFailure says in one line for people why a pass failed.
func (r *Reconciler) describeFailure(err error) string {
	const limit = 500
	switch {
	case errors.Is(err, gitsource.ErrBranchGone):
		return "branch " + r.source.Branch + " is gone"
	case errors.Is(err, gitsource.ErrEmptyRepository):
		return "the repository has no commit yet"
	}
	return clip(printable(err.Error()), limit)
}
