package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
)

// askingJobs are the questions that put jobs into the outbox. Many jobs are put there at
// once, and so are all on the embedded engine, where there is nothing to save.
func (tx *Tx) askingJobs(ctx context.Context, jobs []river.InsertManyParams) (questions []question, err error) {
	what := fmt.Sprintf("put %d jobs into the outbox", len(jobs))
	for some := range slices.Chunk(jobs, jobsAtOnce) {
		if tx.s.asked == nil {
			_, err = tx.s.jobs.InsertManyFastTx(ctx, tx.tx.Tx, some)
		} else {
			rows := copied{what: what, to: tx.tx, few: len(some) <= fewJobs}
			_, err = tx.s.asked.InsertManyFastTx(ctx, &rows, some)
			questions = append(questions, rows.questions...)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	return questions, nil
}

// fewJobs is how many are worth a question: beyond it a COPY of their own costs less.
const fewJobs = 40

// unheard tells nobody of a job that is put into the outbox: whoever works them off polls.
type unheard struct{ riverdriver.Driver[pgx.Tx] }

// SupportsListenNotify says that it does not.
func (unheard) SupportsListenNotify() bool { return false }

// copied is a transaction to River, which copies jobs into it. Few become a question: a
// COPY waits for an answer of its own.
type copied struct {
	pgx.Tx
	what      string
	to        session
	few       bool
	questions []question
}

// CopyFrom takes rows for a table.
func (c *copied) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (n int64, err error) {
	if !c.few {
		n, err := copyFrom(ctx, c.to.conn, table, columns, rows)
		return n, c.to.explain(err)
	}
	q := question{what: c.what}
	for ; rows.Next(); n++ {
		values, err := rows.Values()
		if err != nil {
			return n, err
		}
		q.args = append(q.args, values...)
	}
	b := bulk{table: table.Sanitize(), columns: columns, types: make([]string, len(columns))}
	q.text = b.text(postgresEngine, shape{rows: int(n)})
	c.questions = append(c.questions, q)
	return n, rows.Err()
}
