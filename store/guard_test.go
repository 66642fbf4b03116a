package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A branch that is set back to an earlier commit makes a new version of that
// commit's content. Refusing it would stop the whole source for good.
func TestACommitCanMakeTheSameContentTwice(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, number := range []string{"1.2.0", "1.4.0"} {
			v := w.version(number, "300ms")
			v.Commit = "c1"
			w.must(w.InsertVersion(t.Context(), v))
		}
		if err := w.InsertVersion(t.Context(), w.version("1.4.0", "5s")); !errors.Is(err, store.ErrExists) {
			t.Errorf("a number that is taken gave %v, want ErrExists", err)
		}
	})
}

func TestAVersionIsItsContent(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		v := w.version("1.2.0", "300ms")
		v.Data = profile.Data{"timeout": "301ms"}
		if err := w.InsertVersion(t.Context(), v); !errors.Is(err, store.ErrHashMismatch) {
			t.Errorf("other data than its hash says gave %v, want ErrHashMismatch", err)
		}
		w.disarm("config_versions", "config_versions_immutable")
		w.must(w.raw(`UPDATE config_versions SET config_data = '{"timeout":"9s"}' WHERE version = '1.1.0'`))
		_, err := w.Version(t.Context(), payments, "1.1.0")
		if corrupt, ok := errors.AsType[*store.CorruptError](err); !ok || !strings.Contains(corrupt.Key, "1.1.0") {
			t.Errorf("tampered data gave %v, want a CorruptError that names the version", err)
		}
	})
}

// What the database itself refuses, whoever writes.
func TestTheDatabaseHoldsItsRules(t *testing.T) {
	t.Parallel()
	hash := profile.Hash(profile.Data{"timeout": "1s"})
	const columns = `(deployment_id, config_name, config_version, config_hash, kind, environment, strategy, status, body, created_at, revision)`
	rules := map[string]string{
		"a deployment needs a version that was validated": fmt.Sprintf(
			`INSERT INTO config_deployments %s VALUES ('x', '%s', '9.0.0', '%s', 'Forward', 'Production', 'Canary', 'Pending', '{}', CURRENT_TIMESTAMP, 1)`,
			columns, payments, hash),
		"a version never changes":                    `UPDATE config_versions SET config_data = '{}' WHERE version = '1.0.0'`,
		"the audit log never changes":                `UPDATE config_audit_logs SET user_id = 'nobody'`,
		"only retention removes from the audit log":  `DELETE FROM config_audit_logs`,
		"the generation of an assignment only rises": `UPDATE config_assignments SET generation = generation - 1`,
		"a deployment is final exactly when it has an end": fmt.Sprintf(
			`INSERT INTO config_deployments %s SELECT 'x', config_name, version, config_hash, 'Forward', 'Production', 'Canary', 'Completed', '{}', CURRENT_TIMESTAMP, 1
				FROM config_versions WHERE version = '1.0.0'`, columns),
		"one deployment of a profile is active": fmt.Sprintf(
			`INSERT INTO config_deployments %s SELECT 'x', config_name, version, config_hash, 'Forward', 'Production', 'Canary', 'Pending', '{}', CURRENT_TIMESTAMP, 1
				FROM config_versions WHERE version = '1.0.0'`, columns),
	}
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		d := w.create("1.1.0")
		w.must(w.Step(t.Context(), w.claimOne("a"), rollout.Decision{Next: d, Changed: true,
			Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}}))
		w.must(w.raw(`INSERT INTO config_versions (config_name, version, config_data, config_hash, size_bytes, created_at)
		VALUES ($1, '9.0.0', '{"timeout":"1s"}', $2, 16, CURRENT_TIMESTAMP)`, payments, hash))
		for rule, statement := range rules {
			if err := w.raw(statement); err == nil || !strings.Contains(err.Error(), "constraint") && !strings.Contains(err.Error(), rule) {
				t.Errorf("%s: got %v", rule, err)
			}
		}
		if n, broken, err := w.VerifyAudit(t.Context()); n == 0 || broken != nil || err != nil {
			t.Errorf("verify says %d, %+v, %v", n, broken, err)
		}
	})
}

func TestOnlyWhatWasValidatedIsAssigned(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		d := w.create("1.1.0")
		for name, a := range map[string]rollout.Assign{
			"no such version": {InstanceID: "i-1", Version: "7.0.0", Hash: d.Hash},
			"another hash":    {InstanceID: "i-1", Version: "1.0.0", Hash: d.Hash},
		} {
			err := w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Assign: []rollout.Assign{a}})
			if !errors.Is(err, store.ErrHashMismatch) {
				t.Errorf("%s: got %v, want ErrHashMismatch", name, err)
			}
		}
		if got := w.read(d.ID); got.Revision != d.Revision {
			t.Errorf("a refused decision left its mark: %+v", got)
		}
		// An instance that left between the decision and its writing is no error.
		w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true,
			Assign: []rollout.Assign{{InstanceID: "gone", Version: d.Version, Hash: d.Hash}}}))
	})
}

// A version that is assigned stays, also while the assignment is not committed yet.
func TestAnAssignedVersionStays(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		remove := w.either(`PRAGMA foreign_keys = 1; `, ``) + `DELETE FROM config_versions WHERE version = '1.1.0'`
		w.register("i-1")
		dec := rollout.Decision{Next: w.deployment("1.0.0"), Changed: true} // of another: its own version it keeps by a key
		dec.Assign = []rollout.Assign{{InstanceID: "i-1", Version: "1.1.0", Hash: w.deployment("1.1.0").Hash}}
		w.must(w.InTx(t.Context(), func(tx *store.Tx) error {
			if err := tx.CreateDeployment(t.Context(), dec); err != nil || w.driver == "sqlite" { // which has one writer
				return err
			}
			err := w.raw(`SELECT 1 FROM config_versions WHERE version = '1.1.0' FOR UPDATE NOWAIT`)
			if err == nil || !strings.Contains(err.Error(), "could not obtain lock") {
				t.Errorf("what is being assigned is locked: got %v", err)
			}
			w.must(w.raw(`SELECT 1 FROM config_versions WHERE version = '1.1.0' FOR KEY SHARE NOWAIT`)) // others may assign it meanwhile
			return nil
		}))
		if err := w.raw(remove); err == nil || !strings.Contains(err.Error(), "constraint") && !strings.Contains(err.Error(), "a version that is assigned stays") {
			t.Errorf("removing it gave %v, want that it stays", err)
		}
		w.must(w.raw(`DELETE FROM config_assignments`))
		w.must(w.raw(remove))
	})
}

func TestWhatWasNotValidatedIsNotDeployed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		v := w.version("1.2.0", "300ms")
		v.ValidatedAt = time.Time{}
		w.must(w.InsertVersion(t.Context(), v))
		err := w.Create(t.Context(), rollout.Decision{Next: w.deployment("1.2.0"), Changed: true})
		if err == nil || !strings.Contains(err.Error(), "needs a version that was validated") {
			t.Errorf("got %v, want that it needs a version that was validated", err)
		}
	})
}

// A profile whose generation was lost, as by a restored table, takes no
// assignment back to an older one.
func TestNoAssignmentGoesBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		d := w.create("1.1.0")
		assign := []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}
		w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Assign: assign}))
		w.must(w.raw(`UPDATE config_assignments SET generation = 100`))
		if err := w.Order(t.Context(), rollout.Decision{Next: w.read(d.ID), Changed: true, Assign: assign}); err != nil {
			t.Errorf("a lower generation gave %v, want that the row is left alone", err)
		}
		a, err := w.AssignmentsOf(t.Context(), "i-1")
		w.must(err)
		if len(a) != 1 || a[0].Generation != 100 {
			t.Errorf("it is assigned %+v, want generation 100", a)
		}
	})
}
