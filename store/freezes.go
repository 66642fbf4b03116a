package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

const freezeColumns = `reason, actor, begun_at, expires_at, ended_at, ended_by`

const freezeNow = `SELECT ` + freezeColumns + ` FROM freezes WHERE ended_at IS NULL`

func scanFreeze(row scanner) (f rollout.Freeze, err error) {
	return f, row.Scan(&f.Reason, &f.Actor, at(&f.BegunAt), at(&f.ExpiresAt), at(&f.EndedAt), &f.EndedBy)
}

// Freeze reads the freeze that nobody ended yet, in force or expired; nil when
// there is none.
func (s *Store) Freeze(ctx context.Context) (*rollout.Freeze, error) { return lastFreeze(ctx, s.read) }

func lastFreeze(ctx context.Context, q querier) (*rollout.Freeze, error) {
	f, err := scanFreeze(q.QueryRowContext(ctx, freezeNow))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the freeze: %w", err)
	}
	return &f, nil
}

// BeginFreeze freezes every profile for a reason, for some time or, with 0, until
// somebody ends it. One that is in force already ends by it. When it returns,
// no step that was decided without it is stored any more.
func (s *Store) BeginFreeze(ctx context.Context, actor, reason string, last time.Duration) (f rollout.Freeze, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockMoving(ctx); err != nil {
			return err
		}
		if err := tx.endFreeze(ctx, actor, "replaced by a new freeze"); err != nil {
			return err
		}
		now := tx.now()
		f = rollout.Freeze{Reason: reason, Actor: actor, BegunAt: now}
		details := map[string]any{"reason": reason}
		if last > 0 {
			f.ExpiresAt = now.Add(last)
			details["expiresAt"] = f.ExpiresAt.Format(time.RFC3339)
		}
		if _, err := tx.exec(ctx, `INSERT INTO freezes (reason, actor, begun_at, expires_at) VALUES ($1, $2, $3, $4)`,
			f.Reason, f.Actor, stamp(f.BegunAt), stamp(f.ExpiresAt)); err != nil {
			return fmt.Errorf("begin a freeze: %w", err)
		}
		if err := tx.interrupt(ctx); err != nil {
			return err
		}
		return tx.Record(ctx, freezeFact(rollout.FactFreezeBegun, actor, details))
	})
	return f, err
}

// EndFreeze ends the freeze in force; ErrNotFound without one.
func (s *Store) EndFreeze(ctx context.Context, actor, reason string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockMoving(ctx); err != nil {
			return err
		}
		f, err := lastFreeze(ctx, tx.tx)
		if err != nil {
			return err
		}
		if !f.InForce(tx.now()) {
			return fmt.Errorf("freeze: %w", ErrNotFound)
		}
		if err := tx.endFreeze(ctx, actor, reason); err != nil {
			return err
		}
		if err := tx.wake(ctx, `status <> $2`, rollout.RollingBack); err != nil {
			return fmt.Errorf("wake the deployments that were frozen: %w", err)
		}
		return nil
	})
}

// endFreeze ends the last freeze, if nobody has yet. One whose time was over
// ended then, by itself.
func (tx *Tx) endFreeze(ctx context.Context, actor, reason string) error {
	f, err := lastFreeze(ctx, tx.tx)
	if err != nil || f == nil {
		return err
	}
	now := tx.now()
	ended, by := now, actor
	if !f.InForce(now) {
		ended, by = f.ExpiresAt, rollout.Daemon
	}
	n, err := tx.exec(ctx, `UPDATE freezes SET ended_at = $1, ended_by = $2 WHERE ended_at IS NULL`, stamp(ended), by)
	if err == nil && n == 0 {
		err = rollout.ErrStale
	}
	if err != nil {
		return fmt.Errorf("end the freeze: %w", err)
	}
	if by == rollout.Daemon {
		return nil
	}
	return tx.Record(ctx, freezeFact(rollout.FactFreezeEnded, actor, map[string]any{"reason": reason, "froze": f.Actor, "for": f.Reason}))
}

func freezeFact(kind, actor string, details map[string]any) rollout.Fact {
	return rollout.Fact{Type: kind, EntityType: "freeze", EntityID: "global", Actor: actor, Details: details}
}

// lockMoving keeps everybody else from changing the freeze and whatever is under
// way until the transaction ends.
func (tx *Tx) lockMoving(ctx context.Context) error {
	if tx.s.engine.serial {
		return nil
	}
	if _, err := tx.exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('freeze', 2))`); err != nil {
		return fmt.Errorf("lock the freeze: %w", err)
	}
	return tx.lockProfiles(ctx, `name IN (SELECT config_name FROM config_deployments WHERE finished_at IS NULL AND status <> $1)`, rollout.RollingBack)
}

// interrupt makes whatever may go further due anew, and steps that are under way
// stale: they have not seen what happened.
func (tx *Tx) interrupt(ctx context.Context) error {
	if _, err := tx.exec(ctx, `UPDATE config_deployments SET epoch = epoch + 1, owner = '', lease_until = NULL, next_step_at = $1
		WHERE finished_at IS NULL AND quarantined = '' AND status <> $2`, stamp(tx.now()), rollout.RollingBack); err != nil {
		return fmt.Errorf("interrupt what is under way: %w", err)
	}
	return nil
}
