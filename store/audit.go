package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// AuditEvent is one link of the audit chain.
type AuditEvent struct {
	ID   int64
	Fact rollout.Fact
	At   time.Time
	Hash string // SHA-256, hex, over the link before and this row
}

// Record adds an audit event.
func (tx *Tx) Record(ctx context.Context, f rollout.Fact) error {
	details, err := json.Marshal(f.Details)
	if err != nil {
		return fmt.Errorf("audit event %s: %w", f.Type, err)
	}
	var id int64
	var before string
	if err := tx.tx.QueryRowContext(ctx, `SELECT id, hash FROM audit_head WHERE one = 1`).Scan(&id, &before); err != nil {
		return fmt.Errorf("read the head of the audit log: %w", err)
	}
	now := tx.now()
	id++
	hash := link(before, id, f, string(details), now)
	if _, err := tx.exec(ctx, `INSERT INTO config_audit_logs
		(id, event_type, entity_type, entity_id, user_id, details, trace_id, created_at, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, f.Type, f.EntityType, f.EntityID, f.Actor, string(details), f.TraceID, stamp(now), hash); err != nil {
		return fmt.Errorf("write audit event %s: %w", f.Type, err)
	}
	if _, err := tx.exec(ctx, `UPDATE audit_head SET id = $1, hash = $2 WHERE one = 1`, id, hash); err != nil {
		return fmt.Errorf("move the head of the audit log: %w", err)
	}
	return nil
}

// Record adds an audit event in a transaction of its own.
func (s *Store) Record(ctx context.Context, f rollout.Fact) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.Record(ctx, f) })
}

// link is the hash of one row, over the hash of the row before it.
func link(before string, id int64, f rollout.Fact, details string, at time.Time) string {
	h := sha256.New()
	for _, part := range []string{
		before, fmt.Sprint(id), f.Type, f.EntityType, f.EntityID, f.Actor, details, f.TraceID, fmt.Sprint(at.UnixMicro()),
	} {
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// AuditFilter narrows a list of audit events. Zero fields do not.
type AuditFilter struct {
	EntityType, EntityID, User, EventType string
	Since, Until                          time.Time
	Limit, Offset                         int
}

// Audit lists audit events, newest first, and how many there are in all.
func (s *Store) Audit(ctx context.Context, f AuditFilter) ([]AuditEvent, int, error) {
	w := where{}
	w.equal("entity_type", f.EntityType)
	w.equal("entity_id", f.EntityID)
	w.equal("user_id", f.User)
	w.equal("event_type", f.EventType)
	if !f.Since.IsZero() {
		w.add("created_at >= ", stamp(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("created_at < ", stamp(f.Until))
	}
	return listed(ctx, s.read, w, `config_audit_logs`, auditColumns, "id DESC", f.Limit, f.Offset, scanAudit)
}

const auditColumns = `id, event_type, entity_type, entity_id, user_id, details, trace_id, created_at, hash`

func scanAudit(row scanner) (AuditEvent, error) {
	var e AuditEvent
	var details string
	err := row.Scan(&e.ID, &e.Fact.Type, &e.Fact.EntityType, &e.Fact.EntityID, &e.Fact.Actor,
		&details, &e.Fact.TraceID, at(&e.At), &e.Hash)
	// A row that somebody tampered with is shown, not hidden.
	if json.Unmarshal([]byte(details), &e.Fact.Details) != nil {
		e.Fact.Details = map[string]any{"unreadable": details}
	}
	return e, err
}

// BrokenLink is the first place where the audit chain does not hold.
type BrokenLink struct {
	ID     int64
	Reason string
}

// VerifyAudit reads the whole audit log and checks that no row was changed,
// added or removed. n is how many rows hold; broken is nil when all do.
func (s *Store) VerifyAudit(ctx context.Context) (n int, broken *BrokenLink, err error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, nil, fmt.Errorf("begin to read the audit log: %w", err)
	}
	defer func() {
		if back := tx.Rollback(); !errors.Is(back, sql.ErrTxDone) {
			err = errors.Join(err, back)
		}
	}()
	var headID, id int64
	var headHash, before string
	if err := tx.QueryRowContext(ctx, `SELECT id, hash, base_id, base_hash FROM audit_head WHERE one = 1`).
		Scan(&headID, &headHash, &id, &before); err != nil {
		return 0, nil, fmt.Errorf("read the head of the audit log: %w", err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, event_type, entity_type, entity_id, user_id, details, trace_id, created_at, hash
		FROM config_audit_logs WHERE id > $1 ORDER BY id`, id)
	if err != nil {
		return 0, nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e AuditEvent
		var details string
		if err := rows.Scan(&e.ID, &e.Fact.Type, &e.Fact.EntityType, &e.Fact.EntityID, &e.Fact.Actor, &details,
			&e.Fact.TraceID, at(&e.At), &e.Hash); err != nil {
			return n, &BrokenLink{ID: id + 1, Reason: "the row cannot be read: " + err.Error()}, nil
		}
		switch {
		case e.ID != id+1:
			return n, &BrokenLink{ID: id + 1, Reason: "the row is missing"}, nil
		case link(before, e.ID, e.Fact, details, e.At) != e.Hash:
			return n, &BrokenLink{ID: e.ID, Reason: "the row was changed, or does not follow the one before it"}, nil
		}
		id, before = e.ID, e.Hash
		n++
	}
	if err := rows.Err(); err != nil {
		return n, nil, fmt.Errorf("read the audit log: %w", err)
	}
	if id != headID || before != headHash {
		return n, &BrokenLink{ID: id + 1, Reason: fmt.Sprintf("the log ends at row %d, but %d were written", id, headID)}, nil
	}
	return n, nil, nil
}

// where builds the conditions of a list.
type where struct {
	terms []string
	args  []any
}

// add puts arg after term; what closes the term may follow.
func (w *where) add(term string, arg any, closing ...string) {
	w.args = append(w.args, arg)
	w.terms = append(w.terms, fmt.Sprintf("%s$%d%s", term, len(w.args), strings.Join(closing, "")))
}

func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" = ", value)
	}
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// listed reads one page of a table and counts the whole.
func listed[T any](ctx context.Context, q querier, w where, table, columns, order string, limit, offset int, scan func(scanner) (T, error)) ([]T, int, error) {
	total, err := count(ctx, q, `SELECT count(*) FROM `+table+w.String(), w.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("count %s: %w", table, err)
	}
	limit, offset = page(limit, offset)
	items, err := collect(ctx, q, scan,
		fmt.Sprintf(`SELECT %s FROM %s%s ORDER BY %s LIMIT %d OFFSET %d`, columns, table, &w, order, limit, offset), w.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", table, err)
	}
	return items, total, nil
}
