package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Bounds on one COPY, so that it stays far within the time of a statement: a version may
// have a mebibyte.
const (
	rowsOfCopy  = 2000
	bytesOfCopy = 8 << 20
)

// copies says that the rows go in by COPY: PostgreSQL then parses and plans nothing for
// them, and writes a page of them at a time.
func (b bulk) copies(tx session) bool { return tx.engine == postgresEngine && b.after == "" }

// copyRows writes n rows, the values of which it asks for as the server takes them.
func (b bulk) copyRows(ctx context.Context, tx session, n int, values func(i int) []any) (written int64, err error) {
	for from := 0; from < n; {
		source := &copySource{b: b, engine: tx.engine, next: from, end: min(n, from+rowsOfCopy), values: values}
		more, err := copyFrom(ctx, tx.conn, pgx.Identifier{b.table}, b.columns, source)
		written += more
		switch {
		case source.panicked != nil:
			panic(source.panicked)
		case source.err != nil: // the server says no more than that nothing came
			return written, source.err
		case err != nil:
			return written, tx.explain(err)
		}
		from = source.next
	}
	return written, nil
}

// copyFrom runs a COPY in the transaction that the connection is in.
func copyFrom(ctx context.Context, conn *sql.Conn, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (n int64, err error) {
	// An error of the function would have the connection closed, which waits for the
	// end of the transaction.
	if raw := conn.Raw(func(driver any) error {
		var c *pgx.Conn
		if c, err = wireOf(driver); err == nil {
			n, err = c.CopyFrom(ctx, table, columns, source)
		}
		return nil
	}); raw != nil {
		return 0, raw
	}
	return n, err
}

// copySource gives rows to a COPY, which asks for them in a goroutine of its own.
type copySource struct {
	b         bulk
	engine    *engine
	next, end int
	values    func(i int) []any
	bytes     int // of texts, that were given

	row      []any
	err      error
	panicked any
}

// Next makes the next row, if there is one.
func (c *copySource) Next() bool {
	if c.next == c.end || c.bytes >= bytesOfCopy {
		return false
	}
	defer func() {
		if c.panicked = recover(); c.panicked != nil {
			c.err = fmt.Errorf("the rows of %s: %v", c.b.table, c.panicked)
		}
	}()
	c.row = c.values(c.next)
	c.err = taken(c.engine, c.row)
	c.next++
	for _, value := range c.row {
		if text, ok := value.(string); ok {
			c.bytes += len(text)
		}
	}
	return c.err == nil
}

// Values are those of the row.
func (c *copySource) Values() ([]any, error) { return c.row, nil }

// Err is why there are no more rows, nil when all were given.
func (c *copySource) Err() error { return c.err }
