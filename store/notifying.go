package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/sluicehq/sluice/rollout"
)

// Outcome is what became of an attempt to send a notification.
type Outcome string

// The outcomes.
const (
	Sent    Outcome = "sent"
	Retried Outcome = "retried" // it failed and is tried again
	Refused Outcome = "refused" // it failed for good
	Expired Outcome = "expired" // it was tried for a day, and is no news any more
)

const (
	notifyWorkers = 4 // of each target and process
	notifyPoll    = 500 * time.Millisecond
	// staleNews is the age at which a notification is given up.
	staleNews = 24 * time.Hour
)

// notificationWorker sends notifications.
type notificationWorker struct {
	river.WorkerDefaults[notificationJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is later and later, like that of a status.
func (w *notificationWorker) NextRetry(job *river.Job[notificationJob]) time.Time {
	return later(w.s, job.Attempt)
}

// later is 1 s, 2 s, 4 s ... up to ten minutes from now.
func later(s *Store, attempt int) time.Time {
	return jobClock{s}.Now().Add(min(10*time.Minute, time.Second<<min(attempt-1, 10)))
}

// retryAfter is an error that knows when the next attempt is welcome.
type retryAfter interface {
	error
	RetryAfter() time.Duration
}

// Work sends one notification to its target, and what waits for the same one where it is told
// together.
func (w *notificationWorker) Work(ctx context.Context, job *river.Job[notificationJob]) error {
	n := job.Args.Notification
	if w.s.now().Sub(n.At) > staleNews {
		return w.over(ctx, n, Expired, errStale)
	}
	taken, send, err := w.prepare(ctx, job)
	if err != nil {
		return err
	}
	failure := guarded(send, w.opts.Panicked)
	switch {
	case failure == nil:
		w.opts.Notified(n.Target, Sent)
		for range taken {
			w.opts.Notified(n.Target, Sent)
		}
		return w.s.endWaiting(ctx, taken, rivertype.JobStateCompleted)
	case errors.Is(failure, ErrTerminal):
		for _, one := range taken {
			w.over(ctx, one.Notification, Refused, failure) //nolint:errcheck // it is how a job ends, and theirs are not at work
		}
		return errors.Join(w.s.endWaiting(ctx, taken, rivertype.JobStateCancelled), w.over(ctx, n, Refused, failure))
	case errors.Is(failure, errPanicked) && job.Attempt >= maxPanics:
		return errors.Join(w.s.letGo(ctx, taken, jobClock{w.s}.Now()), w.over(ctx, n, Refused, failure))
	}
	w.opts.Notified(n.Target, Retried)
	w.opts.Logger.WarnContext(ctx, "notification was not taken; it is tried again",
		"target", n.Target, "fact", n.Fact, "profile", n.Profile, "with", len(taken), "attempt", job.Attempt, "error", failure)
	if asked, ok := errors.AsType[retryAfter](failure); ok && asked.RetryAfter() > 0 {
		return errors.Join(w.s.letGo(ctx, taken, jobClock{w.s}.Now().Add(asked.RetryAfter())), river.JobSnooze(asked.RetryAfter()))
	}
	return errors.Join(w.s.letGo(ctx, taken, w.NextRetry(job)), failure)
}

// prepare looks up what a notification is sent with: others that are taken along, or where its
// profile stands.
func (w *notificationWorker) prepare(ctx context.Context, job *river.Job[notificationJob]) (taken []waiting, send func() error, err error) {
	n := job.Args.Notification
	if slices.Contains(w.s.routing.Together, n.Target) {
		if taken, err = w.s.takeWaiting(ctx, job, lease(w.opts.PostTimeout)); err != nil {
			return nil, nil, err
		}
		return taken, func() error { return w.opts.NotifyTogether(ctx, together(n, taken)) }, nil
	}
	now, err := w.s.standing(ctx, n.Profile)
	return nil, func() error { return w.opts.Notify(ctx, n, now) }, err
}

// over ends a notification that was not sent. Nothing else waits for it: that
// the log and a metric tell of it is all that follows.
func (w *notificationWorker) over(ctx context.Context, n rollout.Notification, outcome Outcome, why error) error {
	w.opts.Notified(n.Target, outcome)
	w.opts.Logger.ErrorContext(ctx, "notification is given up",
		"target", n.Target, "fact", n.Fact, "profile", n.Profile, "outcome", string(outcome), "error", why)
	return river.JobCancel(why)
}

var errStale = fmt.Errorf("it was not taken for %s", staleNews)

// adoptStrays moves notifications for targets that the settings do not name any
// more to where they are told of and ended: nobody works off their queue.
func (s *Store) adoptStrays(ctx context.Context) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE river_job SET queue = $2 WHERE kind = $1 AND state IN ('available', 'pending', 'retryable', 'scheduled')
			AND NOT `+s.engine.in("queue", 3), notificationJob{}.Kind(), strayQueue, asJSON(s.routing.queues()))
		return err
	})
	if err != nil {
		return fmt.Errorf("look for notifications without a target: %w", err)
	}
	return nil
}
