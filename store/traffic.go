package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Traffic reads where a profile's requests go. Before the first switch there is
// nothing to be taken.
func (s *Store) Traffic(ctx context.Context, name string) (t rollout.Traffic, err error) {
	t.Acked = true
	err = scanTraffic(s.read.QueryRowContext(ctx, trafficOf, name), &t)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return t, fmt.Errorf("read where the requests of %s go: %w", name, err)
	}
	return t, nil
}

const trafficOf = `SELECT active_group, acked_revision >= revision, error FROM config_traffic WHERE config_name = $1`

func scanTraffic(row scanner, t *rollout.Traffic) error {
	return row.Scan(&t.Group, &t.Acked, &t.Error)
}

// switchTraffic sends a profile's requests to a group: its instances learn it by
// a new generation, its traffic hook by the outbox. Without a hook nobody has to
// take it. A rollback uses the hook of the deployment that it follows.
func (tx *Tx) switchTraffic(ctx context.Context, d rollout.Deployment, group string) error {
	if group == "" {
		return nil
	}
	job := trafficJob{Profile: d.Profile}
	var hook string
	if err := tx.tx.QueryRowContext(ctx, `INSERT INTO config_traffic (config_name, active_group, hook, deployment_id, revision, switched_at)
		VALUES ($1, $2, $3, $4, 1, $5)
		ON CONFLICT (config_name) DO UPDATE SET active_group = excluded.active_group, deployment_id = excluded.deployment_id,
		 hook = CASE WHEN $6 THEN config_traffic.hook ELSE excluded.hook END,
		 revision = config_traffic.revision + 1, switched_at = excluded.switched_at, error = ''
		RETURNING revision, hook`,
		d.Profile, group, d.Strategy.TrafficHook, d.ID, stamp(tx.now()), d.Strategy.Type != profile.BlueGreen).Scan(&job.Revision, &hook); err != nil {
		return fmt.Errorf("switch the requests of %s to %s: %w", d.Profile, group, err)
	}
	if err := tx.regenerate(ctx, d.Profile); err != nil {
		return err
	}
	if hook == "" {
		return tx.taken(ctx, job, "")
	}
	if err := tx.putJob(ctx, job, &river.InsertOpts{MaxAttempts: maxPosts}); err != nil {
		return fmt.Errorf("put the switch of %s into the outbox: %w", d.Profile, err)
	}
	return nil
}

// regenerate gives every instance the assignment that it has once more: there is
// something new about it.
func (tx *Tx) regenerate(ctx context.Context, name string) error {
	if _, err := tx.exec(ctx, `UPDATE config_profiles SET generation = generation + 1 WHERE name = $1`, name); err != nil {
		return fmt.Errorf("raise the generation of %s: %w", name, err)
	}
	if _, err := tx.exec(ctx, `UPDATE config_assignments SET generation = (SELECT generation FROM config_profiles WHERE name = $1)
		WHERE config_name = $1`, name); err != nil {
		return fmt.Errorf("assign %s anew: %w", name, err)
	}
	return nil
}

// taken marks a switch as taken by the hook, or keeps why it was not.
func (tx *Tx) taken(ctx context.Context, job trafficJob, failure string) error {
	if _, err := tx.exec(ctx, `UPDATE config_traffic SET error = $3, posting_until = NULL,
		acked_revision = CASE WHEN $3 = '' THEN $2 ELSE acked_revision END WHERE config_name = $1 AND revision = $2`,
		job.Profile, job.Revision, failure); err != nil {
		return fmt.Errorf("mark the switch of %s: %w", job.Profile, err)
	}
	return nil
}

// trafficJob asks for one switch to be told to the traffic hook.
type trafficJob struct {
	Profile  string `json:"profile"`
	Revision int64  `json:"revision"`
}

// Kind names the job in the database.
func (trafficJob) Kind() string { return "traffic_switch" }

// trafficWorker tells traffic hooks.
type trafficWorker struct {
	river.WorkerDefaults[trafficJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is sooner than that of a status: requests wait for it.
func (w *trafficWorker) NextRetry(job *river.Job[trafficJob]) time.Time {
	return jobClock{w.s}.Now().Add(min(15*time.Second, 500*time.Millisecond<<min(job.Attempt-1, 6)))
}

// Work tells the hook of the switch, unless there is a newer one.
func (w *trafficWorker) Work(ctx context.Context, job *river.Job[trafficJob]) error {
	sw, err := w.s.beginSwitch(ctx, job.Args, lease(w.opts.PostTimeout))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case errors.Is(err, errPosting):
		return river.JobSnooze(outboxPoll)
	case err != nil:
		return err
	}
	failure := guarded(func() error { return w.opts.Switch(ctx, sw) }, w.opts.Panicked)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := w.s.endSwitch(bounded, job.Args, failure); err != nil {
		return errors.Join(failure, err)
	}
	if failure != nil {
		w.opts.Logger.WarnContext(ctx, "traffic hook did not take the switch", "profile", sw.Profile, "hook", sw.Hook, "group", sw.Group, "attempt", job.Attempt, "error", failure)
	}
	return failure
}

// guarded makes a panic an error.
func guarded(step func() error, panicked func()) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			panicked()
			err = errPanicked
		}
	}()
	return step()
}

// beginSwitch takes a switch to be told. Until endSwitch nobody else tells the
// hook of this profile anything, so that an older word never lands after a newer
// one. It returns ErrNotFound when there is nothing to tell any more and
// errPosting while another is at it.
func (s *Store) beginSwitch(ctx context.Context, job trafficJob, lease time.Duration) (sw rollout.Switch, err error) {
	sw = rollout.Switch{Profile: job.Profile, Revision: job.Revision}
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockProfile(ctx, job.Profile); err != nil {
			return err
		}
		var until time.Time
		err := tx.tx.QueryRowContext(ctx, `SELECT hook, active_group, deployment_id, switched_at, posting_until FROM config_traffic
			WHERE config_name = $1 AND revision = $2 AND acked_revision < $2`, job.Profile, job.Revision).
			Scan(&sw.Hook, &sw.Group, &sw.Deployment, at(&sw.At), at(&until))
		if err != nil {
			return notFound(err, ErrNotFound, "switch of", job.Profile)
		}
		if until.After(tx.now()) {
			return errPosting
		}
		_, err = tx.exec(ctx, `UPDATE config_traffic SET posting_until = $2 WHERE config_name = $1`, job.Profile, stamp(tx.now().Add(lease)))
		return err
	})
	sw.Before = fleet.OtherGroup(sw.Group)
	if err != nil {
		return sw, fmt.Errorf("take the switch of %s to tell its hook: %w", job.Profile, err)
	}
	return sw, nil
}

// endSwitch keeps what telling the hook came to. The profile's deployment goes on by it.
func (s *Store) endSwitch(ctx context.Context, job trafficJob, failure error) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockProfile(ctx, job.Profile); err != nil {
			return err
		}
		why := ""
		if failure != nil {
			why = cut(failure.Error(), maxPostError)
		}
		if _, err := tx.exec(ctx, `UPDATE config_traffic SET posting_until = NULL WHERE config_name = $1`, job.Profile); err != nil {
			return fmt.Errorf("mark the switch of %s: %w", job.Profile, err)
		}
		if err := tx.taken(ctx, job, why); err != nil {
			return err
		}
		return tx.WakeDeployment(ctx, job.Profile)
	})
}
