package store_test

import (
	"database/sql"
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
		commit func(tx *sql.Tx) error
		stored bool
	}{
		"it was stored":     {func(tx *sql.Tx) error { return errors.Join(tx.Commit(), errLost) }, true},
		"it was not stored": {func(tx *sql.Tx) error { return errors.Join(tx.Rollback(), errLost) }, false},
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
		w.BreakCommit(func(tx *sql.Tx) error {
			return errors.Join(tx.Commit(), w.raw(`UPDATE config_deployments SET revision = revision + 1, op_id = 'another'`), errLost)
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
		commit func(tx *sql.Tx) error
		rows   int // the status and the aggregate
	}{
		"it was stored":     {func(tx *sql.Tx) error { return errors.Join(tx.Commit(), errLost) }, 2},
		"it was not stored": {func(tx *sql.Tx) error { return errors.Join(tx.Rollback(), errLost) }, 0},
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
