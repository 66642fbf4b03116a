package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A database that is gone is an error of every method: none takes silence for
// an answer, such as "no hold", "no such profile" or "nothing is due".
func TestWithoutItsDatabaseEveryMethodSaysSo(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		i, err := w.Instance(t.Context(), "i-1")
		w.must(err)
		w.must(w.Close())
		ctx, dec := t.Context(), rollout.Decision{Next: d, Changed: true}
		for name, call := range map[string]func() error{
			"AssignmentsOf":       func() error { _, err := w.AssignmentsOf(ctx, "i-1"); return err },
			"GenerationMark":      func() error { _, err := w.GenerationMark(ctx); return err },
			"Acknowledge":         func() error { _, _, err := w.Acknowledge(ctx, fleet.Ack{}); return err },
			"Record":              func() error { return w.Record(ctx, rollout.Fact{}) },
			"Audit":               func() error { _, _, err := w.Audit(ctx, store.AuditFilter{}); return err },
			"VerifyAudit":         func() error { _, _, err := w.VerifyAudit(ctx); return err },
			"CreateUser":          func() error { return w.CreateUser(ctx, store.User{}) },
			"SetPassword":         func() error { return w.SetPassword(ctx, "ada", "x") },
			"User":                func() error { _, err := w.User(ctx, "ada"); return err },
			"CountUsers":          func() error { _, err := w.CountUsers(ctx); return err },
			"CreateToken":         func() error { return w.CreateToken(ctx, store.Token{}) },
			"TokenByHash":         func() error { _, err := w.TokenByHash(ctx, []byte("x")); return err },
			"Tokens":              func() error { _, err := w.Tokens(ctx); return err },
			"RevokeToken":         func() error { return w.RevokeToken(ctx, "x", "ada") },
			"Deployment":          func() error { _, err := w.Deployment(ctx, d.ID); return err },
			"ActiveDeployment":    func() error { _, err := w.ActiveDeployment(ctx, payments); return err },
			"Deployments":         func() error { _, _, err := w.Deployments(ctx, store.DeploymentFilter{}); return err },
			"Checks":              func() error { _, err := w.Checks(ctx, d.ID); return err },
			"ActiveHold":          func() error { _, _, err := w.ActiveHold(ctx, payments); return err },
			"Holds":               func() error { _, err := w.Holds(ctx); return err },
			"ReleaseHold":         func() error { return w.ReleaseHold(ctx, payments, "ada", "") },
			"RegisterInstance":    func() error { return w.RegisterInstance(ctx, fleet.Instance{}, nil) },
			"Instance":            func() error { _, err := w.Instance(ctx, "i-1"); return err },
			"InstanceByToken":     func() error { _, err := w.InstanceByToken(ctx, []byte("x")); return err },
			"Instances":           func() error { _, _, err := w.Instances(ctx, store.InstanceFilter{}); return err },
			"DeregisterInstance":  func() error { return w.DeregisterInstance(ctx, "i-1", "ada") },
			"SweepInstances":      func() error { _, err := w.SweepInstances(ctx); return err },
			"GiveStable":          func() error { _, err := w.GiveStable(ctx); return err },
			"Migrate":             func() error { return w.Migrate(ctx) },
			"MigrationStatus":     func() error { _, err := w.MigrationStatus(ctx); return err },
			"Ping":                func() error { return w.Ping(ctx) },
			"OutboxPending":       func() error { _, err := w.OutboxPending(ctx); return err },
			"PutProfile":          func() error { return w.PutProfile(ctx, profile.Record{}) },
			"Profile":             func() error { _, err := w.Profile(ctx, payments); return err },
			"Profiles":            func() error { _, _, err := w.Profiles(ctx, store.ProfileFilter{}); return err },
			"NamedProfiles":       func() error { _, err := w.NamedProfiles(ctx, []string{payments}); return err },
			"SourceProfiles":      func() error { _, err := w.SourceProfiles(ctx, "configs"); return err },
			"ProfileOwners":       func() error { _, err := w.ProfileOwners(ctx, []string{payments}); return err },
			"Snapshot":            func() error { _, err := w.Snapshot(ctx, d, nil); return err },
			"DeploymentTargets":   func() error { _, err := w.DeploymentTargets(ctx, d.ID); return err },
			"Heard":               func() error { _, err := w.Heard(ctx, i); return err },
			"RegisterSource":      func() error { return w.RegisterSource(ctx, store.Source{}) },
			"Sources":             func() error { _, err := w.Sources(ctx); return err },
			"SourceHead":          func() error { _, err := w.SourceHead(ctx, "configs"); return err },
			"SourceMoved":         func() error { _, err := w.SourceMoved(ctx, "configs", "p"); return err },
			"RecordSourceFailure": func() error { return w.RecordSourceFailure(ctx, "configs", "") },
			"Problems":            func() error { _, err := w.Problems(ctx, "configs"); return err },
			"ProblemCounts":       func() error { _, err := w.ProblemCounts(ctx, profile.Scope{}); return err },
			"CommitStatuses":      func() error { _, err := w.CommitStatuses(ctx, commit); return err },
			"RecordPostedStatus":  func() error { return w.RecordPostedStatus(ctx, rollout.Status{}) },
			"PostedStatuses":      func() error { _, err := w.PostedStatuses(ctx, commit); return err },
			"ClaimDue":            func() error { _, err := w.ClaimDue(ctx, "a", time.Second, 1); return err },
			"NextDue":             func() error { _, _, err := w.NextDue(ctx); return err },
			"ReleaseClaims":       func() error { return w.ReleaseClaims(ctx, "a") },
			"Quarantine":          func() error { return w.Quarantine(ctx, claim, "x") },
			"Step":                func() error { return w.Step(ctx, claim, dec) },
			"Order":               func() error { return w.Order(ctx, dec) },
			"Create":              func() error { return w.Create(ctx, dec) },
			"WakeDeployment":      func() error { return w.WakeDeployment(ctx, payments) },
			"Stock":               func() error { _, err := w.Stock(ctx); return err },
			"InsertVersion":       func() error { return w.InsertVersion(ctx, w.version("9.0.0", "1s")) },
			"Version":             func() error { _, err := w.Version(ctx, payments, "1.0.0"); return err },
			"LatestVersion":       func() error { _, _, err := w.LatestVersion(ctx, payments); return err },
			"Versions":            func() error { _, _, err := w.Versions(ctx, payments, store.VersionFilter{}); return err },
			"Proven":              func() error { _, err := w.Proven(ctx, payments, d.Hash); return err },
			"CompletedVersions":   func() error { _, err := w.CompletedVersions(ctx, payments); return err },
			"Generations":         func() error { _, err := w.Generations(ctx); return err },
			"GivenSince":          func() error { _, _, err := w.GivenSince(ctx, map[string]int64{payments: 0}, 0); return err },
			"VersionData":         func() error { _, err := w.VersionData(ctx, payments, "1.0.0", d.Hash); return err },
			"InstanceIDs":         func() error { _, err := w.InstanceIDs(ctx); return err },
			"Propagation":         func() error { _, _, err := w.Propagation(ctx, "i-1", payments); return err },
		} {
			switch err := call(); {
			case err == nil:
				t.Errorf("%s says nothing", name)
			case errors.Is(err, store.ErrNotFound), errors.Is(err, rollout.ErrNotFound), errors.Is(err, rollout.ErrStale):
				t.Errorf("%s takes it for an answer: %v", name, err)
			}
		}
	})
}

// everything counts the rows of every table that a decision writes, and reads
// what it changes in place.
func (w *world) everything() map[string]string {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	out := map[string]string{}
	for name, query := range map[string]string{
		"deployments": `SELECT group_concat(deployment_id || revision || status || owner, ',') FROM config_deployments`,
		"assignments": `SELECT group_concat(instance_id || version || generation, ',') FROM config_assignments`,
		"profiles":    `SELECT group_concat(name || generation || current_version || retired || deployment_count, ',') FROM config_profiles`,
		"holds":       `SELECT group_concat(seq || (CASE WHEN released_at IS NULL THEN 1 ELSE 0 END), ',') FROM config_holds`,
		"audit":       `SELECT id || hash FROM audit_head`,
		"statuses":    `SELECT group_concat(context || revision, ',') FROM commit_statuses`,
		"checks":      `SELECT count(*) FROM deployment_checks`,
		"events":      `SELECT count(*) FROM config_audit_logs`,
		"jobs":        `SELECT count(*) FROM river_job`,
	} {
		var text sql.NullString
		if !w.sqlite() {
			query = strings.ReplaceAll(query, "group_concat(", "string_agg('' || ")
		}
		w.must(db.QueryRowContext(w.t.Context(), query).Scan(&text))
		out[name] = text.String
	}
	return out
}

// State, assignments, audit events and outbox stand or fall together, whichever
// of their writes fails.
func TestADecisionIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	stores := map[string]func(w *world, claim rollout.Claim, dec rollout.Decision) error{
		"a step": func(w *world, claim rollout.Claim, dec rollout.Decision) error {
			return w.Step(t.Context(), claim, dec)
		},
		"an order": func(w *world, _ rollout.Claim, dec rollout.Decision) error { return w.Order(t.Context(), dec) },
		"a new deployment": func(w *world, _ rollout.Claim, dec rollout.Decision) error {
			dec.Next.ID = "new"
			return w.Create(t.Context(), dec)
		},
	}
	for _, fault := range []string{
		"UPDATE ON config_deployments", "UPDATE OF generation ON config_profiles", "INSERT ON config_assignments",
		"INSERT ON deployment_checks", "UPDATE OF current_version ON config_profiles", "UPDATE ON config_holds", "INSERT ON config_holds",
		"UPDATE OF retired ON config_profiles", "INSERT ON config_audit_logs", "UPDATE ON audit_head", "INSERT ON commit_statuses",
		"INSERT ON river_job",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.register("i-1")
				d := w.create("1.1.0")
				hold := rollout.Hold{Profile: payments, PinnedVersion: "1.0.0", RefusedVersion: "9", RefusedHash: "9", Reason: "r", Actor: "gate", CreatedAt: w.clock()}
				w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Hold: &hold}))
				claim := w.claimOne("a")
				d = w.read(d.ID)
				status, _ := rollout.StatusOf(d)
				dec := rollout.Decision{
					Next: d, Changed: true, Current: d.Version, Hold: &hold, Retire: true, Status: []rollout.Status{status},
					Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}},
					Facts:  []rollout.Fact{{Type: "test.happened"}},
					Checks: []rollout.Check{{DeploymentID: d.ID, At: w.clock()}},
				}
				before := w.everything()
				w.must(w.raw(fmt.Sprintf(w.either(`CREATE TRIGGER fault BEFORE %s BEGIN SELECT RAISE(ABORT, 'injected'); END`,
					`CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'injected'; END $$;
					CREATE TRIGGER fault BEFORE %s FOR EACH ROW EXECUTE FUNCTION fault()`), fault)))
				for name, write := range stores {
					if err := write(w, claim, dec); err == nil {
						t.Errorf("%s was stored past the fault", name)
					}
					if after := w.everything(); !maps.Equal(after, before) {
						t.Errorf("%s left a part of itself: %v, was %v", name, after, before)
					}
				}
				w.must(w.raw(w.either(`DROP TRIGGER fault`, `DROP FUNCTION fault() CASCADE`)))
				w.must(w.Step(t.Context(), claim, dec)) // the fault passed: the same decision can be stored
				if after := w.everything(); after["jobs"] == before["jobs"] || after["audit"] == before["audit"] || after["assignments"] == before["assignments"] {
					t.Errorf("the decision that was stored left %v, was %v", after, before)
				}
			})
		})
	}
}

// A caller who leaves in the middle leaves no half of anything, and no
// transaction that stands in the way of the next.
func TestACallerWhoLeavesLeavesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		before := w.everything()
		err := w.InTx(ctx, func(tx *store.Tx) error {
			w.must(tx.Record(ctx, rollout.Fact{Type: "test.happened"}))
			cancel()
			return tx.Record(ctx, rollout.Fact{Type: "test.happened"})
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		if err := w.InTx(ctx, func(*store.Tx) error { t.Error("it ran"); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		if after := w.everything(); !maps.Equal(after, before) {
			t.Errorf("left are %v, was %v", after, before)
		}
		w.must(w.Record(t.Context(), rollout.Fact{Type: "test.happened"}))
	})
}

// Whoever leaves when all is done gets what he asked for.
func TestACallerWhoLeavesAtTheEndIsStored(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		w.must(w.InTx(ctx, func(tx *store.Tx) error {
			defer cancel()
			return tx.Record(ctx, rollout.Fact{Type: "test.happened"})
		}))
		if n := w.rows("config_audit_logs"); n != 1 {
			t.Errorf("%d events are stored", n)
		}
	})
}

// A panic inside a transaction is its caller's; the database goes on.
func TestAPanicGivesTheDatabaseBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			err := w.InTx(t.Context(), func(tx *store.Tx) error {
				w.must(tx.Record(t.Context(), rollout.Fact{Type: "test.happened"}))
				panic("a bug")
			})
			t.Errorf("it returned %v", err)
		}()
		if n := w.rows("config_audit_logs"); n != 0 {
			t.Errorf("%d events of it are left", n)
		}
		w.must(w.Record(t.Context(), rollout.Fact{Type: "test.happened"}))
	})
}

// Steps, orders, new deployments, instances that come, go and acknowledge, all
// at once: nobody's work is lost or half done, and no generation falls.
func TestEverybodyAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for i := range 4 {
			w.register(fmt.Sprintf("i-%d", i))
		}
		w.create("1.1.0")
		const rounds = 15
		lost := func(err error) bool { return errors.Is(err, rollout.ErrStale) || errors.Is(err, store.ErrNotFound) }
		work := []func(round int) error{
			func(int) error { return w.stepOnce("a", "1.1.0") },
			func(int) error { return w.stepOnce("b", "1.0.0") },
			func(int) error {
				d, err := w.ActiveDeployment(t.Context(), payments)
				if err != nil {
					return err
				}
				return w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Facts: []rollout.Fact{{Type: "test.ordered"}}})
			},
			func(round int) error {
				return w.Create(t.Context(), rollout.Decision{Next: w.deployment([]string{"1.0.0", "1.1.0"}[round%2]), Changed: true})
			},
			func(round int) error {
				id := fmt.Sprintf("new-%d", round)
				w.register(id)
				return w.DeregisterInstance(t.Context(), id, "ada")
			},
			func(int) error { return w.acknowledgeAll() },
			func(int) error { return w.acknowledgeAll() },
			func(int) error { return w.WakeDeployment(t.Context(), payments) },
		}
		errs := race(len(work), func(i int) error {
			for round := range rounds {
				if err := work[i](round); err != nil && !lost(err) {
					return err
				}
			}
			return nil
		})
		w.must(errors.Join(errs...))

		_, total, err := w.Deployments(t.Context(), store.DeploymentFilter{})
		w.must(err)
		_, superseded, err := w.Deployments(t.Context(), store.DeploymentFilter{Status: string(rollout.Superseded)})
		w.must(err)
		if total != rounds+1 || superseded != rounds {
			t.Errorf("%d of %d deployments are superseded, want all but the last", superseded, total)
		}
		w.sound()
	})
}

// stepOnce claims what is due and gives every target the version.
func (w *world) stepOnce(owner, number string) error {
	claims, err := w.ClaimDue(w.t.Context(), owner, time.Minute, 10)
	for _, claim := range claims {
		d, err := w.Deployment(w.t.Context(), claim.DeploymentID)
		if err != nil {
			return err
		}
		v, err := w.Version(w.t.Context(), payments, number)
		if err != nil {
			return err
		}
		targets, err := w.DeploymentTargets(w.t.Context(), d.ID)
		if err != nil {
			return err
		}
		dec := rollout.Decision{Next: d, Changed: true, Wake: w.clock(), Facts: []rollout.Fact{{Type: "test.stepped"}}}
		for _, target := range targets {
			dec.Assign = append(dec.Assign, rollout.Assign{InstanceID: target.Instance.ID, Version: v.Number, Hash: v.Hash})
		}
		if err := w.Step(w.t.Context(), claim, dec); err != nil {
			return err
		}
	}
	return err
}

// acknowledgeAll is every instance saying that it runs what it should, and none
// being told less than before.
func (w *world) acknowledgeAll() error {
	for i := range 4 {
		id := fmt.Sprintf("i-%d", i)
		list, err := w.AssignmentsOf(w.t.Context(), id)
		if err != nil {
			return err
		}
		for _, a := range list {
			if _, _, err := w.Acknowledge(w.t.Context(), ack(a)); err != nil && !errors.Is(err, store.ErrHashMismatch) {
				return err
			}
			after, err := w.AssignmentsOf(w.t.Context(), id)
			if err != nil {
				return err
			}
			if n := slices.IndexFunc(after, func(b fleet.Assignment) bool { return b.Profile == a.Profile }); n < 0 || after[n].Generation < a.Generation {
				return fmt.Errorf("instance %s went from %+v to %+v", id, a, after)
			}
		}
	}
	return nil
}

// sound checks the file, its references and the audit chain.
func (w *world) sound() {
	w.t.Helper()
	if w.sqlite() {
		w.wholeFile()
	}
	if n := w.rows(`config_assignments a JOIN config_profiles p ON p.name = a.config_name WHERE a.generation > p.generation`); n != 0 {
		w.t.Errorf("%d assignments are ahead of their profile", n)
	}
	if n, broken, err := w.VerifyAudit(w.t.Context()); broken != nil || err != nil || n != w.rows("config_audit_logs") {
		w.t.Errorf("verify says %d, %+v, %v", n, broken, err)
	}
}

// wholeFile checks that nothing in the file of the embedded engine is damaged.
func (w *world) wholeFile() {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	var verdict string
	w.must(db.QueryRowContext(w.t.Context(), `PRAGMA integrity_check`).Scan(&verdict))
	if verdict != "ok" {
		w.t.Errorf("the file is damaged: %s", verdict)
	}
	if n := w.rows(`pragma_foreign_key_check`); n != 0 {
		w.t.Errorf("%d references lead nowhere", n)
	}
}
