package store_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/store"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Options{URL: filepath.Join(t.TempDir(), "a folder with ? and %", "s.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, want := range []bool{false, true, true} { // the second time changes nothing
		steps, err := s.MigrationStatus(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range steps {
			if m.Applied != want || m.Version == 0 || m.Name == "" {
				t.Errorf("migration is %+v, want applied %t", m, want)
			}
		}
		if len(steps) == 0 {
			t.Error("there are no migrations")
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// The statements that run all the time find their rows by an index.
func TestHotStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, statement := range map[string]string{
		"claiming": `SELECT seq FROM config_deployments WHERE finished_at IS NULL AND quarantined = '' AND next_step_at <= 1
			AND (owner = '' OR lease_until < 1) ORDER BY next_step_at LIMIT 8`,
		"waking":              `UPDATE config_deployments SET woken = 1 WHERE finished_at IS NULL AND config_name = 'x'`,
		"the active one":      `SELECT body FROM config_deployments WHERE config_name = 'x' AND finished_at IS NULL`,
		"an instance's token": `SELECT instance_id FROM service_instances WHERE token_hash = x'00'`,
		"a snapshot":          `SELECT instance_id FROM service_instances WHERE service_name = 'x' AND environment = 'Production'`,
		"its samples":         `SELECT sample FROM health_samples WHERE instance_id IN (SELECT value FROM json_each('[]')) AND at > 1`,
		"its assignments":     `SELECT version FROM config_assignments WHERE config_name = 'x'`,
		"assignments":         `SELECT version FROM config_assignments WHERE instance_id = 'x'`,
		"the newest version":  `SELECT version FROM config_versions WHERE config_name = 'x' ORDER BY seq DESC LIMIT 1`,
		"old samples":         `DELETE FROM health_samples WHERE at <= 1`,
		"what waits to be posted": `SELECT count(*) FROM commit_statuses
			WHERE NOT quiet AND revision > posted_revision AND revision > refused_revision`,
		"a commit's statuses": `SELECT context FROM commit_statuses WHERE commit_sha >= 'a' AND commit_sha < 'ag'`,
		"when the next is due": `SELECT min(CASE WHEN owner = '' THEN next_step_at ELSE max(next_step_at, lease_until) END)
			FROM config_deployments WHERE finished_at IS NULL AND quarantined = '' AND next_step_at IS NOT NULL`,
		"dead claims": `UPDATE config_deployments SET owner = '' WHERE finished_at IS NULL AND owner <> ''`,
		"a heartbeat's answer": `SELECT body FROM config_deployments WHERE finished_at IS NULL
			AND config_name IN (SELECT name FROM config_profiles WHERE service = 'x' AND environment = 'Production')`,
		"heartbeats": `UPDATE service_instances SET last_heartbeat = 1, status = j.value FROM json_each('{}') j
			WHERE instance_id = j.key RETURNING instance_id`,
		"waking for the unhealthy": `UPDATE config_deployments SET woken = 1 WHERE finished_at IS NULL AND config_name IN (
			SELECT a.config_name FROM json_each('[]') j JOIN service_instances i ON i.instance_id = j.value AND i.status <> 'Unhealthy'
			JOIN config_assignments a ON a.instance_id = i.instance_id)`,
		"waking for who leaves": `UPDATE config_deployments SET woken = 1 WHERE finished_at IS NULL AND config_name IN (
			SELECT p.name FROM service_instances i JOIN config_profiles p ON p.service = i.service_name AND p.environment = i.environment
			WHERE i.instance_id = 'x')`,
		"any generation":               `SELECT COALESCE(sum(generation), 0) FROM config_profiles`,
		"every generation":             `SELECT name, generation FROM config_profiles`,
		"who has a profile":            `SELECT instance_id FROM config_assignments WHERE config_name IN (SELECT value FROM json_each('[]'))`,
		"an aggregate":                 `SELECT state FROM commit_statuses WHERE source_id = 'x' AND commit_sha = 'y' AND context <> 'sluice' ORDER BY context`,
		"a commit by prefix":           `SELECT DISTINCT commit_sha FROM commit_statuses WHERE commit_sha >= 'a' AND commit_sha < 'ag' LIMIT 2`,
		"a page of versions":           `SELECT version FROM config_versions WHERE config_name = 'x' ORDER BY seq DESC LIMIT 50`,
		"the newest deployment":        `SELECT deployment_id FROM config_deployments WHERE config_name = 'x' ORDER BY seq DESC LIMIT 1`,
		"deployments of a commit":      `SELECT body FROM config_deployments WHERE commit_sha = 'x' AND commit_sha <> '' ORDER BY seq DESC LIMIT 50`,
		"deployments that ended":       `SELECT body FROM config_deployments WHERE finished_at > 1 ORDER BY finished_at DESC, seq DESC LIMIT 50`,
		"a page of deployments":        `SELECT body FROM config_deployments WHERE config_name = 'x' ORDER BY seq DESC LIMIT 50`,
		"a page of an entity's events": `SELECT details FROM config_audit_logs WHERE entity_type = 'x' AND entity_id = 'y' ORDER BY id DESC LIMIT 50`,
		"a page of a user's events":    `SELECT details FROM config_audit_logs WHERE user_id = 'x' ORDER BY id DESC LIMIT 50`,
		"a page of a kind of events":   `SELECT details FROM config_audit_logs WHERE event_type = 'x' ORDER BY id DESC LIMIT 50`,
		"how many events of a day":     `SELECT count(*) FROM config_audit_logs WHERE created_at >= 1 AND created_at < 2`,
		"the audit log whole":          `SELECT details FROM config_audit_logs WHERE id > 0 ORDER BY id`,
		"a deployment's checks":        `SELECT verdict FROM deployment_checks WHERE deployment_id = 'x' ORDER BY seq DESC`,
		"old checks": `DELETE FROM deployment_checks WHERE deployment_id = 'x' AND seq <=
			(SELECT seq FROM deployment_checks WHERE deployment_id = 'x' ORDER BY seq DESC LIMIT 1 OFFSET 100)`,
		"what a forge was given": `SELECT state FROM posted_statuses WHERE commit_sha = 'x' ORDER BY seq`,
		"a token":                `SELECT id FROM api_tokens WHERE token_hash = x'00'`,
		"the newest hold":        `SELECT reason FROM config_holds WHERE config_name = 'x' ORDER BY seq DESC LIMIT 1`,
		"a hold":                 `SELECT reason FROM config_holds WHERE config_name = 'x' AND released_at IS NULL`,
		"a source's profiles":    `SELECT name FROM config_profiles WHERE source_id = 'x'`,
	} {
		for _, step := range w.plan(statement) {
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING") && !strings.Contains(step, "VIRTUAL TABLE") ||
				strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, step)
			}
		}
	}
}

// Most deployments are in one state: which of a profile, or of a commit, are in it
// is looked up among its own.
func TestStateIsNotWhatFindsADeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ index, statement string }{
		"proof": {"newest", `SELECT count(*) FROM config_deployments
			WHERE config_name = 'x' AND config_hash = 'y' AND status = 'Completed' AND kind <> 'Retirement' AND targets > 0`},
		"where a rollback can go": {"newest", `SELECT config_version, max(seq) FROM config_deployments
			WHERE config_name = 'x' AND status = 'Completed' AND kind <> 'Retirement' GROUP BY config_version ORDER BY 2 DESC`},
		"what brought a version": {"newest", `SELECT body FROM config_deployments
			WHERE config_name = 'x' AND config_version = 'y' AND (status = 'Completed' OR kind = 'Rollback') ORDER BY seq DESC LIMIT 1`},
		"a page of a profile's": {"newest", `SELECT body FROM config_deployments WHERE config_name = 'x' AND status = 'Failed' ORDER BY seq DESC LIMIT 50`},
		"a page of a commit's":  {"commit", `SELECT body FROM config_deployments WHERE commit_sha = 'x' AND commit_sha <> '' AND status = 'Failed' ORDER BY seq DESC LIMIT 50`},
		"a page of all":         {"status", `SELECT body FROM config_deployments WHERE status = 'Failed' ORDER BY seq DESC LIMIT 50`},
	} {
		if plan := w.plan(c.statement); !strings.Contains(plan[0], "INDEX config_deployments_"+c.index+" ") {
			t.Errorf("%s: %q", name, plan)
		}
	}
}

// schema lists what the database holds beside its own bookkeeping.
func (w *world) schema() []string {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path)
	w.must(err)
	defer func() { w.must(db.Close()) }()
	rows, err := db.QueryContext(w.t.Context(), `SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master
		WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'river_%' AND name NOT LIKE 'goose_%' ORDER BY 1`)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	var out []string
	for rows.Next() {
		var entry string
		w.must(rows.Scan(&entry))
		out = append(out, entry)
	}
	w.must(rows.Err())
	return out
}

func TestMigrateDownAndUpAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("i-1")
	w.create("1.1.0")
	w.assign("i-1", "1.1.0")
	before := w.schema()
	if _, err := w.MigrateDown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := w.schema(); len(left) != 0 {
		t.Errorf("left are %q", left)
	}
	w.must(w.Migrate(t.Context()))
	if after := w.schema(); !slices.Equal(after, before) {
		t.Errorf("the schema is %q, was %q", after, before)
	}
	w.putProfile(payments)
	w.addVersion("1.0.0", "1s")
}

// An older release must not write to a schema that it does not know.
func TestASchemaOfANewerReleaseIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.raw(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`))
	if err := w.Migrate(t.Context()); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "9999") {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// A migration is one transaction: one that ends in the middle left nothing behind.
func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	w := &world{t: t, driver: "sqlite", path: path}
	s, err := store.Open(t.Context(), store.Options{URL: path})
	w.must(err)
	defer func() { w.must(s.Close()) }()
	w.must(w.raw(`CREATE TABLE users (somebody TEXT)`)) // in the way of the migration
	if err := s.Migrate(t.Context()); err == nil {
		t.Fatal("it was migrated")
	}
	if left := w.schema(); len(left) != 1 {
		t.Errorf("a half of the migration is left: %q", left)
	}
	w.must(w.raw(`DROP TABLE users`))
	w.must(s.Migrate(t.Context()))
}
