package reconciler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// partsBefore is how many parts of a first sync another pass has stored that died, or
// that is at it. It is read before the fetch: whoever stores a part from then on makes
// what was fetched, and this pass, stale.
func (r *Reconciler) partsBefore(ctx context.Context, from string) (int, error) {
	if from != "" {
		return 0, nil
	}
	parts, err := r.store.SourceParts(ctx, r.source.ID)
	if err != nil {
		return 0, fmt.Errorf("stored parts of %s: %w", r.source.ID, err)
	}
	return parts, nil
}

// stored is what a pass has stored before its end: the parts of a first sync.
type stored struct {
	stride stride
	moved  bool   // the source's folder is another by now
	made   Result // of the parts
	again  bool   // some were taken over, and wait for the next plan
	placed []profile.Placed
}

// storePart stores newcomers of a first sync in a transaction that holds all there is to
// say of their profiles. A pass that dies after it is made again from what is stored: they
// are known then, and unchanged.
func (r *Reconciler) storePart(ctx context.Context, st state, p plan, so *stored) error {
	ctx = spans.With(ctx, r.span)
	if len(p.TakenOver) > 0 {
		if err := r.takeOver(ctx, p); !errors.Is(err, rollout.ErrStale) {
			return err
		}
		so.again = true
		return nil
	}
	began := time.Now()
	if err := r.apply(ctx, so.stride, p); err != nil {
		return err
	}
	tellVersions(ctx, st, p, began, time.Now())
	for _, rec := range p.Profiles {
		so.placed = append(so.placed, rec.Placed())
	}
	so.made.Versions += len(p.Versions)
	so.made.Deployments += len(p.Deployments)
	so.made.Problems += len(p.Problems)
	so.stride.parts++
	r.fail("K13")
	return nil
}

// storeParts stores the newcomers that are left when all files are read.
func (r *Reconciler) storeParts(ctx context.Context, st state, d *division, so *stored) error {
	for p, ok := d.part(); ok; p, ok = d.part() {
		if err := r.storePart(ctx, st, p, so); err != nil {
			return err
		}
	}
	return nil
}

// intake has newcomers of a first sync stored while the rest of its tree is read.
func (r *Reconciler) intake(st *state, c gitsource.Commit, so *stored) *intake {
	p, owners := newPlanner(*st), st.owners()
	return &intake{
		size: r.partSize, isFree: func(s sighting) bool { return st.isFree(s, owners) },
		store: func(ctx context.Context, some []sighting) error {
			names := make([]string, len(some))
			for i := range some {
				names[i] = some[i].Profile.Name
			}
			if err := st.loadNamed(ctx, r.store, names); err != nil {
				return err
			}
			return r.storePart(ctx, *st, p.part(observation{Commit: c, Whole: true}, some), so)
		},
	}
}
