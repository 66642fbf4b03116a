package reconciler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/rollout"
)

// checkLimit bounds the work on one pull request once it is fetched: anybody can
// open one.
const checkLimit = time.Minute

// maxPlotted bounds the profiles whose instances are looked at for one pull request.
const maxPlotted = 100

// check looks at what the merge of a pull request's head with the synced commit
// would do. Its error says that this could not be found out, and may be another
// time; what is the pull request's own fault is told by the forecast.
func (r *Reconciler) check(ctx context.Context, st state, pr forge.PullRequest, head string) (f forecast, err error) {
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	f, err = r.containedCheck(limited, st, pr, head)
	if trouble := troubleOf(err); trouble != "" || limited.Err() != nil && ctx.Err() == nil {
		if trouble == "" {
			trouble = fmt.Sprintf("it took more than %s", checkLimit)
		}
		f, err = forecast{Trouble: trouble}, nil
	}
	f.Head, f.Base, f.Branch, f.Fork = head, st.Head, r.source.Branch, pr.Fork
	if f.Fork {
		f = f.strangers()
	}
	return f, err
}

// troubleOf says of an error that trying again does not mend what is the matter
// with the pull request, "" for any other.
func troubleOf(err error) string {
	switch {
	case errors.Is(err, ErrPanic), errors.Is(err, gitsource.ErrPanic):
		return "internal error: looking at it panicked"
	case errors.Is(err, gitsource.ErrUnrelated):
		return "its history has nothing in common with the branch: base it on the branch"
	case errors.Is(err, gitsource.ErrTooManyCommits):
		return "it left the branch too many commits ago: bring it up to date"
	case errors.Is(err, gitsource.ErrTooLarge), errors.Is(err, gitsource.ErrLimit):
		return "it is larger than the limits allow"
	case errors.Is(err, gitsource.ErrMalformed):
		return "it holds objects that are not valid"
	}
	return ""
}

// containedCheck turns a panic of a check into an error.
func (r *Reconciler) containedCheck(ctx context.Context, st state, pr forge.PullRequest, head string) (f forecast, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.metrics.Panicked(r.source.ID)
			r.log.ErrorContext(ctx, "check panicked", "pull_request", pr.Number, "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", ErrPanic, v)
		}
	}()
	return r.lookAhead(ctx, st, pr, head)
}

// lookAhead looks at the merge exactly as a sync looks at a merged commit.
func (r *Reconciler) lookAhead(ctx context.Context, st state, pr forge.PullRequest, head string) (forecast, error) {
	merge, err := fetched(ctx, r.git, func() (Merge, error) { return r.pulls.git.Merge(ctx, st.Head, head) })
	if err != nil {
		return forecast{}, err
	}
	if len(merge.Conflicts) > 0 {
		return forecast{Conflicts: merge.Conflicts}, nil
	}
	changes, err := merge.Tree.Changes(ctx)
	if err != nil {
		return forecast{}, err
	}
	git := mergedGit{Git: r.git, base: st.Head, head: head, tree: merge.Tree}
	obs, err := r.observer(git, st).commit(ctx, st.Head, gitsource.Commit{
		SHA: head, AuthorName: pr.Author, Message: pr.Title, PullRequest: pr.Number,
	})
	if err != nil {
		return forecast{}, err
	}
	st = st.clone()
	seen := []observation{obs}
	if err := st.loadAround(ctx, r.store, git, r.source.Path, seen); err != nil {
		return forecast{}, err
	}
	f := foresee(st, obs, changes, makePlan(st, seen))
	if pr.Fork {
		return f, nil
	}
	return f, r.plot(ctx, &f)
}

// plot asks who is there for the versions that the merge brings.
func (r *Reconciler) plot(ctx context.Context, f *forecast) error {
	now, err := r.pulls.store.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	plotted := 0
	for i, p := range f.Profiles {
		if p.deployment == nil || plotted == maxPlotted {
			continue
		}
		plotted++
		snap, err := r.pulls.store.Fleet(ctx, *p.deployment)
		if err != nil {
			return fmt.Errorf("instances of %s: %w", p.Name, err)
		}
		f.Profiles[i] = p.plot(snap, now)
	}
	return nil
}

// status is what the pull request's head commit hears of the check.
func (f forecast) status(source string) rollout.Status {
	s := rollout.Status{Source: source, Commit: f.Head, Context: rollout.CheckContext, State: rollout.StatusSuccess}
	switch {
	case f.Trouble != "":
		s.State = rollout.StatusError
	case !f.Passed():
		s.State = rollout.StatusFailure
	}
	s.Description = clip(printable(f.summary()), maxDescription)
	return s
}
