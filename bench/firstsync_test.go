package bench_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/store"
)

// synced lets the store's transaction be the reconciler's, as the daemon does.
type synced struct{ *store.Store }

// InTx runs fn in one transaction.
func (s synced) InTx(ctx context.Context, fn func(reconciler.Tx) error) error {
	return s.Store.InTx(ctx, func(tx *store.Tx) error { return fn(tx) })
}

// openParts opens a mirror of the repository in a folder, and a migrated database that knows the source.
func openParts(ctx context.Context, url, folder, database string) (*gitsource.Mirror, *store.Store, error) {
	m, err := gitsource.Open(ctx, gitsource.Options{
		ID: "configs", URL: url, Branch: "main", Path: "profiles", Extra: []string{"schemas"}, Dir: folder,
		AllowInsecureHTTP: true, AllowLoopback: true,
	})
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, store.Options{URL: database})
	if err == nil {
		err = db.Migrate(ctx)
	}
	if err == nil {
		err = db.RegisterSource(ctx, store.Source{ID: "configs", URL: url, Branch: "main", Path: "profiles"})
	}
	return m, db, err
}

func (c *configs) open(folder, database string) (*gitsource.Mirror, *store.Store) {
	c.tb.Helper()
	m, db, err := openParts(c.tb.Context(), c.url, folder, database)
	if err != nil {
		c.tb.Fatal(err)
	}
	return m, db
}

// syncing brings what the mirror fetches into the database, as the daemon does.
func syncing(m *gitsource.Mirror, db *store.Store) (*reconciler.Reconciler, error) {
	return reconciler.New(reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles"}, Git: m, Store: synced{db},
	})
}

// reconciler is one that never fails to be made.
func (c *configs) reconciler(m *gitsource.Mirror, db *store.Store) *reconciler.Reconciler {
	c.tb.Helper()
	r, err := syncing(m, db)
	if err != nil {
		c.tb.Fatal(err)
	}
	return r
}

// sync makes one pass, which must find so many versions to make.
func (c *configs) sync(r *reconciler.Reconciler, versions int) {
	c.tb.Helper()
	res, err := r.Sync(c.tb.Context())
	if err != nil || res.Versions != versions || res.Problems != 0 {
		c.tb.Fatalf("sync: %+v, %v; want %d versions", res, err, versions)
	}
}

// firstSync times an empty mirror and an empty database becoming full.
func (c *configs) firstSync(database string, profiles int) float64 {
	c.tb.Helper()
	m, db := c.open(c.tb.TempDir(), database)
	defer closed(c.tb, m, db)
	r := c.reconciler(m, db)
	return milliseconds(func() { c.sync(r, profiles) })
}

// closed closes what a round had open.
func closed(tb testing.TB, each ...interface{ Close() error }) {
	tb.Helper()
	for _, one := range each {
		if err := one.Close(); err != nil {
			tb.Error(err)
		}
	}
}

// cloned times git clone and git cat-file of every file.
func (c *configs) cloned() float64 {
	dir := c.tb.TempDir()
	return milliseconds(func() {
		git(c.tb, dir, nil, "clone", "--quiet", c.url, "clone")
		clone := filepath.Join(dir, "clone")
		blobs := git(c.tb, clone, nil, "ls-tree", "-r", "--format=%(objectname)", "HEAD")
		git(c.tb, clone, strings.NewReader(blobs), "cat-file", "--batch")
	})
}

// benchFirstSync measures the first sync of a repository, how it grows, and on both databases.
func benchFirstSync(s *scenario) {
	s.Rounds = min(s.Rounds, 3) // each takes seconds
	for _, engine := range engines {
		sizes, costs := []float64{}, []float64{}
		for _, profiles := range []int{s.Profiles / 10, s.Profiles * 3 / 10, s.Profiles} {
			c := newConfigs(s, profiles, 0)
			ours, floor := s.inTurn(func() float64 { return c.firstSync(engine.database(s), profiles) }, c.cloned)
			s.add(bench.Figure{
				What: fmt.Sprintf("the first sync of %d profiles, stored and validated, on %s", profiles, engine.name), Unit: "ms", Ours: ours,
				Beside: "git clone and git cat-file of every file", Floor: floor, Goal: 2.5,
			})
			sizes, costs = append(sizes, float64(profiles)), append(costs, bench.Median(ours))
		}
		c := newConfigs(s, s.Profiles, 0)
		s.add(bench.Figure{
			What: fmt.Sprintf("the most memory of a process through the first sync of %d profiles, on %s", s.Profiles, engine.name), Unit: "MB",
			Ours: []float64{float64(startChild(s, "syncer").do("sync", c.errand(engine.database(s)))) / 1e6}, Goal: 100,
		})
		s.note("On %s the first sync grows with the number of profiles to the power of %.2f.", engine.name, bench.Exponent(sizes, costs))
	}
}

// errand tells a syncer what to sync into what.
func (c *configs) errand(database string) string {
	return strings.Join([]string{c.url, c.tb.TempDir(), database}, "\n")
}

// syncer is a process that makes a first sync and says how much memory it has had at the most, in bytes.
func syncer(context.Context) (serving, error) {
	return serving{door: http.NotFoundHandler(), commands: map[string]command{"sync": func(ctx context.Context, errand []byte) (int64, error) {
		parts := strings.Split(string(errand), "\n")
		m, db, err := openParts(ctx, parts[0], parts[1], parts[2])
		if err != nil {
			return 0, err
		}
		r, err := syncing(m, db)
		if err == nil {
			_, err = r.Sync(ctx)
		}
		peak, peakErr := peakMemory()
		return peak, errors.Join(err, peakErr, m.Close(), db.Close())
	}}}, nil
}

// peakMemory is the most that this process has had resident, in bytes.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	if !ok || len(fields) == 0 {
		return 0, errors.New("this system does not say how much memory a process has had")
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10, err
}

// BenchmarkFirstSync is the first sync of 10,000 profiles on the embedded database.
func BenchmarkFirstSync(b *testing.B) {
	c := newConfigs(b, full.Profiles, 0)
	for b.Loop() {
		c.firstSync(filepath.Join(b.TempDir(), "sluice.db"), full.Profiles)
	}
}

// BenchmarkFirstSyncPostgres is the first sync of 10,000 profiles on PostgreSQL.
func BenchmarkFirstSyncPostgres(b *testing.B) {
	c := newConfigs(b, full.Profiles, 0)
	for b.Loop() {
		c.firstSync(testenv.SharedPostgres(b).CreateDatabase(b, ""), full.Profiles)
	}
}

// BenchmarkClone is the floor of both.
func BenchmarkClone(b *testing.B) {
	c := newConfigs(b, full.Profiles, 0)
	for b.Loop() {
		c.cloned()
	}
}
