package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
)

// engine is what the two databases do differently. Everything else in this
// package is written once.
type engine struct {
	// serial says that one process has the database to itself and runs one
	// writing transaction after the other. Nothing needs a lock then, and whatever
	// a process that is gone was at is known to be over.
	serial bool
	// lock ends a SELECT whose rows stay as they are until the transaction ends.
	lock string
	// keep ends one whose rows are not removed until then.
	keep string
	// asked stands before the arguments of a statement that is planned for these. PostgreSQL plans a
	// prepared one for any, and walks a whole table by its order for the few rows of a rare state.
	asked []any
	// steady is the isolation in which every read of a transaction sees the same.
	steady sql.IsolationLevel

	value   func(arg any) (driver.Value, bool) // how an argument goes in; false for one that goes as it is
	explain func(err error) error              // adds what a caller can act on
	repeat  func(err error) bool               // the transaction did nothing, and may run again
	denied  func(err error) bool               // the database said that it did not commit
	astray  func(err error) bool               // the connection leads to a server that takes no writes
	full    func(err error) bool               // it answers and takes no writes: no room, or read-only

	dialect    goose.Dialect
	migrations func() (fs.FS, error)
	river      func(db *sql.DB) riverdriver.Driver[*sql.Tx]
}

// text is a statement, or a part of one, for which the engines have no common form.
type text struct{ sqlite, postgres string }

func (e *engine) pick(t text) string {
	if e == sqliteEngine {
		return t.sqlite
	}
	return t.postgres
}

// in is the condition that a column is one of the strings in the JSON array of
// the n-th argument. PostgreSQL looks an array up in an index; a join with the
// list it would guess to be better off reading the table.
func (e *engine) in(column string, n int) string {
	return fmt.Sprintf(e.pick(text{
		sqlite:   `%s IN (SELECT value FROM json_each($%d))`,
		postgres: `%s = ANY (ARRAY(SELECT json_array_elements_text($%d::json)))`,
	}), column, n)
}

// eachByItself ends a query that PostgreSQL runs for each row of a list. It does not
// know how long a list is, and would read a whole table for one row of it.
const eachByItself = ` OFFSET 0`

// querier is a database or a transaction, to read from.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) scanner
	explain(err error) error
}

// scanner is a row to scan.
type scanner interface{ Scan(dest ...any) error }

// row names what is wrong when its query failed.
type row struct {
	*sql.Row
	engine *engine
}

// Scan copies the columns.
func (r row) Scan(dest ...any) error { return r.engine.explain(r.Row.Scan(dest...)) }

// values are arguments as the engine takes them.
func (e *engine) values(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		if v, ok := e.value(arg); ok {
			out[i] = v
		} else {
			out[i] = arg
		}
	}
	return out
}
