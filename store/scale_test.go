package store_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/store"
)

// How much the lists are measured at: 10,000 profiles, the first of them with
// 1,000 versions and 1,000 deployments each, and 100,000 audit events.
// SLUICE_TEST_DEEP_PROFILES=10000 gives every profile its 1,000 versions, which
// takes minutes and some 4 GB.
const (
	scaleProfiles = 10_000
	scaleEvents   = 100_000
	deepProfiles  = 40
)

// fillToScale writes the rows past the triggers, which would look at each.
func fillToScale(t *testing.T, db *sql.DB, deep int) {
	t.Helper()
	for _, statement := range []string{
		`SET session_replication_role = replica`,
		`SET statement_timeout = 0`,
		`INSERT INTO config_profiles (name, service, environment, service_type, default_strategy, health, origin, source_id, path,
			current_version, generation, created_at, updated_at)
		 SELECT 'service-' || n || '.production', 'service-' || n, (ARRAY['Production', 'Staging', 'Development'])[1 + n % 3], 'Microservice',
			'{}', '{}', 'Git', 'configs', n || '.yaml', '1.0.0', n % 7, now(), now() FROM generate_series(1, $1) n`,
		`INSERT INTO config_versions (config_name, version, config_data, config_hash, size_bytes, validated_at, tags, commit_sha, created_at)
		 SELECT 'service-' || p || '.production', '1.0.' || v, '{"a":1}', md5(p || '/' || v), 7, now(),
			CASE WHEN v % 100 = 0 THEN '["stable"]'::json ELSE '[]'::json END, md5((v * 10000 + p)::text), now()
		   FROM generate_series(1, $1) p, generate_series(1, 1000) v WHERE p <= $3 OR v <= 3`,
		`INSERT INTO config_deployments (deployment_id, config_name, config_version, config_hash, kind, environment, strategy, status,
			commit_sha, body, created_at, finished_at, revision)
		 SELECT p || '-' || v, 'service-' || p || '.production', '1.0.' || v, md5(p || '/' || v), 'Forward',
			(ARRAY['Production', 'Staging', 'Development'])[1 + p % 3], 'Canary',
			(ARRAY['Completed', 'Completed', 'Superseded', 'RolledBack'])[1 + v % 4], md5((v * 10000 + p)::text), '{}', now(), now(), 1
		   FROM generate_series(1, $1) p, generate_series(1, 1000) v WHERE p <= LEAST($3, 40) OR v <= 3`,
		`INSERT INTO config_deployments (deployment_id, config_name, config_version, config_hash, kind, environment, strategy, status,
			body, created_at, revision, next_step_at)
		 SELECT 'active-' || p, 'service-' || p || '.production', '1.0.3', md5(p || '/3'), 'Forward', 'Production', 'Canary', 'InProgress',
			'{}', now(), 1, now() + p * interval '1 second' FROM generate_series(1, 1000) p`,
		`INSERT INTO deployment_checks (deployment_id, at, phase, verdict)
		 SELECT 'active-' || p, now(), 0, '{}' FROM generate_series(1, 100) c, generate_series(1, 200) p`,
		`INSERT INTO service_instances (instance_id, service_name, hostname, port, environment, token_hash, registered_at, last_heartbeat)
		 SELECT 'i-' || n, 'service-' || n % 1000, 'host-' || n, 80, (ARRAY['Production', 'Staging', 'Development'])[1 + n % 3],
			decode(md5(n::text), 'hex'), now(), now() FROM generate_series(1, 10000) n`,
		`INSERT INTO config_assignments (instance_id, config_name, version, config_hash, generation, assigned_at, applied)
		 SELECT 'i-' || n, 'service-' || n % 1000 || '.production', '1.0.1', 'h', 1, now(), '1.0.' || n % 3 FROM generate_series(1, 10000) n`,
		`INSERT INTO health_samples (instance_id, since, at, sample)
		 SELECT 'i-' || n, now(), now() - s * interval '30 seconds', '{}' FROM generate_series(1, 10000) n, generate_series(1, 10) s`,
		`INSERT INTO commit_statuses (source_id, commit_sha, context, state, description, revision, posted_revision, updated_at)
		 SELECT 'configs', md5(n::text), 'sluice', 'success', '', 1, CASE WHEN n % 5000 = 0 THEN 0 ELSE 1 END, now() FROM generate_series(1, 50000) n`,
		`INSERT INTO posted_statuses (source_id, commit_sha, context, state, description, posted_at)
		 SELECT 'configs', md5((n % 2000)::text), 'sluice', 'success', '', now() FROM generate_series(1, 20000) n`,
		`INSERT INTO config_holds (config_name, pinned_version, refused_version, refused_hash, reason, actor, created_at, released_at)
		 SELECT 'service-' || 1 + n % 9000 || '.production', '1', '2', 'h', 'r', 'a', now(), CASE WHEN n <= 50 THEN NULL ELSE now() END
		   FROM generate_series(1, 20000) n`,
		`INSERT INTO config_audit_logs (id, event_type, entity_type, entity_id, user_id, details, trace_id, created_at, hash)
		 SELECT n, CASE WHEN n % 1000 = 0 THEN 'freeze.begun' ELSE 'deployment.' || n % 20 END, (ARRAY['profile', 'deployment'])[1 + n % 2], 'e-' || n % 500, 'user-' || n % 300, '{}', 't',
			now() - n * interval '1 minute', 'h' FROM generate_series(1, $2) n`,
		`ANALYZE`,
	} {
		statement = strings.NewReplacer("$1", fmt.Sprint(scaleProfiles), "$2", fmt.Sprint(scaleEvents), "$3", fmt.Sprint(deep)).Replace(statement)
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
}

// rowsRead are the rows that all sessions that ended have read of a table.
func rowsRead(t *testing.T, db *sql.DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = '`+table+`'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// What is asked for again and again is planned for what is asked for.
func listsOfWhatIsRare(t *testing.T, db *sql.DB, url string) {
	t.Helper()
	for table, list := range map[string]func(s *store.Store) (int, error){
		"config_deployments": func(s *store.Store) (int, error) {
			_, n, err := s.Deployments(t.Context(), store.DeploymentFilter{Status: "Cancelled"})
			return n, err
		},
		"config_audit_logs": func(s *store.Store) (int, error) {
			_, n, err := s.Audit(t.Context(), store.AuditFilter{EventType: "freeze.begun"})
			return n, err
		},
	} {
		before := rowsRead(t, db, table)
		s, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		const times = 20 // PostgreSQL looks for a plan for everything after five
		rows := 0
		for range times {
			if rows, err = list(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil { // what a session read is told when it ends
			t.Fatal(err)
		}
		if read := rowsRead(t, db, table) - before; read > times*(2*rows+100) {
			t.Errorf("%d lists of %d rows have read %d of %s", times, rows, read, table)
		}
	}
}

// planNode is a node of EXPLAIN (FORMAT JSON).
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Rows     float64    `json:"Actual Rows"`
	Removed  float64    `json:"Rows Removed by Filter"`
	Loops    float64    `json:"Actual Loops"`
	Plans    []planNode `json:"Plans"`
}

// walk calls visit for the node and all below it.
func (n planNode) walk(visit func(planNode)) {
	visit(n)
	for _, child := range n.Plans {
		child.walk(visit)
	}
}

func explain(t *testing.T, db *sql.DB, statement string) planNode {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // what EXPLAIN ANALYZE did is undone
	var text []byte
	if err := tx.QueryRowContext(t.Context(), `EXPLAIN (ANALYZE, FORMAT JSON) `+statement).Scan(&text); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal(text, &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan
}

// smallTables may be read whole: they have a row for each thing that people
// configured by hand, or few rows at all times.
var smallTables = map[string]bool{"sources": true, "users": true, "session_keys": true, "api_tokens": true, "audit_head": true}

// Every list that the API offers, and whatever runs all the time, reads about as
// many rows as it gives, however many there are.
func TestListsAtScaleReadWhatTheyGive(t *testing.T) { // by itself: it has the machine for a while
	deep := deepProfiles
	if n, err := strconv.Atoi(os.Getenv("SLUICE_TEST_DEEP_PROFILES")); err == nil {
		deep = n
	}
	server := testenv.SharedPostgres(t)
	url := server.CreateDatabase(t, "")
	if err := open(t, url).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // the settings are the session's
	fillToScale(t, db, deep)

	for name, c := range map[string]struct {
		most      float64 // rows that may be read
		statement string
	}{
		"profiles by name":           {100, `SELECT name FROM config_profiles ORDER BY name LIMIT 50`},
		"profiles of an environment": {400, `SELECT name FROM config_profiles WHERE environment = 'Production' ORDER BY name LIMIT 50`},
		"profiles on hold": {300, `SELECT name FROM config_profiles WHERE name IN (SELECT config_name FROM config_holds WHERE released_at IS NULL
			AND (expires_at IS NULL OR expires_at > now())) ORDER BY name LIMIT 50`},
		"profiles of a source":      {100, `SELECT name FROM config_profiles WHERE source_id = 'other' ORDER BY name`},
		"the newest hold":           {5, `SELECT reason FROM config_holds WHERE config_name = 'service-7.production' ORDER BY seq DESC LIMIT 1`},
		"the holds":                 {200, `SELECT reason FROM config_holds WHERE released_at IS NULL ORDER BY config_name`},
		"versions of a profile":     {100, `SELECT version FROM config_versions WHERE config_name = 'service-7.production' ORDER BY seq DESC LIMIT 50`},
		"the newest version":        {2, `SELECT config_data FROM config_versions WHERE config_name = 'service-7.production' ORDER BY seq DESC LIMIT 1`},
		"how many versions":         {1001, `SELECT count(*) FROM config_versions WHERE config_name = 'service-7.production'`},
		"one version":               {1, `SELECT version FROM config_versions WHERE config_name = 'service-7.production' AND version = '1.0.500'`},
		"a commit's versions":       {5, `SELECT version FROM config_versions WHERE commit_sha = md5('10007') AND commit_sha <> ''`},
		"deployments":               {100, `SELECT body FROM config_deployments ORDER BY seq DESC LIMIT 50`},
		"deployments of a profile":  {100, `SELECT body FROM config_deployments WHERE config_name = 'service-7.production' ORDER BY seq DESC LIMIT 50`},
		"the newest deployment":     {2, `SELECT deployment_id FROM config_deployments WHERE config_name = 'service-7.production' ORDER BY seq DESC LIMIT 1`},
		"a deployment's checks":     {110, `SELECT verdict FROM deployment_checks WHERE deployment_id = 'active-7' ORDER BY seq DESC`},
		"deployments that run":      {1100, `SELECT body FROM config_deployments WHERE status = 'InProgress' ORDER BY seq DESC LIMIT 50`},
		"deployments that failed":   {10, `SELECT body FROM config_deployments WHERE status = 'Failed' ORDER BY seq DESC LIMIT 50`},
		"deployments in production": {400, `SELECT body FROM config_deployments WHERE environment = 'Production' ORDER BY seq DESC LIMIT 50`},
		"deployments of a commit":   {10, `SELECT body FROM config_deployments WHERE commit_sha = md5('10007') AND commit_sha <> '' ORDER BY seq DESC LIMIT 50`},
		"the active deployment":     {2, `SELECT body FROM config_deployments WHERE config_name = 'service-7.production' AND finished_at IS NULL`},
		"claiming": {100, `SELECT seq FROM config_deployments WHERE finished_at IS NULL AND quarantined = '' AND next_step_at <= now() + interval '8 seconds'
			AND (owner = '' OR lease_until < now()) ORDER BY next_step_at LIMIT 8 FOR UPDATE SKIP LOCKED`},
		"proof":     {1100, `SELECT count(*) FROM config_deployments WHERE config_name = 'service-7.production' AND config_hash = md5('7/7') AND status = 'Completed'`},
		"instances": {200, `SELECT hostname FROM service_instances ORDER BY service_name, hostname, instance_id LIMIT 50`},
		"instances of a service": {30, `SELECT hostname FROM service_instances WHERE service_name = 'service-7' AND environment = 'Staging'
			ORDER BY service_name, hostname, instance_id LIMIT 50`},
		"an instance by its token":  {1, `SELECT hostname FROM service_instances WHERE token_hash = decode(md5('7'), 'hex')`},
		"a deployment's instances":  {30, `SELECT version FROM config_assignments WHERE config_name = 'service-7.production'`},
		"an instance's assignments": {2, `SELECT version FROM config_assignments WHERE instance_id = 'i-7'`},
		"who has a profile":         {40, `SELECT DISTINCT instance_id FROM config_assignments WHERE config_name = ANY (ARRAY(SELECT json_array_elements_text('["service-7.production"]')))`},
		"samples": {200, `SELECT s.sample FROM json_array_elements_text('["i-7", "i-8"]') AS i(id) CROSS JOIN LATERAL
			(SELECT sample FROM health_samples WHERE instance_id = i.id AND at >= now() - interval '15 minutes' AND since >= now() - interval '1 day' ORDER BY at, seq) s`},
		"audit":                    {100, `SELECT id FROM config_audit_logs ORDER BY id DESC LIMIT 50`},
		"audit of an entity":       {100, `SELECT details FROM config_audit_logs WHERE entity_type = 'profile' AND entity_id = 'e-8' ORDER BY id DESC LIMIT 50`},
		"audit of a user":          {100, `SELECT details FROM config_audit_logs WHERE user_id = 'user-7' ORDER BY id DESC LIMIT 50`},
		"audit of a kind":          {1200, `SELECT details FROM config_audit_logs WHERE event_type = 'deployment.7' ORDER BY id DESC LIMIT 50`},
		"audit of a rare kind":     {60, `SELECT details FROM config_audit_logs WHERE event_type = 'freeze.begun' ORDER BY id DESC LIMIT 50`},
		"audit of a day":           {1500, `SELECT id FROM config_audit_logs WHERE created_at >= now() - interval '3 days' AND created_at < now() - interval '2 days' ORDER BY id DESC LIMIT 50`},
		"how much of a user":       {400, `SELECT count(*) FROM config_audit_logs WHERE user_id = 'user-7'`},
		"what a forge was given":   {20, `SELECT state FROM posted_statuses WHERE commit_sha = md5('7') ORDER BY seq`},
		"the statuses of a commit": {5, `SELECT context FROM commit_statuses WHERE commit_sha >= 'abc0' AND commit_sha < 'abc0g' ORDER BY context, source_id`},
		"statuses that wait":       {20, `SELECT count(*) FROM commit_statuses WHERE NOT quiet AND revision > posted_revision AND revision > refused_revision`},
		"a heartbeat's answer": {40, `SELECT body FROM config_deployments WHERE finished_at IS NULL
			AND config_name IN (SELECT name FROM config_profiles WHERE service = 'service-7' AND environment = 'Staging')`},
	} {
		read := 0.0
		explain(t, db, c.statement).walk(func(n planNode) {
			if n.Relation == "" {
				return
			}
			read += (n.Rows + n.Removed) * max(n.Loops, 1)
			if n.Type == "Seq Scan" && !smallTables[n.Relation] {
				t.Errorf("%s reads the whole of %s", name, n.Relation)
			}
		})
		if read > c.most {
			t.Errorf("%s reads %.0f rows, want at most %.0f", name, read, c.most)
		}
	}
	listsOfWhatIsRare(t, db, url)
}
