package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

const instanceColumns = `instance_id, service_name, hostname, port, environment, service_version, labels, metadata, status,
	registered_at, last_heartbeat`

func scanInstance(row scanner) (i fleet.Instance, err error) {
	var bad damage
	err = row.Scan(&i.ID, &i.Service, &i.Hostname, &i.Port, &i.Environment, &i.ServiceVersion, bad.json(&i.Labels),
		bad.json(&i.Metadata), &i.Status, at(&i.RegisteredAt), at(&i.LastHeartbeat))
	if errors.Is(err, sql.ErrNoRows) {
		return i, err
	}
	return i, bad.of("service_instances", i.ID, err)
}

// RegisterInstance adds an instance and gives it the current version of every
// profile that it is a target of. Only the hash of its token is kept.
func (s *Store) RegisterInstance(ctx context.Context, i fleet.Instance, tokenHash []byte) error {
	return s.InTx(ctx, func(tx *Tx) error {
		now := stamp(tx.now())
		if _, err := tx.exec(ctx, `INSERT INTO service_instances
			(instance_id, service_name, hostname, port, environment, service_version, labels, metadata, status, token_hash, registered_at, last_heartbeat)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
			i.ID, i.Service, i.Hostname, i.Port, i.Environment, i.ServiceVersion, asJSON(i.Labels), asJSON(i.Metadata),
			fleet.StatusUnknown, tokenHash, now); err != nil {
			return fmt.Errorf("register instance %s: %w", i.ID, err)
		}
		if err := tx.giveCurrent(ctx, i); err != nil {
			return err
		}
		return tx.Record(ctx, rollout.Fact{
			Type: "instance.registered", EntityType: "instance", EntityID: i.ID, Actor: "instance " + i.Hostname,
			Details: map[string]any{"service": i.Service, "environment": string(i.Environment), "hostname": i.Hostname},
		})
	})
}

// giveCurrent assigns the stable versions, at the generation that the others
// have, and wakes the deployments that the instance now belongs to.
func (tx *Tx) giveCurrent(ctx context.Context, i fleet.Instance) error {
	records, err := sound(ctx, tx.s, tx.tx, scanProfile, `SELECT `+profileColumns+` FROM config_profiles
		WHERE service = $1 AND environment = $2 AND retired = $3 ORDER BY name`+tx.s.engine.lock, i.Service, i.Environment, false)
	if err != nil {
		return fmt.Errorf("find the profiles of instance %s: %w", i.ID, err)
	}
	for _, r := range records {
		if !r.Targets.Matches(i.Labels) {
			continue
		}
		if r.CurrentVersion != "" {
			// A generation that was given is a generation of the profile: the
			// next deployment's must be above it.
			if _, err := tx.exec(ctx, `UPDATE config_profiles SET generation = 1 WHERE name = $1 AND generation = 0`, r.Name); err != nil {
				return fmt.Errorf("begin the generations of %s: %w", r.Name, err)
			}
			if _, err := tx.exec(ctx, `INSERT INTO config_assignments (instance_id, config_name, version, config_hash, generation, assigned_at)
				SELECT CAST($1 AS TEXT), config_name, version, config_hash, CAST($4 AS BIGINT), CAST($5 AS TIMESTAMPTZ) FROM config_versions WHERE config_name = $2 AND version = $3`+tx.s.engine.keep,
				i.ID, r.Name, r.CurrentVersion, max(1, r.Generation), stamp(tx.now())); err != nil {
				return fmt.Errorf("assign %s to instance %s: %w", r.Name, i.ID, err)
			}
		}
		if err := tx.WakeDeployment(ctx, r.Name); err != nil {
			return err
		}
	}
	return nil
}

// Instance reads one instance; ErrNotFound when there is none.
func (s *Store) Instance(ctx context.Context, id string) (fleet.Instance, error) {
	i, err := scanInstance(s.read.QueryRowContext(ctx, `SELECT `+instanceColumns+` FROM service_instances WHERE instance_id = $1`, id))
	return i, notFound(err, ErrNotFound, "instance", id)
}

// InstanceByToken reads the instance whose token has the hash; ErrNotFound when
// there is none.
func (s *Store) InstanceByToken(ctx context.Context, hash []byte) (fleet.Instance, error) {
	i, err := scanInstance(s.read.QueryRowContext(ctx, `SELECT `+instanceColumns+` FROM service_instances WHERE token_hash = $1`, hash))
	return i, notFound(err, ErrNotFound, "instance of the", "token")
}

// InstanceFilter narrows a list of instances. Zero fields do not.
type InstanceFilter struct {
	Service, Environment, Health, ConfigVersion string
	Search                                      string // part of the host's name, in either case
	Scope                                       profile.Scope
	Limit, Offset                               int
}

// Instances lists instances by service and host, and how many there are in all.
func (s *Store) Instances(ctx context.Context, f InstanceFilter) ([]fleet.Instance, int, error) {
	w := where{}
	w.equal("service_name", f.Service)
	w.equal("environment", f.Environment)
	w.equal("status", f.Health)
	w.contains("hostname", f.Search)
	w.narrow(s.engine, f.Scope, (*where).instanceWithin)
	if f.ConfigVersion != "" {
		w.add("instance_id IN (SELECT instance_id FROM config_assignments WHERE applied = ", f.ConfigVersion, ")")
	}
	return listed(ctx, s.read, w, "service_instances", instanceColumns, "service_name, hostname, instance_id", f.Limit, f.Offset, shown(ctx, s, scanInstance))
}

// DeregisterInstance removes an instance; ErrNotFound when there is none.
func (s *Store) DeregisterInstance(ctx context.Context, id, actor string) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.deregister(ctx, id, actor, "deregistered", time.Time{}) })
}

// deregister removes an instance, unless it has beaten since then if that is
// given; ErrNotFound when there is none.
func (tx *Tx) deregister(ctx context.Context, id, actor, why string, since time.Time) error {
	if err := tx.lockProfilesOf(ctx, id); err != nil {
		return err
	}
	// Also those that have assigned it nothing yet: it counted in their shares.
	if err := tx.wake(ctx, `config_name IN (SELECT p.name FROM service_instances i
		JOIN config_profiles p ON p.service = i.service_name AND p.environment = i.environment WHERE i.instance_id = $2)`, id); err != nil {
		return fmt.Errorf("wake the deployments of instance %s: %w", id, err)
	}
	n, err := tx.exec(ctx, `DELETE FROM service_instances WHERE instance_id = $1 AND (CAST($2 AS TIMESTAMPTZ) IS NULL OR last_heartbeat <= $2)`, id, stamp(since))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("remove instance %s: %w", id, err)
	}
	return tx.Record(ctx, rollout.Fact{
		Type: "instance.removed", EntityType: "instance", EntityID: id, Actor: actor, Details: map[string]any{"reason": why},
	})
}

// SweepInstances removes the instances that have been silent for fleet.GoneAfter.
func (s *Store) SweepInstances(ctx context.Context) (removed int, err error) {
	silent := s.now().Add(-fleet.GoneAfter)
	ids, err := collect(ctx, s.read, scanName, `SELECT instance_id FROM service_instances WHERE last_heartbeat <= $1 LIMIT 1000`, stamp(silent))
	if err != nil {
		return 0, fmt.Errorf("look for instances that are gone: %w", err)
	}
	for _, id := range ids {
		switch err := s.InTx(ctx, func(tx *Tx) error { return tx.deregister(ctx, id, rollout.Daemon, "silent for an hour", silent) }); {
		case err == nil:
			removed++
		case !errors.Is(err, ErrNotFound): // it beat or left meanwhile
			return removed, err
		}
	}
	return removed, nil
}
