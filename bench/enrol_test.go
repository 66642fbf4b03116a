package bench_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // bare PostgreSQL

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// estate is a PostgreSQL database with profiles that run their first version on a fleet.
type estate struct {
	s        *scenario
	url      string
	db       *store.Store
	bare     *sql.DB
	profiles []profile.Record
	members  []member
	admin    string // token
}

// estateOf makes n profiles with a version each, and instances by turns of theirs, all of which run it.
func (s *scenario) estateOf(url string, profiles, instances int) *estate {
	s.Helper()
	e := &estate{s: s, url: url, db: openStore(s, url), admin: api.NewToken(api.UserToken)}
	var err error
	if e.bare, err = sql.Open("pgx", url); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { e.bare.Close() })
	must(s, e.db.CreateToken(s.Context(), store.Token{
		ID: uuid.NewString(), Name: "bench", Kind: store.TokenAPI, Role: "Admin", Hash: api.HashToken(e.admin), CreatedBy: "bench",
	}))
	must(s, e.db.InTx(s.Context(), func(tx *store.Tx) error {
		for i := range profiles {
			r, v, _ := born(fmt.Sprintf("service-%05d.production", i), time.Now())
			r.CurrentVersion = v.Number
			r.Strategy.Steps, r.Health.CheckInterval = []int{50, 100}, profile.Duration(5*time.Second)
			e.profiles = append(e.profiles, r)
			if err := tx.PutProfile(s.Context(), r); err != nil {
				return err
			}
			if err := tx.InsertVersion(s.Context(), v); err != nil {
				return err
			}
		}
		return nil
	}))
	e.enrol(instances)
	return e
}

// enrol writes instances past the store, which would register them one by one.
func (e *estate) enrol(n int) {
	e.s.Helper()
	ids, names, hosts, tokens := make([]string, n), make([]string, n), make([]string, n), make([][]byte, n)
	for i := range n {
		m := member{uuid.Must(uuid.NewV7()).String(), api.NewToken(api.InstanceToken)}
		e.members = append(e.members, m)
		ids[i], names[i], hosts[i], tokens[i] = m.ID, e.profiles[i%len(e.profiles)].Name, fmt.Sprintf("host-%05d", i), api.HashToken(m.Token)
	}
	e.exec(`INSERT INTO service_instances (instance_id, service_name, hostname, port, environment, token_hash, status, registered_at, last_heartbeat)
		SELECT id, name, host, 80, $5, token, 'Healthy', now(), now()
		  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS i(id, name, host, token)`, ids, names, hosts, tokens, string(e.profiles[0].Environment))
	e.exec(`INSERT INTO config_assignments (instance_id, config_name, version, config_hash, generation, assigned_at, applied, applied_hash,
			applied_generation, applied_at)
		SELECT i.id, i.name, v.version, v.config_hash, 1, now(), v.version, v.config_hash, 1, now()
		  FROM unnest($1::text[], $2::text[]) AS i(id, name) JOIN config_versions v ON v.config_name = i.name`, ids, names)
	e.exec(`UPDATE config_profiles SET generation = 1, current_version = '1.0.0'`)
	e.exec(`ANALYZE`)
}

func (e *estate) exec(statement string, args ...any) {
	e.s.Helper()
	if _, err := e.bare.ExecContext(e.s.Context(), statement, args...); err != nil {
		e.s.Fatalf("%v\n%s", err, statement)
	}
}

// daemon starts the real one on the estate's database.
func (e *estate) daemon(args ...string) *testenv.Daemon {
	e.s.Helper()
	return testenv.NewDaemon(e.s, append([]string{"--database-url", e.url, "--log-level", "warn"}, args...)...)
}

// edition makes another version of a profile, and a canary of it, not yet stored.
func edition(r profile.Record, number string) (profile.Version, rollout.Deployment) {
	before, v, dec := born(r.Name, time.Now())
	first := profile.Hash(profile.Data{"timeout": "30s", "name": r.Name})
	v.Number, v.Data = number, profile.Data{"timeout": "40s", "name": r.Name, "edition": number}
	v.Hash, v.SizeBytes = profile.Hash(v.Data), len(profile.Canonical(v.Data))
	d := dec.Next
	d.Version, d.Hash, d.Previous, d.PreviousHash = v.Number, v.Hash, "1.0.0", first
	d.Strategy, d.Health = r.Strategy, r.Health
	d.Selector = fleet.Selector{Service: before.Service, Environment: before.Environment}
	d.Source, d.Commit = "", ""
	return v, d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
