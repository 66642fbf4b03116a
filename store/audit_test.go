package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// Whatever somebody with the file does to the audit log, verifying names the
// first event that does not hold.
func TestTamperingWithTheAuditLogIsFound(t *testing.T) {
	t.Parallel()
	const columns = `event_type, entity_type, entity_id, user_id, details, trace_id, created_at, hash`
	for name, c := range map[string]struct {
		tamper string
		broken int64 // 0: none
	}{
		"nothing":                     {`SELECT 1`, 0},
		"details are edited":          {`UPDATE config_audit_logs SET details = '{"n":9}' WHERE id = 3`, 3},
		"the actor is edited":         {`UPDATE config_audit_logs SET user_id = 'bob' WHERE id = 2`, 2},
		"the time is edited":          {`UPDATE config_audit_logs SET created_at = created_at + 1 WHERE id = 4`, 4},
		"text moves between fields":   {`UPDATE config_audit_logs SET entity_type = 'thingx', entity_id = substr(entity_id, 2) WHERE id = 2`, 2},
		"the first is deleted":        {`DELETE FROM config_audit_logs WHERE id = 1`, 1},
		"one is deleted":              {`DELETE FROM config_audit_logs WHERE id = 3`, 3},
		"the last is deleted":         {`DELETE FROM config_audit_logs WHERE id = 5`, 5},
		"all are deleted":             {`DELETE FROM config_audit_logs`, 1},
		"one is deleted and numbered": {`DELETE FROM config_audit_logs WHERE id = 3; UPDATE config_audit_logs SET id = id - 1 WHERE id > 3`, 3},
		"two are swapped": {`UPDATE config_audit_logs SET id = 9 WHERE id = 2; UPDATE config_audit_logs SET id = 2 WHERE id = 3;
			UPDATE config_audit_logs SET id = 3 WHERE id = 9`, 2},
		"one is added":      {`INSERT INTO config_audit_logs SELECT 6, ` + columns + ` FROM config_audit_logs WHERE id = 5`, 6},
		"a hash is made up": {`UPDATE config_audit_logs SET hash = 'x' WHERE id = 5`, 5},
		// Who rewrites both ends is found only by whoever kept an earlier head.
		"the end and the head are rewritten": {`UPDATE audit_head SET hash = (SELECT hash FROM config_audit_logs WHERE id = 4), id = 4; DELETE FROM config_audit_logs WHERE id = 5`, 0},
		"a number becomes a text":            {`UPDATE config_audit_logs SET created_at = 'yesterday' WHERE id = 2`, 2},
		"a text becomes an empty one":        {`UPDATE config_audit_logs SET trace_id = '' WHERE id = 2`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				for i := range 5 {
					w.must(w.Record(t.Context(), rollout.Fact{Type: "test.happened", EntityType: "thing", EntityID: "xyz", Actor: "ada",
						TraceID: "t", Details: map[string]any{"n": i}}))
				}
				w.disarm("config_audit_logs", "config_audit_logs_immutable", "config_audit_logs_kept")
				w.must(w.raw(w.either(c.tamper, strings.Replace(c.tamper, "created_at + 1", "created_at + interval '1 microsecond'", 1))))
				n, broken, err := w.VerifyAudit(t.Context())
				w.must(err)
				switch {
				case c.broken == 0 && broken != nil:
					t.Errorf("broken at %+v, want whole", broken)
				case c.broken != 0 && (broken == nil || broken.ID != c.broken || broken.Reason == ""):
					t.Errorf("broken at %+v, want %d", broken, c.broken)
				case c.broken != 0 && n >= int(c.broken):
					t.Errorf("%d events hold, want less than %d", n, c.broken)
				}
			})
		})
	}
}

func TestAuditEventsOfOneTransactionStandOrFallWithIt(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.must(w.Record(t.Context(), rollout.Fact{Type: "test.first"}))
		err := w.tx(func(tx *store.Tx) error {
			w.must(tx.Record(t.Context(), rollout.Fact{Type: "test.undone"}))
			return errLost
		})
		if err == nil {
			t.Fatal("the transaction did not fail")
		}
		w.must(w.Record(t.Context(), rollout.Fact{Type: "test.second"}))
		if n, broken, err := w.VerifyAudit(t.Context()); n != 2 || broken != nil || err != nil {
			t.Errorf("verify says %d, %+v, %v", n, broken, err)
		}
	})
}

// Who knows how a row is hashed can make one up that is right by itself. The
// row after it tells.
func TestARowThatIsHashedAnewBreaksTheNext(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for i := range 5 {
			w.must(w.Record(t.Context(), rollout.Fact{Type: "test.happened", Actor: "ada", Details: map[string]any{"n": i}}))
		}
		events, _, err := w.Audit(t.Context(), store.AuditFilter{})
		w.must(err)
		before, e := events[3], events[2] // the newest comes first
		e.Fact.Actor = "bob"
		details, err := json.Marshal(e.Fact.Details)
		w.must(err)
		w.disarm("config_audit_logs", "config_audit_logs_immutable", "config_audit_logs_kept")
		w.must(w.raw(`UPDATE config_audit_logs SET user_id = $1, hash = $2 WHERE id = $3`,
			e.Fact.Actor, store.Link(before.Hash, e.ID, e.Fact, string(details), e.At), e.ID))
		if _, broken, err := w.VerifyAudit(t.Context()); err != nil || broken == nil || broken.ID != e.ID+1 {
			t.Errorf("broken at %+v (%v), want %d, the row after the one that was made up", broken, err, e.ID+1)
		}
	})
}

// A log that is longer than what one statement reads is verified to its end.
func TestALongAuditLogIsVerifiedWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const events = 10_003
		w.must(w.tx(func(tx *store.Tx) error {
			for i := range events {
				if err := tx.Record(t.Context(), rollout.Fact{Type: "test.happened", Details: map[string]any{"n": i}}); err != nil {
					return err
				}
			}
			return nil
		}))
		if n, broken, err := w.VerifyAudit(t.Context()); n != events || broken != nil || err != nil {
			t.Errorf("verify says %d, %+v, %v, want that all %d hold", n, broken, err, events)
		}
		w.disarm("config_audit_logs", "config_audit_logs_immutable")
		w.must(w.raw(`UPDATE config_audit_logs SET user_id = 'bob' WHERE id = 10001`))
		if n, broken, err := w.VerifyAudit(t.Context()); n != 10_000 || broken == nil || broken.ID != 10_001 || err != nil {
			t.Errorf("verify says %d, %+v, %v, want row 10001", n, broken, err)
		}
	})
}
