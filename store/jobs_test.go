package store_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
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

// Many jobs are put into the database without River, as River does it.
func TestJobsAreWrittenAsRiverWritesThem(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, ours *world) {
		const n = 100 // more than one statement takes
		ctx := t.Context()
		theirs := engines[ours.either("sqlite", "postgres")](t)
		ours.must(ours.Close())
		ours.Store = open(t, ours.path) // without the test's clock, which is none of the database's
		var params []river.InsertManyParams
		ours.must(ours.InTx(ctx, func(tx *store.Tx) error {
			for i := range n {
				s := rollout.Status{Source: "configs", Commit: commit, Context: fmt.Sprintf(`sluice/é "%03d"`, i), State: rollout.StatusPending}
				params = append(params, river.InsertManyParams{
					Args: postingJob{s.Source, s.Commit, s.Context, 1}, InsertOpts: &river.InsertOpts{MaxAttempts: 1000},
				})
				if err := tx.SetStatus(ctx, s); err != nil {
					return err
				}
			}
			return nil
		}))
		db, err := sql.Open(theirs.driver, theirs.either("file:"+theirs.path, theirs.path))
		theirs.must(err)
		defer db.Close()
		var driver riverdriver.Driver[*sql.Tx] = riversqlite.New(db)
		if !theirs.sqlite() {
			driver = riverdatabasesql.New(db)
		}
		client, err := river.NewClient(driver, &river.Config{})
		theirs.must(err)
		_, err = client.InsertManyFast(ctx, params)
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
	})
}

// jobs are the jobs as they are stored. Of when they were put in and are due it is only
// said that it is past, and how it is written.
func (w *world) jobs() (out []string) {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	rows, err := db.QueryContext(w.t.Context(), w.either(
		`SELECT json_array(hex(args), json(args), attempt, attempted_at, hex(attempted_by), hex(errors), finalized_at, kind, max_attempts, hex(metadata), priority,
			queue, state, hex(tags), hex(unique_key), unique_states, typeof(created_at), length(created_at), datetime(created_at) IS NOT NULL,
			typeof(scheduled_at), length(scheduled_at), scheduled_at <= datetime('now', 'subsec')) FROM river_job ORDER BY id`,
		`SELECT (to_jsonb(j) - 'id' - 'created_at' - 'scheduled_at' || jsonb_build_object('created', created_at <= clock_timestamp(),
			'due', scheduled_at <= clock_timestamp()))::text FROM river_job j ORDER BY id`))
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	for rows.Next() {
		var job string
		w.must(rows.Scan(&job))
		out = append(out, job)
	}
	w.must(rows.Err())
	return out
}
