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
	table          string
	columns, types []string
	after          string // what stands behind the values
}

// into is a bulk for a table. Where something stands behind the values, columns that are
// no text have their type behind their name.
func into(table, columns, after string) bulk {
	b := bulk{table: table, after: after}
	for column := range strings.SplitSeq(columns, ",") {
		name, kind, typed := strings.Cut(strings.TrimSpace(column), " ")
		if !typed {
			kind = "text"
		}
		b.columns, b.types = append(b.columns, name), append(b.types, kind)
	}
	return b
}

// whole is how many rows go into one statement.
func (b bulk) whole() int { return max(1, maxRowArguments/len(b.columns)) }

// text is the statement for n rows. The embedded engine takes a $1 for a name, and
// looks each name up among all before it: it is given none.
func (b bulk) text(e *engine, n int) string {
	var s strings.Builder
	s.WriteString("INSERT INTO " + b.table + " (" + strings.Join(b.columns, ", ") + ") VALUES ")
	for i := range n * len(b.columns) {
		switch {
		case i == 0:
			s.WriteString("(")
		case i%len(b.columns) == 0:
			s.WriteString("), (")
		default:
			s.WriteString(", ")
		}
		if e == sqliteEngine {
			s.WriteString("?")
			continue
		}
		s.WriteString("$")
		s.WriteString(strconv.Itoa(i + 1))
	}
	s.WriteString(") ")
	s.WriteString(b.after)
	return s.String()
}

// write writes n rows, the values of which it asks for one after the other.
func (b bulk) write(ctx context.Context, tx session, n int, values func(i int) []any) (written int64, err error) {
	if b.copies(tx) && n > b.whole() {
		return b.copyRows(ctx, tx, n, values)
	}
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
	whole := b.whole()
	if n <= whole {
		args, err := b.arguments(tx.engine, 0, n, values)
		if err == nil {
			err = run(unprepared{tx.Tx, b.text(tx.engine, n)}, args)
		}
		return tx.explain(err)
	}
	text := ""
	if b.arrays(tx.engine) {
		whole, text = rowsOfArrays, b.arraysText()
	} else {
		text = b.text(tx.engine, whole)
	}
	prepared, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return tx.explain(err)
	}
	defer prepared.Close() //nolint:errcheck // it ends with the transaction at the latest
	for from := 0; from < n; from += whole {
		rows := min(whole, n-from)
		args, err := b.arguments(tx.engine, from, rows, values)
		if err == nil && b.arrays(tx.engine) {
			args, err = b.byColumn(args)
		}
		if err != nil {
			return err
		}
		var by statement = prepared
		if rows < whole && !b.arrays(tx.engine) {
			by = unprepared{tx.Tx, b.text(tx.engine, rows)}
		}
		if err := run(by, args); err != nil {
			return tx.explain(err)
		}
	}
	return nil
}

// arguments are the values of some rows as the engine takes them.
func (b bulk) arguments(e *engine, from, rows int, values func(i int) []any) (args []any, err error) {
	args = make([]any, 0, rows*len(b.columns))
	for i := from; i < from+rows; i++ {
		args = append(args, values(i)...)
	}
	for i, arg := range args {
		if v, ok := e.value(arg); ok {
			args[i] = v
		} else if json, ok := arg.(object); ok {
			if args[i], err = json.Value(); err != nil {
				return nil, err
			}
		}
	}
	return args, nil
}

// andMore names the first of n things that were to be written.
func andMore(first string, n int) string {
	if n == 1 {
		return first
	}
	return fmt.Sprintf("%s and %d more", first, n-1)
}
