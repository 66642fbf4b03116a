package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// maxOrderTries bounds how often an order is decided again because somebody
// else changed the deployment first.
const maxOrderTries = 10

// orderFunc is one of the orders of this package.
type orderFunc func(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error)

// Order carries out what a person asks of a deployment and returns it as it
// then is. It returns a *StateError for an order that does not fit, ErrNoWayBack
// or ErrReason for a rollback that cannot be, and ErrNotFound.
func (e *Engine) Order(ctx context.Context, id string, order Order, actor, reason string) (Deployment, error) {
	decide, ok := map[Order]orderFunc{
		OrderPause: Pause, OrderResume: Resume, OrderPromote: Promote, OrderCancel: Cancel, OrderRollback: RollBack,
	}[order]
	if !ok {
		return Deployment{}, fmt.Errorf("unknown order %q", order)
	}
	for try := 1; ; try++ {
		d, err := e.orderOnce(ctx, id, decide, actor, reason)
		if !errors.Is(err, ErrStale) || try == maxOrderTries {
			return d, err
		}
	}
}

func (e *Engine) orderOnce(ctx context.Context, id string, decide orderFunc, actor, reason string) (Deployment, error) {
	d, snap, now, err := e.read(ctx, id)
	if err != nil {
		return d, err
	}
	dec, err := decide(d, snap, actor, reason, now)
	if err != nil {
		return d, err
	}
	if !dec.Changed {
		return d, nil
	}
	if err := e.store.Order(ctx, dec); err != nil {
		return d, fmt.Errorf("store the order for deployment %s: %w", id, err)
	}
	e.stored(ctx, d, dec)
	e.Wake()
	return e.store.Deployment(ctx, id)
}

func (e *Engine) read(ctx context.Context, id string) (Deployment, Snapshot, time.Time, error) {
	d, err := e.store.Deployment(ctx, id)
	if err != nil {
		return d, Snapshot{}, time.Time{}, fmt.Errorf("read deployment %s: %w", id, err)
	}
	snap, err := e.store.Snapshot(ctx, d)
	if err != nil {
		return d, snap, time.Time{}, fmt.Errorf("read the fleet of deployment %s: %w", id, err)
	}
	now, err := e.store.Now(ctx)
	if err != nil {
		return d, snap, now, fmt.Errorf("read the database's clock: %w", err)
	}
	return d, snap, now, nil
}

// Back says what RollbackProfile goes back from and to.
type Back struct {
	Record  profile.Record
	To      profile.Version // the version to bring back
	Refused profile.Version // the version that runs now and is not deployed again by itself
	ID      string          // of the new deployment
	Actor   string
	Reason  string
}

// RollbackProfile gives an earlier, completed version of a profile to all of
// its instances at once, and puts the profile on hold. An active deployment is
// superseded. It returns ErrReason or ErrNoWayBack.
func (e *Engine) RollbackProfile(ctx context.Context, b Back) (Deployment, error) {
	draft := Deployment{Profile: b.Record.Name, Selector: selector(b.Record)}
	snap, err := e.store.Snapshot(ctx, draft)
	if err != nil {
		return Deployment{}, fmt.Errorf("read the fleet of %s: %w", b.Record.Name, err)
	}
	now, err := e.store.Now(ctx)
	if err != nil {
		return Deployment{}, fmt.Errorf("read the database's clock: %w", err)
	}
	dec, err := NewRollback(b.Record, b.To, b.Refused, b.Actor, b.Reason, snap, b.ID, now)
	if err != nil {
		return Deployment{}, err
	}
	if err := e.store.Create(ctx, dec); err != nil {
		return Deployment{}, fmt.Errorf("store the rollback of %s: %w", b.Record.Name, err)
	}
	e.stored(ctx, Deployment{State: Pending}, dec)
	e.Wake()
	return e.store.Deployment(ctx, b.ID)
}

// Start stores a new deployment and wakes the engine.
func (e *Engine) Start(ctx context.Context, d Deployment, actor string) (Deployment, error) {
	if err := ValidateNew(d); err != nil {
		return d, err
	}
	dec := Decision{Next: d, Changed: true, Facts: []Fact{d.fact(FactCreated, actor, map[string]any{"cause": d.Cause})}}
	if status, ok := StatusOf(d); ok {
		dec.Status = []Status{status}
	}
	if d.Force != "" {
		dec.Facts = append(dec.Facts, d.fact(FactForced, actor, map[string]any{"reason": d.Force}))
	}
	if err := e.store.Create(ctx, dec); err != nil {
		return d, fmt.Errorf("store deployment %s: %w", d.ID, err)
	}
	e.pub.Publish(ctx, d.Profile)
	e.Wake()
	return e.store.Deployment(ctx, d.ID)
}
