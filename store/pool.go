package store

import (
	"context"
	"database/sql"
)

// pools are connections for one kind of work: those for everybody, and those
// that are reserved for rollouts. A crowd that waits for the first is not in the
// way of a rollback.
type pools struct {
	usual, reserved *sql.DB
	engine          *engine
}

type urgentKey struct{}

// Urgent marks work that must not wait behind others: the steps of rollouts,
// and what a person does in an emergency. The store's reserved connections
// serve it.
func Urgent(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgentKey{}, true)
}

func (p pools) of(ctx context.Context) *sql.DB {
	if ctx.Value(urgentKey{}) != nil {
		return p.reserved
	}
	return p.usual
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
