package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// Generations reads the generation of every profile: whoever kept the last
// answer sees whose assignments changed since.
func (s *Store) Generations(ctx context.Context) (map[string]int64, error) {
	type profileGeneration struct {
		name       string
		generation int64
	}
	rows, err := collect(ctx, s.read, func(row scanner) (g profileGeneration, err error) {
		return g, row.Scan(&g.name, &g.generation)
	}, `SELECT name, generation FROM config_profiles`)
	if err != nil {
		return nil, fmt.Errorf("read the generations: %w", err)
	}
	generations := make(map[string]int64, len(rows))
	for _, g := range rows {
		generations[g.name] = g.generation
	}
	return generations, nil
}

// InstancesOf reads the IDs of the instances that have an assignment of any of
// the profiles.
func (s *Store) InstancesOf(ctx context.Context, profiles ...string) ([]string, error) {
	if len(profiles) == 0 {
		return nil, nil
	}
	names, err := json.Marshal(profiles)
	if err != nil {
		return nil, fmt.Errorf("read the instances of profiles: %w", err)
	}
	ids, err := collect(ctx, s.read, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT DISTINCT instance_id FROM config_assignments WHERE `+s.engine.in("config_name", 1), string(names))
	if err != nil {
		return nil, fmt.Errorf("read the instances of %d profiles: %w", len(profiles), err)
	}
	return ids, nil
}

// Propagation is the time from when the daemon saw a deployment's commit, or from
// the deployment's creation where there is none, until the instance applied its
// version; ok is false when the profile's assignment did not come
// by a deployment of that version, or is not applied yet.
func (s *Store) Propagation(ctx context.Context, instanceID, profileName string) (took time.Duration, ok bool, err error) {
	var applied, began time.Time
	var seen rollout.Deployment
	err = s.read.QueryRowContext(ctx, `SELECT a.applied_at, d.created_at, `+s.engine.pick(seenAt)+` FROM config_assignments a
		JOIN config_deployments d ON d.deployment_id = a.deployment_id AND d.config_version = a.version
		WHERE a.instance_id = $1 AND a.config_name = $2 AND a.applied_generation >= a.generation AND a.applied_at >= d.created_at`,
		instanceID, profileName).Scan(at(&applied), at(&began), asJSON(&seen))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read when %s was applied by instance %s: %w", profileName, instanceID, err)
	}
	if !seen.SeenAt.IsZero() {
		began = seen.SeenAt
	}
	return max(0, applied.Sub(began)), true, nil
}

// seenAt is that of the deployment d, as JSON.
var seenAt = text{
	sqlite:   `CASE WHEN json_valid(d.body) THEN json_object('SeenAt', json_extract(d.body, '$.SeenAt')) ELSE '' END`,
	postgres: `json_build_object('SeenAt', d.body->'SeenAt')::text`,
}
