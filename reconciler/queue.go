package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/gitsource"
)

// checkQueue checks the commits of a merge queue. A forge that has one merges what passed there, and waits for ever for a
// required check that nobody makes: the heads of pull requests are other commits. Each is told once, and has no comment.
func (r *Reconciler) checkQueue(ctx context.Context, st state) error {
	queued := r.pulls.git.Queued()
	there := make(map[string]bool, len(queued))
	for _, head := range queued {
		there[head] = true
	}
	maps.DeleteFunc(r.pulls.queued, func(head string, _ bool) bool { return !there[head] })
	for _, ref := range slices.Sorted(maps.Keys(queued)) {
		if r.pulls.queued[queued[ref]] {
			continue
		}
		var err error
		if st, err = r.freshState(ctx, st); err != nil {
			return err
		}
		switch err := r.checkQueued(ctx, st, ref); {
		case errors.Is(err, gitsource.ErrRefGone): // merged, or taken out of the queue
		case err != nil:
			return fmt.Errorf("check %s: %w", printable(ref), err)
		}
	}
	return nil
}

func (r *Reconciler) checkQueued(ctx context.Context, st state, ref string) error {
	head, err := r.pulls.git.FetchRef(ctx, ref)
	if err != nil {
		return err
	}
	f, err := r.check(ctx, st, forge.PullRequest{Head: head, Branch: r.source.Branch, Open: true}, head)
	if err != nil {
		return err
	}
	err = r.store.InTx(ctx, func(tx Tx) error { return tx.SetStatus(ctx, f.status(r.source.ID)) })
	if err != nil {
		return fmt.Errorf("set the check of %s: %w", head, err)
	}
	r.pulls.queued[head] = true
	return nil
}
