package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Basis reads what a new deployment of the profile is decided on: read it first,
// and everything else after it.
func (s *Store) Basis(ctx context.Context, name string) (rollout.Basis, error) {
	return basis(ctx, s.read, name)
}

func basis(ctx context.Context, q querier, name string) (b rollout.Basis, err error) {
	err = q.QueryRowContext(ctx, basisOf, name).Scan(&b.Current, &b.Newest)
	return b, notFound(err, ErrNotFound, "profile", name)
}

const basisOf = `SELECT current_version, COALESCE((SELECT deployment_id FROM config_deployments
	WHERE config_name = $1 ORDER BY seq DESC LIMIT 1), '') FROM config_profiles WHERE name = $1`

// Ground is what the way back of a profile is found on.
type Ground struct {
	rollout.Basis
	Record profile.Record
	Last   *rollout.Deployment // the newest, nil before the first
}

// Ground reads it, and first of all what must still be so when the way is gone;
// ErrNotFound for a profile that does not exist.
func (s *Store) Ground(ctx context.Context, name string) (g Ground, err error) {
	err = s.read.together(ctx, question{text: basisOf, args: []any{name}, row: func(row scanner) error {
		return row.Scan(&g.Current, &g.Newest)
	}}, question{text: profileNamed, args: []any{name}, row: func(row scanner) (err error) {
		g.Record, err = scanProfile(row)
		return err
	}}, question{text: newestOf, args: []any{name}, row: func(row scanner) error {
		d, err := shown(ctx, s, scanDeployment)(row)
		g.Last = &d
		return err
	}})
	if err == nil && g.Record.Name == "" {
		err = sql.ErrNoRows
	}
	return g, notFound(err, ErrNotFound, "profile", name)
}

const newestOf = `SELECT ` + deploymentColumns + ` FROM config_deployments WHERE config_name = $1 ORDER BY seq DESC LIMIT 1`

// resting is the question whether what a deployment was decided on is still so:
// rollout.ErrStale when it is not. The profile is locked before.
func resting(name string, on rollout.Basis) question {
	return question{text: basisOf, args: []any{name}, row: func(row scanner) error {
		var now rollout.Basis
		if err := row.Scan(&now.Current, &now.Newest); err != nil {
			return err
		}
		if now != on {
			return fmt.Errorf("%s runs %s, and its newest deployment is %s: %w", name, now.Current, now.Newest, rollout.ErrStale)
		}
		return nil
	}, done: func(n int64) error {
		if n == 0 {
			return notFound(sql.ErrNoRows, ErrNotFound, "profile", name)
		}
		return nil
	}}
}

// BroughtBy reads the deployment that last made a version the one that its
// profile runs; rollout.ErrNotFound when none of those that are kept did.
func (s *Store) BroughtBy(ctx context.Context, name, version string) (rollout.Deployment, error) {
	return s.broughtBy(ctx, s.read, name, version)
}

func (s *Store) broughtBy(ctx context.Context, q querier, name, version string) (rollout.Deployment, error) {
	d, err := shown(ctx, s, scanDeployment)(q.QueryRowContext(ctx, `SELECT `+deploymentColumns+` FROM config_deployments
		WHERE config_name = $1 AND config_version = $2 AND (`+completedWhole+` OR kind = 'Rollback') ORDER BY seq DESC LIMIT 1`, name, version))
	return d, notFound(err, rollout.ErrNotFound, "deployment that brought "+version+" of", name)
}
