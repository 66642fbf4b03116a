package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/rollout"
)

// CommitStatus is one commit status as it should be and as it was posted.
type CommitStatus struct {
	rollout.Status
	Revision       int64 // rises with every change
	PostedRevision int64 // the revision that the forge took last
	// RefusedRevision is the revision that the forge refused for good.
	RefusedRevision int64
	Quiet           bool // the forge is not told of it
	PostedAt        time.Time
	PostedState     rollout.StatusState
	Posts           int // that the forge took
	PostError       string
	UpdatedAt       time.Time
}

// rests is for how long the forge is not told of it again.
func (c CommitStatus) rests(now time.Time) time.Duration {
	if c.State != c.PostedState {
		return 0
	}
	return c.PostedAt.Add(rollout.Rest(c.Posts)).Sub(now)
}

// Posted says that the forge has the status as it is now.
func (c CommitStatus) Posted() bool { return c.PostedRevision == c.Revision }

const statusColumns = `source_id, commit_sha, context, state, description, deployment_id, revision, posted_revision, posted_at,
	posted_state, posts, post_error, refused_revision, quiet, updated_at`

func scanStatus(row scanner) (c CommitStatus, err error) {
	return c, row.Scan(&c.Source, &c.Commit, &c.Context, &c.State, &c.Description, &c.DeploymentID, &c.Revision, &c.PostedRevision,
		at(&c.PostedAt), &c.PostedState, &c.Posts, &c.PostError, &c.RefusedRevision, &c.Quiet, at(&c.UpdatedAt))
}

// SetStatus says how a commit status should be. Only a change is kept, and
// posted by the outbox; the aggregate over all profiles of the commit follows by
// itself. Both are written once, at the transaction's end (statuses_write.go): a
// first sync sets thousands. Of what is set twice the last word counts.
func (tx *Tx) SetStatus(ctx context.Context, status rollout.Status) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("set status %s of %s: %w", status.Context, status.Commit, err)
	}
	status.Description = cleanText(status.Description) // as it will be read again
	said := saying{status, spans.Format(ctx)}
	key := said.key()
	if i, set := tx.said[key]; set {
		tx.statuses[i] = said
		return nil
	}
	tx.said[key] = len(tx.statuses)
	tx.statuses = append(tx.statuses, said)
	return nil
}

// commitOf is one commit of one source.
type commitOf struct{ source, commit string }

// saying is a status that is to be set, and the span in which it was said.
type saying struct {
	rollout.Status
	parent string
}

// ofProfile says that it is neither an aggregate nor a check.
func (s saying) ofProfile() bool {
	return s.Context != rollout.AggregateContext && s.Context != rollout.CheckContext
}

func (s saying) key() statusKey { return statusKey{commitOf{s.Source, s.Commit}, s.Context} }

// statusKey is one status.
type statusKey struct {
	commitOf
	context string
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
