package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/rollout"
)

const holdColumns = `config_name, pinned_version, refused_version, refused_hash, reason, actor, deployment_id, created_at,
	expires_at, released_at, released_by, revert_url`

func scanHold(row scanner) (h rollout.Hold, err error) {
	return h, row.Scan(&h.Profile, &h.PinnedVersion, &h.RefusedVersion, &h.RefusedHash, &h.Reason, &h.Actor, &h.DeploymentID,
		at(&h.CreatedAt), at(&h.ExpiresAt), at(&h.ReleasedAt), &h.ReleasedBy, &h.RevertURL)
}

// ActiveHold reads the profile's hold in force; ok is false without one. A hold
// whose time is over is not in force.
func (s *Store) ActiveHold(ctx context.Context, name string) (h rollout.Hold, ok bool, err error) {
	return activeHold(ctx, s.read, stamp(s.now()), name)
}

// ActiveHold reads it as of this transaction.
func (tx *Tx) ActiveHold(ctx context.Context, name string) (h rollout.Hold, ok bool, err error) {
	return activeHold(ctx, tx.tx, stamp(tx.now()), name)
}

func activeHold(ctx context.Context, q querier, now stamp, name string) (h rollout.Hold, ok bool, err error) {
	h, err = scanHold(q.QueryRowContext(ctx, `SELECT `+holdColumns+` FROM config_holds
		WHERE config_name = $1 AND released_at IS NULL AND (expires_at IS NULL OR expires_at > $2)`, name, now))
	if errors.Is(err, sql.ErrNoRows) {
		return h, false, nil
	}
	if err != nil {
		return h, false, fmt.Errorf("read the hold of %s: %w", name, err)
	}
	return h, true, nil
}

// Holds lists the holds in force.
func (s *Store) Holds(ctx context.Context) ([]rollout.Hold, error) {
	holds, err := collect(ctx, s.read, scanHold, `SELECT `+holdColumns+` FROM config_holds
		WHERE released_at IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY config_name`, stamp(s.now()))
	if err != nil {
		return nil, fmt.Errorf("list the holds: %w", err)
	}
	return holds, nil
}

// beginningHold puts a hold in force. One that is in force already ends by it.
func (tx *Tx) beginningHold(h rollout.Hold) []question {
	what := "put " + h.Profile + " on hold"
	ending := tx.endingHold(h.Profile, h.Actor)
	ending.what = what
	return []question{ending, {
		what: what,
		text: `INSERT INTO config_holds
		(config_name, pinned_version, refused_version, refused_hash, reason, actor, deployment_id, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		args: []any{h.Profile, h.PinnedVersion, h.RefusedVersion, h.RefusedHash, h.Reason, h.Actor, h.DeploymentID, stamp(h.CreatedAt), stamp(h.ExpiresAt)},
	}}
}

func (tx *Tx) endingHold(name, actor string) question {
	return question{
		text: `UPDATE config_holds SET released_at = $2, released_by = $3 WHERE config_name = $1 AND released_at IS NULL`,
		args: []any{name, stamp(tx.now()), actor},
	}
}

// ReleaseHold ends the profile's hold in force, if there is one.
func (tx *Tx) ReleaseHold(ctx context.Context, name, actor, reason string) error {
	h, ok, err := tx.ActiveHold(ctx, name)
	if err != nil || !ok {
		return err
	}
	if err := tx.tx.together(ctx, tx.endingHold(name, actor)); err != nil {
		return fmt.Errorf("end the hold of %s: %w", name, err)
	}
	return tx.Record(ctx, rollout.Fact{
		Type: rollout.FactHoldEnded, EntityType: "profile", EntityID: name, Actor: actor,
		Details: map[string]any{"reason": reason, "refused": h.RefusedVersion, "pinned": h.PinnedVersion},
	})
}

// ReleaseHold ends it in a transaction of its own; ErrNotFound without one.
func (s *Store) ReleaseHold(ctx context.Context, name, actor, reason string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockProfile(ctx, name); err != nil {
			return err
		}
		if _, ok, err := tx.ActiveHold(ctx, name); err != nil || !ok {
			return errors.Join(err, notFoundHold(ok, name))
		}
		return tx.ReleaseHold(ctx, name, actor, reason)
	})
}

func notFoundHold(ok bool, name string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("hold of profile %s: %w", name, ErrNotFound)
}
