package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// targetRows are the instances of a service in an environment, and what each is
// assigned of a profile: as much of it as a deployment is decided on and shown by.
const targetRows = `SELECT i.instance_id, i.hostname, i.port, i.service_version, i.labels, i.metadata, i.status, i.last_heartbeat,
	  COALESCE(a.version, ''), COALESCE(a.generation, 0), COALESCE(a.deployment_id, ''), COALESCE(a.applied, ''),
	  COALESCE(a.applied_generation, 0), a.applied_at, COALESCE(a.apply_micros, 0), COALESCE(a.apply_error, '')
	FROM service_instances i LEFT JOIN config_assignments a ON a.instance_id = i.instance_id AND a.config_name = $3
	WHERE i.service_name = $1 AND i.environment = $2`

// byHost is the order for people. To decide none is needed, and it takes as long as the
// rest of the reading.
const byHost = ` ORDER BY i.hostname, i.instance_id`

// targetRow is what every row is scanned into: from one to the next few columns
// change.
type targetRow struct {
	rollout.Target
	profile string
	bad     damage
	micros  int64
	dest    []any
}

func newTargetRow(d rollout.Deployment) *targetRow {
	r := &targetRow{profile: d.Profile}
	i, a := &r.Instance, &r.Assignment
	i.Service, i.Environment = d.Selector.Service, d.Selector.Environment
	of := map[string]map[string]string{}
	r.dest = []any{
		&i.ID, &i.Hostname, &i.Port, repeated{&i.ServiceVersion}, &words[map[string]string]{of: of, into: &i.Labels, bad: &r.bad},
		&words[map[string]string]{of: of, into: &i.Metadata, bad: &r.bad}, repeated{(*string)(&i.Status)}, at(&i.LastHeartbeat),
		repeated{&a.Version}, &a.Generation, repeated{&a.DeploymentID}, repeated{&a.Applied},
		&a.AppliedGeneration, at(&a.AppliedAt), &r.micros, repeated{&a.ApplyError},
	}
	return r
}

// scan reads the next target. What can be read of a corrupt one is there beside
// the error.
func (r *targetRow) scan(row scanner) error {
	r.bad = damage{}
	err := row.Scan(r.dest...)
	if err != nil { // what was not come to is that of the row before
		i := r.Instance
		r.Target = rollout.Target{Instance: fleet.Instance{ID: i.ID, Service: i.Service, Environment: i.Environment}}
	}
	a := &r.Assignment
	a.InstanceID, a.Profile = "", ""
	if a.Version != "" {
		a.InstanceID, a.Profile = r.Instance.ID, r.profile
	}
	a.ApplyTime = time.Duration(r.micros) * time.Microsecond
	return r.bad.of("service_instances", r.Instance.ID, err)
}

// askingTargets is the question for a deployment's targets with their assignments:
// all of them, at each of its steps, in no order.
func (s *Store) askingTargets(ctx context.Context, d rollout.Deployment, targets *[]rollout.Target) question {
	if n, ok := s.fleets.Load(d.Profile); ok {
		*targets = make([]rollout.Target, 0, n.(int))
	}
	r := newTargetRow(d)
	whole := shown(ctx, s, func(row scanner) (struct{}, error) { return struct{}{}, r.scan(row) })
	return question{
		text: targetRows, args: []any{d.Selector.Service, d.Selector.Environment, d.Profile},
		row: func(row scanner) error {
			if _, err := whole(row); err != nil || !d.Selector.Matches(r.Instance) {
				return err
			}
			if all := *targets; len(all) == cap(all) {
				*targets = slices.Grow(all, max(len(all), 16)) // twice as many: append would copy them more often
			}
			*targets = append(*targets, r.Target)
			return nil
		},
		done: func(int64) error {
			s.fleets.Store(d.Profile, len(*targets))
			return nil
		},
	}
}

// targets reads a deployment's targets by host.
func (s *Store) targets(ctx context.Context, d rollout.Deployment) (targets []rollout.Target, err error) {
	asking := s.askingTargets(ctx, d, &targets)
	asking.text += byHost
	if err := s.read.together(ctx, asking); err != nil {
		return nil, fmt.Errorf("read the targets of deployment %s: %w", d.ID, err)
	}
	return targets, nil
}
