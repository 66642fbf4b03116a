package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// maxRowArguments bounds the arguments of one statement that writes several rows. Both
// engines take far more, and beyond this a row costs as much as before.
const maxRowArguments = 640

// bulk is an INSERT of many rows, several in a statement: a first sync brings ten
// thousand of each kind.
type bulk struct {
	insert  string // what stands before the values
	columns int
	after   string // what stands behind them
}

// text is the statement for n rows.
func (b bulk) text(n int) string {
	var s strings.Builder
	s.WriteString(b.insert)
	for i := range n * b.columns {
		switch {
		case i == 0:
			s.WriteString(" VALUES ($")
		case i%b.columns == 0:
			s.WriteString("), ($")
		default:
			s.WriteString(", $")
		}
		s.WriteString(strconv.Itoa(i + 1))
	}
	s.WriteString(") ")
	s.WriteString(b.after)
	return s.String()
}

// write writes n rows, the values of which it asks for one after the other.
func (b bulk) write(ctx context.Context, tx session, n int, values func(i int) []any) (written int64, err error) {
	err = b.chunks(ctx, tx, n, values, func(run statement, args []any) error {
		result, err := run.ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		more, err := result.RowsAffected()
		written += more
		return err
	})
	return written, err
}

// writeReturning does so and reads what comes back of each row.
func (b bulk) writeReturning(ctx context.Context, tx session, n int, values func(i int) []any, scan func(scanner) error) error {
	return b.chunks(ctx, tx, n, values, func(run statement, args []any) error {
		found, err := run.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			if err := scan(found); err != nil {
				return err
			}
		}
		return found.Err()
	})
}

// statement is one that is prepared, or is not worth it.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
}

// unprepared is a statement that runs once.
type unprepared struct {
	tx   *sql.Tx
	text string
}

// ExecContext runs it.
func (u unprepared) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return u.tx.ExecContext(ctx, u.text, args...)
}

// QueryContext runs it and reads rows.
func (u unprepared) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return u.tx.QueryContext(ctx, u.text, args...)
}

// chunks runs one statement after the other until all rows are written.
func (b bulk) chunks(ctx context.Context, tx session, n int, values func(i int) []any, run func(statement, []any) error) error {
	whole := max(1, maxRowArguments/b.columns)
	var prepared statement
	if n >= 2*whole {
		stmt, err := tx.PrepareContext(ctx, b.text(whole))
		if err != nil {
			return tx.explain(err)
		}
		defer stmt.Close() //nolint:errcheck // it ends with the transaction at the latest
		prepared = stmt
	}
	for from := 0; from < n; from += whole {
		count := min(whole, n-from)
		args := make([]any, 0, count*b.columns)
		for i := from; i < from+count; i++ {
			args = append(args, values(i)...)
		}
		next := prepared
		if next == nil || count < whole {
			next = unprepared{tx.Tx, b.text(count)}
		}
		if err := run(next, tx.engine.values(args)); err != nil {
			return tx.explain(err)
		}
	}
	return nil
}

// andMore names the first of n things that were to be written.
func andMore(first string, n int) string {
	if n == 1 {
		return first
	}
	return fmt.Sprintf("%s and %d more", first, n-1)
}
