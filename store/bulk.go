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

// shape is all of a statement that its text depends on.
type shape struct {
	rows int
	same uint64 // a bit for each column that says the same in all rows
}

func (s shape) isSame(column int) bool { return s.same>>column&1 == 1 }

// text is the statement of a shape. The embedded engine takes a $1 for a name, and looks
// each name up among all before it: it is given as few as can be.
func (b bulk) text(e *engine, of shape) string {
	var s strings.Builder
	s.WriteString("INSERT INTO " + b.table + " (" + strings.Join(b.columns, ", ") + ") VALUES ")
	for row := range of.rows {
		for i := range b.columns {
			switch {
			case i > 0:
				s.WriteString(", ")
			case row > 0:
				s.WriteString("), (")
			default:
				s.WriteString("(")
			}
			argument := "?"
			switch {
			case e != sqliteEngine:
				argument = "$" + strconv.Itoa(row*len(b.columns)+i+1)
			case row > 0 && of.isSame(i):
				argument = "?" + strconv.Itoa(i+1)
			}
			if b.types[i] == "jsonb" {
				argument = "jsonb(" + argument + ")"
			}
			s.WriteString(argument)
		}
	}
	s.WriteString(") ")
	s.WriteString(b.after)
	return s.String()
}

// once leaves out of the arguments what the first row says of all the others too, as it
// does of most columns in a first sync.
func (b bulk) once(args []any) ([]any, shape) {
	columns := len(b.columns)
	of := shape{rows: len(args) / columns}
	for i := range columns {
		same := true
		for j := i + columns; j < len(args) && same; j += columns {
			_, bytes := args[j].([]byte) // which cannot be compared so
			same = !bytes && args[j] == args[i]
		}
		if same {
			of.same |= 1 << i
		}
	}
	kept := args[:columns]
	for i, arg := range args[columns:] {
		if !of.isSame(i % columns) {
			kept = append(kept, arg)
		}
	}
	return kept, of
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
	if n <= b.whole() {
		c := b.chunk(tx.engine, 0, n, values)
		if c.err == nil {
			c.err = run(unprepared{tx.Tx, b.text(tx.engine, c.of)}, c.args)
		}
		return tx.explain(c.err)
	}
	whole, next := b.whole(), b.chunk
	if b.arrays(tx.engine) {
		whole, next = rowsOfArrays, b.arraysChunk
	}
	var by prepared
	defer by.close()
	for from := 0; from < n; from += whole {
		c := next(tx.engine, from, min(whole, n-from), values)
		if c.err != nil {
			return c.err
		}
		err := by.prepare(ctx, tx, b, c.of)
		if err == nil {
			err = run(by.Stmt, c.args)
		}
		if err != nil {
			return tx.explain(err)
		}
	}
	return nil
}

// prepared is a statement that mostly runs several times.
type prepared struct {
	*sql.Stmt

	of shape
}

// prepare makes it the bulk's statement of that shape.
func (p *prepared) prepare(ctx context.Context, tx session, b bulk, of shape) (err error) {
	if p.Stmt != nil && p.of == of {
		return nil
	}
	p.close()
	text := ""
	if b.arrays(tx.engine) {
		text = b.arraysText()
	} else {
		text = b.text(tx.engine, of)
	}
	p.of = of
	p.Stmt, err = tx.PrepareContext(ctx, text)
	return err
}

func (p *prepared) close() {
	if p.Stmt != nil {
		p.Close() //nolint:errcheck,gosec // it ends with the transaction at the latest
	}
}

// chunk is what one statement writes.
type chunk struct {
	of   shape
	args []any
	err  error
}

// chunk is the one for some rows.
func (b bulk) chunk(e *engine, from, rows int, values func(i int) []any) (c chunk) {
	c.of = shape{rows: rows}
	if c.args, c.err = b.arguments(e, from, rows, values); c.err == nil && e == sqliteEngine {
		c.args, c.of = b.once(c.args)
	}
	return c
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
