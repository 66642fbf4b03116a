package bench_test

import (
	"context"
	"fmt"
	"path/filepath"
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

// mirrorOf is the mirror of the repository in a folder.
func (c *configs) mirror(dir string) *gitsource.Mirror {
	c.tb.Helper()
	m, err := gitsource.Open(c.tb.Context(), gitsource.Options{
		ID: "configs", URL: c.url, Branch: "main", Path: "profiles", Extra: []string{"schemas"}, Dir: dir,
		AllowInsecureHTTP: true, AllowLoopback: true,
	})
	if err != nil {
		c.tb.Fatal(err)
	}
	return m
}

// database opens a migrated database that knows the source.
func (c *configs) database(url string) *store.Store {
	c.tb.Helper()
	db, err := store.Open(c.tb.Context(), store.Options{URL: url})
	if err == nil {
		err = db.Migrate(c.tb.Context())
	}
	if err == nil {
		err = db.RegisterSource(c.tb.Context(), store.Source{ID: "configs", URL: c.url, Branch: "main", Path: "profiles"})
	}
	if err != nil {
		c.tb.Fatal(err)
	}
	return db
}

// reconciler brings what the mirror fetches into the database.
func (c *configs) reconciler(m *gitsource.Mirror, db *store.Store) *reconciler.Reconciler {
	c.tb.Helper()
	r, err := reconciler.New(reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles"}, Git: m, Store: synced{db},
	})
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
	m, db := c.mirror(c.tb.TempDir()), c.database(database)
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
		s.note("On %s the first sync grows with the number of profiles to the power of %.2f.", engine.name, bench.Exponent(sizes, costs))
	}
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
