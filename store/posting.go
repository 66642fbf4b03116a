package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pendingStatus holds for a status that the forge has neither taken nor
// refused as it is now.
const pendingStatus = `revision > posted_revision AND revision > refused_revision`

// errPosting says that another is posting the status at this moment.
var errPosting = errors.New("another is posting it")

// beginPost takes a status to be posted. Until endPost nobody else gets it, so
// that an older post never lands after a newer one. It returns ErrNotFound when
// there is nothing to post and errPosting when another is at it.
func (s *Store) beginPost(ctx context.Context, job statusJob, lease time.Duration) (c CommitStatus, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		taken, err := collect(ctx, tx.tx, scanStatus, `UPDATE commit_statuses SET posting_until = $4
			WHERE source_id = $1 AND commit_sha = $2 AND context = $3 AND revision = $6 AND `+pendingStatus+`
			  AND (posting_until IS NULL OR posting_until <= $5) RETURNING `+statusColumns,
			job.Source, job.Commit, job.Context, stamp(tx.now().Add(lease)), stamp(tx.now()), job.Revision)
		if err != nil {
			return err
		}
		if len(taken) == 1 {
			c = taken[0]
			return nil
		}
		n, err := count(ctx, tx.tx, `SELECT count(*) FROM commit_statuses
			WHERE source_id = $1 AND commit_sha = $2 AND context = $3 AND revision = $4 AND `+pendingStatus,
			job.Source, job.Commit, job.Context, job.Revision)
		if err == nil {
			err = ErrNotFound
			if n > 0 {
				err = errPosting
			}
		}
		return err
	})
	if err != nil {
		return c, fmt.Errorf("take status %s of %s to post it: %w", job.Context, job.Commit, err)
	}
	return c, nil
}

// endPost keeps what posting c came to. A failure stays for people to see; one
// that wraps ErrTerminal ends this revision.
func (s *Store) endPost(ctx context.Context, c CommitStatus, failure error) error {
	err := s.InTx(ctx, func(tx *Tx) (err error) {
		where := ` WHERE source_id = $1 AND commit_sha = $2 AND context = $3`
		switch {
		case failure == nil:
			_, err = tx.exec(ctx, `UPDATE commit_statuses SET posted_revision = max(posted_revision, $4), posted_at = $5, post_error = '',
				posting_until = NULL`+where, c.Source, c.Commit, c.Context, c.Revision, stamp(tx.now()))
		case errors.Is(failure, ErrTerminal):
			_, err = tx.exec(ctx, `UPDATE commit_statuses SET refused_revision = max(refused_revision, $4), post_error = $5,
				posting_until = NULL`+where, c.Source, c.Commit, c.Context, c.Revision, cut(failure.Error(), maxPostError))
		default:
			_, err = tx.exec(ctx, `UPDATE commit_statuses SET post_error = $4, posting_until = NULL`+where,
				c.Source, c.Commit, c.Context, cut(failure.Error(), maxPostError))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("mark status %s of %s: %w", c.Context, c.Commit, err)
	}
	return nil
}

const maxPostError = 2 << 10

// OutboxPending says how many commit statuses wait to be posted.
func (s *Store) OutboxPending(ctx context.Context) (int, error) {
	n, err := count(ctx, s.read, `SELECT count(*) FROM commit_statuses WHERE `+pendingStatus)
	if err != nil {
		return 0, fmt.Errorf("count the statuses to post: %w", err)
	}
	return n, nil
}

// resumeOutbox makes what a killed process left behind due at once. This
// process alone has the database, so whatever is under way by the records is
// not. A status that waits without a job, because its job was given up, gets one.
func (s *Store) resumeOutbox(ctx context.Context) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		for _, statement := range []string{
			`UPDATE commit_statuses SET posting_until = NULL WHERE posting_until IS NOT NULL`,
			`UPDATE river_job SET state = 'available' WHERE state = 'running'`,
		} {
			if _, err := tx.exec(ctx, statement); err != nil {
				return err
			}
		}
		waiting, err := collect(ctx, tx.tx, scanStatus, `SELECT `+statusColumns+` FROM commit_statuses c WHERE `+pendingStatus+`
			AND NOT EXISTS (SELECT 1 FROM river_job j WHERE j.kind = $1 AND j.state IN ('available', 'pending', 'retryable', 'scheduled')
				AND json_extract(j.args, '$.source') = c.source_id AND json_extract(j.args, '$.commit') = c.commit_sha
				AND json_extract(j.args, '$.context') = c.context AND json_extract(j.args, '$.revision') = c.revision)`, statusJob{}.Kind())
		if err != nil {
			return err
		}
		for _, c := range waiting {
			if err := tx.enqueueStatus(ctx, c.Status, c.Revision); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("resume the outbox: %w", err)
	}
	return nil
}
