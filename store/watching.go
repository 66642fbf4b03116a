package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/fleet"
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

// Given is one assignment that was given to many instances: all of it but which
// instance it is of.
type Given struct {
	fleet.Assignment
	Instances []string
	Data      []byte // the version's canonical data, where it came along
}

// given is a profile, its generation, and what was given of it.
type given struct {
	generation int64
	Given
	alike bool // nothing else was given of it
}

// givenRows has one row for each profile: the first of what was given, and who was given just that,
// one in a line after the number of all who were given anything. Nearly always a fleet is given one
// thing at once, and then nobody needs to sort what it was given.
var givenRows = text{
	sqlite: `SELECT g.name, g.generation, COALESCE(f.version, ''), COALESCE(f.config_hash, ''), COALESCE(f.generation, 0), COALESCE(f.deployment_id, ''),
		  COALESCE(f.traceparent, ''), COALESCE(t.active_group, ''), COALESCE(CAST(v.config_data AS TEXT), ''),
		  (SELECT count(*) || char(10) || COALESCE(group_concat(a.instance_id, char(10)) FILTER (WHERE ` + likeFirst + `), '')
		     FROM config_assignments a WHERE a.config_name = g.name AND a.generation > g.seen)
		 FROM (SELECT p.name, p.generation, j.value AS seen,
		         (SELECT a.rowid FROM config_assignments a WHERE a.config_name = p.name AND a.generation > j.value LIMIT 1) AS first
		         FROM json_each($1) j JOIN config_profiles p ON p.name = j.key) g
		 LEFT JOIN config_assignments f ON f.rowid = g.first
		 LEFT JOIN config_versions v ON v.config_name = f.config_name` + small + `
		 LEFT JOIN config_traffic t ON t.config_name = g.name`,
	postgres: `SELECT p.name, p.generation, COALESCE(f.version, ''), COALESCE(f.config_hash, ''), COALESCE(f.generation, 0), COALESCE(f.deployment_id, ''),
		  COALESCE(f.traceparent, ''), COALESCE(t.active_group, ''), COALESCE(CAST(v.config_data AS TEXT), ''),
		  (SELECT count(*) || chr(10) || COALESCE(string_agg(a.instance_id, chr(10)) FILTER (WHERE ` + likeFirst + `), '')
		     FROM config_assignments a WHERE a.config_name = p.name AND a.generation > j.value::bigint)
		 FROM json_each_text($1::json) AS j(key, value) JOIN config_profiles p ON p.name = j.key
		 LEFT JOIN LATERAL (SELECT * FROM config_assignments a WHERE a.config_name = p.name AND a.generation > j.value::bigint LIMIT 1) f ON true
		 LEFT JOIN config_versions v ON v.config_name = f.config_name` + small + `
		 LEFT JOIN config_traffic t ON t.config_name = p.name`,
}

// small is the version that was given, if its data has at most $2 bytes.
const small = ` AND v.version = f.version AND v.config_hash = f.config_hash AND v.size_bytes <= $2`

const likeFirst = `(a.generation, a.version, a.config_hash, a.deployment_id, a.traceparent) = (f.generation, f.version, f.config_hash, f.deployment_id, f.traceparent)`

// givenApart has a row for each thing that was given of a profile, and no data.
var givenApart = text{
	sqlite: `SELECT p.name, p.generation, COALESCE(a.version, ''), COALESCE(a.config_hash, ''), COALESCE(a.generation, 0), COALESCE(a.deployment_id, ''),
		  COALESCE(a.traceparent, ''), COALESCE(t.active_group, ''), '', count(a.instance_id) || char(10) || COALESCE(group_concat(a.instance_id, char(10)), '')
		 FROM json_each($1) j JOIN config_profiles p ON p.name = j.key
		 LEFT JOIN config_assignments a ON a.config_name = p.name AND a.generation > j.value
		 LEFT JOIN config_traffic t ON t.config_name = p.name
		GROUP BY p.name, a.generation, a.version, a.config_hash, a.deployment_id, a.traceparent`,
	postgres: `SELECT p.name, p.generation, COALESCE(a.version, ''), COALESCE(a.config_hash, ''), COALESCE(a.generation, 0), COALESCE(a.deployment_id, ''),
		  COALESCE(a.traceparent, ''), COALESCE(t.active_group, ''), '', count(a.instance_id) || chr(10) || COALESCE(string_agg(a.instance_id, chr(10)), '')
		 FROM json_each_text($1::json) AS j(key, value) JOIN config_profiles p ON p.name = j.key
		 LEFT JOIN config_assignments a ON a.config_name = p.name AND a.generation > j.value::bigint
		 LEFT JOIN config_traffic t ON t.config_name = p.name
		GROUP BY p.name, p.generation, a.generation, a.version, a.config_hash, a.deployment_id, a.traceparent, t.active_group`,
}

// GivenSince reads what was given of some profiles after the generation that each
// has in seen, and the generations that they have now. Assignments of a whole
// fleet are few rows: what it was given together is told together. Small data comes along,
// of all profiles at most so many bytes.
func (s *Store) GivenSince(ctx context.Context, seen map[string]int64, bytes int) (since []Given, generations map[string]int64, err error) {
	generations = make(map[string]int64, len(seen))
	if len(seen) == 0 {
		return nil, generations, nil
	}
	found, err := s.given(ctx, givenRows, asJSON(seen), bytes/len(seen))
	if err != nil {
		return nil, nil, err
	}
	apart := map[string]int64{}
	for _, g := range found {
		if !g.alike {
			apart[g.Profile] = seen[g.Profile]
		}
	}
	if len(apart) > 0 {
		more, err := s.given(ctx, givenApart, asJSON(apart))
		if err != nil {
			return nil, nil, err
		}
		found = append(found, more...)
	}
	for _, g := range found {
		generations[g.Profile] = g.generation
		if g.alike && len(g.Instances) > 0 {
			since = append(since, g.Given)
		}
	}
	return since, generations, nil
}

func (s *Store) given(ctx context.Context, rows text, args ...any) ([]given, error) {
	found, err := collect(ctx, s.read, scanGiven, s.engine.pick(rows), args...)
	if err != nil {
		return nil, fmt.Errorf("read what was assigned: %w", err)
	}
	return found, nil
}

func scanGiven(row scanner) (g given, err error) {
	var instances string
	a := &g.Assignment
	if err := row.Scan(&a.Profile, &g.generation, &a.Version, &a.Hash, &a.Generation, &a.DeploymentID, &a.TraceParent, &a.ActiveGroup, &g.Data, &instances); err != nil {
		return g, err
	}
	all, list, _ := strings.Cut(instances, "\n")
	if list != "" {
		g.Instances = strings.Split(list, "\n")
	}
	n, err := strconv.Atoi(all)
	g.alike = n == len(g.Instances)
	return g, err
}

// VersionData reads a version's canonical data by its hash.
func (s *Store) VersionData(ctx context.Context, profileName, version, hash string) (data []byte, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT config_data FROM config_versions WHERE config_name = $1 AND version = $2 AND config_hash = $3`,
		profileName, version, hash).Scan(&data)
	if err != nil {
		return nil, notFound(err, ErrNotFound, "version of "+profileName, version)
	}
	return data, nil
}

// InstanceIDs reads the IDs of all registered instances.
func (s *Store) InstanceIDs(ctx context.Context) (ids map[string]bool, err error) {
	var all []byte
	if err := s.read.QueryRowContext(ctx, s.engine.pick(instanceIDs)).Scan(&all); err != nil {
		return nil, fmt.Errorf("read which instances there are: %w", err)
	}
	var list []string
	if err := json.Unmarshal(all, &list); err != nil {
		return nil, fmt.Errorf("read which instances there are: %w", err)
	}
	ids = make(map[string]bool, len(list))
	for _, id := range list {
		ids[id] = true
	}
	return ids, nil
}

// One row, since ten thousand take a driver ten times as long.
var instanceIDs = text{
	sqlite:   `SELECT json_group_array(instance_id) FROM service_instances`,
	postgres: `SELECT COALESCE(json_agg(instance_id), '[]') FROM service_instances`,
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
