package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

const keptSamples = 15 * time.Minute

// Snapshot reads the deployment's targets with their assignments and the
// samples of the last 15 minutes of those that sampled names, or of all when it
// is nil. It also hears the database's clock.
func (s *Store) Snapshot(ctx context.Context, d rollout.Deployment, sampled func(targets []rollout.Target) []string) (rollout.Snapshot, error) {
	targets, err := s.targets(ctx, d)
	if err != nil {
		return rollout.Snapshot{}, err
	}
	snap, err := s.around(ctx, d.Profile)
	snap.Targets = targets
	if err != nil || len(targets) == 0 {
		return snap, err
	}
	index := make(map[string]int, len(targets))
	for i, t := range targets {
		index[t.Instance.ID] = i
	}
	whose := sampled
	if whose == nil {
		whose = keys
	}
	some := whose(targets)
	if len(some) == 0 {
		return snap, nil
	}
	ids, err := json.Marshal(some)
	if err != nil {
		return rollout.Snapshot{}, fmt.Errorf("read the samples for deployment %s: %w", d.ID, err)
	}
	samples, err := sound(ctx, s, s.read, scanSample, `SELECT instance_id, since, at, sample FROM health_samples
		WHERE `+s.engine.in("instance_id", 1)+` AND at > $2 ORDER BY instance_id, at, seq`,
		string(ids), stamp(s.now().Add(-keptSamples)))
	if err != nil {
		return rollout.Snapshot{}, fmt.Errorf("read the samples for deployment %s: %w", d.ID, err)
	}
	for _, sample := range samples {
		t := &targets[index[sample.InstanceID]]
		t.Samples = append(t.Samples, sample)
	}
	return snap, nil
}

// DeploymentTargets reads a deployment's targets without their samples.
func (s *Store) DeploymentTargets(ctx context.Context, id string) ([]rollout.Target, error) {
	d, err := s.Deployment(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.targets(ctx, d)
}

func (s *Store) targets(ctx context.Context, d rollout.Deployment) ([]rollout.Target, error) {
	instances, err := collect(ctx, s.read, shown(ctx, s, scanInstance), `SELECT `+instanceColumns+` FROM service_instances
		WHERE service_name = $1 AND environment = $2 ORDER BY hostname, instance_id`, d.Selector.Service, d.Selector.Environment)
	if err != nil {
		return nil, fmt.Errorf("read the instances of deployment %s: %w", d.ID, err)
	}
	assignments, err := collect(ctx, s.read, scanAssignment,
		`SELECT `+assignmentColumns+` FROM config_assignments a WHERE a.config_name = $1`, d.Profile)
	if err != nil {
		return nil, fmt.Errorf("read the assignments of deployment %s: %w", d.ID, err)
	}
	of := make(map[string]fleet.Assignment, len(assignments))
	for _, a := range assignments {
		of[a.InstanceID] = a
	}
	var targets []rollout.Target
	for _, i := range instances {
		if d.Selector.Matches(i) {
			targets = append(targets, rollout.Target{Instance: i, Assignment: of[i.ID]})
		}
	}
	return targets, nil
}

func keys(targets []rollout.Target) []string {
	ids := make([]string, len(targets))
	for i, t := range targets {
		ids[i] = t.Instance.ID
	}
	return ids
}

func scanSample(row scanner) (fleet.Sample, error) {
	var id string
	var since, taken time.Time
	var s fleet.Sample
	var bad damage
	err := row.Scan(&id, at(&since), at(&taken), bad.json(&s))
	s.InstanceID, s.Since, s.At = id, since, taken
	return s, bad.of("health_samples", id, err)
}
