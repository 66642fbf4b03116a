package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// freeTries is how often an order is decided while others may change the
// deployment. When they were quicker each time, it is decided while they wait: a
// rollback never loses against a crowd.
const freeTries = 3

// orderFunc is one of the orders of this package.
type orderFunc func(d Deployment, snap Snapshot, actor, reason string, now time.Time) (Decision, error)

var orders = map[Order]orderFunc{
	OrderPause: Pause, OrderResume: Resume, OrderPromote: Promote, OrderCancel: Cancel, OrderRollback: RollBack,
}

// Order carries out what a person asks of a deployment and returns it as it
// then is. It returns a *StateError for an order that does not fit, ErrNoWayBack
// or ErrReason for a rollback that cannot be, and ErrNotFound.
func (e *Engine) Order(ctx context.Context, id string, order Order, actor, reason string) (Deployment, error) {
	decide, ok := orders[order]
	if !ok {
		return Deployment{}, fmt.Errorf("unknown order %q", order)
	}
	return e.carryOut(ctx, id, e.readForOrder, decide, actor, reason)
}

// RollBack rolls back a deployment that was just read, as Order does: when it has
// changed since, it is read again.
func (e *Engine) RollBack(ctx context.Context, d Deployment, actor, reason string) (Deployment, error) {
	known := &d
	read := func(ctx context.Context, id string) (Deployment, Snapshot, time.Time, error) {
		if known == nil {
			return e.readForOrder(ctx, id)
		}
		d := *known
		known = nil
		snap, now, err := e.fleet(ctx, d, forOrder)
		return d, snap, now, err
	}
	return e.carryOut(ctx, d.ID, read, RollBack, actor, reason)
}

// Promote carries out a promotion as Order does, with its extent.
func (e *Engine) Promote(ctx context.Context, id string, p Promotion, actor, reason string) (Deployment, error) {
	return e.carryOut(ctx, id, e.readForOrder, p.promote, actor, reason)
}

// readFunc reads a deployment, its fleet and the database's clock.
type readFunc func(ctx context.Context, id string) (Deployment, Snapshot, time.Time, error)

func (e *Engine) carryOut(ctx context.Context, id string, read readFunc, decide orderFunc, actor, reason string) (Deployment, error) {
	defer e.store.Ahead(ctx)()
	for range freeTries {
		d, err := e.orderOnce(ctx, id, read, decide, actor, reason)
		if !errors.Is(err, ErrStale) {
			return d, err
		}
	}
	return e.orderExclusive(ctx, id, decide, actor, reason)
}

func (e *Engine) orderExclusive(ctx context.Context, id string, decide orderFunc, actor, reason string) (Deployment, error) {
	before, dec, err := e.store.OrderExclusive(ctx, id, func(d Deployment, snap Snapshot, now time.Time) (Decision, error) {
		dec, err := decide(d, snap, actor, reason, now)
		return inTrace(ctx, dec), err
	})
	if err != nil {
		return before, fmt.Errorf("carry out the order for deployment %s: %w", id, err)
	}
	if !dec.Changed {
		return before, nil
	}
	e.stored(ctx, before, dec)
	e.Wake()
	return e.store.Deployment(ctx, id)
}

func (e *Engine) orderOnce(ctx context.Context, id string, read readFunc, decide orderFunc, actor, reason string) (Deployment, error) {
	d, snap, now, err := read(ctx, id)
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
	if err := e.store.Order(ctx, inTrace(ctx, dec)); err != nil {
		return d, fmt.Errorf("store the order for deployment %s: %w", id, err)
	}
	e.stored(ctx, d, dec)
	e.Wake()
	next := dec.Next
	next.Revision, next.Epoch = d.Revision+1, d.Epoch+1
	return next, nil
}

// readForOrder reads a deployment with what an order needs, which is not to wait for more.
func (e *Engine) readForOrder(ctx context.Context, id string) (Deployment, Snapshot, time.Time, error) {
	return e.readWith(ctx, id, forOrder)
}

// forOrder are the readings that an order needs, at any time.
func forOrder(d Deployment, _ time.Time) func(Snapshot) []Reading { return OrderReadings(d) }

func (e *Engine) readWith(ctx context.Context, id string, readings readingsAt) (Deployment, Snapshot, time.Time, error) {
	d, err := e.store.Deployment(ctx, id)
	if err != nil {
		return d, Snapshot{}, time.Time{}, fmt.Errorf("read deployment %s: %w", id, err)
	}
	snap, now, err := e.fleet(ctx, d, readings)
	return d, snap, now, err
}

// fleet reads a deployment's targets with the samples that are needed at the
// time that the database's clock shows then: it is the time to decide at, since
// another would need others.
func (e *Engine) fleet(ctx context.Context, d Deployment, readings readingsAt) (snap Snapshot, now time.Time, err error) {
	snap, err = e.store.Snapshot(ctx, d, func(snap Snapshot) []Reading {
		now = e.store.Clock()
		return readings(d, now)(snap)
	})
	if err != nil {
		return snap, now, fmt.Errorf("read the fleet of deployment %s of %s: %w", d.ID, d.Profile, err)
	}
	if now.IsZero() { // no targets, no samples to ask for
		now = e.store.Clock()
	}
	return snap, now, nil
}

// Back says what RollbackProfile goes back from and to.
type Back struct {
	Record  profile.Record
	To      profile.Version // the version to bring back
	Refused profile.Version // the version that runs now and is not deployed again by itself
	ID      string          // of the new deployment
	Actor   string
	Reason  string
	Basis   *Basis // what must still be so; nil when nothing need be
}

// RollbackProfile gives an earlier, completed version of a profile to all of
// its instances at once, and puts the profile on hold. An active deployment is
// superseded. It returns ErrReason or ErrNoWayBack, and ErrStale when its basis
// is not so any more.
func (e *Engine) RollbackProfile(ctx context.Context, b Back) (Deployment, error) {
	defer e.store.Ahead(ctx)()
	dec, err := e.ForeseeRollback(ctx, b)
	if err != nil {
		return Deployment{}, err
	}
	dec = inTrace(ctx, dec)
	dec.Basis = b.Basis
	if err := e.store.Create(ctx, dec); err != nil {
		return Deployment{}, fmt.Errorf("store the rollback of %s: %w", b.Record.Name, err)
	}
	e.stored(ctx, Deployment{State: Pending}, dec)
	e.Wake()
	return e.store.Deployment(ctx, b.ID)
}

// ForeseeOrder is what an order for a deployment would decide now. It stores
// nothing; its errors are those of Order.
func (e *Engine) ForeseeOrder(ctx context.Context, id string, order Order, actor, reason string) (Decision, error) {
	decide, ok := orders[order]
	if !ok {
		return Decision{}, fmt.Errorf("unknown order %q", order)
	}
	d, snap, now, err := e.readForOrder(ctx, id)
	if err != nil {
		return Decision{}, err
	}
	return decide(d, snap, actor, reason, now)
}

// ForeseeRollback is what RollbackProfile would decide now. It stores nothing;
// it returns ErrReason or ErrNoWayBack.
func (e *Engine) ForeseeRollback(ctx context.Context, b Back) (Decision, error) {
	d := Deployment{ID: b.ID, Profile: b.Record.Name, Selector: selector(b.Record)}
	snap, now, err := e.fleet(ctx, d, func(d Deployment, _ time.Time) func(Snapshot) []Reading { return exposedBy(d, b.Refused.Number) })
	if err != nil {
		return Decision{}, err
	}
	return NewRollback(b.Record, b.To, b.Refused, b.Actor, b.Reason, snap, b.ID, now)
}
