package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// Stock counts what is in the database, for metrics.
type Stock struct {
	Profiles, Holds, Outbox, Notifications int
	OldestHold                             time.Duration   // how long the oldest hold in force lasts
	Instances                              map[string]int  // by status
	Silent                                 int             // instances that have not beaten for fleet.StaleAfter
	SourceFailed                           map[string]bool // whether the last sync failed, by source
	Frozen                                 bool            // a freeze is in force
	Deployments                            ActiveDeployments
	Jobs                                   map[string]Jobs // of the outbox, by kind
}

// ActiveDeployments are those that have not ended.
type ActiveDeployments struct {
	Total    int
	States   map[string]int
	Awaiting map[string]int
	SetAside int           // wait for a person because no step of theirs could be stored
	Overdue  time.Duration // how long the step of one is due that nobody has made
	Idle     time.Duration // how long one that is under way, and waits for no person, has made no progress
	Rollback time.Duration // how long one has been rolling back
}

// Jobs are what waits in the outbox.
type Jobs struct {
	Pending int
	Oldest  time.Duration // how long the oldest one has waited
}

// Stock counts now.
func (s *Store) Stock(ctx context.Context) (k Stock, err error) {
	now := s.now()
	k.SourceFailed = map[string]bool{}
	holds, err := s.Holds(ctx)
	if err != nil {
		return k, err
	}
	k.Holds = len(holds)
	for _, h := range holds {
		k.OldestHold = max(k.OldestHold, now.Sub(h.CreatedAt))
	}
	freeze, err := s.Freeze(ctx)
	if err != nil {
		return k, err
	}
	k.Frozen = freeze.InForce(now)
	if k.Profiles, err = count(ctx, s.read, `SELECT count(*) FROM config_profiles WHERE retired = false`); err != nil {
		return k, fmt.Errorf("count the profiles: %w", err)
	}
	if k.Outbox, err = s.OutboxPending(ctx); err != nil {
		return k, fmt.Errorf("count the outbox: %w", err)
	}
	if k.Jobs, err = s.outboxJobs(ctx, now); err != nil {
		return k, err
	}
	k.Notifications = k.Jobs[notificationJob{}.Kind()].Pending
	if k.Deployments, err = s.activeDeployments(ctx, now); err != nil {
		return k, err
	}
	if k.Instances, k.Silent, err = s.countInstances(ctx, now); err != nil {
		return k, err
	}
	sources, err := s.Sources(ctx)
	for _, source := range sources {
		k.SourceFailed[source.ID] = source.LastError != ""
	}
	return k, err
}

// countInstances counts by reported health, and those that are silent.
func (s *Store) countInstances(ctx context.Context, now time.Time) (by map[string]int, silent int, err error) {
	type counted struct {
		status    string
		n, silent int
	}
	rows, err := collect(ctx, s.read, func(row scanner) (c counted, err error) { return c, row.Scan(&c.status, &c.n, &c.silent) },
		`SELECT status, count(*), coalesce(sum(CASE WHEN last_heartbeat <= $1 THEN 1 ELSE 0 END), 0) FROM service_instances GROUP BY status`,
		stamp(now.Add(-fleet.StaleAfter)))
	if err != nil {
		return nil, 0, fmt.Errorf("count the instances: %w", err)
	}
	by = map[string]int{}
	for _, c := range rows {
		by[c.status] = c.n
		silent += c.silent
	}
	return by, silent, nil
}

// waitingJobs are the outbox's jobs that have not ended.
var waitingJobs = text{
	sqlite: `SELECT kind, count(*), CAST(unixepoch(min(created_at), 'subsec') * 1000000 AS INTEGER) FROM river_job
		WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') GROUP BY kind`,
	postgres: `SELECT kind, count(*), min(created_at) FROM river_job
		WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') GROUP BY kind`,
}

func (s *Store) outboxJobs(ctx context.Context, now time.Time) (map[string]Jobs, error) {
	jobs := map[string]Jobs{}
	_, err := collect(ctx, s.read, func(row scanner) (struct{}, error) {
		var kind string
		var n int
		var first time.Time
		err := row.Scan(&kind, &n, at(&first))
		jobs[kind] = Jobs{n, max(0, now.Sub(first))}
		return struct{}{}, err
	}, s.engine.pick(waitingJobs))
	if err != nil {
		return nil, fmt.Errorf("count the jobs of the outbox: %w", err)
	}
	return jobs, nil
}

// standing is how an active deployment stands. Of a corrupt body there is
// nothing to read, and its columns count all the same.
var standing = text{
	sqlite: `SELECT status, quarantined <> '', next_step_at, CASE WHEN json_valid(body) THEN json_object('Awaiting', json_extract(body, '$.Awaiting'),
		'ProgressAt', json_extract(body, '$.ProgressAt'), 'RollbackAt', json_extract(body, '$.RollbackAt')) ELSE '' END
		FROM config_deployments WHERE finished_at IS NULL`,
	postgres: `SELECT status, quarantined <> '', next_step_at, json_build_object('Awaiting', body->'Awaiting',
		'ProgressAt', body->'ProgressAt', 'RollbackAt', body->'RollbackAt')::text
		FROM config_deployments WHERE finished_at IS NULL`,
}

func (s *Store) activeDeployments(ctx context.Context, now time.Time) (a ActiveDeployments, err error) {
	a.States, a.Awaiting = map[string]int{}, map[string]int{}
	_, err = collect(ctx, s.read, func(row scanner) (struct{}, error) {
		var d rollout.Deployment
		var aside bool
		var due time.Time
		if err := row.Scan(&d.State, &aside, at(&due), asJSON(&d)); err != nil {
			return struct{}{}, err
		}
		a.count(d, aside, due, now)
		return struct{}{}, nil
	}, s.engine.pick(standing))
	if err != nil {
		return a, fmt.Errorf("count the active deployments: %w", err)
	}
	return a, nil
}

func (a *ActiveDeployments) count(d rollout.Deployment, aside bool, due, now time.Time) {
	a.Total++
	a.States[string(d.State)]++
	if d.Awaiting != rollout.AwaitingNothing {
		a.Awaiting[string(d.Awaiting)]++
	}
	if aside {
		a.SetAside++
		return // nobody is to step it
	}
	if !due.IsZero() {
		a.Overdue = max(a.Overdue, now.Sub(due))
	}
	switch {
	case d.State == rollout.RollingBack && !d.RollbackAt.IsZero():
		a.Rollback = max(a.Rollback, now.Sub(d.RollbackAt))
	case d.State == rollout.InProgress && !rests(d.Awaiting) && !d.ProgressAt.IsZero():
		a.Idle = max(a.Idle, now.Sub(d.ProgressAt))
	}
}

// rests says that a deployment waits for a person, or for a time of day.
func rests(a rollout.Awaiting) bool {
	switch a {
	case rollout.AwaitingApproval, rollout.AwaitingPromotion, rollout.AwaitingWindow, rollout.AwaitingFreeze:
		return true
	}
	return false
}
