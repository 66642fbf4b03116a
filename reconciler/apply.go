package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/rollout"
)

// stride is from which commit to which a transaction takes the source: all the way, or
// with one part of a first sync.
type stride struct {
	from, to string
	parts    int  // of a first sync that are stored before
	all      bool // the way
}

// move makes sure that the source stands where the plan begins, and moves it.
func (s stride) move(ctx context.Context, tx Tx, source SourceOptions) error {
	if s.from == "" {
		if err := tx.StorePart(ctx, source.ID, s.parts); errors.Is(err, rollout.ErrStale) {
			return fmt.Errorf("part %d of %s: %w: %w", s.parts+1, source.ID, errOvertaken, err)
		} else if err != nil {
			return fmt.Errorf("part %d of %s: %w", s.parts+1, source.ID, err)
		}
	}
	if !s.all {
		return nil
	}
	if err := tx.MoveHead(ctx, source.ID, s.from, s.to, source.Path); err != nil {
		return fmt.Errorf("move head of %s: %w", source.ID, err)
	}
	return nil
}

// apply writes a plan in one transaction that takes the source from one commit to
// another. It returns rollout.ErrStale when another replica was first, or when what
// the plan rests on has changed; nothing is written then.
func (r *Reconciler) apply(ctx context.Context, s stride, p plan) error {
	trace, traceparent := spans.TraceID(ctx), spans.Format(ctx)
	if len(p.TakenOver) > 0 {
		return r.takeOver(ctx, p)
	}
	return r.store.InTx(ctx, func(tx Tx) error {
		if err := s.move(ctx, tx, r.source); err != nil {
			return err
		}
		now, err := tx.Now(ctx)
		if err != nil {
			return fmt.Errorf("read the clock: %w", err)
		}
		w := writer{tx: tx, now: now, trace: trace, traceparent: traceparent, newID: r.newID, fail: r.fail, before: s.parts > 0}
		if s.from != s.to { // otherwise it is no commit that brings what is deployed
			w.seenAt = now.Add(-r.sighted.ago(s.to))
		}
		for _, step := range []func(context.Context, plan) error{
			w.premises, w.versions, w.deployments, w.endings, w.problems, w.words, w.seen,
		} {
			if err := step(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// writer writes the parts of a plan through one transaction.
type writer struct {
	tx          Tx
	now         time.Time
	seenAt      time.Time // when the source was seen to have moved; zero when it has not
	trace       string
	traceparent string // of the pass's span
	newID       func() string
	fail        func(point string)
	before      bool // parts of the same first sync are stored
}

// premises checks that what the plan took for granted still holds.
func (w *writer) premises(ctx context.Context, p plan) error {
	for _, want := range p.Rests {
		hold, _, err := w.tx.ActiveHold(ctx, want.Profile)
		if err != nil {
			return fmt.Errorf("hold of %s: %w", want.Profile, err)
		}
		active, err := w.tx.ActiveDeployment(ctx, want.Profile)
		if err != nil && !errors.Is(err, rollout.ErrNotFound) {
			return fmt.Errorf("active deployment of %s: %w", want.Profile, err)
		}
		if active.ID != want.Active || hold.RefusedHash != want.Hold.RefusedHash || !hold.CreatedAt.Equal(want.Hold.CreatedAt) {
			return fmt.Errorf("profile %s changed while its commits were read: %w", want.Profile, rollout.ErrStale)
		}
	}
	return nil
}

func (w *writer) versions(ctx context.Context, p plan) error {
	if err := w.tx.PutProfiles(ctx, p.Profiles); err != nil {
		return fmt.Errorf("put %d profiles: %w", len(p.Profiles), err)
	}
	for i := range p.Versions {
		p.Versions[i].ValidatedAt, p.Versions[i].CreatedAt = w.now, w.now
	}
	if err := w.tx.InsertVersions(ctx, p.Versions); err != nil {
		return fmt.Errorf("insert %d versions: %w", len(p.Versions), err)
	}
	if len(p.Versions) > 0 {
		w.fail("K4")
	}
	return nil
}

func (w *writer) deployments(ctx context.Context, p plan) error {
	for _, e := range p.Releases {
		if err := w.tx.ReleaseHold(ctx, e.Profile, e.Actor, e.Reason); err != nil {
			return fmt.Errorf("release hold of %s: %w", e.Profile, err)
		}
	}
	rollout.MarkMany(p.Deployments, w.before)
	for some := range slices.Chunk(p.Deployments, deploymentsAtOnce) {
		for i := range some {
			w.create(&some[i])
		}
		if err := w.tx.CreateDeployments(ctx, some); err != nil {
			return fmt.Errorf("create %d deployments: %w", len(some), err)
		}
	}
	return nil
}

// deploymentsAtOnce bounds what one statement asks of them.
const deploymentsAtOnce = 500

// create completes the decision that begins a deployment.
func (w *writer) create(dec *rollout.Decision) {
	d := &dec.Next
	d.ID, d.CreatedAt, d.SeenAt = w.newID(), w.now, w.seenAt
	d.TraceID, d.TraceParent = w.trace, w.traceparent
	dec.Changed, dec.Wake = true, w.now
	dec.Facts = []rollout.Fact{{
		Type: rollout.FactCreated, EntityType: "deployment", EntityID: d.ID, Actor: d.InitiatedBy, TraceID: w.trace,
		Details: map[string]any{
			"profile": d.Profile, "version": d.Version, "previous": d.Previous, "kind": string(d.Kind),
			"commit": d.Commit, "guard": d.Guard,
		},
	}}
	if s, ok := rollout.StatusOf(*d); ok {
		dec.Status = []rollout.Status{s}
	}
}

func (w *writer) endings(ctx context.Context, p plan) error {
	for _, e := range p.Superseded {
		if err := w.tx.SupersedeActive(ctx, e.Profile, e.Reason); err != nil {
			return fmt.Errorf("supersede the deployment of %s: %w", e.Profile, err)
		}
	}
	for _, name := range p.Retired {
		if err := w.tx.RetireProfile(ctx, name); err != nil {
			return fmt.Errorf("retire %s: %w", name, err)
		}
	}
	return nil
}

func (w *writer) problems(ctx context.Context, p plan) error {
	for _, problem := range p.Problems {
		if problem.Since.IsZero() {
			problem.Since = w.now
		}
		if err := w.tx.PutProblem(ctx, problem); err != nil {
			return fmt.Errorf("put problem of %s: %w", problem.Path, err)
		}
	}
	for _, file := range p.Mended {
		if err := w.tx.ClearProblem(ctx, p.Source, file); err != nil {
			return fmt.Errorf("clear problem of %s: %w", file, err)
		}
	}
	return nil
}

// words writes what is said of it all: statuses to the commits, facts to the
// audit log.
func (w *writer) words(ctx context.Context, p plan) error {
	for _, s := range p.Statuses {
		if err := w.tx.SetStatus(ctx, s); err != nil {
			return fmt.Errorf("set status %s of %s: %w", s.Context, s.Commit, err)
		}
	}
	for _, f := range p.Facts {
		f.TraceID = w.trace
		if err := w.tx.Record(ctx, f); err != nil {
			return fmt.Errorf("record %s of %s: %w", f.Type, f.EntityID, err)
		}
	}
	return nil
}

// seen keeps what the profiles were looked at for.
func (w *writer) seen(ctx context.Context, p plan) error {
	if p.SchemasSeen == 0 {
		return nil
	}
	if err := w.tx.SeeSchemas(ctx, p.Source, p.SchemasSeen); err != nil {
		return fmt.Errorf("remember the schemas seen by %s: %w", p.Source, err)
	}
	return nil
}
