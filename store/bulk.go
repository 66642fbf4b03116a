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
	rows int    // none where they go in as arrays of whatever length
	same uint64 // a bit for each column that says the same in all rows
}

// ofArrays is that of a statement that takes an array of each column.
var ofArrays = shape{}

func (s shape) isSame(column int) bool { return s.same>>column&1 == 1 }

// text is the statement of a shape. The embedded engine takes a $1 for a name, and looks
// each name up among all before it: it is given as few as can be.
func (b bulk) text(e *engine, of shape) string {
	if of == ofArrays {
		return b.arraysText()
	}
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
			if e == sqliteEngine && b.types[i] == "jsonb" {
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

// statement is one that is prepared, or is not worth it.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
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

// chunks runs one statement after the other until all rows are written.
func (b bulk) chunks(ctx context.Context, tx session, n int, values func(i int) []any, run func(statement, []any) error) error {
	whole := b.whole()
	if n <= whole {
		args, of, err := b.chunk(tx.engine, 0, n, values)
		if err == nil {
			err = run(unprepared{tx.Tx, b.text(tx.engine, of)}, args)
		}
		return tx.explain(err)
	}
	if b.arrays(tx.engine) {
		whole = rowsOfArrays
	}
	var by prepared
	defer by.close()
	for from := 0; from < n; from += whole {
		args, of, err := b.chunk(tx.engine, from, min(whole, n-from), values)
		if err == nil && b.arrays(tx.engine) {
			of = ofArrays
			args, err = b.byColumn(args)
		}
		if err != nil {
			return err
		}
		if err = by.prepare(ctx, tx, b, of); err == nil {
			err = run(by.Stmt, args)
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
	p.of = of
	p.Stmt, err = tx.PrepareContext(ctx, b.text(tx.engine, of))
	return err
}

func (p *prepared) close() {
	if p.Stmt != nil {
		p.Close() //nolint:errcheck,gosec // it ends with the transaction at the latest
	}
}

// chunk are the arguments of one statement that writes some rows, and its shape.
func (b bulk) chunk(e *engine, from, rows int, values func(i int) []any) ([]any, shape, error) {
	args, err := b.arguments(e, from, rows, values)
	if err == nil && e == sqliteEngine {
		args, of := b.once(args)
		return args, of, nil
	}
	return args, shape{rows: rows}, err
}

// arguments are the values of some rows as the engine takes them.
func (b bulk) arguments(e *engine, from, rows int, values func(i int) []any) ([]any, error) {
	args := make([]any, 0, rows*len(b.columns))
	for i := from; i < from+rows; i++ {
		args = append(args, values(i)...)
	}
	return args, taken(e, args)
}

// taken makes of arguments what the engine takes.
func taken(e *engine, args []any) (err error) {
	for i, arg := range args {
		if v, ok := e.value(arg); ok {
			args[i] = v
		} else if json, ok := arg.(object); ok {
			if args[i], err = json.Value(); err != nil {
				return err
			}
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
