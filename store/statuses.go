package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// CommitStatus is one commit status as it should be and as it was posted.
type CommitStatus struct {
	rollout.Status
	Revision       int64 // rises with every change
	PostedRevision int64 // the revision that the forge took last
	// RefusedRevision is the revision that the forge refused for good.
	RefusedRevision int64
	PostedAt        time.Time
	PostError       string
	UpdatedAt       time.Time
}

// Posted says that the forge has the status as it is now.
func (c CommitStatus) Posted() bool { return c.PostedRevision == c.Revision }

const statusColumns = `source_id, commit_sha, context, state, description, deployment_id, revision, posted_revision, posted_at,
	post_error, refused_revision, updated_at`

func scanStatus(row scanner) (c CommitStatus, err error) {
	return c, row.Scan(&c.Source, &c.Commit, &c.Context, &c.State, &c.Description, &c.DeploymentID, &c.Revision, &c.PostedRevision,
		at(&c.PostedAt), &c.PostError, &c.RefusedRevision, at(&c.UpdatedAt))
}

// commitOf is one commit of one source.
type commitOf struct{ source, commit string }

// SetStatus says how a commit status should be, the last one standing. Only a change
// is kept, and posted by the outbox; the aggregate over all profiles of the commit
// follows by itself. A pull request's check is no part of it. All are written when the
// transaction commits: a first sync sets thousands.
func (tx *Tx) SetStatus(ctx context.Context, status rollout.Status) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("set status %s of %s: %w", status.Context, status.Commit, err)
	}
	tx.statuses = append(tx.statuses, status)
	return nil
}

// writeStatuses writes what was set, then the aggregate of every commit that was
// told something new.
func (tx *Tx) writeStatuses(ctx context.Context) error {
	if err := tx.putStatuses(ctx, tx.statuses); err != nil {
		return err
	}
	return tx.aggregateStatuses(ctx)
}

// aggregateStatuses writes the aggregate of every commit that the transaction
// has set a status of.
func (tx *Tx) aggregateStatuses(ctx context.Context) error {
	commits := slices.Collect(maps.Keys(tx.touched))
	if err := tx.lockCommits(ctx, commits); err != nil {
		return err
	}
	var aggregates []rollout.Status
	for _, of := range commits {
		parts, err := collect(ctx, tx.tx, func(row scanner) (p rollout.Status, err error) {
			return p, row.Scan(&p.State, &p.Description, &p.DeploymentID)
		}, `SELECT state, description, deployment_id FROM commit_statuses
			WHERE source_id = $1 AND commit_sha = $2 AND context <> $3 AND context <> $4 ORDER BY context`,
			of.source, of.commit, rollout.AggregateContext, rollout.CheckContext)
		if err != nil {
			return fmt.Errorf("read the statuses of %s: %w", of.commit, err)
		}
		if len(parts) == 0 {
			continue // the aggregate was set by itself: no profile changed
		}
		aggregate := rollout.Aggregate(parts)
		aggregate.Source, aggregate.Commit, aggregate.Context = of.source, of.commit, rollout.AggregateContext
		aggregates = append(aggregates, aggregate)
	}
	return tx.putStatuses(ctx, aggregates)
}

// putStatus is the statement that keeps what changed.
var putStatus = bulk{
	insert:  `INSERT INTO commit_statuses (source_id, commit_sha, context, state, description, deployment_id, revision, updated_at)`,
	columns: 8,
	after: `ON CONFLICT (source_id, commit_sha, context) DO UPDATE SET state = excluded.state, description = excluded.description,
		 deployment_id = excluded.deployment_id, revision = commit_statuses.revision + 1, updated_at = excluded.updated_at
		 WHERE commit_statuses.state <> excluded.state OR commit_statuses.description <> excluded.description
		RETURNING source_id, commit_sha, context, revision`,
}

// putStatuses keeps the last of each context that changed, and a job to post it.
func (tx *Tx) putStatuses(ctx context.Context, statuses []rollout.Status) error {
	statuses = lastOfEach(statuses)
	if len(statuses) == 0 {
		return nil
	}
	now := stamp(tx.now())
	var jobs []statusJob
	err := putStatus.writeReturning(ctx, tx.tx, len(statuses), func(i int) []any {
		s := statuses[i]
		return []any{s.Source, s.Commit, s.Context, s.State, s.Description, s.DeploymentID, 1, now}
	}, func(row scanner) error {
		var job statusJob
		err := row.Scan(&job.Source, &job.Commit, &job.Context, &job.Revision)
		jobs = append(jobs, job)
		return err
	})
	if err != nil {
		return fmt.Errorf("set status %s of %s: %w", statuses[0].Context, statuses[0].Commit, err)
	}
	for _, job := range jobs {
		if job.Context != rollout.CheckContext {
			tx.touched[commitOf{job.Source, job.Commit}] = struct{}{}
		}
	}
	return tx.enqueueStatuses(ctx, jobs)
}

// lastOfEach leaves out what a later status of the same context replaces.
func lastOfEach(statuses []rollout.Status) []rollout.Status {
	if len(statuses) < 2 {
		return statuses
	}
	type place struct{ source, commit, context string }
	at := make(map[place]int, len(statuses))
	out := make([]rollout.Status, 0, len(statuses))
	for _, s := range statuses {
		key := place{s.Source, s.Commit, s.Context}
		if i, known := at[key]; known {
			out[i] = s
			continue
		}
		at[key] = len(out)
		out = append(out, s)
	}
	return out
}

// ErrAmbiguous is returned for a commit prefix that more than one commit has.
var ErrAmbiguous = errors.New("more than one commit begins so")

// CommitStatuses lists the statuses of the commit that begins with prefix, the
// aggregate first. It returns ErrNotFound or ErrAmbiguous.
func (s *Store) CommitStatuses(ctx context.Context, prefix string) ([]CommitStatus, error) {
	commits, err := collect(ctx, s.read, func(row scanner) (sha string, err error) { return sha, row.Scan(&sha) },
		`SELECT DISTINCT commit_sha FROM commit_statuses WHERE commit_sha >= $1 AND commit_sha < $2 LIMIT 2`, prefix, prefix+"g")
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for commit %s: %w", prefix, err)
	case len(commits) == 0:
		return nil, fmt.Errorf("statuses of commit %s: %w", prefix, ErrNotFound)
	case len(commits) > 1:
		return nil, fmt.Errorf("commit %s: %w", prefix, ErrAmbiguous)
	}
	statuses, err := collect(ctx, s.read, scanStatus, `SELECT `+statusColumns+` FROM commit_statuses
		WHERE commit_sha = $1 ORDER BY context, source_id`, commits[0])
	if err != nil {
		return nil, fmt.Errorf("list the statuses of %s: %w", prefix, err)
	}
	return statuses, nil
}

// RecordPostedStatus keeps what the local forge was given, in order.
func (s *Store) RecordPostedStatus(ctx context.Context, status rollout.Status) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `INSERT INTO posted_statuses (source_id, commit_sha, context, state, description, posted_at)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			status.Source, status.Commit, status.Context, status.State, status.Description, stamp(tx.now())); err != nil {
			return fmt.Errorf("record status %s of %s: %w", status.Context, status.Commit, err)
		}
		return nil
	})
}

// PostedStatuses lists what the local forge was given for a commit, in order.
func (s *Store) PostedStatuses(ctx context.Context, commit string) ([]rollout.Status, error) {
	statuses, err := collect(ctx, s.read, func(row scanner) (st rollout.Status, err error) {
		return st, row.Scan(&st.Source, &st.Commit, &st.Context, &st.State, &st.Description)
	}, `SELECT source_id, commit_sha, context, state, description FROM posted_statuses WHERE commit_sha = $1 ORDER BY seq`, commit)
	if err != nil {
		return nil, fmt.Errorf("list what was posted for %s: %w", commit, err)
	}
	return statuses, nil
}
