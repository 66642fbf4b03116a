package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// Retention says how much of the past is kept. What something still refers to
// is kept whatever it says: see past.judge for versions and deployments.
type Retention struct {
	Versions int           // the newest so many versions and deployments of each profile
	Age      time.Duration // everything that is younger
	AuditAge time.Duration // audit events that are younger
}

// DefaultRetention keeps 100 versions of each profile, 90 days of everything
// and 400 days of the audit log.
func DefaultRetention() Retention {
	const day = 24 * time.Hour
	return Retention{Versions: 100, Age: 90 * day, AuditAge: 400 * day}
}

// valid refuses a policy that would remove all there is: a zero field was
// forgotten, not meant.
func (r Retention) valid() error {
	if r.Versions <= 0 || r.Age <= 0 || r.AuditAge <= 0 {
		return fmt.Errorf("retention of %d versions, %s and %s of audit: each must be above zero", r.Versions, r.Age, r.AuditAge)
	}
	return nil
}

// batchRows bounds what one transaction removes: a rollback that comes
// meanwhile waits for one batch, not for a retention.
const batchRows = 500

// FactRetained is the audit event of a retention that removed something.
const FactRetained = "retention.removed"

// Retained is how many rows a retention removed, by table.
type Retained map[string]int

// Total is how many rows were removed in all.
func (r Retained) Total() (n int) {
	for removed := range maps.Values(r) {
		n += removed
	}
	return n
}

func (r Retained) add(table string, n int) {
	if n > 0 {
		r[table] += n
	}
}

// Retain removes what the policy does not keep, in many small transactions that
// each decide anew. What was removed is one audit event, also when an error
// ended it early; running it again goes on where it ended.
func (s *Store) Retain(ctx context.Context, policy Retention) (Retained, error) {
	if err := policy.valid(); err != nil {
		return nil, err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	removed := Retained{}
	old := stamp(now.Add(-policy.Age))
	// One table that cannot be cleaned does not keep the others from it.
	err = errors.Join(
		s.retainProfiles(ctx, policy, removed),
		s.retainStatuses(ctx, old, removed),
		s.retainRows(ctx, removed, "posted_statuses", "seq", `posted_at <= $1 AND NOT EXISTS (SELECT 1 FROM commit_statuses c
			WHERE c.source_id = posted_statuses.source_id AND c.commit_sha = posted_statuses.commit_sha)`, old),
		s.retainRows(ctx, removed, "pull_request_comments", "(source_id, pull_request, comment_key)", `updated_at <= $1 AND NOT (`+pendingComment+`)`, old),
		s.retainRows(ctx, removed, "pull_request_commands", "(source_id, comment_id)", `begun_at <= $1`, old),
		s.retainRows(ctx, removed, "freezes", "seq", `ended_at <= $1`, old),
		s.retainRows(ctx, removed, "webhook_deliveries", "(forge, delivery_id, source_id)", `received_at <= $1`, stamp(now.Add(-keptDeliveries))),
		s.retainRows(ctx, removed, "pull_request_checks", "(source_id, pull_request)", `checked_at <= $1`, old), // of sources that are gone; others are made anew
		s.retainRows(ctx, removed, "idempotency_keys", "(caller, key_hash)", `claimed_at <= $1`, stamp(now.Add(-KeptKeys))),
		s.retainSealed(ctx, now, removed),
		s.retainAudit(ctx, now.Add(-policy.AuditAge), removed),
	)
	if removed.Total() == 0 {
		return removed, err
	}
	details := map[string]any{}
	for table, n := range removed {
		details[table] = n
	}
	return removed, errors.Join(err, s.Record(ctx, rollout.Fact{
		Type: FactRetained, EntityType: "store", EntityID: "retention", Actor: rollout.Daemon, Details: details,
	}))
}

// retainRows removes the rows of a table for which the condition holds, in
// batches. A table without any takes no write lock.
func (s *Store) retainRows(ctx context.Context, removed Retained, table, key, condition string, args ...any) error {
	columns := key
	if key[0] == '(' {
		columns = key[1 : len(key)-1]
	}
	found := fmt.Sprintf(`SELECT %s FROM %s WHERE %s LIMIT %d`, columns, table, condition, batchRows)
	for {
		n, err := count(ctx, s.read, `SELECT count(*) FROM (`+found+`) found`, args...)
		if err != nil {
			return fmt.Errorf("look for old rows of %s: %w", table, err)
		}
		if n == 0 {
			return nil
		}
		var gone int64
		if err := s.InTx(ctx, func(tx *Tx) (err error) {
			gone, err = tx.exec(ctx, fmt.Sprintf(`DELETE FROM %s WHERE %s IN (%s)`, table, key, found), args...)
			return err
		}); err != nil {
			return fmt.Errorf("remove old rows of %s: %w", table, err)
		}
		removed.add(table, int(gone))
		if gone < batchRows {
			return nil
		}
	}
}
