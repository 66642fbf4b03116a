package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/rollout"
)

// stableTag marks a version that is never removed.
const stableTag = "stable"

// deploymentBatch is smaller than batchRows: each brings up to a hundred checks.
const deploymentBatch = 50

// retainProfiles removes old versions and deployments. A profile that cannot be
// judged, because a row of it is corrupt, keeps all it has.
func (s *Store) retainProfiles(ctx context.Context, policy Retention, removed Retained) error {
	// The newest of either kind stay: a profile with no more has nothing to remove.
	names, err := collect(ctx, s.read, scanName,
		`SELECT name FROM config_profiles WHERE version_count > $1 OR deployment_count > $1 ORDER BY name`, policy.Versions)
	if err != nil {
		return fmt.Errorf("look for profiles with old versions: %w", err)
	}
	var errs []error
	for _, name := range names {
		if err := s.retainProfile(ctx, name, policy, removed); err != nil {
			errs = append(errs, fmt.Errorf("remove what is old of %s: %w", name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (s *Store) retainProfile(ctx context.Context, name string, policy Retention, removed Retained) error {
	for more := true; more; {
		// A look at what may go takes no write lock; only what goes does.
		p, err := readPast(ctx, s.read, name)
		if err != nil {
			return err
		}
		if old := p.judge(policy, s.now()); len(old.deployments)+len(old.versions) == 0 {
			return nil
		}
		var gone Retained
		if err := s.InTx(ctx, func(tx *Tx) (err error) {
			gone, more, err = tx.retainBatch(ctx, name, policy)
			return err
		}); err != nil {
			return err
		}
		for table, n := range gone {
			removed.add(table, n)
		}
	}
	return nil
}

// retainBatch judges the profile anew and removes a batch. more says that it
// left something.
func (tx *Tx) retainBatch(ctx context.Context, name string, policy Retention) (gone Retained, more bool, err error) {
	// Locked, so that nothing begins to refer to what goes.
	if err := tx.lockProfile(ctx, name); err != nil {
		return nil, false, err
	}
	p, err := readPast(ctx, tx.tx, name)
	if err != nil {
		return nil, false, err
	}
	old := p.judge(policy, tx.now())
	if more = len(old.deployments) > deploymentBatch; more {
		old = doomed{deployments: old.deployments[:deploymentBatch]} // a version goes after its deployments
	} else if more = len(old.versions) > batchRows; more {
		old.versions = old.versions[:batchRows]
	}
	gone, err = tx.remove(ctx, name, old)
	return gone, more, err
}

func (tx *Tx) remove(ctx context.Context, name string, old doomed) (Retained, error) {
	gone := Retained{}
	for _, id := range old.deployments {
		for _, table := range []string{"deployment_checks", "config_deployments"} {
			n, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE deployment_id = $1`, id)
			if err != nil {
				return nil, fmt.Errorf("remove deployment %s: %w", id, err)
			}
			gone.add(table, int(n))
		}
	}
	for _, number := range old.versions {
		n, err := tx.exec(ctx, `DELETE FROM config_versions WHERE config_name = $1 AND version = $2`, name, number)
		if err != nil {
			return nil, fmt.Errorf("remove version %s: %w", number, err)
		}
		gone.add("config_versions", int(n))
	}
	_, err := tx.exec(ctx, `UPDATE config_profiles SET version_count = version_count - $2, deployment_count = deployment_count - $3
		WHERE name = $1`, name, gone["config_versions"], gone["config_deployments"])
	return gone, err
}

// readPast reads what there is of a profile and what refers to it.
func readPast(ctx context.Context, q querier, name string) (p past, err error) {
	p.usedVersions, p.usedDeployments = map[string]bool{}, map[string]bool{}
	if p.versions, err = collect(ctx, q, func(row scanner) (v pastVersion, err error) {
		var tags []string
		err = row.Scan(&v.number, &v.hash, at(&v.createdAt), asJSON(&tags))
		v.stable = slices.Contains(tags, stableTag)
		return v, err
	}, `SELECT version, config_hash, created_at, tags FROM config_versions WHERE config_name = $1 ORDER BY seq DESC`, name); err != nil {
		return p, fmt.Errorf("read the versions: %w", err)
	}
	if p.deployments, err = collect(ctx, q, scanPastDeployment, `SELECT deployment_id, config_version, config_hash, kind, chosen, status,
		targets, finished_at FROM config_deployments WHERE config_name = $1 ORDER BY seq DESC`, name); err != nil {
		return p, fmt.Errorf("read the deployments: %w", err)
	}
	var current string
	if err := q.QueryRowContext(ctx, `SELECT current_version, desired_version FROM config_profiles WHERE name = $1`, name).
		Scan(&current, &p.desired); err != nil {
		return p, fmt.Errorf("read the profile: %w", err)
	}
	p.usedVersions[current] = true
	if err := p.use(ctx, q, name); err != nil {
		return p, err
	}
	return p, p.useWayBack(ctx, q, current)
}

// use notes the versions and deployments that assignments and the hold in force name.
func (p past) use(ctx context.Context, q querier, name string) error {
	for _, query := range []string{
		`SELECT DISTINCT version, applied, deployment_id FROM config_assignments WHERE config_name = $1`,
		`SELECT pinned_version, refused_version, deployment_id FROM config_holds WHERE config_name = $1 AND released_at IS NULL`,
	} {
		named, err := collect(ctx, q, func(row scanner) (v [3]string, err error) { return v, row.Scan(&v[0], &v[1], &v[2]) }, query, name)
		if err != nil {
			return fmt.Errorf("read what refers to it: %w", err)
		}
		for _, v := range named {
			p.usedVersions[v[0]], p.usedVersions[v[1]], p.usedDeployments[v[2]] = true, true, true
		}
	}
	return nil
}

// useWayBack notes where the deployments lead back to that can still be taken
// back: the newest, and the one that brought the current version.
func (p past) useWayBack(ctx context.Context, q querier, current string) error {
	var open []string
	for i, d := range p.deployments {
		if i == 0 || d.finishedAt.IsZero() {
			open = append(open, d.id)
		}
	}
	if i := slices.IndexFunc(p.deployments, func(d pastDeployment) bool { return d.completed && d.version == current }); i > 0 {
		open = append(open, p.deployments[i].id)
	}
	for _, id := range open {
		d, err := deployment(ctx, q, id)
		if errors.Is(err, rollout.ErrNotFound) {
			continue // it went since: only a look outside a transaction can meet this
		}
		if err != nil {
			return err
		}
		p.usedVersions[d.Version], p.usedVersions[d.Previous], p.usedDeployments[id] = true, true, true
	}
	return nil
}
