package store

import (
	"context"
	"fmt"
	"time"
)

// retainAudit removes the front of the audit log: events from before since, up
// to the first that is not. What follows still hangs together, and begins where
// audit_head says.
//
// Nothing is removed that does not hold: a broken link would go unseen with it.
func (s *Store) retainAudit(ctx context.Context, since time.Time, removed Retained) error {
	for {
		n, err := count(ctx, s.read, `SELECT count(*) FROM config_audit_logs
			WHERE id = (SELECT base_id + 1 FROM audit_head WHERE one = 1) AND created_at < $1`, stamp(since))
		if err != nil {
			return fmt.Errorf("look for old audit events: %w", err)
		}
		if n == 0 {
			return nil
		}
		if err := s.InTx(ctx, func(tx *Tx) error {
			n, err = tx.cutAudit(ctx, since)
			return err
		}); err != nil {
			return fmt.Errorf("remove the front of the audit log: %w", err)
		}
		removed.add("config_audit_logs", n)
		if n == 0 {
			return nil
		}
	}
}

// cutAudit removes one batch.
func (tx *Tx) cutAudit(ctx context.Context, since time.Time) (removed int, err error) {
	var id int64
	var before string
	if err := tx.tx.QueryRowContext(ctx, `SELECT base_id, base_hash FROM audit_head WHERE one = 1`+tx.s.engine.lock).
		Scan(&id, &before); err != nil {
		return 0, err
	}
	front, err := collect(ctx, tx.tx, scanLink, `SELECT `+auditColumns+` FROM config_audit_logs WHERE id > $1 ORDER BY id LIMIT $2`,
		id, batchRows)
	if err != nil {
		return 0, err
	}
	for _, l := range front {
		if !l.At.Before(since) {
			break
		}
		if l.ID != id+1 || link(before, l.ID, l.Fact, l.details, l.At) != l.Hash {
			return 0, fmt.Errorf("row %d was changed or removed: nothing goes before sluice audit verify was looked into", id+1)
		}
		id, before = l.ID, l.Hash
		removed++
	}
	if removed == 0 {
		return 0, nil
	}
	// The base moves first: the database lets nothing go that is after it.
	if _, err := tx.exec(ctx, `UPDATE audit_head SET base_id = $1, base_hash = $2 WHERE one = 1`, id, before); err != nil {
		return 0, err
	}
	n, err := tx.exec(ctx, `DELETE FROM config_audit_logs WHERE id <= $1`, id)
	return int(n), err
}

// auditLink is an audit event with the details that its hash covers, as they stand.
type auditLink struct {
	AuditEvent
	details string
}

func scanLink(row scanner) (l auditLink, err error) {
	return l, row.Scan(&l.ID, &l.Fact.Type, &l.Fact.EntityType, &l.Fact.EntityID, &l.Fact.Actor, &l.details, &l.Fact.TraceID,
		at(&l.At), &l.Hash)
}
