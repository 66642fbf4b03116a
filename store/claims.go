package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// unlocked passes over the rows that another replica is at.
var unlocked = text{sqlite: "", postgres: " FOR UPDATE SKIP LOCKED"}

// ClaimDue claims up to limit deployments that are not final, whose next step
// is due and which nobody holds. It counts the attempt. A claim whose step
// stored nothing stays until its lease ends: that is the pause before the next
// attempt, so that a passing fault does not use up all of them at once.
func (s *Store) ClaimDue(ctx context.Context, owner string, lease time.Duration, limit int) ([]rollout.Claim, error) {
	if err := s.dropDeadClaims(ctx); err != nil {
		return nil, err
	}
	due, err := count(ctx, s.read, `SELECT count(*) FROM (SELECT 1 FROM config_deployments
		WHERE finished_at IS NULL AND quarantined = '' AND next_step_at <= $1 AND (owner = '' OR lease_until < $1) LIMIT 1) AS one`, stamp(s.now()))
	if err != nil || due == 0 {
		return nil, err // a quiet tick takes no write lock
	}
	var claims []rollout.Claim
	err = s.InTx(ctx, func(tx *Tx) error {
		now := tx.now()
		claims, err = collect(ctx, tx.tx, func(row scanner) (c rollout.Claim, err error) {
			c.Owner = owner
			return c, row.Scan(&c.DeploymentID, &c.Epoch, &c.Attempts)
		}, `UPDATE config_deployments SET owner = $1, epoch = epoch + 1, lease_until = $2, attempts = attempts + 1, woken = false
			WHERE seq IN (SELECT seq FROM config_deployments
				WHERE finished_at IS NULL AND quarantined = '' AND next_step_at <= $3
				  AND (owner = '' OR lease_until < $3)
				ORDER BY next_step_at LIMIT $4`+s.engine.pick(unlocked)+`)
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
	if s.claimed || !s.engine.serial {
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
	if err := s.read.QueryRowContext(ctx, `SELECT min(CASE WHEN owner = '' OR next_step_at > lease_until THEN next_step_at ELSE lease_until END)
		FROM config_deployments WHERE finished_at IS NULL AND quarantined = '' AND next_step_at IS NOT NULL`).Scan(at(&due)); err != nil {
		return due, false, fmt.Errorf("look for the next due deployment: %w", err)
	}
	return due, !due.IsZero(), nil
}

// ReleaseClaims hands back all that owner holds. The attempts stay counted.
func (s *Store) ReleaseClaims(ctx context.Context, owner string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE config_deployments SET owner = '', lease_until = NULL
			WHERE finished_at IS NULL AND owner = $1`, owner); err != nil {
			return fmt.Errorf("hand back the claims of %s: %w", owner, err)
		}
		return nil
	})
}
