package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

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

func (j statusJob) key() sayingKey { return sayingKey{j.Source, j.Commit, j.Context} }

// OutboxOptions say how the outbox works.
type OutboxOptions struct {
	// Post sets a commit status at its forge. An error that wraps ErrTerminal is
	// not tried again; any other is, later and later.
	Post func(ctx context.Context, status rollout.Status) error
	// Switch tells a traffic hook which group requests go to. Any error is tried
	// again until there is a newer switch.
	Switch func(ctx context.Context, s rollout.Switch) error
	// Notify sends a notification to its target; where the profile stands now is
	// for those that show states and not news. An error that wraps ErrTerminal is
	// not tried again; any other is, later and later, for a day. One that has a
	// RetryAfter method says when.
	Notify func(ctx context.Context, n rollout.Notification, now rollout.Standing) error
	// NotifyTogether is Notify for the targets that are told together: one message
	// of all that waits, in the order in which it happened, for one channel.
	NotifyTogether func(ctx context.Context, all []rollout.Notification) error
	// Comment makes a comment on a pull request read so at its forge. Its errors
	// are like Post's.
	Comment func(ctx context.Context, c rollout.Comment) error
	// Rollback writes what the pull request is told that brought what the hold
	// refuses; ok is false where nobody is to be told.
	Rollback func(ctx context.Context, h rollout.Hold) (c rollout.Comment, ok bool, err error)
	// Revert opens the pull request that makes Git say what the hold pins, and
	// returns its URL; "" where none is wanted.
	Revert func(ctx context.Context, h rollout.Hold) (url string, err error)
	// Command carries out what a comment on a pull request asks for. It may be
	// called again for a comment that it has seen.
	Command func(ctx context.Context, c rollout.Command) error
	// Notified is told what became of each attempt to notify; it may be nil.
	Notified func(target string, outcome Outcome)
	// Attempted is told of each attempt at a job, of every kind; it may be nil.
	Attempted func(ctx context.Context, kind string, took time.Duration, outcome Outcome)
	// PostTimeout bounds one post; 10 s when 0. When the process that is at one
	// dies, another takes over after half as long again.
	PostTimeout time.Duration
	Logger      *slog.Logger
	// Panicked is told of a post that panicked; it may be nil.
	Panicked func()
	// Fail is called at the crash points of tests, with the state to be posted:
	// K9-success that status is to be posted, K10-success it was posted and not
	// marked. K9/CONTEXT is that of one status.
	Fail func(point string)
}

// Outbox works off what is to be told to the outside, at least once.
type Outbox struct {
	s      *Store
	client *river.Client[*sql.Tx]
	log    *slog.Logger
	lease  time.Duration // of a status that is being posted
}

func lease(timeout time.Duration) time.Duration { return timeout * 3 / 2 }

const (
	outboxPoll        = 150 * time.Millisecond
	outboxCooldown    = 10 * time.Millisecond // between two looks while there is more to do: a first sync leaves thousands
	outboxStopTimeout = 3 * time.Second
	postTimeout       = 10 * time.Second
	maxPosts          = 1000 // a week of a forge that is away
	jobsAtOnce        = 500  // in one statement
	maxPanics         = 5    // attempts after which a post that panics is given up
)

// NewOutbox returns an outbox that does nothing until Run.
func NewOutbox(s *Store, opts OutboxOptions) (*Outbox, error) {
	if opts.Fail == nil {
		opts.Fail = func(string) {}
	}
	if opts.Panicked == nil {
		opts.Panicked = func() {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.PostTimeout <= 0 {
		opts.PostTimeout = postTimeout
	}
	if opts.Switch == nil {
		opts.Switch = func(_ context.Context, s rollout.Switch) error {
			return fmt.Errorf("no traffic hook is called %q in the settings: add it under traffic_hooks", s.Hook)
		}
	}
	if opts.Notify == nil {
		opts.Notify = func(context.Context, rollout.Notification, rollout.Standing) error {
			return fmt.Errorf("the settings name no targets: %w", ErrTerminal)
		}
	}
	if opts.NotifyTogether == nil {
		opts.NotifyTogether = func(context.Context, []rollout.Notification) error {
			return fmt.Errorf("nobody is told together: %w", ErrTerminal)
		}
	}
	opts = opts.withoutPullRequests()
	if opts.Notified == nil {
		opts.Notified = func(string, Outcome) {}
	}
	workers := river.NewWorkers()
	if err := errors.Join(
		river.AddWorkerSafely(workers, &notificationWorker{s: s, opts: opts}),
		river.AddWorkerSafely(workers, &trafficWorker{s: s, opts: opts}),
		river.AddWorkerSafely(workers, &statusWorker{s: s, opts: opts}),
		river.AddWorkerSafely(workers, &commentWorker{s: s, opts: opts}),
		river.AddWorkerSafely(workers, &rollbackWorker{s: s, opts: opts}),
		river.AddWorkerSafely(workers, &revertWorker{s: s, opts: opts}),
		river.AddWorkerSafely(workers, &commandWorker{s: s, opts: opts}),
	); err != nil {
		return nil, fmt.Errorf("set up the outbox: %w", err)
	}
	client, err := river.NewClient(s.engine.river(s.write.usual), &river.Config{
		Queues:            s.routing.configured(),
		Workers:           workers,
		Middleware:        []rivertype.Middleware{&tracedJobs{}, opts.timed()},
		Logger:            slog.New(slog.DiscardHandler),
		PollOnly:          true,
		FetchCooldown:     outboxCooldown,
		FetchPollInterval: outboxPoll,
		JobTimeout:        opts.PostTimeout,
		// A job that a killed process left behind is taken again soon.
		RescueStuckJobsAfter: lease(opts.PostTimeout),
		Test:                 river.TestConfig{Time: jobClock{s}},
	})
	if err != nil {
		return nil, fmt.Errorf("set up the outbox: %w", err)
	}
	return &Outbox{s: s, client: client, log: opts.Logger, lease: lease(opts.PostTimeout)}, nil
}

// timed tells Attempted of every attempt.
func (o OutboxOptions) timed() river.WorkerMiddlewareFunc {
	return func(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
		if o.Attempted == nil {
			return work(ctx)
		}
		began := time.Now()
		err := work(ctx)
		o.Attempted(ctx, job.Kind, time.Since(began), outcomeOf(err))
		return err
	}
}

// outcomeOf is what the queue will make of a job that ended so.
func outcomeOf(err error) Outcome {
	if err == nil {
		return Sent
	}
	if _, cancelled := errors.AsType[*river.JobCancelError](err); cancelled {
		return Refused
	}
	return Retried
}

// JobKinds are the kinds of jobs of the outbox.
func JobKinds() []string {
	return []string{
		statusJob{}.Kind(), commentJob{}.Kind(), rollbackJob{}.Kind(), revertJob{}.Kind(), commandJob{}.Kind(), notificationJob{}.Kind(), trafficJob{}.Kind(),
	}
}

// withoutPullRequests says what becomes of a job for pull requests where the
// settings have no forge any more that has them.
func (o OutboxOptions) withoutPullRequests() OutboxOptions {
	gone := fmt.Errorf("no source has a forge with pull requests: %w", ErrTerminal)
	if o.Comment == nil {
		o.Comment = func(context.Context, rollout.Comment) error { return gone }
	}
	if o.Rollback == nil {
		o.Rollback = func(context.Context, rollout.Hold) (none rollout.Comment, ok bool, err error) {
			return none, false, nil
		}
	}
	if o.Revert == nil {
		o.Revert = func(context.Context, rollout.Hold) (string, error) { return "", nil }
	}
	if o.Command == nil {
		o.Command = func(context.Context, rollout.Command) error { return gone }
	}
	return o
}

// Run works until ctx ends, then lets the jobs under way end.
func (o *Outbox) Run(ctx context.Context) error {
	if err := o.prepare(ctx); err != nil {
		if ctx.Err() != nil { // stopped before it began
			return nil
		}
		return err
	}
	if err := o.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the outbox: %w", err)
	}
	o.keepResuming(ctx)
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

// prepare mends what a process that is gone, or other settings, left behind.
func (o *Outbox) prepare(ctx context.Context) error {
	if o.s.engine.serial { // later nobody dies but this process
		if err := o.s.resumeOutbox(ctx, o.lease); err != nil {
			return err
		}
	}
	return o.s.adoptStrays(ctx)
}

// keepResuming looks for statuses that wait for nobody, where other replicas
// may die while this one lives.
func (o *Outbox) keepResuming(ctx context.Context) {
	if o.s.engine.serial {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(o.lease)
	defer tick.Stop()
	for {
		if err := o.s.resumeOutbox(ctx, o.lease); err != nil && ctx.Err() == nil {
			o.log.WarnContext(ctx, "the outbox was not looked through; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// statusWorker posts commit statuses.
type statusWorker struct {
	river.WorkerDefaults[statusJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is later and later: 1 s, 2 s, 4 s ... up to ten minutes.
func (w *statusWorker) NextRetry(job *river.Job[statusJob]) time.Time {
	return later(w.s, job.Attempt)
}

// Work posts the job's revision of the status, unless that was posted already or
// is no longer the latest.
func (w *statusWorker) Work(ctx context.Context, job *river.Job[statusJob]) error {
	c, err := w.s.beginPost(ctx, job.Args, lease(w.opts.PostTimeout))
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
	w.opts.Fail("K9-" + string(c.State))
	failure := w.post(ctx, c.Status, job.Attempt)
	if failure == nil {
		w.opts.Fail("K10-" + string(c.State))
	}
	// What came of it is kept also when the post used up the job's time.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := w.s.endPost(bounded, job.Args, c.State, failure); err != nil {
		return errors.Join(failure, err)
	}
	if failure == nil {
		return nil
	}
	w.opts.Logger.WarnContext(ctx, "commit status was not taken", "commit", c.Commit, "context", c.Context, "attempt", job.Attempt, "error", failure)
	return ended(failure)
}

// ended is how a job ends whose work failed: for good, when the forge says it
// may be asked again, or later and later.
func ended(failure error) error {
	if errors.Is(failure, ErrTerminal) {
		return river.JobCancel(failure)
	}
	if asked, ok := errors.AsType[retryAfter](failure); ok && asked.RetryAfter() > 0 {
		return river.JobSnooze(asked.RetryAfter())
	}
	return failure
}

// post makes a panic a failure that is counted and shown with the status: it is
// tried again, but not for ever, since no retry mends a bug.
func (w *statusWorker) post(ctx context.Context, c rollout.Status, attempt int) (failure error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		w.opts.Panicked()
		w.opts.Logger.ErrorContext(ctx, "posting a commit status panicked", "commit", c.Commit, "context", c.Context, "attempt", attempt,
			"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		failure = errPanicked
		if attempt >= maxPanics {
			failure = fmt.Errorf("%w: %w", ErrTerminal, errPanicked)
		}
	}()
	w.opts.Fail("K9/" + c.Context)
	return w.opts.Post(ctx, c)
}

// errPanicked is what people see of a panic; its own words are for the log.
var errPanicked = errors.New("posting it panicked; see the daemon's log")
