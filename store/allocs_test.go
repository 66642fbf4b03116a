package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// What one profile of a first sync takes in the store: some of it the engine's own.
func TestAllocationsOfAFirstSync(t *testing.T) { // not in parallel: it counts
	const profiles, most = 512, 200.0
	records, versions, decisions := manyNew(profiles)
	var stores []*store.Store // one for the round that is not counted
	for i := range 2 {
		s, err := store.Open(t.Context(), store.Options{URL: filepath.Join(t.TempDir(), fmt.Sprint(i)+".db")})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	allocs := testing.AllocsPerRun(1, func() {
		s := stores[0]
		stores = stores[1:]
		if err := s.InTx(t.Context(), func(tx *store.Tx) error {
			for _, step := range []func() error{
				func() error { return tx.PutProfiles(t.Context(), records) },
				func() error { return tx.InsertVersions(t.Context(), versions) },
				func() error { return tx.CreateDeployments(t.Context(), decisions) },
			} {
				if err := step(); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
	if allocs /= profiles; allocs > most {
		t.Errorf("a profile takes %.0f allocations, at most %.0f are meant to be", allocs, most)
	} else {
		t.Logf("a profile takes %.0f allocations", allocs)
	}
}

// What a target takes of the reading of a fleet, as each step reads it: its ID and its host. Room for
// all of them is made at once.
func TestAllocationsOfAFleet(t *testing.T) { // not in parallel: it counts
	const n, most = 2000, 2.5
	w := newPostgresWorld(t)
	w.assignTo("1.1.0", w.registerMany(n))
	d := w.deployment("1.1.0")
	read := func() []rollout.Target {
		snap, err := w.Snapshot(t.Context(), d, func(rollout.Snapshot) []rollout.Reading { return nil })
		w.must(err)
		return snap.Targets
	}
	read()
	if targets := read(); len(targets) != n || cap(targets) != n {
		t.Errorf("%d targets in a room for %d, want %d", len(targets), cap(targets), n)
	}
	if allocs := testing.AllocsPerRun(5, func() { read() }) / n; allocs > most {
		t.Errorf("a target takes %.1f allocations, at most %.1f are meant to be", allocs, most)
	}
}
