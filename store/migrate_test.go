package store_test

import (
	"path/filepath"
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
			WHERE revision > posted_revision AND revision > refused_revision`,
		"a commit's statuses": `SELECT context FROM commit_statuses WHERE commit_sha >= 'a' AND commit_sha < 'ag'`,
		"a token":             `SELECT id FROM api_tokens WHERE token_hash = x'00'`,
		"a hold":              `SELECT reason FROM config_holds WHERE config_name = 'x' AND released_at IS NULL`,
		"a source's profiles": `SELECT name FROM config_profiles WHERE source_id = 'x'`,
		"proof":               `SELECT count(*) FROM config_deployments WHERE config_name = 'x' AND config_hash = 'y' AND status = 'Completed'`,
	} {
		for _, step := range w.plan(statement) {
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING") && !strings.Contains(step, "VIRTUAL TABLE") ||
				strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, step)
			}
		}
	}
}
