package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// writeStatuses writes what SetStatus was told, the aggregates that follow, and a
// job of the outbox for each that changed, behind what is to be written before. It gives
// the last that is to be written. A pull request's check is no part of an aggregate.
func (tx *Tx) writeStatuses(ctx context.Context, before []question) (last []question, err error) {
	if len(tx.statuses) == 0 && len(tx.complete) == 0 {
		return before, nil
	}
	aggregates := tx.aggregates()
	was, err := tx.statusesBefore(ctx, before, aggregates)
	if err != nil {
		return nil, err
	}
	changed, jobs := tx.changes(was, aggregates)
	aggregates = slices.DeleteFunc(aggregates, func(a *aggregate) bool { return !a.due })
	writes, err := tx.puttingStatuses(ctx, changed)
	if err != nil {
		return nil, err
	}
	if writes, err = tx.lookAtProfiles(ctx, writes, aggregates); err != nil {
		return nil, err
	}
	for _, a := range aggregates {
		if a.tally.Total() == 0 { // it was set by itself: no profile changed
			continue
		}
		next := a.next()
		writes = append(writes, tx.puttingAggregate(a, next))
		if !a.was.says(next) {
			jobs = append(jobs, postJob(statusJob{a.source, a.commit, rollout.AggregateContext, a.was.revision + 1}, a.parent))
		}
	}
	putting, err := tx.askingJobs(ctx, jobs)
	return append(writes, putting...), err
}

// storedStatus is a status as it is stored; the zero value is none.
type storedStatus struct {
	state       rollout.StatusState
	description string
	revision    int64
	quiet       bool
}

func (s storedStatus) says(next rollout.Status) bool {
	return s.state == next.State && s.description == next.Description
}

// statusesBefore are the statuses in the JSON array $1 as they are.
var statusesBefore = text{
	sqlite: `SELECT c.source_id, c.commit_sha, c.context, c.state, c.description, c.revision, c.quiet FROM json_each($1) j
		CROSS JOIN commit_statuses c ON c.source_id = json_extract(j.value, '$.Source') AND c.commit_sha = json_extract(j.value, '$.Commit')
		 AND c.context = json_extract(j.value, '$.Context')`,
	postgres: `SELECT c.source_id, c.commit_sha, c.context, c.state, c.description, c.revision, c.quiet
		FROM json_to_recordset($1::json) AS j("Source" text, "Commit" text, "Context" text)
		CROSS JOIN LATERAL (SELECT * FROM commit_statuses
			WHERE source_id = j."Source" AND commit_sha = j."Commit" AND context = j."Context"` + eachByItself + `) AS c`,
}

// statusesBefore locks the commits and reads what is stored of the statuses that are set, and
// the aggregates. From here to the commit nobody else changes any.
func (tx *Tx) statusesBefore(ctx context.Context, before []question, aggregates []*aggregate) (map[statusKey]storedStatus, error) {
	was := make(map[statusKey]storedStatus, len(tx.statuses))
	questions := append(before, tx.lockingCommits(tx.spokenOf())...)
	if len(tx.statuses) > 0 {
		questions = append(questions, question{
			what: fmt.Sprintf("read the %d statuses that are set", len(tx.statuses)),
			text: tx.s.engine.pick(statusesBefore), args: []any{asJSON(tx.statuses)},
			row: func(row scanner) error {
				var key statusKey
				var s storedStatus
				err := row.Scan(&key.source, &key.commit, &key.context, &s.state, &s.description, &s.revision, &s.quiet)
				was[key] = s
				return err
			},
		})
	}
	for _, a := range aggregates {
		questions = append(questions, a.reading())
	}
	return was, tx.tx.together(ctx, questions...)
}

// inOrder compares commits by source and hash.
func inOrder(a, b commitOf) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.commit, b.commit))
}

// spokenOf lists the commits of all statuses that are written.
func (tx *Tx) spokenOf() []commitOf {
	commits := slices.Clone(tx.complete)
	for _, status := range tx.statuses {
		commits = append(commits, status.key().commitOf)
	}
	slices.SortFunc(commits, inOrder)
	return slices.Compact(commits)
}

// changes are the statuses that are not as they were, and the jobs of those that the forge is
// told of. Those of profiles change the tallies that were kept.
func (tx *Tx) changes(was map[statusKey]storedStatus, aggregates []*aggregate) (changed []revised, jobs []river.InsertManyParams) {
	of := make(map[commitOf]*aggregate, len(aggregates))
	for _, a := range aggregates {
		of[a.commitOf] = a
	}
	for _, status := range tx.statuses {
		old := was[status.key()]
		if old.says(status.Status) {
			continue
		}
		next := revised{saying: status, revision: old.revision + 1}
		changed = append(changed, next)
		a := of[status.key().commitOf]
		switch status.Context {
		case rollout.CheckContext:
			continue
		case rollout.AggregateContext:
			a.was = storedStatus{state: status.State, description: status.Description, revision: next.revision}
		default:
			a.tally.Add(old.state, -1)
			a.tally.Add(status.State, 1)
		}
		a.due, a.parent = true, status.parent
	}
	for i := range changed {
		s := &changed[i]
		if s.ofProfile() {
			old := was[s.key()]
			// Whom the forge was told of once, it is told of to the end.
			s.quiet = (old.revision == 0 || old.quiet) && of[s.key().commitOf].tally.Quiet(s.State)
		}
		if !s.quiet {
			jobs = append(jobs, postJob(statusJob{s.Source, s.Commit, s.Context, s.revision}, s.parent))
		}
	}
	return changed, jobs
}

// revised is a status with its new revision.
type revised struct {
	saying

	revision int64
	quiet    bool
}

// putStatus is the statement that keeps what changed.
var putStatus = into("commit_statuses", `source_id, commit_sha, context, state, description, deployment_id, revision bigint, quiet boolean, updated_at timestamptz`,
	`ON CONFLICT (source_id, commit_sha, context) DO UPDATE SET state = excluded.state, description = excluded.description,
		 deployment_id = excluded.deployment_id, revision = excluded.revision, quiet = excluded.quiet, updated_at = excluded.updated_at`)

// puttingStatuses writes statuses.
func (tx *Tx) puttingStatuses(ctx context.Context, statuses []revised) ([]question, error) {
	if len(statuses) == 0 {
		return nil, nil
	}
	now := stamp(tx.now())
	what := "set status " + andMore(statuses[0].Context+" of "+statuses[0].Commit, len(statuses))
	return putStatus.asking(ctx, tx.tx, what, len(statuses), func(i int) []any {
		s := statuses[i]
		return []any{s.Source, s.Commit, s.Context, s.State, s.Description, s.DeploymentID, s.revision, s.quiet, now}
	})
}

// postJob asks for a status to be posted, in the trace of what it tells of.
func postJob(job statusJob, parent string) river.InsertManyParams {
	return river.InsertManyParams{Args: job, InsertOpts: &river.InsertOpts{MaxAttempts: maxPosts, Metadata: inTrace(parent)}}
}
