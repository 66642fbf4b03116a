package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/sluicehq/sluice/rollout"
)

// statusJob asks for one revision of a commit status to be posted. Every
// revision has its job, so one that finds a newer revision has nothing to do:
// while a forge is away, only the latest is tried again.
type statusJob struct {
	Source   string `json:"source"`
	Commit   string `json:"commit"`
	Context  string `json:"context"`
	Revision int64  `json:"revision"`
}

// Kind names the job in the database.
func (statusJob) Kind() string { return "commit_status" }

// enqueueStatus adds the job in the transaction that changes the status.
func (tx *Tx) enqueueStatus(ctx context.Context, status rollout.Status, revision int64) error {
	job := statusJob{Source: status.Source, Commit: status.Commit, Context: status.Context, Revision: revision}
	if _, err := tx.s.jobs.InsertTx(ctx, tx.tx, job, &river.InsertOpts{MaxAttempts: maxPosts}); err != nil {
		return fmt.Errorf("put status %s of %s into the outbox: %w", status.Context, status.Commit, err)
	}
	return nil
}

// OutboxOptions say how the outbox works.
type OutboxOptions struct {
	// Post sets a commit status at its forge. An error that wraps ErrTerminal is
	// not tried again; any other is, later and later.
	Post   func(ctx context.Context, status rollout.Status) error
	Logger *slog.Logger
	// Fail is called at the crash points of tests: K9 a status is to be posted,
	// K10 it was posted and not marked.
	Fail func(point string)
}

// Outbox works off what is to be told to the outside, at least once.
type Outbox struct {
	s      *Store
	client *river.Client[*sql.Tx]
}

const (
	outboxPoll        = 150 * time.Millisecond
	outboxStopTimeout = 3 * time.Second
	postTimeout       = 30 * time.Second
	maxPosts          = 1000 // a week of a forge that is away
)

// NewOutbox returns an outbox that does nothing until Run.
func NewOutbox(s *Store, opts OutboxOptions) (*Outbox, error) {
	if opts.Fail == nil {
		opts.Fail = func(string) {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &statusWorker{s: s, opts: opts}); err != nil {
		return nil, fmt.Errorf("set up the outbox: %w", err)
	}
	client, err := river.NewClient(riversqlite.New(s.write), &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		Workers:           workers,
		Logger:            slog.New(slog.DiscardHandler),
		PollOnly:          true,
		FetchCooldown:     outboxPoll / 2,
		FetchPollInterval: outboxPoll,
		JobTimeout:        postTimeout,
		// A job that a killed process left behind is taken again soon.
		RescueStuckJobsAfter: postTimeout + 5*time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the outbox: %w", err)
	}
	return &Outbox{s: s, client: client}, nil
}

// Run works until ctx ends, then lets the jobs under way end.
func (o *Outbox) Run(ctx context.Context) error {
	if err := o.s.resumeOutbox(ctx); err != nil {
		return err
	}
	if err := o.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the outbox: %w", err)
	}
	<-ctx.Done()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxStopTimeout)
	defer cancel()
	if err := o.client.Stop(bounded); err != nil {
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxStopTimeout)
		defer cancel()
		if err := o.client.StopAndCancel(hard); err != nil {
			return fmt.Errorf("stop the outbox: %w", err)
		}
	}
	return nil
}

// statusWorker posts commit statuses.
type statusWorker struct {
	river.WorkerDefaults[statusJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is later and later: 1 s, 2 s, 4 s ... up to ten minutes.
func (w *statusWorker) NextRetry(job *river.Job[statusJob]) time.Time {
	return time.Now().Add(min(10*time.Minute, time.Second<<min(job.Attempt-1, 10)))
}

// Work posts the job's revision of the status, unless that was posted already or
// is no longer the latest.
func (w *statusWorker) Work(ctx context.Context, job *river.Job[statusJob]) error {
	c, err := w.s.beginPost(ctx, job.Args, postTimeout+5*time.Second)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case errors.Is(err, errPosting):
		return river.JobSnooze(outboxPoll)
	case err != nil:
		return err
	}
	w.opts.Fail("K9-post")
	failure := w.opts.Post(ctx, c.Status)
	if failure == nil {
		w.opts.Fail("K10")
	}
	// What came of it is kept also when the post used up the job's time.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := w.s.endPost(bounded, c, failure); err != nil {
		return errors.Join(failure, err)
	}
	if failure == nil {
		return nil
	}
	w.opts.Logger.WarnContext(ctx, "commit status was not taken", "commit", c.Commit, "context", c.Context, "attempt", job.Attempt, "error", failure)
	if errors.Is(failure, ErrTerminal) {
		return river.JobCancel(failure)
	}
	return failure
}
