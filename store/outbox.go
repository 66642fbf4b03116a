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

// statusJob asks for one commit status to be posted as it is when the job runs.
type statusJob struct {
	Source  string `json:"source"`
	Commit  string `json:"commit"`
	Context string `json:"context"`
}

// Kind names the job in the database.
func (statusJob) Kind() string { return "commit_status" }

// enqueueStatus adds the job in the transaction that changes the status.
func (tx *Tx) enqueueStatus(ctx context.Context, status rollout.Status) error {
	job := statusJob{Source: status.Source, Commit: status.Commit, Context: status.Context}
	if _, err := tx.s.jobs.InsertTx(ctx, tx.tx, job, nil); err != nil {
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
	client *river.Client[*sql.Tx]
	log    *slog.Logger
}

const (
	outboxPoll        = 150 * time.Millisecond
	outboxStopTimeout = 5 * time.Second
	postTimeout       = 30 * time.Second
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
		FetchCooldown:     outboxPoll / 2,
		FetchPollInterval: outboxPoll,
		JobTimeout:        postTimeout,
		// A job that a killed process left behind is taken again soon.
		RescueStuckJobsAfter: postTimeout + 5*time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the outbox: %w", err)
	}
	return &Outbox{client: client, log: opts.Logger}, nil
}

// Run works until ctx ends, then lets the jobs under way end.
func (o *Outbox) Run(ctx context.Context) error {
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

// Work posts the status as it is now, unless that was posted already.
func (w *statusWorker) Work(ctx context.Context, job *river.Job[statusJob]) error {
	c, err := w.s.status(ctx, job.Args.Source, job.Args.Commit, job.Args.Context)
	if errors.Is(err, ErrNotFound) || err == nil && c.Posted() {
		return nil
	}
	if err != nil {
		return err
	}
	w.opts.Fail("K9-post")
	if err := w.opts.Post(ctx, c.Status); err != nil {
		if markErr := w.s.markPosted(ctx, c, err.Error()); markErr != nil {
			w.opts.Logger.ErrorContext(ctx, "a failed post was not noted", "commit", c.Commit, "error", markErr)
		}
		if errors.Is(err, ErrTerminal) {
			return river.JobCancel(err)
		}
		return err
	}
	w.opts.Fail("K10")
	return w.s.markPosted(ctx, c, "")
}

// OutboxPending says how many jobs wait or run.
func (s *Store) OutboxPending(ctx context.Context) (int, error) {
	return count(ctx, s.read, `SELECT count(*) FROM river_job WHERE state IN ('available', 'retryable', 'running', 'scheduled', 'pending')`)
}
