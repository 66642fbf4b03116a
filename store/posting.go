package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// pendingComment holds for a comment that the forge has neither taken nor refused
// as it is now, pendingStatus for such a status, unless the forge is not told of it.
const (
	pendingComment = `revision > posted_revision AND revision > refused_revision`
	pendingStatus  = `NOT quiet AND ` + pendingComment
)

// errPosting says that another is posting it at this moment.
var errPosting = errors.New("another is posting it")

// restingError says that the forge was told of it a moment ago, and for how long
// it is not told again.
type restingError struct{ rest time.Duration }

// Error says so.
func (e restingError) Error() string { return fmt.Sprintf("it is not posted for another %v", e.rest) }

// said is a table of what a forge is told: each row is something that should
// read so, with the revision of it that the forge has.
type said struct {
	table   string
	where   string // of one row, by its key in $1, $2 and $3
	pending string // holds for those that are to be posted
	taken   string // what else is kept of one that the forge took; $6 is what it took
}

var (
	saidStatuses = said{
		"commit_statuses", ` WHERE source_id = $1 AND commit_sha = $2 AND context = $3`, pendingStatus,
		`, posts = posts + 1, posted_state = $6`,
	}
	saidComments = said{
		"pull_request_comments", ` WHERE source_id = $1 AND pull_request = $2 AND comment_key = $3`, pendingComment,
		`, posts = posts + 1`,
	}
)

// sayingKey is one row's key, in the order of its table's where.
type sayingKey [3]any

// take takes a revision of a row to be posted. Until settle nobody else gets
// it, so that an older post never lands after a newer one. It returns ErrNotFound
// when there is nothing to post and errPosting when another is at it.
func (tx *Tx) take(ctx context.Context, of said, key sayingKey, revision int64, lease time.Duration) error {
	taken, err := tx.exec(ctx, `UPDATE `+of.table+` SET posting_until = $4`+of.where+` AND revision = $6 AND `+of.pending+`
		AND (posting_until IS NULL OR posting_until <= $5)`,
		key[0], key[1], key[2], stamp(tx.now().Add(lease)), stamp(tx.now()), revision)
	if err != nil || taken == 1 {
		return err
	}
	n, err := count(ctx, tx.tx, `SELECT count(*) FROM `+of.table+of.where+` AND revision = $4 AND `+of.pending, key[0], key[1], key[2], revision)
	switch {
	case err != nil:
		return err
	case n > 0:
		return errPosting
	}
	return ErrNotFound
}

// settle keeps what posting a revision came to, and of what was taken. A failure
// stays for people to see; one that wraps ErrTerminal ends this revision.
func (tx *Tx) settle(ctx context.Context, of said, key sayingKey, revision int64, failure error, took ...any) (err error) {
	switch {
	case failure == nil:
		_, err = tx.exec(ctx, `UPDATE `+of.table+` SET posted_revision = CASE WHEN posted_revision > $4 THEN posted_revision ELSE $4 END,
			posted_at = $5, post_error = '', posting_until = NULL`+of.taken+of.where,
			append([]any{key[0], key[1], key[2], revision, stamp(tx.now())}, took...)...)
	case errors.Is(failure, ErrTerminal):
		_, err = tx.exec(ctx, `UPDATE `+of.table+` SET refused_revision = CASE WHEN refused_revision > $4 THEN refused_revision ELSE $4 END,
			post_error = $5, posting_until = NULL`+of.where, key[0], key[1], key[2], revision, cut(failure.Error(), maxPostError))
	default:
		_, err = tx.exec(ctx, `UPDATE `+of.table+` SET post_error = $4, posting_until = NULL`+of.where,
			key[0], key[1], key[2], cut(failure.Error(), maxPostError))
	}
	return err
}

// beginPost takes a status to be posted, as take says. It returns a restingError for
// a new text that the forge is told of later.
func (s *Store) beginPost(ctx context.Context, job statusJob, lease time.Duration) (c CommitStatus, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		key := job.key()
		if err := tx.take(ctx, saidStatuses, key, job.Revision, lease); err != nil {
			return err
		}
		c, err = scanStatus(tx.tx.QueryRowContext(ctx, `SELECT `+statusColumns+` FROM commit_statuses`+saidStatuses.where, key[0], key[1], key[2]))
		if rest := c.rests(tx.now()); err == nil && rest > 0 {
			return restingError{rest}
		}
		return err
	})
	if err != nil {
		return c, fmt.Errorf("take status %s of %s to post it: %w", job.Context, job.Commit, err)
	}
	return c, nil
}

// endPost keeps what posting a status in some state came to.
func (s *Store) endPost(ctx context.Context, job statusJob, state rollout.StatusState, failure error) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.settle(ctx, saidStatuses, job.key(), job.Revision, failure, state) })
	if err != nil {
		return fmt.Errorf("mark status %s of %s: %w", job.Context, job.Commit, err)
	}
	return nil
}

const maxPostError = 2 << 10

// OutboxPending says how many commit statuses and comments wait to be posted.
func (s *Store) OutboxPending(ctx context.Context) (int, error) {
	n, err := count(ctx, s.read, `SELECT (SELECT count(*) FROM commit_statuses WHERE `+pendingStatus+`)
		+ (SELECT count(*) FROM pull_request_comments WHERE `+pendingComment+`)`)
	if err != nil {
		return 0, fmt.Errorf("count what is to be posted: %w", err)
	}
	return n, nil
}

// resumeOutbox mends what a process that is gone left behind: a status that
// waits, that nobody is posting and that no job is about to post gets a job.
// Where this process alone has the database, whatever is under way by the
// records is not, and is due at once.
func (s *Store) resumeOutbox(ctx context.Context, lease time.Duration) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		stuck := tx.now().Add(-lease)
		if s.engine.serial {
			stuck = tx.now()
			for _, statement := range []string{
				`UPDATE commit_statuses SET posting_until = NULL WHERE posting_until IS NOT NULL`,
				`UPDATE pull_request_comments SET posting_until = NULL WHERE posting_until IS NOT NULL`,
				`UPDATE river_job SET state = 'available' WHERE state = 'running'`,
			} {
				if _, err := tx.exec(ctx, statement); err != nil {
					return err
				}
			}
		}
		waiting, err := collect(ctx, tx.tx, scanStatus, `SELECT `+statusColumns+` FROM commit_statuses c WHERE `+pendingStatus+`
			AND updated_at <= $3 AND (posting_until IS NULL OR posting_until <= $2)
			AND `+s.engine.pick(withoutJob)+`
			LIMIT 1000`, statusJob{}.Kind(), stamp(tx.now()), stamp(stuck))
		if err != nil {
			return err
		}
		jobs := make([]river.InsertManyParams, len(waiting))
		for i, c := range waiting {
			jobs[i] = postJob(statusJob{Source: c.Source, Commit: c.Commit, Context: c.Context, Revision: c.Revision}, "")
		}
		putting, err := tx.askingJobs(ctx, jobs)
		if err != nil {
			return err
		}
		if err := tx.tx.together(ctx, putting...); err != nil {
			return err
		}
		return tx.resumeComments(ctx, stuck)
	})
	if err != nil {
		return fmt.Errorf("resume the outbox: %w", err)
	}
	return nil
}

// withoutJob holds for a status c that no job will post, nor is at since $3. The
// embedded database has no job under way when it is asked, and looks the others
// up in a list: a join would read each job again for each status.
var withoutJob = text{
	sqlite: `(c.source_id, c.commit_sha, c.context, c.revision) NOT IN (SELECT json_extract(j.args, '$.source'), json_extract(j.args, '$.commit'),
		json_extract(j.args, '$.context'), json_extract(j.args, '$.revision') FROM river_job j
		WHERE j.kind = $1 AND j.state IN ('available', 'pending', 'retryable', 'scheduled'))`,
	postgres: `NOT EXISTS (SELECT 1 FROM river_job j WHERE j.kind = $1
		AND (j.state IN ('available', 'pending', 'retryable', 'scheduled') OR j.state = 'running' AND j.attempted_at > $3)
		AND j.args->>'source' = c.source_id AND j.args->>'commit' = c.commit_sha
		AND j.args->>'context' = c.context AND (j.args->>'revision')::bigint = c.revision)`,
}
