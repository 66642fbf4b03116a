package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// Heard is what an instance should know after a heartbeat.
type Heard struct {
	Assignments []fleet.Assignment // by profile, without data and what the instance said of them
	// Active says that a deployment which has begun involves the instance, and
	// CheckInterval is the shortest at which such a deployment checks its health.
	Active        bool
	CheckInterval time.Duration
}

// watch is what an active deployment wants of the instances that it involves. It
// was settled when the deployment was made.
type watch struct {
	Selector fleet.Selector
	Health   struct {
		CheckInterval profile.Duration `json:"checkInterval"`
	}
}

// Heard reads what instances should know, by their ids, in as many statements for
// a thousand of them as for one.
func (s *Store) Heard(ctx context.Context, instances ...fleet.Instance) (map[string]Heard, error) {
	out := make(map[string]Heard, len(instances))
	ids := make([]string, 0, len(instances))
	services := map[string]struct{}{}
	for _, i := range instances {
		ids = append(ids, i.ID)
		services[i.Service] = struct{}{}
	}
	var active []string
	err := s.read.together(ctx, question{
		text: `SELECT a.instance_id, a.config_name, a.version, a.config_hash, a.generation, a.deployment_id, a.traceparent, COALESCE(t.active_group, '')
			FROM config_assignments a LEFT JOIN config_traffic t ON t.config_name = a.config_name
			WHERE ` + s.engine.in("a.instance_id", 1) + ` ORDER BY a.instance_id, a.config_name`,
		args: []any{asJSON(ids)},
		row: func(row scanner) error {
			var a fleet.Assignment
			err := row.Scan(&a.InstanceID, &a.Profile, &a.Version, &a.Hash, &a.Generation, &a.DeploymentID, &a.TraceParent, &a.ActiveGroup)
			heard := out[a.InstanceID]
			heard.Assignments = append(heard.Assignments, a)
			out[a.InstanceID] = heard
			return err
		},
	}, question{
		text: `SELECT deployment_id FROM config_deployments WHERE finished_at IS NULL AND status <> 'Pending'
			AND config_name IN (SELECT name FROM config_profiles WHERE ` + s.engine.in("service", 1) + `)`,
		args: []any{asJSON(slices.Collect(maps.Keys(services)))},
		row: func(row scanner) error {
			id, err := scanName(row)
			active = append(active, id)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("read assignments and active deployments: %w", err)
	}
	watches, err := s.watches(ctx, active)
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		heard := out[i.ID]
		for _, w := range watches[i.Service] {
			if !w.Selector.Matches(i) {
				continue
			}
			if interval := w.Health.CheckInterval.Std(); !heard.Active || interval < heard.CheckInterval {
				heard.CheckInterval = interval
			}
			heard.Active = true
		}
		out[i.ID] = heard
	}
	return out, nil
}

// maxWatches bounds what is remembered of deployments.
const maxWatches = 4096

// watched remembers what deployments want, by their ids: of a thousand of them
// each batch of heartbeats would read and decode the same again.
type watched struct {
	mu sync.Mutex
	of map[string]watch
}

// known gives what is remembered of deployments, by their ids, and those of which nothing is.
func (w *watched) known(ids []string) (out map[string]watch, unknown []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out = make(map[string]watch, len(ids))
	for _, id := range ids {
		if known, ok := w.of[id]; ok {
			out[id] = known
		} else {
			unknown = append(unknown, id)
		}
	}
	return out, unknown
}

func (w *watched) keep(id string, one watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil || len(w.of) >= maxWatches {
		w.of = map[string]watch{}
	}
	w.of[id] = one
}

// watches gives what deployments want, by the service of their instances. One that is
// corrupt wants nothing.
func (s *Store) watches(ctx context.Context, ids []string) (map[string][]watch, error) {
	all, unknown := s.watched.known(ids)
	if len(unknown) > 0 {
		_, err := sound(ctx, s, s.read, func(row scanner) (id string, err error) {
			var w watch
			var bad damage
			err = row.Scan(&id, bad.json(&w))
			if err = bad.of("config_deployments", id, err); err == nil {
				all[id] = w
				s.watched.keep(id, w)
			}
			return id, err
		}, `SELECT deployment_id, body FROM config_deployments WHERE `+s.engine.in("deployment_id", 1), asJSON(unknown))
		if err != nil {
			return nil, fmt.Errorf("read the active deployments: %w", err)
		}
	}
	out := map[string][]watch{}
	for _, w := range all {
		out[w.Selector.Service] = append(out[w.Selector.Service], w)
	}
	return out, nil
}
