package gitsource_test

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

func TestMirrorFollowsABranch(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(r *repo) gitsource.Options{
		"file": func(r *repo) gitsource.Options { return r.options() },
		"http": func(r *repo) gitsource.Options { return r.httpOptions(r.serveHTTP("", "")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			first := r.commit("first", map[string]string{"a.yaml": "one", "docs/x.md": "x", "schemas/s.json": "{}"})
			m := open(t, options(r))
			if head, err := m.Head(t.Context()); err != nil || head != first {
				t.Fatalf("Head = %s, %v, want %s", head, err, first)
			}
			if _, err := m.Walk(t.Context(), "", first); !errors.Is(err, gitsource.ErrNotFetched) {
				t.Fatalf("Walk before Fetch: %v", err)
			}
			if got := fetch(t, m); got != first {
				t.Fatalf("Fetch = %s, want %s", got, first)
			}
			if got := read(t, m, first, "a.yaml"); got != "one" {
				t.Fatalf("a.yaml = %q", got)
			}
			second := r.commit("second (#12)", map[string]string{"a.yaml": "two", "docs/x.md": "", "b.yaml": "b"})
			if got := fetch(t, m); got != second {
				t.Fatalf("Fetch = %s, want %s", got, second)
			}
			want := []string{"Modified a.yaml", "Added b.yaml", "Deleted docs/x.md"}
			if got := changes(t, m, first, second); !slices.Equal(got, want) {
				t.Fatalf("Changes = %q, want %q", got, want)
			}
			if got := read(t, m, first, "a.yaml"); got != "one" {
				t.Fatalf("a.yaml at the first commit = %q", got)
			}
			if _, err := m.Read(t.Context(), second, "docs/x.md"); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("deleted file: %v", err)
			}
			commits, err := m.Walk(t.Context(), first, second)
			if err != nil || len(commits) != 1 || commits[0].SHA != second || commits[0].PullRequest != 12 {
				t.Fatalf("Walk = %+v, %v", commits, err)
			}
		})
	}
}
