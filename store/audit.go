package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// AuditEvent is one link of the audit chain.
type AuditEvent struct {
	ID   int64
	Fact rollout.Fact
	At   time.Time
	Hash string // SHA-256, hex, over the link before and this row
}

// Record adds an audit event. It is written when the transaction commits.
func (tx *Tx) Record(ctx context.Context, f rollout.Fact) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit event %s: %w", f.Type, err)
	}
	details, err := jsonText(f.Details)
	if err != nil {
		return fmt.Errorf("audit event %s: %w", f.Type, err)
	}
	tx.facts = append(tx.facts, f)
	tx.details = append(tx.details, details)
	return nil
}

// insertFacts is the statement that adds audit events.
var insertFacts = into("config_audit_logs", `id, event_type, entity_type, entity_id, user_id, details, trace_id, hash, created_at`, "")

// writeFacts links what was recorded to the audit log, behind what is to be written before.
// From here to the commit this transaction is the only one that does. It gives the last that
// is to be written.
func (tx *Tx) writeFacts(ctx context.Context, before []question) (last []question, err error) {
	if len(tx.facts) == 0 {
		return before, nil
	}
	var id int64
	var hash string
	head := question{
		what: "read the head of the audit log", text: `SELECT id, hash FROM audit_head WHERE one = 1` + tx.s.engine.lock,
		row: func(row scanner) error { return row.Scan(&id, &hash) },
	}
	if err := tx.tx.together(ctx, append(before, head.there())...); err != nil {
		return nil, err
	}
	now := tx.now()
	hashes := make([]string, len(tx.facts))
	for i, f := range tx.facts {
		f.EntityID, f.Actor = cleanText(f.EntityID), cleanText(f.Actor)
		id++
		hash = link(hash, id, f, tx.details[i], now)
		hashes[i] = hash
	}
	first := id - int64(len(tx.facts)) + 1
	last, err = insertFacts.asking(ctx, tx.tx, fmt.Sprintf("write %d audit events", len(tx.facts)), len(tx.facts), func(i int) []any {
		f := tx.facts[i]
		return []any{first + int64(i), f.Type, f.EntityType, cleanText(f.EntityID), cleanText(f.Actor), tx.details[i], f.TraceID, hashes[i], stamp(now)}
	})
	return append(last, question{
		what: "move the head of the audit log", text: `UPDATE audit_head SET id = $1, hash = $2 WHERE one = 1`, args: []any{id, hash},
	}), err
}

// Record adds an audit event in a transaction of its own.
func (s *Store) Record(ctx context.Context, f rollout.Fact) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.Record(ctx, f) })
}

// link is the hash of one row, over the hash of the row before it.
func link(before string, id int64, f rollout.Fact, details string, at time.Time) string {
	var room [512]byte
	text := room[:0]
	for _, part := range [...]string{
		before, strconv.FormatInt(id, 10), f.Type, f.EntityType, f.EntityID, f.Actor, details, f.TraceID, strconv.FormatInt(at.UnixMicro(), 10),
	} {
		text = strconv.AppendInt(text, int64(len(part)), 10)
		text = append(text, ':')
		text = append(text, part...)
		text = append(text, ',')
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// AuditFilter narrows a list of audit events. Zero fields do not.
type AuditFilter struct {
	EntityType, EntityID, User, EventType string
	Search                                string // part of any of these, of the details or of the trace, in either case
	Since, Until                          time.Time
	Scope                                 profile.Scope
	Limit, Offset                         int
}

// Audit lists audit events, newest first, and how many there are in all.
func (s *Store) Audit(ctx context.Context, f AuditFilter) ([]AuditEvent, int, error) {
	w := where{}
	w.equal("entity_type", f.EntityType)
	w.equal("entity_id", f.EntityID)
	w.equal("user_id", f.User)
	w.equal("event_type", f.EventType)
	w.contains(auditText, f.Search)
	w.narrow(s.engine, f.Scope, (*where).eventWithin)
	if !f.Since.IsZero() {
		w.add("created_at >= ", stamp(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("created_at < ", stamp(f.Until))
	}
	return listed(ctx, s.read, w, `config_audit_logs`, auditColumns, "id DESC", f.Limit, f.Offset, scanAudit)
}

// auditText is all of an event that can be looked for.
const auditText = `event_type || ' ' || entity_type || ' ' || entity_id || ' ' || user_id || ' ' || trace_id || ' ' || CAST(details AS TEXT)`

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
	begun, err := s.read.of(ctx).BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.engine.steady})
	if err != nil {
		return 0, nil, fmt.Errorf("begin to read the audit log: %w", s.engine.explain(err))
	}
	tx := session{Tx: begun, engine: s.engine}
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
	for more := true; more && broken == nil; {
		var seen int
		if seen, broken, err = verifyPage(ctx, tx, &id, &before); err != nil {
			return n, nil, fmt.Errorf("read the audit log: %w", err)
		}
		n, more = n+seen, seen == auditPage
	}
	if broken != nil {
		return n, broken, nil
	}
	if id != headID || before != headHash {
		return n, &BrokenLink{ID: id + 1, Reason: fmt.Sprintf("the log ends at row %d, but %d were written", id, headID)}, nil
	}
	return n, nil, nil
}

// auditPage is how many rows one statement reads: a log of any length is verified
// within the time that a statement may take.
const auditPage = 5000

// verifyPage follows the chain from a link on, and moves that to where it came.
func verifyPage(ctx context.Context, q querier, id *int64, before *string) (seen int, broken *BrokenLink, err error) {
	rows, err := q.QueryContext(ctx, `SELECT `+auditColumns+` FROM config_audit_logs WHERE id > $1 ORDER BY id LIMIT $2`, *id, auditPage)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scanLink(rows)
		switch {
		case err != nil:
			return seen, &BrokenLink{ID: *id + 1, Reason: "the row cannot be read: " + err.Error()}, nil
		case l.ID != *id+1:
			return seen, &BrokenLink{ID: *id + 1, Reason: "the row is missing"}, nil
		case link(*before, l.ID, l.Fact, l.details, l.At) != l.Hash:
			return seen, &BrokenLink{ID: l.ID, Reason: "the row was changed, or does not follow the one before it"}, nil
		}
		*id, *before = l.ID, l.Hash
		seen++
	}
	return seen, nil, q.explain(rows.Err())
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

// likeText is a text as LIKE takes it, wherever it is.
var likeText = strings.NewReplacer(`\`, `\\`, "_", `\_`, "%", `\%`)

// contains is the condition that a column of names, which are ASCII, has a text
// in it, in whatever case.
func (w *where) contains(column, part string) {
	if part != "" {
		w.add("lower("+column+") LIKE ", "%"+likeText.Replace(strings.ToLower(part))+"%", ` ESCAPE '\'`)
	}
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// listed reads one page of a table and counts the whole.
func listed[T any](ctx context.Context, q pools, w where, table, columns, order string, limit, offset int, scan func(scanner) (T, error)) ([]T, int, error) {
	args := append(slices.Clone(q.engine.asked), w.args...)
	total, err := count(ctx, q, `SELECT count(*) FROM `+table+w.String(), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("count %s: %w", table, err)
	}
	if total == 0 {
		return nil, 0, nil
	}
	limit, offset = page(limit, offset)
	items, err := collect(ctx, q, scan,
		fmt.Sprintf(`SELECT %s FROM %s%s ORDER BY %s LIMIT %d OFFSET %d`, columns, table, &w, order, limit, offset), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", table, err)
	}
	return items, total, nil
}
