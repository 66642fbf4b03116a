package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// commandJob asks for a command to be carried out.
type commandJob struct {
	Source      string `json:"source" river:"unique"`
	PullRequest int    `json:"pullRequest"`
	Comment     int64  `json:"comment" river:"unique"`
}

// Kind names the job in the database.
func (commandJob) Kind() string { return "pull_request_command" }

// enqueueCommand adds the job in the transaction that records the delivery,
// unless there is one for the comment.
func (tx *Tx) enqueueCommand(ctx context.Context, c rollout.Command) error {
	if err := tx.putJob(ctx, commandJob(c), &river.InsertOpts{
		MaxAttempts: maxPosts, UniqueOpts: river.UniqueOpts{ByArgs: true},
	}); err != nil {
		return fmt.Errorf("put comment %d on pull request %d into the outbox: %w", c.Comment, c.PullRequest, err)
	}
	return nil
}

// commandWorker carries commands out.
type commandWorker struct {
	river.WorkerDefaults[commandJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is later and later, like that of a status.
func (w *commandWorker) NextRetry(job *river.Job[commandJob]) time.Time {
	return later(w.s, job.Attempt)
}

// staleCommand is the age at which a command is not carried out any more: what
// somebody asked for an hour ago, they have seen to in another way.
const staleCommand = time.Hour

// Work carries one command out.
func (w *commandWorker) Work(ctx context.Context, job *river.Job[commandJob]) error {
	c := rollout.Command(job.Args)
	failure := guarded(func() error { return w.opts.Command(ctx, c) }, w.opts.Panicked)
	if failure == nil {
		return nil
	}
	w.opts.Logger.WarnContext(ctx, "command in a comment was not carried out", "source", c.Source, "pull_request", c.PullRequest,
		"comment", c.Comment, "attempt", job.Attempt, "error", failure)
	if errors.Is(failure, errPanicked) && job.Attempt >= maxPanics || w.s.now().Sub(job.CreatedAt) > staleCommand {
		return river.JobCancel(failure)
	}
	return ended(failure)
}

// BeginCommand keeps what a command is about, once: whoever begins it again gets
// what was kept first, and whether it was carried out. The plan says of each
// deployment, by ID, which phase is meant, from 1 on.
func (s *Store) BeginCommand(ctx context.Context, c rollout.Command, plan map[string]int) (kept map[string]int, done bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `INSERT INTO pull_request_commands (source_id, comment_id, pull_request, plan, begun_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source_id, comment_id) DO NOTHING`,
			c.Source, c.Comment, c.PullRequest, asJSON(plan), stamp(tx.now())); err != nil {
			return err
		}
		var text string
		var doneAt time.Time
		if err := tx.tx.QueryRowContext(ctx, `SELECT plan, done_at FROM pull_request_commands WHERE source_id = $1 AND comment_id = $2`,
			c.Source, c.Comment).Scan(&text, at(&doneAt)); err != nil {
			return err
		}
		done = !doneAt.IsZero()
		return json.Unmarshal([]byte(text), &kept)
	})
	if err != nil {
		return nil, false, fmt.Errorf("begin comment %d on pull request %d: %w", c.Comment, c.PullRequest, err)
	}
	return kept, done, nil
}

// EndCommand says that a command was carried out, with the answer to it; an
// answer without a body says nothing.
func (s *Store) EndCommand(ctx context.Context, c rollout.Command, answer rollout.Comment) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE pull_request_commands SET done_at = $3 WHERE source_id = $1 AND comment_id = $2 AND done_at IS NULL`,
			c.Source, c.Comment, stamp(tx.now())); err != nil {
			return err
		}
		if answer.Body == "" {
			return nil
		}
		return tx.SetComment(ctx, answer)
	})
	if err != nil {
		return fmt.Errorf("end comment %d on pull request %d: %w", c.Comment, c.PullRequest, err)
	}
	return nil
}
