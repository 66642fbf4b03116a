package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// sessionJobs is River's driver for who puts jobs into the outbox in a session. Many at
// once are written as other rows are: River's own statements have the embedded engine
// parse, print and parse each job again, and PostgreSQL take twelve arrays as text.
type sessionJobs struct{ riverdriver.Driver[*sql.Tx] }

// UnwrapExecutor is what writes in a session.
func (d sessionJobs) UnwrapExecutor(in session) riverdriver.ExecutorTx {
	return jobRows{d.Driver.UnwrapExecutor(in.Tx), in}
}

// UnwrapTx is the session that it writes in.
func (d sessionJobs) UnwrapTx(by riverdriver.ExecutorTx) session {
	if rows, ok := by.(jobRows); ok {
		return rows.in
	}
	return session{Tx: d.Driver.UnwrapTx(by)}
}

type jobRows struct {
	riverdriver.ExecutorTx

	in session
}

// insertJobs is the statement that adds jobs which are to be worked at once.
var insertJobs = into("river_job", `args jsonb, kind, max_attempts smallint, metadata jsonb, priority smallint, queue,
	created_at timestamptz, scheduled_at timestamptz`, "")

// JobInsertFastManyNoReturning adds jobs. Few of them, and any that are special, it
// leaves to River.
func (r jobRows) JobInsertFastManyNoReturning(ctx context.Context, params *riverdriver.JobInsertFastManyParams) (int, error) {
	jobs := params.Jobs
	if params.Schema != "" || !r.in.engine.serial && len(jobs) <= insertJobs.whole() || slices.ContainsFunc(jobs, r.special) {
		return r.ExecutorTx.JobInsertFastManyNoReturning(ctx, params)
	}
	now := time.Now()
	n, err := insertJobs.write(ctx, r.in, len(jobs), func(i int) []any {
		j := jobs[i]
		return []any{string(j.EncodedArgs), j.Kind, j.MaxAttempts, cmp.Or(string(j.Metadata), "{}"), j.Priority, j.Queue,
			r.time(cmp.Or(j.CreatedAt, &now)), r.time(cmp.Or(j.ScheduledAt, &now))}
	})
	return int(n), err
}

// special is a job of which a row says more, or that is due by a clock which is not ours.
func (r jobRows) special(j *riverdriver.JobInsertFastParams) bool {
	untimed := !r.in.engine.serial && (j.CreatedAt == nil || j.ScheduledAt == nil)
	return untimed || j.ID != nil || len(j.UniqueKey) > 0 || len(j.Tags) > 0 || j.State != rivertype.JobStateAvailable
}

// time is a time as River compares it.
func (r jobRows) time(t *time.Time) any {
	if r.in.engine.serial {
		return t.UTC().Format("2006-01-02 15:04:05.000")
	}
	return stamp(*t)
}
