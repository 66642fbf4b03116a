package reconciler

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// partsBefore is how many parts of a first sync another pass has stored that died, or
// that is at it. It is read before all else: whoever stores a part from then on makes
// this pass stale.
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

// storedParts is what has been stored of a pass before its end.
type storedParts struct {
	parts  int
	placed []profile.Placed
}

// storeParts stores the newcomers of a first sync, each part in a transaction that holds
// all there is to say of its profiles. A pass that dies in between is made again from what
// is stored: those profiles are known then, and unchanged.
func (r *Reconciler) storeParts(ctx context.Context, st state, d *division, s stride, res *Result) (stored storedParts, err error) {
	for p, ok := d.part(); ok; p, ok = d.part() {
		began := time.Now()
		if err := r.apply(ctx, s, p); err != nil {
			return stored, err
		}
		tellVersions(ctx, st, p, began, time.Now())
		for _, rec := range p.Profiles {
			stored.placed = append(stored.placed, rec.Placed())
		}
		res.Versions += len(p.Versions)
		res.Deployments += len(p.Deployments)
		res.Problems += len(p.Problems)
		s.parts++
		stored.parts++
		r.fail("K13")
	}
	return stored, nil
}
