package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/rollout"
)

// errApart marks a step that is stored by itself: another has its rows at this
// moment, or it is not known which of several could not be stored.
var errApart = errors.New("to be stored by itself")

// Steps stores what was decided about several deployments in one transaction,
// each as Step does, and gives what became of each. A transaction that fails is
// done again step by step, so that each has its own error. One that meets a
// person's order ends early, so that the order does not wait for all of them.
func (s *Store) Steps(ctx context.Context, steps []rollout.Step) []error {
	var errs []error
	for len(errs) < len(steps) {
		errs = append(errs, s.someSteps(ctx, steps[len(errs):])...)
	}
	return errs
}

// someSteps stores the first of the steps, at least one.
func (s *Store) someSteps(ctx context.Context, steps []rollout.Step) []error {
	op := uuid.NewString()
	var errs []error
	err := s.InTx(ctx, func(tx *Tx) (err error) {
		errs, err = tx.steps(ctx, steps, op)
		return err
	})
	if err != nil && errs == nil {
		errs = make([]error, len(steps))
	}
	for i, step := range steps[:len(errs)] {
		switch {
		case errors.Is(err, errCommit) && errs[i] == nil:
			errs[i] = s.outcome(ctx, step.Decision.Next, op, err)
		case errors.Is(err, ErrUnavailable) && !s.engine.full(err), err != nil && ctx.Err() != nil:
			errs[i] = err // so it would be with each
		case err != nil || errors.Is(errs[i], errApart):
			errs[i] = s.Step(ctx, step.Claim, step.Decision)
		case errors.Is(errs[i], rollout.ErrStale) && step.Decision.Next.State.Final():
			errs[i] = errors.Join(errs[i], s.giveBack(ctx, step.Claim))
		}
	}
	return errs
}

func (tx *Tx) steps(ctx context.Context, steps []rollout.Step, op string) ([]error, error) {
	ours, err := tx.lockSteps(ctx, steps)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(steps))
	for i, step := range steps {
		if i > 0 && tx.s.ahead.underWay() != nil {
			return errs[:i], nil
		}
		if !ours(step) {
			errs[i] = errApart
			continue
		}
		err := tx.tx.together(ctx, orStale(tx.step(step.Claim, step.Decision, op)))
		if errors.Is(err, rollout.ErrStale) {
			errs[i] = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := tx.apply(spans.With(ctx, step.Decision.Next.Span()), step.Decision); err != nil {
			return nil, err
		}
	}
	return errs, nil
}

// lockSteps locks the profiles and deployments that nobody else has locked, and
// tells which. It waits for none: two who each have some of several rows and
// wait for others would wait for ever.
func (tx *Tx) lockSteps(ctx context.Context, steps []rollout.Step) (ours func(rollout.Step) bool, err error) {
	if tx.s.engine.serial {
		return func(rollout.Step) bool { return true }, nil
	}
	ids := make([]string, len(steps))
	for i, step := range steps {
		ids[i] = step.Claim.DeploymentID
	}
	locked, err := collect(ctx, tx.tx, scanName, `SELECT d.deployment_id FROM config_deployments d JOIN config_profiles p ON p.name = d.config_name
		WHERE `+tx.s.engine.in("d.deployment_id", 1)+tx.s.engine.lock+` OF d, p SKIP LOCKED`, asJSON(ids))
	if err != nil {
		return nil, fmt.Errorf("lock %d deployments: %w", len(steps), err)
	}
	known := make(map[string]bool, len(locked))
	for _, id := range locked {
		known[id] = true
	}
	return func(step rollout.Step) bool { return known[step.Claim.DeploymentID] }, nil
}
