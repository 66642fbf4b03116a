package store_test

import (
	"errors"
	"testing"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

var errLost = errors.New("connection lost during COMMIT")

// After an error of COMMIT nobody knows; the row does. Nothing is written
// twice, and nothing that was stored is reported as lost.
func TestUncertainCommit(t *testing.T) {
	t.Parallel()
	outcomes := map[string]struct {
		commit func(commit, rollback func() error) error
		stored bool
	}{
		"it was stored":     {func(commit, _ func() error) error { return errors.Join(commit(), errLost) }, true},
		"it was not stored": {func(_, rollback func() error) error { return errors.Join(rollback(), errLost) }, false},
	}
	writes := map[string]func(w *world, d rollout.Deployment, claim rollout.Claim) error{
		"a step": func(w *world, d rollout.Deployment, claim rollout.Claim) error {
			d.State = rollout.InProgress
			return w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: true})
		},
		"an order": func(w *world, d rollout.Deployment, _ rollout.Claim) error {
			d.State = rollout.Paused
			return w.Order(t.Context(), rollout.Decision{Next: d, Changed: true})
		},
	}
	for outcome, o := range outcomes {
		for name, write := range writes {
			t.Run(name+": "+outcome, func(t *testing.T) {
				t.Parallel()
				onEach(t, func(t *testing.T, w *world) {
					d := w.create("1.1.0")
					claim := w.claimOne("a")
					d = w.read(d.ID)
					w.BreakCommit(o.commit)
					err := write(w, d, claim)
					if o.stored != (err == nil) || !o.stored && !errors.Is(err, errLost) {
						t.Errorf("got %v", err)
					}
					got := w.read(d.ID)
					if stored := got.Revision > d.Revision; stored != o.stored || got.Revision > d.Revision+1 {
						t.Errorf("revision went from %d to %d", d.Revision, got.Revision)
					}
				})
			})
		}
		t.Run("a new deployment: "+outcome, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				d := w.deployment("1.1.0")
				w.BreakCommit(o.commit)
				err := w.Create(t.Context(), rollout.Decision{Next: d, Changed: true})
				if o.stored != (err == nil) || !o.stored && !errors.Is(err, errLost) {
					t.Errorf("got %v", err)
				}
				if _, err := w.Deployment(t.Context(), d.ID); o.stored != (err == nil) {
					t.Errorf("reading it gave %v", err)
				}
			})
		})
	}
}

// Whoever changed the row since makes the outcome unknowable: decide anew.
func TestUncertainCommitThatOthersFollowedIsStale(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		d = w.read(d.ID)
		w.BreakCommit(func(commit, _ func() error) error {
			return errors.Join(commit(), w.raw(`UPDATE config_deployments SET revision = revision + 1, op_id = 'another'`), errLost)
		})
		d.State = rollout.InProgress
		if err := w.Step(t.Context(), claim, rollout.Decision{Next: d, Changed: true}); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("got %v, want ErrStale", err)
		}
	})
}

// Whatever became of the commit, a status and the job that posts it share it:
// no status is forgotten, none is posted that was never set.
func TestAStatusAndItsJobShareTheirFate(t *testing.T) {
	t.Parallel()
	for outcome, c := range map[string]struct {
		commit func(commit, rollback func() error) error
		rows   int // the status and the aggregate
	}{
		"it was stored":     {func(commit, _ func() error) error { return errors.Join(commit(), errLost) }, 2},
		"it was not stored": {func(_, rollback func() error) error { return errors.Join(rollback(), errLost) }, 0},
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.BreakCommit(c.commit)
				err := w.tx(func(tx *store.Tx) error {
					return tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: commit, Context: "sluice/a", State: rollout.StatusSuccess})
				})
				if !errors.Is(err, errLost) {
					t.Errorf("got %v, want that the connection was lost", err)
				}
				if statuses, jobs := w.rows("commit_statuses"), w.rows("river_job"); statuses != c.rows || jobs != c.rows {
					t.Errorf("%d statuses and %d jobs, want %d of each", statuses, jobs, c.rows)
				}
			})
		})
	}
}

// COMMIT is sent with the last that a transaction writes. It is not carried out when that
// is refused, and what is refused by COMMIT itself is known not to be stored.
func TestWhatIsRefusedAtTheEndIsNotStored(t *testing.T) {
	t.Parallel()
	for at, trigger := range map[string]string{
		"behind which COMMIT comes": `CREATE TRIGGER refuses BEFORE INSERT ON config_audit_logs FOR EACH ROW EXECUTE FUNCTION refuse()`,
		"by COMMIT": `CREATE CONSTRAINT TRIGGER refuses AFTER INSERT ON config_audit_logs DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION refuse()`,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := newPostgresWorld(t)
			w.must(w.raw(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not so'; END $$`))
			w.must(w.raw(trigger))
			write := func() error {
				return w.tx(func(tx *store.Tx) error {
					return errors.Join(
						tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: commit, Context: "sluice/a", State: rollout.StatusSuccess}),
						tx.Record(t.Context(), rollout.Fact{Type: "test.happened"}))
				})
			}
			stored := func() [3]int {
				return [3]int{w.rows("commit_statuses"), w.rows("river_job"), w.rows("config_audit_logs WHERE event_type = 'test.happened'")}
			}
			if err := write(); !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want ErrConflict", err)
			}
			if got := stored(); got != [3]int{} {
				t.Errorf("statuses, jobs and events that were refused are stored: %v", got)
			}
			w.must(w.raw(`DROP TRIGGER refuses ON config_audit_logs`))
			w.must(write())
			if got := stored(); got != [3]int{2, 2, 1} {
				t.Errorf("statuses, jobs and events stored: %v, want 2, 2 and 1", got)
			}
		})
	}
}
