package store

import (
	"context"
	"fmt"
)

// Stock counts what is in the database, for metrics.
type Stock struct {
	Profiles, Holds, Deployments, Outbox, Notifications int
	Instances                                           map[string]int  // by status
	SourceFailed                                        map[string]bool // whether the last sync failed, by source
	Frozen                                              bool            // a freeze is in force
}

// Stock counts now.
func (s *Store) Stock(ctx context.Context) (Stock, error) {
	k := Stock{Instances: map[string]int{}, SourceFailed: map[string]bool{}}
	holds, err := s.Holds(ctx)
	if err != nil {
		return k, err
	}
	k.Holds = len(holds)
	freeze, err := s.Freeze(ctx)
	if err != nil {
		return k, err
	}
	k.Frozen = freeze.InForce(s.now())
	for query, into := range map[string]*int{
		`SELECT count(*) FROM config_profiles WHERE retired = false`:        &k.Profiles,
		`SELECT count(*) FROM config_deployments WHERE finished_at IS NULL`: &k.Deployments,
	} {
		if *into, err = count(ctx, s.read, query); err != nil {
			return k, fmt.Errorf("count the stock: %w", err)
		}
	}
	if k.Outbox, err = s.OutboxPending(ctx); err != nil {
		return k, fmt.Errorf("count the outbox: %w", err)
	}
	if k.Notifications, err = s.NotificationsPending(ctx); err != nil {
		return k, fmt.Errorf("count the outbox: %w", err)
	}
	type counted struct {
		name string
		n    int
	}
	instances, err := collect(ctx, s.read, func(row scanner) (c counted, err error) { return c, row.Scan(&c.name, &c.n) },
		`SELECT status, count(*) FROM service_instances GROUP BY status`)
	if err != nil {
		return k, fmt.Errorf("count the instances: %w", err)
	}
	for _, c := range instances {
		k.Instances[c.name] = c.n
	}
	sources, err := s.Sources(ctx)
	for _, source := range sources {
		k.SourceFailed[source.ID] = source.LastError != ""
	}
	return k, err
}
