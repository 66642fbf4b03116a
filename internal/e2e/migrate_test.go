package e2e_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // to change a schema as another release would
	_ "modernc.org/sqlite"

	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/store"
)

// onEachDatabase runs a test with a daemon on each engine; nothing is started.
func onEachDatabase(t *testing.T, program func(testing.TB) string, test func(t *testing.T, s *stage)) {
	t.Helper()
	for engine, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "sluice.db") },
		"postgres": func(t *testing.T) string { return testenv.SharedPostgres(t).CreateDatabase(t, "") },
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := &stage{t: t, scene: newScene(t)}
			s.database = url(t)
			s.daemon = newDaemon(t, program(t), append(s.sourceArgs(), "--migrate=true", "--database-url", s.database)...)
			s.first = s.commit("Open the shop", shopWith(automatic, "greeting: hello"))
			test(t, s)
		})
	}
}

// statements run in the stage's database, past the daemon.
func (s *stage) statements(list ...string) {
	s.t.Helper()
	driver, dsn := "sqlite", "file:"+s.database+"?_pragma=busy_timeout(5000)"
	if store.IsPostgres(s.database) {
		driver, dsn = "pgx", s.database
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, statement := range list {
		if err == nil {
			_, err = db.ExecContext(s.t.Context(), statement)
		}
	}
	if err := errors.Join(err, db.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// serves checks that a started daemon does its work.
func (s *stage) serves() {
	s.t.Helper()
	s.api = s.signIn()
	s.fleet = join(s.t, s.url(), "shop", members)
	s.everywhere("1.0.0")
	s.concludes(s.first, "Completed")
}

// K12: the daemon is killed inside a migration, and between two. The next start
// finishes what was begun.
func TestKilledInAMigration(t *testing.T) {
	t.Parallel()
	for point, applied := range map[string]bool{"K12/commit": false, "K12": true} {
		t.Run(strings.ReplaceAll(point, "/", " "), func(t *testing.T) {
			t.Parallel()
			onEachDatabase(t, testenv.CrashingBinary, func(t *testing.T, s *stage) {
				s.launch("SLUICE_FAILPOINT=" + point)
				s.killedItself()
				s.offline(func(db *store.Store) {
					steps, err := db.MigrationStatus(t.Context())
					if err != nil || len(steps) == 0 || steps[0].Applied != applied {
						t.Errorf("the migrations are %+v, %v; want the first one applied %t", steps, err, applied)
					}
				})
				s.start()
				s.serves()
				s.holds()
			})
		})
	}
}

// A replica is stopped in the middle of migrating, and another one starts: it
// waits for its turn. When the first one is dead the other finishes.
func TestClusterMigrationChangesHands(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.CrashingBinary(t), 2)
	c.first = c.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	dies, finishes := c.replicas[0], c.replicas[1]
	dies.launch("SLUICE_FAILPOINT=K12/commit:1:freeze")
	dies.frozen()
	finishes.launch()
	eventually(t, "the other to wait for its turn", func() bool {
		return c.count(`pg_locks WHERE locktype = 'advisory' AND NOT granted`) == 1
	})
	if finishes.ready() {
		t.Error("it serves a schema that is being migrated")
	}
	dies.kill()
	eventually(t, "the other to finish", func() bool {
		if !finishes.running() {
			t.Fatalf("the other replica ended: %v", finishes.cmd.ProcessState)
		}
		return finishes.ready()
	})
	c.startAll()
	c.open()
	c.holds()
}

// count counts rows in the cluster's database.
func (c *cluster) count(rows string) (n int) {
	c.t.Helper()
	db, err := sql.Open("pgx", c.database)
	if err == nil {
		err = db.QueryRowContext(c.t.Context(), `SELECT count(*) FROM `+rows).Scan(&n)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// A database that a newer release has migrated further is refused, and left as it is.
func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, testenv.Binary, func(t *testing.T, s *stage) {
		s.start()
		s.stop()
		s.statements(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
		for _, migrate := range []string{"true", "false"} {
			s.args = append(s.args, "--migrate="+migrate)
			s.launch()
			if code := s.ended().ExitStatus(); code == 0 {
				t.Error("it ended with 0")
			}
		}
		if said := s.logs(); strings.Count(said, "the database is of a newer release") < 2 || !strings.Contains(said, "9999") {
			t.Errorf("it said:\n%s", tail(said, 10))
		}
		s.statements(`DELETE FROM goose_db_version WHERE version_id = 9999`)
		s.start()
		s.serves()
		s.holds()
	})
}

// While a daemon runs, a newer release adds a column to every table. Both
// releases work on it: statements name their columns.
func TestTheSchemaGrowsUnderTheDaemon(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, testenv.Binary, func(t *testing.T, s *stage) {
		s.start()
		s.serves()
		var grown []string
		for _, table := range []string{
			"sources", "source_problems", "config_profiles", "config_versions", "config_deployments", "deployment_checks", "config_holds", "freezes", "log_levels",
			"service_instances", "config_assignments", "health_samples", "commit_statuses", "posted_statuses", "pull_request_checks", "users", "sessions", "session_keys", "api_tokens",
			"config_audit_logs", "audit_head",
		} {
			grown = append(grown, fmt.Sprintf(`ALTER TABLE %s ADD COLUMN added_later TEXT NOT NULL DEFAULT 'x'`, table))
		}
		s.statements(grown...)
		s.concludes(s.change(automatic, "servus"), "Completed")
		s.everywhere("1.0.1")
		s.concludes(s.commit("Greet badly", shopWith(automatic, "greeting: hello, failing: 60")), "RolledBack")
		s.everywhere("1.0.1")
		s.restartDeploysNothing()
		if strings.Contains(s.logs(), "panic") {
			t.Error("something panicked")
		}
		s.holds()
	})
}
