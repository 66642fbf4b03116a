package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// FactStableGiven is the audit event of a stable version that instances got which had
// become targets of its profile.
const FactStableGiven = "profile.stable-given"

// passedOver are instances that have nothing of a profile of their service and
// environment, or what they were given without a deployment and none brought further.
const passedOver = `SELECT p.name, p.target_labels, p.current_version, v.config_hash, i.instance_id, i.labels
	FROM config_profiles p JOIN service_instances i ON i.service_name = p.service AND i.environment = p.environment
	JOIN config_versions v ON v.config_name = p.name AND v.version = p.current_version
	LEFT JOIN config_assignments a ON a.instance_id = i.instance_id AND a.config_name = p.name
	WHERE p.retired = $1 AND (a.instance_id IS NULL OR a.deployment_id = '' AND a.version <> p.current_version
		AND NOT EXISTS (SELECT 1 FROM config_deployments d WHERE d.config_name = p.name AND d.finished_at IS NULL))`

// GiveStable gives each profile's stable version to the instances that are targets of it
// and that no deployment went to: the targets changed after they had registered, or the
// profile was retired then. What no deployment brought to a service and environment goes
// to nobody there: it is stable somewhere else. It says of which profiles.
func (s *Store) GiveStable(ctx context.Context) (names []string, err error) {
	waiting, err := s.passedOver(ctx, s.read, "")
	if err != nil {
		return nil, err
	}
	for _, gift := range waiting {
		given, err := s.stableThere(ctx, s.read, gift.profile)
		if err != nil {
			return names, err
		}
		if !given {
			continue
		}
		err = s.InTx(ctx, func(tx *Tx) (err error) {
			given, err = tx.giveStable(ctx, gift.profile)
			return err
		})
		if err != nil {
			return names, fmt.Errorf("give the stable version of %s: %w", gift.profile, err)
		}
		if given {
			names = append(names, gift.profile)
		}
	}
	return names, nil
}

func (tx *Tx) giveStable(ctx context.Context, name string) (given bool, err error) {
	if err := tx.lockProfile(ctx, name); err != nil {
		return false, err
	}
	there, err := tx.s.stableThere(ctx, tx.tx, name)
	if err != nil || !there {
		return false, err
	}
	waiting, err := tx.s.passedOver(ctx, tx.tx, name) // as it is now that it cannot change
	if err != nil || len(waiting) == 0 {
		return false, err
	}
	assigns := waiting[0].assigns
	giving := tx.giving(rollout.Deployment{Profile: name}, assigns)
	if err := tx.tx.together(ctx, giving.questions...); err != nil {
		return false, err
	}
	if err := giving.rest(ctx); err != nil {
		return false, err
	}
	return true, tx.Record(ctx, rollout.Fact{
		Type: FactStableGiven, EntityType: "profile", EntityID: name, Actor: rollout.Daemon,
		Details: map[string]any{"version": assigns[0].Version, "instances": len(assigns)},
	})
}

// stableThere says that a deployment brought a profile's stable version to the service
// and environment that the profile is for.
func (s *Store) stableThere(ctx context.Context, q querier, name string) (bool, error) {
	r, err := scanProfile(q.QueryRowContext(ctx, profileNamed, name))
	if err != nil {
		return false, fmt.Errorf("read profile %s: %w", name, err)
	}
	d, err := s.broughtBy(ctx, q, name, r.CurrentVersion)
	if errors.Is(err, rollout.ErrNotFound) {
		return false, nil
	}
	return d.Selector.Service == r.Service && d.Selector.Environment == r.Environment, err
}

// stableGift is a profile's stable version for some instances.
type stableGift struct {
	profile string
	assigns []rollout.Assign
}

// passedOver reads who waits for a stable version, of one profile or with "" of all.
func (s *Store) passedOver(ctx context.Context, q querier, name string) (waiting []stableGift, err error) {
	query, args := passedOver, []any{false}
	if name != "" {
		query, args = query+` AND p.name = $2`, append(args, name)
	}
	var targets profile.Targets
	var labels map[string]string
	var bad damage
	known := map[string]map[string]string{}
	one := stableGift{assigns: make([]rollout.Assign, 1)}
	assign := &one.assigns[0]
	dest := []any{
		&one.profile, &words[map[string]string]{of: known, into: &targets.Labels, bad: &bad}, &assign.Version, &assign.Hash,
		&assign.InstanceID, &words[map[string]string]{of: known, into: &labels, bad: &bad},
	}
	_, err = sound(ctx, s, q, func(row scanner) (none struct{}, err error) {
		bad = damage{}
		if err := bad.of("service_instances", assign.InstanceID, row.Scan(dest...)); err != nil || !targets.Matches(labels) {
			return none, err
		}
		last := len(waiting) - 1
		if last < 0 || waiting[last].profile != one.profile {
			waiting = append(waiting, stableGift{profile: one.profile})
			last++
		}
		waiting[last].assigns = append(waiting[last].assigns, *assign)
		return none, nil
	}, query+` ORDER BY p.name`, args...)
	if err != nil {
		return nil, fmt.Errorf("look for instances without the stable version: %w", err)
	}
	return waiting, nil
}
