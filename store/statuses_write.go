package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// writeStatuses writes what SetStatus was told, the aggregates that follow, and a
// job of the outbox for each that changed. A pull request's check is no part of
// an aggregate.
func (tx *Tx) writeStatuses(ctx context.Context) error {
	if len(tx.statuses) == 0 && len(tx.complete) == 0 {
		return nil
	}
	before, revisions, err := tx.setStatuses(ctx, tx.spokenOf(), tx.statuses)
	if err != nil {
		return err
	}
	changes := map[commitOf]rollout.Tally{}
	for _, of := range tx.complete {
		changes[of] = rollout.Tally{}
	}
	parents := map[commitOf]string{} // of the last word that each commit's aggregate follows
	var jobs []river.InsertManyParams
	for _, status := range tx.statuses {
		key := status.key()
		revision, changed := revisions[key]
		if !changed {
			continue
		}
		jobs = append(jobs, postJob(statusJob{Source: status.Source, Commit: status.Commit, Context: status.Context, Revision: revision}, status.parent))
		parents[key.commitOf] = status.parent
		if status.Context == rollout.CheckContext {
			continue
		}
		change := changes[key.commitOf]
		if status.Context != rollout.AggregateContext { // that of a commit without profiles is set by itself
			change.Add(before[key], -1)
			change.Add(status.State, 1)
		}
		changes[key.commitOf] = change
	}
	for _, of := range sortedCommits(changes) {
		job, changed, err := tx.aggregate(ctx, of, changes[of])
		if err != nil {
			return fmt.Errorf("set the aggregate status of %s: %w", of.commit, err)
		}
		if changed {
			jobs = append(jobs, postJob(job, parents[of]))
		}
	}
	return tx.enqueueStatuses(ctx, jobs)
}

// spokenOf lists the commits that have aggregates, of those that were spoken of.
func (tx *Tx) spokenOf() []commitOf {
	seen := map[commitOf]struct{}{}
	for _, status := range tx.statuses {
		if status.Context != rollout.CheckContext {
			seen[status.key().commitOf] = struct{}{}
		}
	}
	for _, of := range tx.complete {
		seen[of] = struct{}{}
	}
	return sortedCommits(seen)
}

func sortedCommits[V any](commits map[commitOf]V) []commitOf {
	out := make([]commitOf, 0, len(commits))
	for of := range commits {
		out = append(out, of)
	}
	slices.SortFunc(out, func(a, b commitOf) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.commit, b.commit))
	})
	return out
}

// statusesBefore are the states of the statuses in the JSON array $1.
var statusesBefore = text{
	sqlite: `SELECT c.source_id, c.commit_sha, c.context, c.state FROM json_each($1) j
		CROSS JOIN commit_statuses c ON c.source_id = json_extract(j.value, '$.Source') AND c.commit_sha = json_extract(j.value, '$.Commit')
		 AND c.context = json_extract(j.value, '$.Context')`,
	postgres: `SELECT c.source_id, c.commit_sha, c.context, c.state
		FROM json_to_recordset($1::json) AS j("Source" text, "Commit" text, "Context" text)
		CROSS JOIN LATERAL (SELECT * FROM commit_statuses
			WHERE source_id = j."Source" AND commit_sha = j."Commit" AND context = j."Context"` + eachByItself + `) AS c`,
}

// putStatus is the statement that keeps what changed.
var putStatus = into("commit_statuses", `source_id, commit_sha, context, state, description, deployment_id, revision bigint, updated_at timestamptz`,
	`ON CONFLICT (source_id, commit_sha, context) DO UPDATE SET state = excluded.state, description = excluded.description,
		 deployment_id = excluded.deployment_id, revision = commit_statuses.revision + 1, updated_at = excluded.updated_at
		 WHERE commit_statuses.state <> excluded.state OR commit_statuses.description <> excluded.description
		RETURNING source_id, commit_sha, context, revision`)

// setStatuses locks commits and writes statuses, and tells the states they were in and
// the revisions of those that changed.
func (tx *Tx) setStatuses(ctx context.Context, commits []commitOf, statuses []saying) (before map[statusKey]rollout.StatusState, revisions map[statusKey]int64, err error) {
	if len(statuses) == 0 {
		return nil, nil, tx.tx.together(ctx, tx.lockingCommits(commits)...)
	}
	if before, err = tx.statesOf(ctx, commits, statuses); err != nil {
		return nil, nil, err
	}
	revisions, err = tx.putStatuses(ctx, statuses)
	return before, revisions, err
}

// statesOf locks commits and reads what states the statuses are in; one that is new
// is in none.
func (tx *Tx) statesOf(ctx context.Context, commits []commitOf, statuses []saying) (map[statusKey]rollout.StatusState, error) {
	out := make(map[statusKey]rollout.StatusState, len(statuses))
	questions := append(tx.lockingCommits(commits), question{
		text: tx.s.engine.pick(statusesBefore), args: []any{asJSON(statuses)},
		row: func(row scanner) error {
			var key statusKey
			var state rollout.StatusState
			err := row.Scan(&key.source, &key.commit, &key.context, &state)
			out[key] = state
			return err
		},
	})
	if err := tx.tx.together(ctx, questions...); err != nil {
		return nil, fmt.Errorf("read the %d statuses that are set: %w", len(statuses), err)
	}
	return out, nil
}

// putStatuses writes statuses and gives the revisions of those that changed by it.
func (tx *Tx) putStatuses(ctx context.Context, statuses []saying) (map[statusKey]int64, error) {
	out := make(map[statusKey]int64, len(statuses))
	now := stamp(tx.now())
	err := putStatus.writeReturning(ctx, tx.tx, len(statuses), func(i int) []any {
		s := statuses[i]
		return []any{s.Source, s.Commit, s.Context, s.State, s.Description, s.DeploymentID, 1, now}
	}, func(row scanner) error {
		var key statusKey
		var revision int64
		err := row.Scan(&key.source, &key.commit, &key.context, &revision)
		out[key] = revision
		return err
	})
	if err != nil {
		first := statuses[0]
		return nil, fmt.Errorf("set status %s: %w", andMore(first.Context+" of "+first.Commit, len(statuses)), err)
	}
	return out, nil
}

// aggregate brings a commit's aggregate up to date. The row keeps the tally of
// the commit's profiles, so that one of ten thousand need not read the others.
func (tx *Tx) aggregate(ctx context.Context, of commitOf, change rollout.Tally) (job statusJob, changed bool, err error) {
	var state rollout.StatusState
	var description, kept string
	var partly bool
	err = tx.tx.QueryRowContext(ctx, `SELECT coalesce(c.state, ''), coalesce(c.description, ''), coalesce(c.tally, ''), coalesce(s.parts > 0, false)
		FROM (SELECT 1 AS one) AS a_row LEFT JOIN sources s ON s.id = $1
		LEFT JOIN commit_statuses c ON c.source_id = $1 AND c.commit_sha = $2 AND c.context = $3`,
		of.source, of.commit, rollout.AggregateContext).Scan(&state, &description, &kept, &partly)
	if err != nil {
		return job, false, err
	}
	tally, err := tx.tally(ctx, of, kept, change)
	if err != nil || tally.Total() == 0 { // the aggregate was set by itself: no profile changed
		return job, false, err
	}
	var first rollout.Status
	if tally.Speaks() {
		if first, err = tx.firstStatus(ctx, of, tally.Worst()); err != nil {
			return job, false, err
		}
	}
	next := tally.Aggregate(first)
	if partly {
		next = next.Partly()
	}
	changed = next.State != state || next.Description != description
	step := 0
	if changed {
		step = 1
	}
	job = statusJob{Source: of.source, Commit: of.commit, Context: rollout.AggregateContext}
	err = tx.tx.QueryRowContext(ctx, `INSERT INTO commit_statuses (source_id, commit_sha, context, state, description, deployment_id, tally, revision, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)
		ON CONFLICT (source_id, commit_sha, context) DO UPDATE SET state = excluded.state, description = excluded.description,
		 deployment_id = excluded.deployment_id, tally = excluded.tally, revision = commit_statuses.revision + $9,
		 updated_at = CASE WHEN $9 = 0 THEN commit_statuses.updated_at ELSE excluded.updated_at END
		RETURNING revision`,
		of.source, of.commit, rollout.AggregateContext, next.State, next.Description, next.DeploymentID, asJSON(tally), stamp(tx.now()), step).Scan(&job.Revision)
	return job, changed, err
}

// tally is that of a commit's profiles, from the one that was kept, or by
// counting where none was.
func (tx *Tx) tally(ctx context.Context, of commitOf, kept string, change rollout.Tally) (t rollout.Tally, err error) {
	if kept != "" && json.Unmarshal([]byte(kept), &t) == nil {
		return t.Plus(change), nil
	}
	type counted struct {
		state rollout.StatusState
		n     int
	}
	rows, err := collect(ctx, tx.tx, func(row scanner) (c counted, err error) { return c, row.Scan(&c.state, &c.n) },
		`SELECT state, count(*) FROM commit_statuses WHERE source_id = $1 AND commit_sha = $2 AND context <> $3 AND context <> $4 GROUP BY state`,
		of.source, of.commit, rollout.AggregateContext, rollout.CheckContext)
	if err != nil {
		return t, err
	}
	t = rollout.Tally{}
	for _, row := range rows {
		t.Add(row.state, row.n)
	}
	return t, nil
}

// wrongStatuses is the condition of the index on the statuses that an aggregate
// repeats.
const wrongStatuses = ` AND state <> 'success' AND state <> 'pending'`

// firstStatus is a commit's first status of a state, by its context.
func (tx *Tx) firstStatus(ctx context.Context, of commitOf, state rollout.StatusState) (first rollout.Status, err error) {
	narrowed := ""
	if state == rollout.StatusFailure || state == rollout.StatusError {
		narrowed = wrongStatuses
	}
	err = tx.tx.QueryRowContext(ctx, `SELECT state, description, deployment_id FROM commit_statuses
		WHERE source_id = $1 AND commit_sha = $2 AND state = $3 AND context <> $4 AND context <> $5`+narrowed+` ORDER BY context LIMIT 1`,
		of.source, of.commit, state, rollout.AggregateContext, rollout.CheckContext).Scan(&first.State, &first.Description, &first.DeploymentID)
	return first, err
}

// postJob asks for a status to be posted, in the trace of what it tells of.
func postJob(job statusJob, parent string) river.InsertManyParams {
	return river.InsertManyParams{Args: job, InsertOpts: &river.InsertOpts{MaxAttempts: maxPosts, Metadata: inTrace(parent)}}
}

// enqueueStatuses adds the jobs in the transaction that changes the statuses.
func (tx *Tx) enqueueStatuses(ctx context.Context, jobs []river.InsertManyParams) error {
	for some := range slices.Chunk(jobs, jobsAtOnce) {
		if _, err := tx.s.jobs.InsertManyFastTx(ctx, tx.tx, some); err != nil {
			return fmt.Errorf("put %d commit statuses into the outbox: %w", len(jobs), err)
		}
	}
	return nil
}
