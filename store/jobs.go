package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// askingJobs are the questions that put jobs into the outbox. Many jobs are put there at once.
func (tx *Tx) askingJobs(ctx context.Context, jobs []river.InsertManyParams) (questions []question, err error) {
	in := tx.tx
	in.jobs = &questions
	for some := range slices.Chunk(jobs, jobsAtOnce) {
		if _, err := tx.s.jobs.InsertManyFastTx(ctx, in, some); err != nil {
			return nil, fmt.Errorf("put %d jobs into the outbox: %w", len(jobs), err)
		}
	}
	return questions, nil
}

// sessionJobs is River's driver for who puts jobs into the outbox in a session. Several at
// once are written as other rows are, and few of them with others: River's own statements have
// the embedded engine parse, print and parse each job again, and PostgreSQL take twelve arrays
// as text.
type sessionJobs struct{ riverdriver.Driver[*sql.Tx] }

// SupportsListenNotify has nobody told of them: whoever works them off polls.
func (sessionJobs) SupportsListenNotify() bool { return false }

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

// JobInsertFastManyNoReturning adds jobs. Any that are special it leaves to River.
func (r jobRows) JobInsertFastManyNoReturning(ctx context.Context, params *riverdriver.JobInsertFastManyParams) (int, error) {
	jobs := params.Jobs
	if params.Schema != "" || r.in.jobs == nil || slices.ContainsFunc(jobs, special) {
		return r.ExecutorTx.JobInsertFastManyNoReturning(ctx, params)
	}
	now := time.Now()
	asking, err := insertJobs.asking(ctx, r.in, fmt.Sprintf("put %d jobs into the outbox", len(jobs)), len(jobs), func(i int) []any {
		j := jobs[i]
		return []any{string(j.EncodedArgs), j.Kind, j.MaxAttempts, cmp.Or(string(j.Metadata), "{}"), j.Priority, j.Queue,
			r.time(cmp.Or(j.CreatedAt, &now)), r.time(cmp.Or(j.ScheduledAt, &now))}
	})
	*r.in.jobs = append(*r.in.jobs, asking...)
	return len(jobs), err
}

// special is a job of which a row says more.
func special(j *riverdriver.JobInsertFastParams) bool {
	return j.ID != nil || len(j.UniqueKey) > 0 || len(j.Tags) > 0 || j.State != rivertype.JobStateAvailable
}

// time is a time as River compares it.
func (r jobRows) time(t *time.Time) any {
	if r.in.engine.serial {
		return t.UTC().Format("2006-01-02 15:04:05.000")
	}
	return stamp(*t)
}
