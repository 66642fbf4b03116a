package gitsource_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/gitsource"
)

// A change of one file among 10,000 costs the commits, and the trees on the way to that file, on both sides.
func TestOneChangeReadsOnlyItsTrees(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	files := map[string]string{}
	for i := range 10_000 {
		files[fmt.Sprintf("profiles/team-%02d/service-%04d.yaml", i/100, i)] = fmt.Sprintf("name: service-%d\n", i)
	}
	first := r.commit("first", files)
	for name, o := range map[string]gitsource.Options{"file": r.options(), "http": r.httpOptions(r.serveHTTP("", ""))} {
		m := open(t, o)
		start := time.Now()
		fetch(t, m)
		t.Logf("%s: first fetch %v", name, time.Since(start))
		before := first
		for i := range 3 {
			after := r.commit("change", map[string]string{"profiles/team-42/service-4242.yaml": fmt.Sprintf("n: %s%d\n", name, i)})
			start = time.Now()
			fetch(t, m)
			fetched := time.Since(start)
			reads := m.Stats().ObjectsRead
			start = time.Now()
			got := changes(t, m, before, after)
			t.Logf("%s: fetch %v, changes %v", name, fetched, time.Since(start))
			if want := []string{"Modified profiles/team-42/service-4242.yaml"}; !slices.Equal(got, want) {
				t.Fatalf("Changes = %q, want %q", got, want)
			}
			if n := m.Stats().ObjectsRead - reads; n > 8 {
				t.Errorf("%s: comparing read %d objects, want at most 2 commits and 3 trees each", name, n)
			}
			before = after
		}
		first = before
	}
}
