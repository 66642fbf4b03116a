package store

import (
	"context"
	"database/sql"
	"slices"
	"sync/atomic"
)

// pools are connections by how urgent the work is: those for everybody, those of
// the steps of rollouts, and those that only orders have. A crowd that waits for
// the others is not in the way of a rollback.
type pools struct {
	usual, steps, orders *sql.DB
	engine               *engine
	lane                 *lane // nil where each has connections of its own
	ahead                *ahead
}

// lane is for writers that share one connection. Each usual one takes its turn before
// it stands in the line: then the steps of rollouts wait for one of them at the most,
// however many there are. An order waits for none.
type lane struct {
	turn    chan struct{}
	line    line
	waiting atomic.Int64 // urgent ones too
}

func newLane() *lane { return &lane{turn: make(chan struct{}, 1)} }

// enter waits for the caller's turn. What it returns gives it to the next.
func (l *lane) enter(ctx context.Context) (next func(), err error) {
	if l == nil {
		return func() {}, nil
	}
	if urgencyOf(ctx) != usual {
		return l.line.stand(ctx)
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	leave, err := l.line.stand(ctx)
	if err != nil {
		<-l.turn
		return nil, err
	}
	return func() { leave(); <-l.turn }, nil
}

// urgency is how long work may wait.
type urgency int

const (
	usual urgency = iota
	steps
	orders
)

type urgencyKey struct{}

// Urgent marks what must wait for nobody: what a person does in an emergency. The
// store keeps connections for it.
func Urgent(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgencyKey{}, orders)
}

// Stepping marks the steps of rollouts, which wait for orders, and not for the
// crowd.
func Stepping(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgencyKey{}, steps)
}

// Usual takes the mark of Urgent away: for what a stranger can ask for at an
// urgent door, as often as he likes.
func Usual(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgencyKey{}, usual)
}

func urgencyOf(ctx context.Context) urgency {
	u, _ := ctx.Value(urgencyKey{}).(urgency)
	return u
}

func (p pools) of(ctx context.Context) *sql.DB {
	switch urgencyOf(ctx) {
	case orders:
		return p.orders
	case steps:
		return p.steps
	}
	return p.usual
}

// conn waits for a connection of its own, as long as ctx allows. What it
// returns beside it gives the turn to the next.
func (p pools) conn(ctx context.Context) (conn *sql.Conn, next func(), err error) {
	p.ahead.letBy(ctx)
	if p.lane != nil {
		p.lane.waiting.Add(1)
		defer p.lane.waiting.Add(-1)
	}
	if next, err = p.lane.enter(ctx); err != nil {
		return nil, nil, err
	}
	if conn, err = p.of(ctx).Conn(ctx); err != nil {
		next()
		return nil, nil, err
	}
	return conn, next, nil
}

// QueryContext reads rows.
func (p pools) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.yield(ctx)
	rows, err := p.of(ctx).QueryContext(ctx, query, p.engine.values(args)...)
	return rows, p.engine.explain(err)
}

// QueryRowContext reads one row.
func (p pools) QueryRowContext(ctx context.Context, query string, args ...any) scanner {
	p.yield(ctx)
	return row{p.of(ctx).QueryRowContext(ctx, query, p.engine.values(args)...), p.engine}
}

// yield lets orders by before the steps of rollouts read: they would read a whole
// fleet meanwhile.
func (p pools) yield(ctx context.Context) {
	if urgencyOf(ctx) == steps {
		p.ahead.letBy(ctx)
	}
}

func (p pools) explain(err error) error { return p.engine.explain(err) }

// all lists each pool once.
func (p pools) all() []*sql.DB {
	var out []*sql.DB
	for _, db := range []*sql.DB{p.usual, p.steps, p.orders} {
		if db != nil && !slices.Contains(out, db) {
			out = append(out, db)
		}
	}
	return out
}

// session is a transaction.
type session struct {
	*sql.Tx
	engine *engine
	conn   *sql.Conn // that it is on
}

var _, _ querier = pools{}, session{}

// QueryContext reads rows.
func (s session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := s.Tx.QueryContext(ctx, query, s.engine.values(args)...)
	return rows, s.engine.explain(err)
}

// QueryRowContext reads one row.
func (s session) QueryRowContext(ctx context.Context, query string, args ...any) scanner {
	return row{s.Tx.QueryRowContext(ctx, query, s.engine.values(args)...), s.engine}
}

// ExecContext changes rows.
func (s session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := s.Tx.ExecContext(ctx, query, s.engine.values(args)...)
	return result, s.engine.explain(err)
}

func (s session) explain(err error) error { return s.engine.explain(err) }
