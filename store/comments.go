package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// PullRequestComment is one comment as it should read and as it was posted.
type PullRequestComment struct {
	rollout.Comment
	Revision       int64 // rises with every change
	PostedRevision int64 // the revision that the forge took last
	PostedAt       time.Time
	Posts          int // that the forge took
	PostError      string
}

const commentColumns = `source_id, pull_request, comment_key, body, commit_sha, remarks, basis, revision, posted_revision, posted_at, posts, post_error`

func scanComment(row scanner) (c PullRequestComment, err error) {
	var bad damage
	err = row.Scan(&c.Source, &c.PullRequest, &c.Key, &c.Body, &c.Commit, bad.json(&c.Remarks), &c.Basis, &c.Revision, &c.PostedRevision,
		at(&c.PostedAt), &c.Posts, &c.PostError)
	return c, bad.of("pull_request_comments", fmt.Sprintf("%s/%d/%s", c.Source, c.PullRequest, c.Key), err)
}

// SetComment says how a comment on a pull request should read. Only a change is
// kept, and posted by the outbox. What was made from an older basis than is
// there already is left out.
func (tx *Tx) SetComment(ctx context.Context, c rollout.Comment) error {
	revisions, err := collect(ctx, tx.tx, func(row scanner) (n int64, err error) { return n, row.Scan(&n) },
		`INSERT INTO pull_request_comments (source_id, pull_request, comment_key, body, commit_sha, remarks, basis, revision, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)
		ON CONFLICT (source_id, pull_request, comment_key) DO UPDATE SET body = excluded.body, commit_sha = excluded.commit_sha,
		 remarks = excluded.remarks, basis = excluded.basis, revision = pull_request_comments.revision + 1, updated_at = excluded.updated_at
		 WHERE excluded.basis >= pull_request_comments.basis
		   AND (pull_request_comments.body <> excluded.body OR pull_request_comments.commit_sha <> excluded.commit_sha)
		RETURNING revision`,
		c.Source, c.PullRequest, c.Key, c.Body, c.Commit, asJSON(c.Remarks), c.Basis, stamp(tx.now()))
	if err != nil {
		return fmt.Errorf("set comment %s of pull request %d of %s: %w", c.Key, c.PullRequest, c.Source, err)
	}
	if len(revisions) == 0 {
		return nil
	}
	return tx.enqueueComment(ctx, c, revisions[0])
}

// PullRequestComments lists the comments on a pull request by key.
func (s *Store) PullRequestComments(ctx context.Context, source string, pullRequest int) ([]PullRequestComment, error) {
	comments, err := sound(ctx, s, s.read, scanComment, `SELECT `+commentColumns+` FROM pull_request_comments
		WHERE source_id = $1 AND pull_request = $2 ORDER BY comment_key`, source, pullRequest)
	if err != nil {
		return nil, fmt.Errorf("list the comments on pull request %d of %s: %w", pullRequest, source, err)
	}
	return comments, nil
}

// commentJob asks for one revision of a comment to be posted, as a statusJob does.
type commentJob struct {
	Source      string `json:"source"`
	PullRequest int    `json:"pullRequest"`
	Key         string `json:"key"`
	Revision    int64  `json:"revision"`
}

// Kind names the job in the database.
func (commentJob) Kind() string { return "pull_request_comment" }

func (j commentJob) key() sayingKey { return sayingKey{j.Source, j.PullRequest, j.Key} }

func (tx *Tx) enqueueComment(ctx context.Context, c rollout.Comment, revision int64) error {
	job := commentJob{Source: c.Source, PullRequest: c.PullRequest, Key: c.Key, Revision: revision}
	if err := tx.putJob(ctx, job, &river.InsertOpts{MaxAttempts: maxPosts}); err != nil {
		return fmt.Errorf("put comment %s of pull request %d into the outbox: %w", c.Key, c.PullRequest, err)
	}
	return nil
}

// commentWorker posts comments.
type commentWorker struct {
	river.WorkerDefaults[commentJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is later and later, like that of a status.
func (w *commentWorker) NextRetry(job *river.Job[commentJob]) time.Time {
	return later(w.s, job.Attempt)
}

// Work posts the job's revision of the comment, unless it is no longer the latest.
func (w *commentWorker) Work(ctx context.Context, job *river.Job[commentJob]) error {
	c, err := w.s.beginComment(ctx, job.Args, lease(w.opts.PostTimeout))
	if resting, ok := errors.AsType[restingError](err); ok {
		return river.JobSnooze(resting.rest)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case errors.Is(err, errPosting):
		return river.JobSnooze(outboxPoll)
	case err != nil:
		return err
	}
	failure := guarded(func() error { return w.opts.Comment(ctx, c.Comment) }, w.opts.Panicked)
	if errors.Is(failure, errPanicked) && job.Attempt >= maxPanics {
		failure = fmt.Errorf("%w: %w", ErrTerminal, failure)
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := w.s.endComment(bounded, job.Args, failure); err != nil {
		return errors.Join(failure, err)
	}
	if failure == nil {
		return nil
	}
	w.opts.Logger.WarnContext(ctx, "comment was not taken", "source", c.Source, "pull_request", c.PullRequest, "key", c.Key,
		"attempt", job.Attempt, "error", failure)
	return ended(failure)
}

func (s *Store) beginComment(ctx context.Context, job commentJob, lease time.Duration) (c PullRequestComment, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		key := job.key()
		if err := tx.take(ctx, saidComments, key, job.Revision, lease); err != nil {
			return err
		}
		c, err = scanComment(tx.tx.QueryRowContext(ctx, `SELECT `+commentColumns+` FROM pull_request_comments`+saidComments.where, key[0], key[1], key[2]))
		if rest := c.PostedAt.Add(rollout.Rest(c.Posts)).Sub(tx.now()); err == nil && rest > 0 {
			return restingError{rest}
		}
		return err
	})
	if err != nil {
		return c, fmt.Errorf("take comment %s of pull request %d to post it: %w", job.Key, job.PullRequest, err)
	}
	return c, nil
}

func (s *Store) endComment(ctx context.Context, job commentJob, failure error) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.settle(ctx, saidComments, job.key(), job.Revision, failure) })
	if err != nil {
		return fmt.Errorf("mark comment %s of pull request %d: %w", job.Key, job.PullRequest, err)
	}
	return nil
}

// resumeComments gives a job to each comment that waits and that no job is about
// to post.
func (tx *Tx) resumeComments(ctx context.Context, stuck time.Time) error {
	waiting, err := collect(ctx, tx.tx, scanComment, `SELECT `+commentColumns+` FROM pull_request_comments c WHERE `+pendingComment+`
		AND updated_at <= $3 AND (posting_until IS NULL OR posting_until <= $2)
		AND NOT EXISTS (SELECT 1 FROM river_job j WHERE j.kind = $1 AND `+tx.s.engine.pick(jobOfComment)+`)
		LIMIT 1000`, commentJob{}.Kind(), stamp(tx.now()), stamp(stuck))
	if err != nil {
		return fmt.Errorf("look for comments that wait: %w", err)
	}
	for _, c := range waiting {
		if err := tx.enqueueComment(ctx, c.Comment, c.Revision); err != nil {
			return err
		}
	}
	return nil
}

// jobOfComment holds for a job j that will post the comment c, or is at it since $3 or later.
var jobOfComment = text{
	sqlite: `(j.state IN ('available', 'pending', 'retryable', 'scheduled') OR j.state = 'running' AND $3 IS NULL)
		AND json_extract(j.args, '$.source') = c.source_id AND json_extract(j.args, '$.pullRequest') = c.pull_request
		AND json_extract(j.args, '$.key') = c.comment_key AND json_extract(j.args, '$.revision') = c.revision`,
	postgres: `(j.state IN ('available', 'pending', 'retryable', 'scheduled') OR j.state = 'running' AND j.attempted_at > $3)
		AND j.args->>'source' = c.source_id AND (j.args->>'pullRequest')::bigint = c.pull_request
		AND j.args->>'key' = c.comment_key AND (j.args->>'revision')::bigint = c.revision`,
}
