package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// ServiceState counts the instances of one service in one environment. One that
// is silent counts as silent alone: what it said of its health is old.
type ServiceState struct {
	Service                     string
	Environment                 profile.Environment
	Instances                   int
	Unhealthy, Degraded, Silent int
}

// UnwellServices lists the services within a scope that have an instance which is
// unhealthy, degraded or silent.
func (s *Store) UnwellServices(ctx context.Context, scope profile.Scope) ([]ServiceState, error) {
	w := where{args: []any{stamp(s.now().Add(-fleet.StaleAfter)), fleet.StatusUnhealthy, fleet.StatusDegraded, fleet.StatusHealthy, fleet.StatusUnknown}}
	w.narrow(s.engine, scope, (*where).instanceWithin)
	services, err := collect(ctx, s.read, func(row scanner) (v ServiceState, err error) {
		return v, row.Scan(&v.Service, &v.Environment, &v.Instances, &v.Silent, &v.Unhealthy, &v.Degraded)
	}, `SELECT service_name, environment, count(*),
		sum(CASE WHEN last_heartbeat <= $1 THEN 1 ELSE 0 END),
		sum(CASE WHEN last_heartbeat > $1 AND status = $2 THEN 1 ELSE 0 END),
		sum(CASE WHEN last_heartbeat > $1 AND status = $3 THEN 1 ELSE 0 END)
		FROM service_instances`+w.String()+` GROUP BY service_name, environment
		HAVING sum(CASE WHEN last_heartbeat <= $1 OR status NOT IN ($4, $5) THEN 1 ELSE 0 END) > 0
		ORDER BY service_name, environment`, w.args...)
	if err != nil {
		return nil, fmt.Errorf("look for services that are not well: %w", err)
	}
	return services, nil
}

// Ended lists the newest deployments that ended after a time, within a scope,
// and counts all of them by how they ended.
func (s *Store) Ended(ctx context.Context, scope profile.Scope, since time.Time, limit int) (newest []rollout.Deployment, counts map[rollout.State]int, err error) {
	w := where{}
	w.add("finished_at > ", stamp(since))
	w.narrow(s.engine, scope, (*where).deploymentWithin)
	counts = map[rollout.State]int{}
	if _, err := collect(ctx, s.read, func(row scanner) (struct{}, error) {
		var state rollout.State
		var n int
		err := row.Scan(&state, &n)
		counts[state] = n
		return struct{}{}, err
	}, `SELECT status, count(*) FROM config_deployments`+w.String()+` GROUP BY status`, w.args...); err != nil {
		return nil, nil, fmt.Errorf("count the deployments that ended: %w", err)
	}
	newest, err = collect(ctx, s.read, shown(ctx, s, scanDeployment), fmt.Sprintf(`SELECT %s FROM config_deployments%s
		ORDER BY finished_at DESC, seq DESC LIMIT %d`, deploymentColumns, &w, limit), w.args...)
	if err != nil {
		return nil, nil, fmt.Errorf("list the deployments that ended: %w", err)
	}
	return newest, counts, nil
}

// ActiveAmong reads the deployments under way of the profiles of those names, by name.
func (s *Store) ActiveAmong(ctx context.Context, names []string) (map[string]rollout.Deployment, error) {
	active := map[string]rollout.Deployment{}
	if len(names) == 0 {
		return active, nil
	}
	_, err := collect(ctx, s.read, func(row scanner) (struct{}, error) {
		d, err := shown(ctx, s, scanDeployment)(row)
		active[d.Profile] = d
		return struct{}{}, err
	}, `SELECT `+deploymentColumns+` FROM config_deployments WHERE finished_at IS NULL AND `+s.engine.in("config_name", 1), asJSON(names))
	if err != nil {
		return nil, fmt.Errorf("list the active deployments of profiles: %w", err)
	}
	return active, nil
}

// Spread is how many instances run one version of a profile.
type Spread struct {
	Version   string // "" for those that have not said to run any
	Instances int
	Silent    int // of them
	Failing   int // of them, that could not apply what they were given
}

// Spread counts the instances of a profile by the version that they run.
func (s *Store) Spread(ctx context.Context, name string) ([]Spread, error) {
	versions, err := collect(ctx, s.read, func(row scanner) (v Spread, err error) {
		return v, row.Scan(&v.Version, &v.Instances, &v.Silent, &v.Failing)
	}, `SELECT a.applied, count(*), sum(CASE WHEN i.last_heartbeat <= $2 THEN 1 ELSE 0 END), sum(CASE WHEN a.apply_error <> '' THEN 1 ELSE 0 END)
		FROM config_assignments a JOIN service_instances i ON i.instance_id = a.instance_id
		WHERE a.config_name = $1 GROUP BY a.applied ORDER BY count(*) DESC, a.applied`, name, stamp(s.now().Add(-fleet.StaleAfter)))
	if err != nil {
		return nil, fmt.Errorf("count the instances of %s by version: %w", name, err)
	}
	return versions, nil
}
