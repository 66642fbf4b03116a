package rollout

import (
	"context"
	"fmt"
)

// Start stores a new deployment and wakes the engine. Its errors wrap ErrRefused
// for one that must not be made.
func (e *Engine) Start(ctx context.Context, d Deployment, actor string) (Deployment, error) {
	return e.start(ctx, Decision{Next: d}, actor)
}

// StartOn starts a deployment as long as what it was decided on is so; ErrStale
// otherwise.
func (e *Engine) StartOn(ctx context.Context, d Deployment, actor string, basis *Basis) (Deployment, error) {
	return e.start(ctx, Decision{Next: d, Basis: basis}, actor)
}

// Retry starts a deployment that tries again what another one brought. A hold
// that refuses its content ends by it, for the same reason.
func (e *Engine) Retry(ctx context.Context, d Deployment, actor string, basis *Basis) (Deployment, error) {
	if d.Cause == "" {
		return d, ErrReason
	}
	return e.start(ctx, Decision{Next: d, Basis: basis, Release: d.Cause}, actor)
}

func (e *Engine) start(ctx context.Context, dec Decision, actor string) (Deployment, error) {
	d := dec.Next
	if err := ValidateNew(d, e.opts.Reach); err != nil {
		return d, err
	}
	snap, now, err := e.fleet(ctx, d, noReadings)
	if err != nil {
		return d, err
	}
	if err := ValidateFleet(d, snap, now); err != nil {
		return d, err
	}
	dec.Changed, dec.Facts = true, d.births(actor)
	if status, ok := StatusOf(d); ok {
		dec.Status = []Status{status}
	}
	if err := e.store.Create(ctx, inTrace(ctx, dec)); err != nil {
		return d, fmt.Errorf("store deployment %s: %w", d.ID, err)
	}
	e.pub.Publish(ctx, d.Profile)
	e.Wake()
	return e.store.Deployment(ctx, d.ID)
}

// births are the facts that begin a deployment's history.
func (d Deployment) births(actor string) []Fact {
	details := map[string]any{"cause": d.Cause}
	if d.RetryOf != "" {
		details["retryOf"] = d.RetryOf
	}
	facts := []Fact{d.fact(FactCreated, actor, details)}
	if d.Force != "" {
		facts = append(facts, d.fact(FactForced, actor, map[string]any{"reason": d.Force}))
	}
	return facts
}
