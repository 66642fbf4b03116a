package store

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// pools are connections for one kind of work: those for everybody, and those
// that are reserved for rollouts. A crowd that waits for the first is not in the
// way of a rollback.
type pools struct {
	usual, reserved *sql.DB
	engine          *engine
	lane            *lane // nil where connections are reserved
}

// lane is for writers that share one connection. Each usual one takes its turn:
// then a rollback waits for one of them at the most, however many there are.
type lane struct {
	turn    chan struct{}
	waiting atomic.Int64 // urgent ones too
}

func newLane() *lane { return &lane{turn: make(chan struct{}, 1)} }

// enter waits for the caller's turn. What it returns gives it to the next.
func (l *lane) enter(ctx context.Context) (next func(), err error) {
	if l == nil || isUrgent(ctx) {
		return func() {}, nil
	}
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type urgentKey struct{}

// Urgent marks work that must not wait behind others: the steps of rollouts,
// and what a person does in an emergency. The store's reserved connections
// serve it.
func Urgent(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgentKey{}, true)
}

// Usual takes the mark of Urgent away: for what a stranger can ask for at an
// urgent door, as often as he likes.
func Usual(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgentKey{}, false)
}

func isUrgent(ctx context.Context) bool {
	urgent, _ := ctx.Value(urgentKey{}).(bool)
	return urgent
}

func (p pools) of(ctx context.Context) *sql.DB {
	if isUrgent(ctx) {
		return p.reserved
	}
	return p.usual
}

// conn waits for a connection of its own, as long as ctx allows. What it
// returns beside it gives the turn to the next.
func (p pools) conn(ctx context.Context) (conn *sql.Conn, next func(), err error) {
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
	rows, err := p.of(ctx).QueryContext(ctx, query, p.engine.values(args)...)
	return rows, p.engine.explain(err)
}

// QueryRowContext reads one row.
func (p pools) QueryRowContext(ctx context.Context, query string, args ...any) scanner {
	return row{p.of(ctx).QueryRowContext(ctx, query, p.engine.values(args)...), p.engine}
}

func (p pools) explain(err error) error { return p.engine.explain(err) }

// all lists each pool once.
func (p pools) all() []*sql.DB {
	switch {
	case p.usual == nil:
		return nil
	case p.reserved == p.usual:
		return []*sql.DB{p.usual}
	}
	return []*sql.DB{p.usual, p.reserved}
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
