package gitsource_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// What a commit that changes one file among many takes, when its folders were read before: the hot
// path of every merge. A folder has a hundred files; one that was parsed anew would take thousands.
func TestAllocationsOfOneCommit(t *testing.T) { // not in parallel: it counts
	r := newRepo(t)
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("profiles/team-%02d/service-%04d.yaml", i/100, i)] = fmt.Sprintf("name: service-%d\n", i)
	}
	first := r.commit("first", files)
	second := r.commit("change", map[string]string{"profiles/team-02/service-0242.yaml": "n: 1\n"})
	m := open(t, r.options())
	fetch(t, m)
	for what, c := range map[string]struct {
		most float64
		do   func() error
	}{
		"comparing two commits": {50, func() error { _, err := m.Changes(t.Context(), first, second); return err }},
		"reading one file": {20, func() error {
			_, err := m.Read(t.Context(), second, "profiles/team-02/service-0242.yaml")
			return err
		}},
		"walking one commit":        {25, func() error { _, err := m.Walk(t.Context(), first, second); return err }},
		"listing all of 1000 files": {5_000, func() error { _, err := m.List(t.Context(), second); return err }},
	} {
		allocs := testing.AllocsPerRun(20, func() {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > c.most*effort {
			t.Errorf("%s takes %.0f allocations, at most %.0f are meant to be", what, allocs, c.most)
		} else {
			t.Logf("%s takes %.0f allocations", what, allocs)
		}
	}
}

// What stays in memory of files that were read: a first sync reads them all, and each of them once.
func TestMemoryOfFilesThatWereRead(t *testing.T) { // not in parallel: it weighs the heap
	const count, size = 1000, 16 << 10
	r := newRepo(t)
	files, random := map[string]string{}, rand.NewChaCha8([32]byte{})
	for i := range count {
		text := make([]byte, size/2)
		random.Read(text) //nolint:errcheck // it never fails
		files[fmt.Sprintf("profiles/team-%02d/service-%04d.yaml", i/100, i)] = hex.EncodeToString(text)
	}
	head := r.commit("first", files)
	m := open(t, r.options())
	fetch(t, m)
	before := heap()
	for path, text := range files {
		if read(t, m, head, path) != text {
			t.Fatalf("%s is not as it was committed", path)
		}
	}
	kept := heap() - before
	runtime.KeepAlive(m)
	runtime.KeepAlive(files)
	if most := int64(2 << 20); kept > most {
		t.Errorf("%d bytes stay of %d files of %d bytes, at most %d are meant to", kept, count, size, most)
	}
}

// heap is how many bytes live.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
