package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// question is one of several statements of which none depends on another's answer.
type question struct {
	text string
	args []any
	row  func(scanner) error // takes a row; nil for a statement that gives none
	done func(n int64) error // is told how many rows there were, or were changed; it may be nil
}

// ask is a question that gives no rows.
func ask(text string, args ...any) question { return question{text: text, args: args} }

// together asks several questions, in their order, and waits for all answers once. After
// one that the database refuses no other is carried out. After one whose answer row or
// done refuses they may be: the transaction is to be rolled back then.
func (s session) together(ctx context.Context, questions ...question) error {
	if len(questions) == 0 {
		return nil
	}
	if s.engine == postgresEngine {
		return s.engine.explain(sendTogether(ctx, s.conn, s.engine, questions))
	}
	for _, q := range questions {
		if err := s.one(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (s session) one(ctx context.Context, q question) error {
	if q.row == nil {
		result, err := s.ExecContext(ctx, q.text, q.args...)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		return errors.Join(err, q.ended(n))
	}
	return askOne(ctx, s, q)
}

// together reads so outside a transaction.
func (p pools) together(ctx context.Context, questions ...question) (err error) {
	if p.engine != postgresEngine {
		for _, q := range questions {
			if err := askOne(ctx, p, q); err != nil {
				return err
			}
		}
		return nil
	}
	p.yield(ctx)
	for range 2 { // one that broke while it was idle was asked nothing
		var conn *sql.Conn
		if conn, err = p.of(ctx).Conn(ctx); err != nil {
			break
		}
		err = sendTogether(ctx, conn, p.engine, questions)
		conn.Close() //nolint:errcheck // it goes back to the pool, or is broken, which the error above says
		if !pgconn.SafeToRetry(err) {
			break
		}
	}
	return p.engine.explain(err)
}

// sendTogether sends all questions at once, past database/sql, which knows only one at a time.
func sendTogether(ctx context.Context, conn *sql.Conn, e *engine, questions []question) (err error) {
	var batch pgx.Batch
	for _, q := range questions {
		batch.Queue(q.text, e.values(q.args)...)
	}
	raw := conn.Raw(func(driver any) error {
		var c *pgx.Conn
		if c, err = wireOf(driver); err != nil {
			return nil
		}
		answers := c.SendBatch(ctx, &batch)
		for _, q := range questions {
			if err = q.answer(answers); err != nil {
				break
			}
		}
		if closing := answers.Close(); err == nil {
			err = closing
		}
		return nil // which of the errors breaks the connection is known to the connection
	})
	return errors.Join(raw, err)
}

// wireOf is what a connection of database/sql speaks to PostgreSQL by.
func wireOf(conn any) (*pgx.Conn, error) {
	c, ok := conn.(interface{ Conn() *pgx.Conn })
	if !ok {
		return nil, fmt.Errorf("a connection of %T is none to PostgreSQL", conn)
	}
	return c.Conn(), nil
}

// answer takes the answer to a question from those that come.
func (q question) answer(answers pgx.BatchResults) error {
	if q.row == nil {
		tag, err := answers.Exec()
		if err != nil {
			return err
		}
		return q.ended(tag.RowsAffected())
	}
	rows, err := answers.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	n, err := q.take(rows)
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		return err
	}
	return q.ended(n)
}

// take takes the rows of an answer, and says how many there were.
func (q question) take(rows interface {
	scanner
	Next() bool
}) (n int64, err error) {
	for ; rows.Next(); n++ {
		if err := q.row(rows); err != nil {
			return n, err
		}
	}
	return n, nil
}

// askOne asks one question that gives rows.
func askOne(ctx context.Context, by querier, q question) error {
	rows, err := by.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	n, err := q.take(rows)
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		return by.explain(err)
	}
	return q.ended(n)
}

func (q question) ended(n int64) error {
	if q.done == nil {
		return nil
	}
	return q.done(n)
}

// writeAnd writes rows and then something else, together where there are few of them.
func (b bulk) writeAnd(ctx context.Context, tx session, n int, values func(i int) []any, then question) error {
	if n*len(values(0)) > maxRowArguments {
		if _, err := b.write(ctx, tx, n, values); err != nil {
			return err
		}
		return tx.together(ctx, then)
	}
	c := b.chunk(tx.engine, 0, n, values)
	if c.err != nil {
		return c.err
	}
	return tx.together(ctx, question{text: b.text(tx.engine, c.of), args: c.args}, then)
}
