package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// each takes the rows of a query one by one, where there may be thousands. On
// PostgreSQL they come past database/sql, which makes a value of each column
// before it copies it: that takes longer than all the rest of the reading.
func (p pools) each(ctx context.Context, take func(scanner) error, query string, args ...any) error {
	if p.engine != postgresEngine {
		rows, err := p.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		return p.explain(taken(rows, take))
	}
	for retried := false; ; retried = true {
		err := p.eachOnce(ctx, take, query, args)
		if retried || !pgconn.SafeToRetry(err) { // a connection that broke while it was idle was asked nothing
			return p.explain(err)
		}
	}
}

func (p pools) eachOnce(ctx context.Context, take func(scanner) error, query string, args []any) (err error) {
	conn, err := p.of(ctx).Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Whether an error broke the connection is known to the connection.
	if raw := conn.Raw(func(driver any) error {
		c, ok := driver.(interface{ Conn() *pgx.Conn })
		if !ok {
			err = fmt.Errorf("a connection of %T is none to PostgreSQL", driver)
			return nil
		}
		var rows pgx.Rows
		if rows, err = c.Conn().Query(ctx, query, p.engine.values(args)...); err == nil {
			defer rows.Close()
			err = taken(rows, take)
		}
		return nil
	}); raw != nil {
		return raw
	}
	return err
}

// iterator is what both ways to read have in common.
type iterator interface {
	scanner
	Next() bool
	Err() error
}

var (
	_ iterator = (*sql.Rows)(nil)
	_ iterator = (pgx.Rows)(nil)
)

func taken(rows iterator, take func(scanner) error) error {
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
