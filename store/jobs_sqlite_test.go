package store_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// postingJob is a job to post a status, as another program that speaks River has it.
type postingJob struct {
	Source   string `json:"source"`
	Commit   string `json:"commit"`
	Context  string `json:"context"`
	Revision int64  `json:"revision"`
}

func (postingJob) Kind() string { return "commit_status" }

// Many jobs are put into the embedded database without River, as River does it.
func TestJobsAreWrittenAsRiverWritesThem(t *testing.T) {
	t.Parallel()
	const n = 100 // more than one statement takes
	ours, theirs := newWorld(t), newWorld(t)
	var params []river.InsertManyParams
	ours.must(ours.tx(func(tx *store.Tx) error {
		for i := range n {
			s := rollout.Status{Source: "configs", Commit: commit, Context: fmt.Sprintf(`sluice/é "%03d"`, i), State: rollout.StatusPending}
			params = append(params, river.InsertManyParams{
				Args: postingJob{s.Source, s.Commit, s.Context, 1}, InsertOpts: &river.InsertOpts{MaxAttempts: 1000},
			})
			if err := tx.SetStatus(t.Context(), s); err != nil {
				return err
			}
		}
		return nil
	}))
	db := theirs.connect()
	defer db.Close()
	client, err := river.NewClient(riversqlite.New(db), &river.Config{})
	theirs.must(err)
	_, err = client.InsertManyFast(t.Context(), params)
	theirs.must(err)
	want, got := theirs.jobs(), ours.jobs()
	if len(got) != n+1 { // and the aggregate's
		t.Fatalf("%d jobs post %d statuses and their aggregate", len(got), n)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("a job is stored as\n%s\nand by River as\n%s", got[i], want[i])
		}
	}
}

// jobs are the embedded database's jobs as they are stored, but for when they were put in.
func (w *world) jobs() (out []string) {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	rows, err := db.QueryContext(w.t.Context(), `SELECT hex(args) || '|' || json(args), attempt, attempted_at, attempted_by, errors, finalized_at, kind, max_attempts,
		hex(metadata), priority, queue, state, typeof(scheduled_at), length(scheduled_at), hex(tags), unique_key, unique_states,
		typeof(created_at), length(created_at), datetime(created_at) IS NOT NULL, scheduled_at <= datetime('now', 'subsec') FROM river_job ORDER BY id`)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	columns, err := rows.Columns()
	w.must(err)
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		w.must(rows.Scan(into...))
		out = append(out, fmt.Sprint(values))
	}
	w.must(rows.Err())
	return out
}
