package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/spans"
)

// mostTogether is how many decisions are stored in one transaction. An order
// waits for one of them at the most.
const mostTogether = 16

// Step is a decision made under a claim.
type Step struct {
	Claim    Claim
	Decision Decision
}

// shares gives each of the workers its part of the claims, as even as can be.
func shares(claims []Claim, workers int) [][]Claim {
	var out [][]Claim
	for left := len(claims); left > 0; {
		n := (left + workers - 1) / workers
		out, claims = append(out, claims[:n]), claims[n:]
		left, workers = left-n, workers-1
	}
	return out
}

// stepShare steps a worker's share of the claims and answers whether there was no
// trouble. Each deployment is read and decided about by itself, and what was
// decided is stored in one transaction: when thousands are due at once, it is
// the transactions that take the time. A claim that failed before is stepped
// alone, so that one deployment's trouble stays its own.
func (e *Engine) stepShare(ctx context.Context, claims []Claim, aside func()) (fine bool) {
	if len(claims) == 1 {
		return e.stepSafely(ctx, claims[0], aside)
	}
	var together []decided
	for i, claim := range claims {
		if ctx.Err() != nil {
			return true // the claims are handed back
		}
		t, ready, ok := e.decideSafely(ctx, claim)
		if ready {
			together = append(together, t)
		}
		if !ok { // perhaps the database is away: the others must not wait for it one after the other
			e.stepApart(ctx, claims[i+1:])
			e.storeTogether(ctx, together)
			return false
		}
	}
	return e.storeTogether(ctx, together)
}

// stepApart steps claims at the same time, each by itself.
func (e *Engine) stepApart(ctx context.Context, claims []Claim) {
	var group sync.WaitGroup
	for _, claim := range claims {
		group.Go(func() { e.stepSafely(ctx, claim, func() {}) })
	}
	group.Wait()
}

// decideSafely decides about one of several. ready says that what was decided can
// be stored with the others: one that asks outside, or that failed before, is
// stepped by itself.
func (e *Engine) decideSafely(ctx context.Context, claim Claim) (t decided, ready, fine bool) {
	if claim.Attempts > 1 {
		return t, false, e.stepSafely(ctx, claim, func() {})
	}
	defer e.panicked(ctx, claim)
	start := time.Now()
	t, err := e.decide(ctx, claim)
	if err != nil {
		return t, false, e.stepped(ctx, claim, start, err)
	}
	if len(t.asks()) > 0 {
		e.steps.Go(func() { e.stepSafely(ctx, claim, func() {}) })
		return t, false, true
	}
	e.judged(t)
	return t, true, true
}

func (e *Engine) storeTogether(ctx context.Context, together []decided) (fine bool) {
	if len(together) == 0 {
		return true
	}
	steps := make([]Step, len(together))
	for i, t := range together {
		steps[i] = Step{t.claim, t.dec}
	}
	defer e.panicked(ctx, together[0].claim)
	fine = true
	for i, err := range e.store.Steps(ctx, steps) {
		t := together[i]
		if err != nil {
			err = fmt.Errorf("store the step of deployment %s: %w", t.read.ID, err)
		} else {
			e.storedStep(spans.With(ctx, t.read.Span()), t)
		}
		fine = e.stepped(ctx, t.claim, t.began, err) && fine
	}
	return fine
}
