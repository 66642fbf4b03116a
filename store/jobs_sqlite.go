package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// sqliteJobs is River's driver for the embedded database, but for many jobs at once: those
// are written as other rows are. River gives the engine one JSON of all of them, and has
// each job parsed, printed and parsed again.
type sqliteJobs struct{ *riversqlite.Driver }

// UnwrapExecutor is what writes in a transaction.
func (d sqliteJobs) UnwrapExecutor(tx *sql.Tx) riverdriver.ExecutorTx {
	return jobRows{d.Driver.UnwrapExecutor(tx), tx}
}

// UnwrapTx is the transaction that it writes in.
func (d sqliteJobs) UnwrapTx(by riverdriver.ExecutorTx) *sql.Tx {
	if rows, ok := by.(jobRows); ok {
		return rows.tx
	}
	return d.Driver.UnwrapTx(by)
}

type jobRows struct {
	riverdriver.ExecutorTx

	tx *sql.Tx
}

// insertJobs is the statement that adds jobs.
var insertJobs = into("river_job", `args jsonb, kind, max_attempts, metadata jsonb, priority, queue, state, tags jsonb, created_at, scheduled_at`, "")

// JobInsertFastManyNoReturning adds jobs. Those that are unique it leaves to River.
func (r jobRows) JobInsertFastManyNoReturning(ctx context.Context, params *riverdriver.JobInsertFastManyParams) (int, error) {
	jobs := params.Jobs
	if params.Schema != "" || slices.ContainsFunc(jobs, func(j *riverdriver.JobInsertFastParams) bool { return j.ID != nil || len(j.UniqueKey) > 0 }) {
		return r.ExecutorTx.JobInsertFastManyNoReturning(ctx, params)
	}
	now := time.Now()
	n, err := insertJobs.write(ctx, session{Tx: r.tx, engine: sqliteEngine}, len(jobs), func(i int) []any {
		j := jobs[i]
		return []any{string(j.EncodedArgs), j.Kind, j.MaxAttempts, cmp.Or(string(j.Metadata), "{}"), j.Priority, j.Queue, j.State, asJSON(j.Tags),
			jobTime(cmp.Or(j.CreatedAt, &now)), jobTime(cmp.Or(j.ScheduledAt, &now))}
	})
	return int(n), err
}

// jobTime is a time as River compares it in the embedded database.
func jobTime(t *time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }
