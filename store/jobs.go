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

// jobsTx is a session in which jobs are put into the outbox.
type jobsTx struct {
	session

	questions *[]question // that put few of them there, where they are sent with others; nil: at once
}

// putJob puts a job into the outbox at once.
func (tx *Tx) putJob(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error {
	_, err := tx.s.jobs.InsertTx(ctx, jobsTx{session: tx.tx}, args, opts)
	return err
}

// askingJobs are the questions that put jobs into the outbox. Many are put there at once,
// and so are all on the embedded engine, where there is nothing to save.
func (tx *Tx) askingJobs(ctx context.Context, jobs []river.InsertManyParams) (questions []question, err error) {
	for some := range slices.Chunk(jobs, jobsAtOnce) {
		if _, err := tx.s.jobs.InsertManyFastTx(ctx, jobsTx{tx.tx, &questions}, some); err != nil {
			return nil, fmt.Errorf("put %d jobs into the outbox: %w", len(jobs), err)
		}
	}
	return questions, nil
}

// sessionJobs is River's driver for who puts jobs into the outbox in a session. They are
// written as other rows are: River's own statements have the embedded engine parse, print
// and parse each job again, PostgreSQL take twelve arrays as text, and few jobs wait for
// an answer of their own.
type sessionJobs struct{ riverdriver.Driver[*sql.Tx] }

// UnwrapExecutor is what writes in a session.
func (d sessionJobs) UnwrapExecutor(in jobsTx) riverdriver.ExecutorTx {
	return jobRows{d.Driver.UnwrapExecutor(in.Tx), in}
}

// UnwrapTx is the session that it writes in.
func (d sessionJobs) UnwrapTx(by riverdriver.ExecutorTx) jobsTx {
	if rows, ok := by.(jobRows); ok {
		return rows.in
	}
	return jobsTx{session: session{Tx: d.Driver.UnwrapTx(by)}}
}

// SupportsListenNotify has nobody told of a job: whoever works them off polls.
func (sessionJobs) SupportsListenNotify() bool { return false }

type jobRows struct {
	riverdriver.ExecutorTx

	in jobsTx
}

// insertJobs is the statement that adds jobs which are to be worked at once.
var insertJobs = into("river_job", `args jsonb, kind, max_attempts smallint, metadata jsonb, priority smallint, queue,
	created_at timestamptz, scheduled_at timestamptz`, "")

// JobInsertFastManyNoReturning adds jobs. Any that are special it leaves to River.
func (r jobRows) JobInsertFastManyNoReturning(ctx context.Context, params *riverdriver.JobInsertFastManyParams) (int, error) {
	jobs := params.Jobs
	if params.Schema != "" || slices.ContainsFunc(jobs, r.special) {
		return r.ExecutorTx.JobInsertFastManyNoReturning(ctx, params)
	}
	now := time.Now()
	row := func(i int) []any {
		j := jobs[i]
		return []any{string(j.EncodedArgs), j.Kind, j.MaxAttempts, cmp.Or(string(j.Metadata), "{}"), j.Priority, j.Queue,
			r.time(cmp.Or(j.CreatedAt, &now)), r.time(cmp.Or(j.ScheduledAt, &now))}
	}
	if r.in.questions == nil || r.in.engine.serial {
		n, err := insertJobs.write(ctx, r.in.session, len(jobs), row)
		return int(n), err
	}
	asking, err := insertJobs.asking(ctx, r.in.session, fmt.Sprintf("put %d jobs into the outbox", len(jobs)), len(jobs), row)
	*r.in.questions = append(*r.in.questions, asking...)
	return len(jobs), err
}

// special is a job of which a row says more, or that is due by a clock which is not ours.
func (r jobRows) special(j *riverdriver.JobInsertFastParams) bool {
	untimed := !r.in.engine.serial && (j.CreatedAt == nil || j.ScheduledAt == nil)
	return untimed || j.ID != nil || len(j.UniqueKey) > 0 || len(j.Tags) > 0 || j.State != rivertype.JobStateAvailable
}

// time is a time as River compares it.
func (r jobRows) time(t *time.Time) any { return r.in.engine.jobTime(*t) }

// jobTime is a time in a row of River's, as it compares it.
func (e *engine) jobTime(t time.Time) any {
	if e.serial {
		return t.UTC().Format("2006-01-02 15:04:05.000")
	}
	return stamp(t)
}
