package reconciler

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Reconciler keeps the store in line with one source. Its methods are safe for
// concurrent use.
type Reconciler struct {
	source  SourceOptions
	git     Git
	store   Store
	locker  coord.Locker
	reach   rollout.Reach
	rouse   func()
	log     *slog.Logger
	metrics Metrics
	rand    func() float64
	newID   func() string
	fail    func(point string)
	pulls   *pulls // nil: pull requests are not checked
	signed  *signatures
	keeper  profile.Keeper // may be nil

	partSize int // of a first sync

	wake chan struct{}

	pass     sync.Mutex // one pass at a time in this process
	told     bool       // whether recorded says what the store has; under pass
	recorded string     // why the last pass failed, "" when it did not; under pass
	sighted  sighted    // the newest head that is not synced; under pass
	placed   remembered // where the files lie; under pass
	span     string     // of the pass, as a traceparent, "" when it found nothing new; under pass
}

// New returns a Reconciler of one source. Its errors wrap ErrOptions.
func New(opts Options) (*Reconciler, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Reconciler{
		source: opts.Source, git: opts.Git, store: opts.Store, locker: opts.Locker, reach: opts.Reach, rouse: opts.WakeEngine,
		log:     opts.Logger.With("component", "reconciler", "source", opts.Source.ID),
		metrics: opts.Metrics, rand: opts.Rand, newID: opts.NewID, fail: opts.Fail, pulls: newPulls(opts),
		signed: &signatures{check: opts.Signatures, from: opts.SignedFrom, refused: map[string]bool{}},
		keeper: opts.Keeper, partSize: newcomersInPart,
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

// heldPause is when a source is looked at again that there was a reason to look
// at while another replica did.
const heldPause = time.Second

// wakeSpacing is the shortest time from one pass that somebody asked for to the
// next. Whoever asks in between gets one pass at its end, which sees all of it: a
// flood of webhooks must not become a flood of requests to the remote.
const wakeSpacing = time.Second

// Run syncs at every poll and whenever it is woken, and looks at the pull
// requests after each sync, until ctx ends; then it returns nil. Failures are
// recorded with the source and make it wait longer.
func (r *Reconciler) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Duration(r.rand() * float64(min(startSpread, r.source.PollInterval/10))))
	defer timer.Stop()
	if r.pulls != nil {
		var checks sync.WaitGroup
		checks.Go(func() { r.runPulls(ctx) })
		defer checks.Wait()
	}
	failures, woken, wake := 0, false, (<-chan struct{})(r.wake)
	var asked time.Time // when the last pass began that somebody asked for
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-wake:
			woken = true
			if early := wakeSpacing - time.Since(asked); early > 0 {
				timer.Reset(early)
				wake = nil
				continue
			}
		}
		select {
		case <-r.wake: // this pass is for it too
			woken = true
		default:
		}
		if wake = r.wake; woken {
			asked = time.Now()
		}
		res, err := r.Sync(ctx)
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
		if err == nil && !res.Skipped {
			r.pulls.wake()
		}
		next := gitsource.NextPoll(r.source.PollInterval, failures, r.rand())
		if woken = woken && res.Skipped; woken { // whoever is at it may have looked before there was a reason to
			next = min(next, heldPause)
		}
		if res.Again > 0 {
			next = min(next, res.Again)
		}
		timer.Reset(next)
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
