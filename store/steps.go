package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/rollout"
)

var _ rollout.Store = (*Store)(nil)

// ClaimDue claims up to limit deployments that are not final, whose next step
// is due and which nobody holds. It counts the attempt. A claim whose step
// stored nothing stays until its lease ends: that is the pause before the next
// attempt, so that a passing fault does not use up all of them at once.
func (s *Store) ClaimDue(ctx context.Context, owner string, lease time.Duration, limit int) ([]rollout.Claim, error) {
	if err := s.dropDeadClaims(ctx); err != nil {
		return nil, err
	}
	due, err := count(ctx, s.read, `SELECT count(*) FROM config_deployments
		WHERE finished_at IS NULL AND quarantined = '' AND next_step_at <= $1 AND (owner = '' OR lease_until < $1)`, stamp(s.now()))
	if err != nil || due == 0 {
		return nil, err // a quiet tick takes no write lock
	}
	var claims []rollout.Claim
	err = s.InTx(ctx, func(tx *Tx) error {
		now := tx.now()
		claims, err = collect(ctx, tx.tx, func(row scanner) (c rollout.Claim, err error) {
			c.Owner = owner
			return c, row.Scan(&c.DeploymentID, &c.Epoch, &c.Attempts)
		}, `UPDATE config_deployments SET owner = $1, epoch = epoch + 1, lease_until = $2, attempts = attempts + 1, woken = 0
			WHERE seq IN (SELECT seq FROM config_deployments
				WHERE finished_at IS NULL AND quarantined = '' AND next_step_at <= $3
				  AND (owner = '' OR lease_until < $3)
				ORDER BY next_step_at LIMIT $4)
			RETURNING deployment_id, epoch, attempts`, owner, stamp(now.Add(lease)), stamp(now), limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim due deployments: %w", err)
	}
	return claims, nil
}

// dropDeadClaims hands back, once, what a killed process held: this process
// alone has the database, so nobody need wait for those leases to end. The
// attempts stay counted.
func (s *Store) dropDeadClaims(ctx context.Context) error {
	s.claims.Lock()
	defer s.claims.Unlock()
	if s.claimed {
		return nil
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE config_deployments SET owner = '', lease_until = NULL WHERE finished_at IS NULL AND owner <> ''`)
		return err
	})
	if err != nil {
		return fmt.Errorf("hand back the claims of a process that is gone: %w", err)
	}
	s.claimed = true
	return nil
}

// NextDue is when the next unclaimed step falls due; ok is false when there is none.
func (s *Store) NextDue(ctx context.Context) (due time.Time, ok bool, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT min(CASE WHEN owner = '' THEN next_step_at ELSE max(next_step_at, lease_until) END)
		FROM config_deployments WHERE finished_at IS NULL AND quarantined = '' AND next_step_at IS NOT NULL`).Scan(at(&due)); err != nil {
		return due, false, fmt.Errorf("look for the next due deployment: %w", err)
	}
	return due, !due.IsZero(), nil
}

// ReleaseClaims hands back all that owner holds.
func (s *Store) ReleaseClaims(ctx context.Context, owner string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE config_deployments SET owner = '', lease_until = NULL
			WHERE finished_at IS NULL AND owner = $1`, owner); err != nil {
			return fmt.Errorf("hand back the claims of %s: %w", owner, err)
		}
		return nil
	})
}

// Quarantine sets a deployment aside until a person acts on it.
func (s *Store) Quarantine(ctx context.Context, claim rollout.Claim, reason string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE config_deployments SET quarantined = $4, owner = '', lease_until = NULL, revision = revision + 1
			WHERE deployment_id = $1 AND epoch = $2 AND owner = $3`, claim.DeploymentID, claim.Epoch, claim.Owner, reason)
		if err == nil && n == 0 {
			err = rollout.ErrStale
		}
		if err != nil {
			return fmt.Errorf("set deployment %s aside: %w", claim.DeploymentID, err)
		}
		return tx.Record(ctx, rollout.Fact{
			Type: rollout.FactQuarantined, EntityType: "deployment", EntityID: claim.DeploymentID, Actor: rollout.Daemon,
			Details: map[string]any{"reason": reason},
		})
	})
}

// Step stores a decision made under a claim, and gives the claim back. It
// returns rollout.ErrStale when the claim was lost or the deployment changed.
//
// A deployment does not end on what was read before an instance joined, left or
// acknowledged: whoever came in between would be left without its version. The
// step is then stale and due again at once.
func (s *Store) Step(ctx context.Context, claim rollout.Claim, dec rollout.Decision) error {
	err := s.step(ctx, claim, dec)
	if errors.Is(err, rollout.ErrStale) && dec.Next.State.Final() {
		err = errors.Join(err, s.giveBack(ctx, claim))
	}
	return err
}

// giveBack makes a claimed deployment due again for whoever comes first.
func (s *Store) giveBack(ctx context.Context, claim rollout.Claim) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE config_deployments SET owner = '', lease_until = NULL, attempts = 0, next_step_at = $4
			WHERE deployment_id = $1 AND epoch = $2 AND owner = $3 AND finished_at IS NULL`,
			claim.DeploymentID, claim.Epoch, claim.Owner, stamp(tx.now())); err != nil {
			return fmt.Errorf("give deployment %s back: %w", claim.DeploymentID, err)
		}
		return nil
	})
}

func (s *Store) step(ctx context.Context, claim rollout.Claim, dec rollout.Decision) error {
	return s.decided(ctx, dec, func(tx *Tx, op string) (int64, error) {
		next := dec.Next
		if !dec.Changed {
			return tx.exec(ctx, `UPDATE config_deployments SET owner = '', lease_until = NULL, attempts = 0, op_id = $6,
				next_step_at = CASE WHEN woken = 1 THEN $7 ELSE $5 END
				WHERE deployment_id = $1 AND revision = $2 AND epoch = $3 AND owner = $4`,
				next.ID, next.Revision, claim.Epoch, claim.Owner, stamp(dec.Wake), op, stamp(tx.now()))
		}
		wake := dec.Wake
		if next.State.Final() {
			wake = time.Time{}
		}
		return tx.exec(ctx, `UPDATE config_deployments SET body = $5, status = $6, targets = $7, applied = $8, finished_at = $9,
			next_step_at = CASE WHEN woken = 1 AND $9 IS NULL THEN $12 ELSE $10 END, op_id = $11, revision = revision + 1,
			owner = '', lease_until = NULL, attempts = 0
			WHERE deployment_id = $1 AND revision = $2 AND epoch = $3 AND owner = $4 AND finished_at IS NULL
			  AND ($9 IS NULL OR woken = 0)`,
			next.ID, next.Revision, claim.Epoch, claim.Owner, asJSON(next), next.State, next.Progress.Targets, next.Progress.Applied,
			stamp(next.FinishedAt), stamp(wake), op, stamp(tx.now()))
	})
}

// Order stores a decision that a person forced. It raises the epoch, so that a
// step in flight loses, and ends a quarantine. It returns rollout.ErrStale when
// the deployment changed.
func (s *Store) Order(ctx context.Context, dec rollout.Decision) error {
	return s.decided(ctx, dec, func(tx *Tx, op string) (int64, error) {
		next := dec.Next
		// Looked at again at once: what happened since the order's reading of the
		// fleet is not in it.
		var wake time.Time
		if !next.State.Final() {
			wake = tx.now()
		}
		return tx.exec(ctx, `UPDATE config_deployments SET body = $3, status = $4, targets = $5, applied = $6, finished_at = $7,
			next_step_at = $8, op_id = $9, revision = revision + 1, epoch = epoch + 1, owner = '', lease_until = NULL, attempts = 0,
			quarantined = ''
			WHERE deployment_id = $1 AND revision = $2 AND finished_at IS NULL`,
			next.ID, next.Revision, asJSON(next), next.State, next.Progress.Targets, next.Progress.Applied,
			stamp(next.FinishedAt), stamp(wake), op)
	})
}

// decided runs update under compare-and-set and applies the rest of the
// decision in the same transaction. When the outcome of the commit is not
// known, the row says whether it was stored.
func (s *Store) decided(ctx context.Context, dec rollout.Decision, update func(tx *Tx, op string) (int64, error)) error {
	op := uuid.NewString()
	err := s.InTx(ctx, func(tx *Tx) error {
		n, err := update(tx, op)
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.ErrStale
		}
		return tx.apply(ctx, dec)
	})
	if errors.Is(err, errCommit) {
		return s.outcome(ctx, dec.Next, op, err)
	}
	return err
}

// outcome says what became of an uncertain commit: nil when it was stored, its
// error when it was not, and ErrStale when others have changed the row since,
// so that it cannot be known and must be decided anew.
func (s *Store) outcome(ctx context.Context, before rollout.Deployment, op string, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	var last string
	var revision int64
	if err := s.read.QueryRowContext(ctx, `SELECT op_id, revision FROM config_deployments WHERE deployment_id = $1`,
		before.ID).Scan(&last, &revision); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return failure
		}
		return errors.Join(failure, fmt.Errorf("read what became of deployment %s: %w", before.ID, err))
	}
	switch {
	case last == op:
		return nil
	case revision > before.Revision:
		return fmt.Errorf("%w: %w", rollout.ErrStale, failure)
	}
	return failure
}

// Create stores a new deployment and what comes with it; the profile's active
// deployment becomes Superseded.
// Its ID says what became of an uncertain commit: with a taken one it would not
// have come to it.
func (s *Store) Create(ctx context.Context, dec rollout.Decision) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.CreateDeployment(ctx, dec) })
	if !errors.Is(err, errCommit) {
		return err
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	n, readErr := count(bounded, s.read, `SELECT count(*) FROM config_deployments WHERE deployment_id = $1`, dec.Next.ID)
	if readErr == nil && n == 1 {
		return nil
	}
	return errors.Join(err, readErr)
}

// CreateDeployment does so inside a transaction. Content that a hold in force
// refuses is ErrRefused.
func (tx *Tx) CreateDeployment(ctx context.Context, dec rollout.Decision) error {
	d := dec.Next
	if d.Kind == rollout.Forward {
		hold, held, err := tx.ActiveHold(ctx, d.Profile)
		if err != nil {
			return err
		}
		if held && hold.RefusedHash == d.Hash {
			return fmt.Errorf("deploy %s of %s: %w", d.Version, d.Profile, ErrRefused)
		}
	}
	if err := tx.SupersedeActive(ctx, d.Profile, fmt.Sprintf("superseded by %s", d.Version)); err != nil {
		return err
	}
	if err := tx.insertDeployment(ctx, d); err != nil {
		return err
	}
	return tx.apply(ctx, dec)
}

// SupersedeActive ends the profile's active deployment, if there is one.
func (tx *Tx) SupersedeActive(ctx context.Context, profileName, reason string) error {
	d, err := tx.ActiveDeployment(ctx, profileName)
	if errors.Is(err, rollout.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	dec := rollout.Supersede(d, reason, tx.now())
	next := dec.Next
	if _, err := tx.exec(ctx, `UPDATE config_deployments SET body = $2, status = $3, finished_at = $4, next_step_at = NULL,
		revision = revision + 1, epoch = epoch + 1, owner = '', lease_until = NULL, quarantined = '' WHERE deployment_id = $1`,
		d.ID, asJSON(next), next.State, stamp(next.FinishedAt)); err != nil {
		return fmt.Errorf("supersede deployment %s: %w", d.ID, err)
	}
	return tx.apply(ctx, dec)
}

// apply does everything of a decision but the deployment's own row.
func (tx *Tx) apply(ctx context.Context, dec rollout.Decision) error {
	d := dec.Next
	if err := tx.assign(ctx, d, dec.Assign); err != nil {
		return err
	}
	if err := tx.insertChecks(ctx, dec.Checks); err != nil {
		return err
	}
	if dec.Current != "" {
		if _, err := tx.exec(ctx, `UPDATE config_profiles SET current_version = $2, updated_at = $3 WHERE name = $1`,
			d.Profile, dec.Current, stamp(tx.now())); err != nil {
			return fmt.Errorf("set the current version of %s: %w", d.Profile, err)
		}
	}
	if dec.Hold != nil {
		if err := tx.beginHold(ctx, *dec.Hold); err != nil {
			return err
		}
	}
	if dec.Retire {
		if err := tx.RetireProfile(ctx, d.Profile); err != nil {
			return err
		}
	}
	for _, f := range dec.Facts {
		if err := tx.Record(ctx, f); err != nil {
			return err
		}
	}
	for _, status := range dec.Status {
		if err := tx.SetStatus(ctx, status); err != nil {
			return err
		}
	}
	return nil
}

// WakeDeployment makes the profile's active deployment due now, and again after
// a step that is under way, which may not have seen what happened.
func (tx *Tx) WakeDeployment(ctx context.Context, profileName string) error {
	if err := tx.wake(ctx, `config_name = $2`, profileName); err != nil {
		return fmt.Errorf("wake the deployment of %s: %w", profileName, err)
	}
	return nil
}

// wake makes the active deployments due for which the condition on $2 holds.
func (tx *Tx) wake(ctx context.Context, condition string, arg any) error {
	_, err := tx.exec(ctx, `UPDATE config_deployments SET woken = 1,
		next_step_at = CASE WHEN next_step_at <= $1 THEN next_step_at ELSE $1 END
		WHERE finished_at IS NULL AND `+condition, stamp(tx.now()), arg)
	return err
}

// WakeDeployment does so in a transaction of its own.
func (s *Store) WakeDeployment(ctx context.Context, profileName string) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.WakeDeployment(ctx, profileName) })
}
