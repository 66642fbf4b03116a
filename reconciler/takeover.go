package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// A profile stays with the source that it was born from: which of two is meant is never guessed. Nothing is to be
// guessed when its owner gave it up, by retiring it or by not being there any more: another source's file is the
// profile then, with its versions, its hold and what runs.

// abandoned says whether an owner gave a profile up.
func (st *state) abandoned(o profile.Owner) bool {
	return o.Retired || o.Source != "" && st.Sources != nil && !slices.Contains(st.Sources, o.Source)
}

func managerOf(o profile.Owner) string {
	if o.Source == "" {
		return "the API"
	}
	return "source " + o.Source
}

func (p *planner) takeOver(name string, from profile.Owner) {
	if p.plan.TakenOver == nil {
		p.plan.TakenOver = make(map[string]profile.Owner)
	}
	p.plan.TakenOver[name] = from
}

// takeOver makes the plan's profiles the source's own. Its error wraps rollout.ErrStale: the plan was made without
// knowing them, and has to be made again.
func (r *Reconciler) takeOver(ctx context.Context, p plan) error {
	trace := spans.TraceID(ctx)
	err := r.store.InTx(ctx, func(tx Tx) error {
		for _, name := range slices.Sorted(maps.Keys(p.TakenOver)) {
			from := p.TakenOver[name]
			if err := tx.TakeOver(ctx, name, from, r.source.ID); err != nil {
				return fmt.Errorf("take over %s: %w", name, err)
			}
			if err := tx.Record(ctx, rollout.Fact{
				Type: FactProfileTakenOver, EntityType: "profile", EntityID: name, Actor: actor, TraceID: trace,
				Details: map[string]any{"from": managerOf(from), "to": r.source.ID, "retired": from.Retired},
			}); err != nil {
				return fmt.Errorf("record that %s was taken over: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("%d profiles were taken over: %w", len(p.TakenOver), rollout.ErrStale)
}
