package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

const keptSamples = 15 * time.Minute

// Snapshot reads the deployment's targets with their assignments, in no order, and the
// samples that readings asks for once it knows these, or all of the last 15
// minutes when it is nil. The database's clock is heard with what readings is given.
func (s *Store) Snapshot(ctx context.Context, d rollout.Deployment, readings func(rollout.Snapshot) []rollout.Reading) (rollout.Snapshot, error) {
	snap, err := s.around(ctx, d)
	if err != nil || len(snap.Targets) == 0 {
		return snap, err
	}
	if readings == nil {
		readings = everything
	}
	if err := s.samples(ctx, snap.Targets, readings(snap)); err != nil {
		return rollout.Snapshot{}, fmt.Errorf("read the samples for deployment %s: %w", d.ID, err)
	}
	return snap, nil
}

// samplesTogether bounds the instances whose samples are read by one statement,
// so that a large fleet's are no statement that takes too long.
const samplesTogether = 100

// readSamples gives the samples of the instances in the JSON array $1, each one's oldest
// first. PostgreSQL reads them instance by instance, as its index has them: all of
// them at once it would sort on disk.
var readSamples = text{
	sqlite: `SELECT instance_id, since, at, sample FROM health_samples
		WHERE instance_id IN (SELECT value FROM json_each($1)) AND at >= $2 AND since >= $3 ORDER BY instance_id, at, seq`,
	postgres: `SELECT s.instance_id, s.since, s.at, s.sample FROM json_array_elements_text($1::json) AS i(id) CROSS JOIN LATERAL
		(SELECT instance_id, since, at, sample FROM health_samples WHERE instance_id = i.id AND at >= $2 AND since >= $3 ORDER BY at, seq) s`,
}

// samples reads those that are asked for into the targets.
func (s *Store) samples(ctx context.Context, targets []rollout.Target, readings []rollout.Reading) error {
	if len(readings) == 0 {
		return nil
	}
	of := make(map[string]*rollout.Target, len(targets))
	for i := range targets {
		of[targets[i].Instance.ID] = &targets[i]
	}
	kept := s.now().Add(-keptSamples)
	for _, r := range readings {
		from, began := r.From, r.From
		if from.Before(kept) {
			from = kept
		}
		if began.IsZero() {
			began = time.Unix(0, 0)
		}
		for some := range slices.Chunk(r.Instances, samplesTogether) {
			_, err := collect(ctx, s.read, shown(ctx, s, sampleInto(of, r.Coarse)), s.engine.pick(readSamples), asJSON(some), stamp(from), stamp(began))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// DeploymentTargets reads a deployment's targets by host, without their samples.
func (s *Store) DeploymentTargets(ctx context.Context, id string) ([]rollout.Target, error) {
	d, err := s.Deployment(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.targets(ctx, d)
}

// everything asks for all samples of all targets.
func everything(snap rollout.Snapshot) []rollout.Reading {
	ids := make([]string, len(snap.Targets))
	for i, t := range snap.Targets {
		ids[i] = t.Instance.ID
	}
	return []rollout.Reading{{Instances: ids}}
}

// sampleInto scans a sample and gives it to its target: of those of a large
// fleet no second copy is held. One that cannot be read is left out. Where coarse
// it is joined to the one before, if that is of the same minute.
func sampleInto(of map[string]*rollout.Target, coarse bool) func(scanner) (struct{}, error) {
	return func(row scanner) (struct{}, error) {
		var id string
		var since, taken time.Time
		var s fleet.Sample
		var bad damage
		err := row.Scan(&id, at(&since), at(&taken), bad.json(&s))
		if err = bad.of("health_samples", id, err); err != nil {
			return struct{}{}, err
		}
		t := of[id]
		s.InstanceID, s.Since, s.At = t.Instance.ID, since, taken
		if last := len(t.Samples) - 1; coarse && last >= 0 && t.Samples[last].Since.Truncate(time.Minute).Equal(since.Truncate(time.Minute)) {
			if joined, ok := t.Samples[last].Join(s); ok {
				t.Samples[last] = joined
				return struct{}{}, nil
			}
		}
		t.Samples = append(t.Samples, s)
		return struct{}{}, nil
	}
}
