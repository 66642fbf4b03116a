package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Heard is what an instance should know after a heartbeat.
type Heard struct {
	Assignments []fleet.Assignment // by profile, without data
	// Active says that a deployment which has begun involves the instance, and
	// CheckInterval is the shortest at which such a deployment checks its health.
	Active        bool
	CheckInterval time.Duration
}

// watch is what an active deployment wants of the instances that it involves.
type watch struct {
	ID       string
	State    rollout.State
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
	assigned, err := s.AssignmentsOf(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for _, a := range assigned {
		heard := out[a.InstanceID]
		heard.Assignments = append(heard.Assignments, a)
		out[a.InstanceID] = heard
	}
	watches, err := s.watches(ctx, services)
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		heard := out[i.ID]
		for _, w := range watches[i.Service] {
			if !w.Selector.Matches(i) || w.State == rollout.Pending {
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

// watches reads the active deployments of some services, as much of them as a
// heartbeat's answer needs.
func (s *Store) watches(ctx context.Context, services map[string]struct{}) (map[string][]watch, error) {
	names := make([]string, 0, len(services))
	for name := range services {
		names = append(names, name)
	}
	list, err := json.Marshal(names)
	if err != nil {
		return nil, fmt.Errorf("look for active deployments: %w", err)
	}
	found, err := sound(ctx, s, s.read, func(row scanner) (w watch, err error) {
		var id string
		var bad damage
		err = row.Scan(&id, bad.json(&w))
		return w, bad.of("config_deployments", id, err)
	}, `SELECT deployment_id, body FROM config_deployments
		WHERE finished_at IS NULL AND config_name IN (SELECT name FROM config_profiles WHERE `+s.engine.in("service", 1)+`)`, string(list))
	if err != nil {
		return nil, fmt.Errorf("look for active deployments: %w", err)
	}
	out := map[string][]watch{}
	for _, w := range found {
		out[w.Selector.Service] = append(out[w.Selector.Service], w)
	}
	return out, nil
}
