package reconciler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/rollout"
)

// errOvertaken is why a plan of a first sync is stale: another replica stored a part of it.
var errOvertaken = errors.New("another replica is at the first sync")

// ErrNoProfiles is wrapped by Sync's error when the source's path was changed to one without any profile: a slip there
// retires nothing.
var ErrNoProfiles = errors.New("no profiles")

// ErrPanic is wrapped by Sync's error when the pass panicked. Nothing was written but whole parts of a first sync.
var ErrPanic = errors.New("sync panicked")

// Result says what one pass did.
type Result struct {
	Head        string // commit that the source is synced to
	Skipped     bool   // another replica is syncing it
	Changed     bool   // the head moved
	Whole       bool   // trees were compared: the first sync, a rewritten branch, or too many commits
	Commits     int
	Versions    int
	Deployments int
	Problems    int // files that are newly broken, or broken otherwise than before

	// Again is when to look again, 0 for at the next poll: the branch is at a commit that it had left behind.
	Again time.Duration
}

// How long one pass holds the source's lock at the most, and how often it is
// planned again when it lost a race. The lock of a replica that died keeps the
// others from the source until its time is over, so that is short; a pass that
// takes longer may be made twice, and stored once.
const (
	lockTTL     = 30 * time.Second
	maxReplans  = 5
	recordLimit = 5 * time.Second
)

// Sync makes one pass. Its error says why the source could not be synced,
// gitsource's and the store's errors among others; it is recorded with the source.
func (r *Reconciler) Sync(ctx context.Context) (Result, error) {
	r.pass.Lock()
	defer r.pass.Unlock()
	if r.locker != nil {
		unlock, err := r.locker.Lock(ctx, "source/"+r.source.ID, lockTTL)
		switch {
		case err == nil:
			defer unlock()
		case errors.Is(err, coord.ErrHeld):
			return Result{Skipped: true}, nil
		default: // the lock only saves work: without it the compare-and-set decides
			r.log.WarnContext(ctx, "no lock, syncing without", "error", err)
		}
	}
	r.span = ""
	began := time.Now()
	res, err := r.contained(ctx)
	r.metrics.SyncDone(spans.With(ctx, r.span), r.source.ID, time.Since(began), err)
	if behind := r.sighted.since(); err != nil && behind > 0 {
		r.metrics.Lag(r.source.ID, behind)
	}
	if recordErr := r.recordOutcome(ctx, err); recordErr != nil && err == nil {
		err = recordErr
	}
	return res, err
}

// contained turns a panic of the pass into an error.
func (r *Reconciler) contained(ctx context.Context) (res Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			stack := debug.Stack()
			if p, ok := v.(*panicked); ok { // in another goroutine
				v, stack = p.value, p.stack
			}
			r.metrics.Panicked(r.source.ID)
			r.log.ErrorContext(ctx, "sync panicked", "panic", v, "stack", string(stack))
			res, err = Result{}, fmt.Errorf("%w: %v", ErrPanic, v)
		}
	}()
	return r.sync(ctx)
}

func (r *Reconciler) sync(ctx context.Context) (res Result, err error) {
	head, err := r.git.Head(ctx)
	if err != nil {
		return Result{}, err
	}
	fetched, overtaken := false, false
	var before position // where the source was before the last fetch
	tell := func(Result, error) {}
	defer func() { tell(res, err) }()
	for range maxReplans {
		at, err := r.position(ctx)
		if err != nil {
			return Result{}, err
		}
		synced := at.head
		r.sighted.see(head, synced)
		if overtaken && synced == "" {
			return Result{Skipped: true}, nil // by whoever is at the first sync, and goes on
		}
		if synced == head && !at.moved {
			r.metrics.Lag(r.source.ID, 0)
			res, err := r.lookAgain(ctx, head)
			if errors.Is(err, rollout.ErrStale) {
				continue
			}
			return res, err
		}
		// What was fetched before another replica moved the source may be behind it, and would look
		// like a branch that was moved back.
		if !fetched || at != before {
			if !fetched {
				ctx, tell = r.news(ctx)
				r.span = spans.Format(ctx)
			}
			r.fail("K1")
			if head, err = r.fetch(ctx); err != nil {
				return Result{}, err
			}
			r.fail("K3")
			r.fail("K3/" + r.source.ID)
			fetched, before = true, at
			r.sighted.see(head, synced)
			if synced == head && !at.moved {
				continue
			}
		}
		left, err := r.untilFollowed(ctx, synced, head)
		if err != nil {
			return Result{}, err
		}
		if left > 0 {
			r.log.InfoContext(ctx, "the branch is at a commit that it had left behind, looking again", "head", head, "synced", synced, "in", left)
			return Result{Head: synced, Again: left}, nil
		}
		res, err := r.advance(ctx, at, head)
		if !errors.Is(err, rollout.ErrStale) {
			return res, err
		}
		overtaken = errors.Is(err, errOvertaken)
	}
	return Result{}, fmt.Errorf("source %s keeps changing under the sync: %w", r.source.ID, rollout.ErrStale)
}

func (r *Reconciler) fetch(ctx context.Context) (head string, err error) {
	ctx, span := spans.Start(ctx, "git.fetch")
	defer func() { spans.End(span, err) }()
	return r.git.Fetch(ctx)
}

// position is how far a source is stored.
type position struct {
	head  string
	moved bool // and was read in another folder than the source's
	parts int  // of its first sync
}

func (r *Reconciler) position(ctx context.Context) (at position, err error) {
	if at.head, err = r.store.SourceHead(ctx, r.source.ID); err != nil {
		return at, fmt.Errorf("synced commit of %s: %w", r.source.ID, err)
	}
	if at.moved, err = r.store.SourceMoved(ctx, r.source.ID, r.source.Path); err != nil {
		return at, fmt.Errorf("folder of %s: %w", r.source.ID, err)
	}
	at.parts, err = r.partsBefore(ctx, at.head)
	return at, err
}

// advance brings the store from where it was before the last fetch to a commit.
func (r *Reconciler) advance(ctx context.Context, at position, to string) (Result, error) {
	from := at.head
	if err := r.requireSigned(ctx, from, to); err != nil {
		return Result{}, err
	}
	so := &stored{stride: stride{from: from, to: to, parts: at.parts}, moved: at.moved}
	st, d, seen, why, err := r.consider(ctx, from, to, so)
	if err != nil {
		return Result{}, err
	}
	p := d.plan
	p.Facts = append([]rollout.Fact{{
		Type: why, EntityType: "source", EntityID: r.source.ID, Actor: actor,
		Details: map[string]any{"from": from, "to": to, "commits": len(seen)},
	}}, p.Facts...)
	if err := r.storeParts(ctx, st, &d, so); err != nil {
		return Result{}, err
	}
	if so.again {
		return Result{}, fmt.Errorf("profiles were taken over: %w", rollout.ErrStale)
	}
	began := time.Now()
	so.stride.all = true
	if err := r.apply(ctx, so.stride, p); err != nil {
		return Result{}, err
	}
	tellVersions(ctx, st, p, began, time.Now())
	if seen[0].Whole && seen[0].empty() && len(so.placed) == 0 {
		r.log.WarnContext(ctx, "no profiles below the source's path", "path", r.source.Path, "head", to)
	}
	res := Result{
		Head: to, Changed: true, Whole: seen[0].Whole, Commits: len(seen), Versions: len(p.Versions) + so.made.Versions,
		Deployments: len(p.Deployments) + so.made.Deployments, Problems: len(p.Problems) + so.made.Problems,
	}
	r.placed.keep(st, so.placed, p, to)
	r.sighted = sighted{}
	r.metrics.Lag(r.source.ID, 0)
	r.metrics.VersionsMade(r.source.ID, res.Versions)
	r.metrics.ValidationFailures(r.source.ID, res.Problems)
	if res.Deployments > 0 {
		r.rouse()
	}
	r.log.InfoContext(ctx, "synced", "head", res.Head, "commits", res.Commits, "versions", res.Versions,
		"deployments", res.Deployments, "problems", res.Problems, "whole", res.Whole)
	return res, nil
}

// validate reads and checks what the new commits bring, and plans what follows.
func (r *Reconciler) validate(ctx context.Context, st *state, to string, so *stored) (d division, seen []observation, why string, err error) {
	ctx, span := spans.Start(ctx, "config.validate", attribute.String("sluice.commit", to))
	defer func() {
		span.SetAttributes(attribute.Int("sluice.commits", len(seen)), attribute.Int("sluice.problems", len(d.plan.Problems)))
		spans.End(span, err)
	}()
	if seen, why, err = r.observe(ctx, st, to, so); err != nil {
		return d, nil, "", err
	}
	if err := st.loadAround(ctx, r.store, r.git, r.source.Path, seen); err != nil {
		return d, nil, "", err
	}
	return divide(*st, seen, r.partSize, len(so.placed)), seen, why, nil
}

// observe looks at the commits from the synced one to the new head, or at the
// whole tree there when the way between the two is not to be had; why is the
// type of the fact that tells which. Of a first sync much is stored meanwhile.
func (r *Reconciler) observe(ctx context.Context, st *state, to string, so *stored) (seen []observation, why string, err error) {
	o := r.observer(r.git, *st)
	commits, err := r.git.Walk(ctx, st.Head, to)
	why = FactSourceSynced
	switch {
	case errors.Is(err, gitsource.ErrRewritten), errors.Is(err, gitsource.ErrNotFetched):
		why = FactSourceRewritten
	case errors.Is(err, gitsource.ErrTooManyCommits):
		why = FactSourceSkipped
	case err == nil && so.moved:
		why = FactSourceMoved
	case err != nil:
		return nil, "", err
	}
	if err == nil && st.Head != "" && !so.moved {
		r.lag(commits)
		from := st.Head
		for _, c := range commits {
			obs, err := o.commit(ctx, from, c)
			if err != nil {
				return nil, "", err
			}
			seen = append(seen, obs)
			from = c.SHA
		}
		if len(seen) > 0 {
			return seen, why, nil
		}
	}
	if commits, err = r.git.Walk(ctx, "", to); err != nil {
		return nil, "", err
	}
	if len(commits) != 1 {
		return nil, "", fmt.Errorf("commit %s: the walk gave %d commits, want 1", to, len(commits))
	}
	o.lean = true
	if st.Head == "" {
		o.intake = r.intake(st, commits[0], so)
	}
	obs, err := o.whole(ctx, commits[0])
	if err == nil && so.moved && obs.empty() {
		err = fmt.Errorf("%w: there are none below %q at %s; mend the source's path, or commit them first", ErrNoProfiles, r.source.Path, short(to))
	}
	return []observation{obs}, why, err
}

func (r *Reconciler) lag(commits []gitsource.Commit) {
	if len(commits) > 0 && !commits[0].CommittedAt.IsZero() {
		r.metrics.Lag(r.source.ID, max(0, time.Since(commits[0].CommittedAt)))
	}
}

// recordOutcome keeps with the source why a pass failed, or that it works
// again. It says nothing twice, and nothing of a pass that was told to stop.
func (r *Reconciler) recordOutcome(ctx context.Context, err error) error {
	reason := ""
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		reason = r.describeFailure(err)
	}
	if r.told && r.recorded == reason {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	if err := r.store.RecordSourceFailure(ctx, r.source.ID, reason); err != nil {
		return fmt.Errorf("record the outcome of %s: %w", r.source.ID, err)
	}
	r.told, r.recorded = true, reason
	return nil
}
