package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// world is a migrated database with a profile, two validated versions and a
// clock that the test moves.
type world struct {
	*store.Store
	t      *testing.T
	driver string // of database/sql
	path   string // the file, or the URL

	mu  sync.Mutex
	now time.Time
}

const payments = "payment-service.production"

// TestMain stops the server that the tests share.
func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// engines are the databases that every rule holds on.
var engines = map[string]func(t *testing.T) *world{"sqlite": newWorld, "postgres": newPostgresWorld}

// onEach runs a test on every engine.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, driver: "sqlite", path: testenv.Template(t, "sluice.db", migrateNew)}
	w.open()
	w.furnish()
	return w
}

// migrated is a database with the schema and nothing in it, to be copied.
const migrated = "sluice_migrated"

var makeMigrated sync.Once

// migrateNew gives a new database the schema.
func migrateNew(url string) error {
	s, err := store.Open(context.Background(), store.Options{URL: url})
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(context.Background()), s.Close())
}

func newPostgresWorld(t *testing.T) *world {
	t.Helper()
	server := testenv.SharedPostgres(t)
	makeMigrated.Do(func() {
		server.Exec(t, "postgres", "CREATE DATABASE "+migrated)
		if err := migrateNew(server.URL(migrated)); err != nil {
			t.Fatal(err)
		}
	})
	w := &world{t: t, driver: "pgx", path: server.CreateDatabase(t, migrated)}
	w.open()
	w.furnish()
	return w
}

// open opens the database with the test's clock.
func (w *world) open() {
	w.t.Helper()
	w.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := store.Open(w.t.Context(), store.Options{URL: w.path, Now: w.clock, Connections: 6})
	w.must(err)
	w.Store = s
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) furnish() {
	w.t.Helper()
	w.putProfile(payments)
	w.addVersion("1.0.0", "100ms")
	w.addVersion("1.1.0", "200ms")
}

func (w *world) putProfile(name string) {
	w.t.Helper()
	w.must(w.PutProfile(w.t.Context(), profile.Record{
		Name: name, Service: "payment-service", Environment: profile.Production, ServiceType: profile.Microservice,
		Strategy: profile.DefaultStrategy(profile.Canary), Health: profile.DefaultHealth(profile.Production),
		Origin: profile.OriginGit, Source: "configs", Path: name + ".yaml",
	}))
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) version(number, timeout string) profile.Version {
	data := profile.Data{"timeout": timeout}
	return profile.Version{Profile: payments, Number: number, Data: data, Hash: profile.Hash(data), ValidatedAt: w.clock(), Source: "configs"}
}

func (w *world) addVersion(number, timeout string) profile.Version {
	w.t.Helper()
	v := w.version(number, timeout)
	w.must(w.InsertVersion(w.t.Context(), v))
	return v
}

// deployment is a new one of a version that addVersion made.
func (w *world) deployment(number string) rollout.Deployment {
	w.t.Helper()
	v, err := w.Version(w.t.Context(), payments, number)
	w.must(err)
	return rollout.Deployment{
		ID: uuid.NewString(), Profile: payments, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending,
		Selector: fleet.Selector{Service: "payment-service", Environment: profile.Production},
		Strategy: profile.DefaultStrategy(profile.Canary), Health: profile.DefaultHealth(profile.Production),
		Source: "configs", Commit: "c0ffee0000000000000000000000000000000000", InitiatedBy: "ada",
	}
}

func (w *world) create(number string) rollout.Deployment {
	w.t.Helper()
	d := w.deployment(number)
	w.must(w.Create(w.t.Context(), rollout.Decision{Next: d, Changed: true}))
	return w.read(d.ID)
}

func (w *world) read(id string) rollout.Deployment {
	w.t.Helper()
	d, err := w.Deployment(w.t.Context(), id)
	w.must(err)
	return d
}

func (w *world) claim(owner string) []rollout.Claim {
	w.t.Helper()
	claims, err := w.ClaimDue(w.t.Context(), owner, 15*time.Second, 10)
	w.must(err)
	return claims
}

// claimOne claims what must be the only due deployment.
func (w *world) claimOne(owner string) rollout.Claim {
	w.t.Helper()
	claims := w.claim(owner)
	if len(claims) != 1 {
		w.t.Fatalf("%d deployments were claimed, want 1", len(claims))
	}
	return claims[0]
}

func (w *world) register(id string) {
	w.t.Helper()
	hash := sha256.Sum256([]byte(id))
	w.must(w.RegisterInstance(w.t.Context(), fleet.Instance{
		ID: id, Service: "payment-service", Environment: profile.Production, Hostname: id, Port: 8080,
	}, hash[:]))
}

// raw runs SQL past the store, as somebody with the database would.
func (w *world) raw(statement string, args ...any) error {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	_, err := db.ExecContext(context.Background(), statement, args...)
	return err
}

func (w *world) sqlite() bool { return w.driver == "sqlite" }

// either picks a text for the engine.
func (w *world) either(sqlite, postgres string) string {
	if w.sqlite() {
		return sqlite
	}
	return postgres
}

// disarm takes a table's triggers away.
func (w *world) disarm(table string, triggers ...string) {
	w.t.Helper()
	if !w.sqlite() {
		w.must(w.raw(`ALTER TABLE ` + table + ` DISABLE TRIGGER USER`))
		return
	}
	for _, trigger := range triggers {
		w.must(w.raw(`DROP TRIGGER ` + trigger))
	}
}

func (w *world) connect() *sql.DB {
	w.t.Helper()
	dsn := w.path + "&default_query_exec_mode=simple_protocol" // which takes several statements at once
	if w.sqlite() {
		dsn = "file:" + w.path + "?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(w.driver, dsn)
	w.must(err)
	return db
}

// beat records one heartbeat.
func (w *world) beat(id string, status fleet.Status) {
	w.t.Helper()
	h := store.NewHeartbeatWriter(w.Store, time.Millisecond)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	err := h.Record(w.t.Context(), id, fleet.Sample{Status: status, Requests: 10, Counted: true})
	cancel()
	w.must(<-done)
	w.must(err)
}

// copyOf opens a copy of the database as it is now: what a kill would leave.
func (w *world) copyOf() *world {
	w.t.Helper()
	c := &world{t: w.t, driver: w.driver, path: filepath.Join(w.t.TempDir(), "copy.db"), now: w.clock()}
	w.must(w.raw(`VACUUM INTO $1`, c.path))
	s, err := store.Open(w.t.Context(), store.Options{URL: c.path, Now: c.clock})
	w.must(err)
	c.Store = s
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return c
}

// rows counts a table.
func (w *world) rows(table string) (n int) {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	w.must(db.QueryRowContext(w.t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
	return n
}

// plan is how the engine would run a statement.
func (w *world) plan(statement string) []string {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path)
	w.must(err)
	defer func() { w.must(db.Close()) }()
	rows, err := db.QueryContext(w.t.Context(), `EXPLAIN QUERY PLAN `+statement)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		w.must(rows.Scan(&id, &parent, &unused, &detail))
		steps = append(steps, detail)
	}
	w.must(rows.Err())
	return steps
}

// byID sorts targets, which are read in no order.
func byID(targets []rollout.Target) []rollout.Target {
	slices.SortFunc(targets, func(a, b rollout.Target) int { return strings.Compare(a.Instance.ID, b.Instance.ID) })
	return targets
}
