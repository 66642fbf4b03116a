package reconciler

import (
	"context"
	"errors"
	"time"

	"github.com/sluicehq/sluice/gitsource"
)

// rewindAfter is how long a branch must have stood at a commit that it had left
// behind before the source follows it. A forge answers from many servers, and one
// that lags shows yesterday's head for some seconds: to follow it would deploy the
// older content and take the newer commit back.
const rewindAfter = 10 * time.Second

// untilFollowed is how long the source still stays where it is although the branch
// is at head, 0 when it goes there now.
func (r *Reconciler) untilFollowed(ctx context.Context, synced, head string) (time.Duration, error) {
	left := r.source.RewindAfter - r.sighted.ago(head)
	if synced == "" || left <= 0 {
		return 0, nil
	}
	behind, err := r.leftBehind(ctx, synced, head)
	if err != nil || !behind {
		return 0, err
	}
	return left, nil
}

// leftBehind says whether head holds nothing that the synced commit does not: it is
// among the first parents of that, or that is nowhere to be had. A branch with commits
// of its own was rewritten by somebody.
func (r *Reconciler) leftBehind(ctx context.Context, synced, head string) (bool, error) {
	if _, err := r.git.Walk(ctx, synced, head); !errors.Is(err, gitsource.ErrRewritten) {
		return false, nil // it goes on from there, or whoever walks next tells why not
	}
	_, err := r.git.Walk(ctx, head, synced)
	switch {
	case err == nil, errors.Is(err, gitsource.ErrTooManyCommits), errors.Is(err, gitsource.ErrNotFetched):
		return true, nil
	case errors.Is(err, gitsource.ErrRewritten):
		return false, nil
	}
	return false, err
}
