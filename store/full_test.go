package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// fill makes the database take no new rows of events, as a full disk does:
// really with the embedded engine, by what the server would say with PostgreSQL.
func (w *world) fill() (free func()) {
	w.t.Helper()
	if !w.sqlite() {
		w.must(w.raw(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
			CREATE TRIGGER full_disk BEFORE INSERT ON config_audit_logs FOR EACH ROW EXECUTE FUNCTION full_disk()`))
		return func() { w.must(w.raw(`DROP FUNCTION full_disk() CASCADE`)) }
	}
	w.must(w.Limit(w.t.Context(), 1))
	for w.Record(w.t.Context(), large) == nil { // until it is full
	}
	return func() { w.must(w.Limit(w.t.Context(), 1<<30)) }
}

var large = rollout.Fact{Type: "test.large", Details: map[string]any{"x": string(make([]byte, 4096))}}

// A step that a full disk does not take uses up no attempt: the deployment goes
// on by itself when there is room again, however long that takes.
func TestAFullDiskSetsNoDeploymentAside(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		if n, lately := w.Refused(); n != 0 || lately {
			t.Errorf("%d writes were refused before the disk was full", n)
		}
		free := w.fill()
		dec := rollout.Decision{Next: d, Changed: true, Facts: []rollout.Fact{large}}
		for range 7 {
			claim := w.claimOne("a")
			if claim.Attempts > 1 {
				t.Fatalf("attempt %d was counted", claim.Attempts)
			}
			if err := w.Step(t.Context(), claim, dec); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("a step on a full disk gave %v, want ErrUnavailable", err)
			}
			w.advance(16 * time.Second)
		}
		if n, lately := w.Refused(); n < 7 || !lately {
			t.Errorf("%d writes were refused, lately %t", n, lately)
		}
		if after := w.read(d.ID); after.Revision != d.Revision {
			t.Errorf("half a step was stored: %+v", after)
		}
		free()
		w.must(w.Step(t.Context(), w.claimOne("a"), dec))
		w.sound()
	})
}
