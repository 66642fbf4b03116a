package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/sluicehq/sluice/rollout"
)

// What waits for a target that is told together goes out in one message, and there is
// one of those a second from each process: a rollback of hundreds of profiles is a few
// lines in a channel that people read, and no target limits how often it is written to
// more strictly.
const (
	togetherEvery = time.Second
	maxTogether   = 1000
)

// waiting is a notification that another one takes with it, by its job.
type waiting struct {
	job int64
	rollout.Notification
}

// waitingJobsOf are the jobs of one queue that may be taken now.
var waitingJobsOf = text{
	sqlite: `SELECT id, json(args) FROM river_job WHERE kind = $1 AND queue = $2 AND state = 'available' AND id <> $3 AND scheduled_at <= $4
		ORDER BY id LIMIT $5`,
	postgres: `SELECT id, args::text FROM river_job WHERE kind = $1 AND queue = $2 AND state = 'available' AND id <> $3 AND scheduled_at <= $4
		ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED`,
}

// takeWaiting takes what waits for the same target and channel, oldest first. It is
// nobody else's until the lease is over, which is when it comes due by itself should
// this process not live to end it.
func (s *Store) takeWaiting(ctx context.Context, job *river.Job[notificationJob], lease time.Duration) (taken []waiting, err error) {
	n := job.Args.Notification
	err = s.InTx(ctx, func(tx *Tx) error {
		taken = nil
		all, err := collect(ctx, tx.tx, scanWaiting, s.engine.pick(waitingJobsOf), notificationJob{}.Kind(), s.routing.queueOf(n.Target), job.ID,
			s.engine.jobTime(jobClock{s}.Now()), maxTogether)
		if err != nil {
			return err
		}
		for _, one := range all {
			if one.Channel == n.Channel && tx.now().Sub(one.At) <= staleNews {
				taken = append(taken, one)
			}
		}
		if len(taken) == 0 {
			return nil
		}
		return tx.putBack(ctx, taken, jobClock{s}.Now().Add(lease))
	})
	return taken, err
}

func scanWaiting(row scanner) (one waiting, err error) {
	var args string
	if err := row.Scan(&one.job, &args); err != nil {
		return one, err
	}
	return one, json.Unmarshal([]byte(args), &one.Notification)
}

// ofJobs holds for the jobs listed in $1.
var ofJobs = text{
	sqlite:   `id IN (SELECT value FROM json_each($1))`,
	postgres: `id = ANY (ARRAY(SELECT json_array_elements_text($1::json)::bigint))`,
}

// putBack has notifications due again at a time. A job that is due later need not be of
// another state: River looks at the time, and has a state for it to look at fewer.
func (tx *Tx) putBack(ctx context.Context, taken []waiting, due time.Time) error {
	_, err := tx.exec(ctx, `UPDATE river_job SET scheduled_at = $2 WHERE `+tx.s.engine.pick(ofJobs)+` AND state = 'available'`, asJSON(jobIDs(taken)), tx.s.engine.jobTime(due))
	return err
}

// letGo has notifications due again at a time that were taken along in vain.
func (s *Store) letGo(ctx context.Context, taken []waiting, due time.Time) error {
	if len(taken) == 0 {
		return nil
	}
	return s.InTx(ctx, func(tx *Tx) error { return tx.putBack(ctx, taken, due) })
}

// endWaiting ends notifications that another one took along.
func (s *Store) endWaiting(ctx context.Context, taken []waiting, as rivertype.JobState) error {
	if len(taken) == 0 {
		return nil
	}
	return s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE river_job SET state = '`+string(as)+`', finalized_at = $2
			WHERE `+tx.s.engine.pick(ofJobs)+` AND state = 'available'`, asJSON(jobIDs(taken)), s.engine.jobTime(jobClock{s}.Now()))
		return err
	})
}

func jobIDs(taken []waiting) []int64 {
	ids := make([]int64, len(taken))
	for i, one := range taken {
		ids[i] = one.job
	}
	return ids
}

// together are the notifications of a job and of what it took with it, in the order in which
// they happened.
func together(n rollout.Notification, taken []waiting) []rollout.Notification {
	all := []rollout.Notification{n}
	for _, one := range taken {
		all = append(all, one.Notification)
	}
	slices.SortStableFunc(all, func(a, b rollout.Notification) int { return a.At.Compare(b.At) })
	return all
}
