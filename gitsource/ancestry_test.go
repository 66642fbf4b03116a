package gitsource_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

// graph makes a random history; every commit is behind main. Times rise, stand still or go wild.
func (r *repo) graph(commits int, rnd *rand.Rand, when func(i int) int) []string {
	r.t.Helper()
	var b strings.Builder
	for i := range commits {
		fmt.Fprintf(&b, "commit refs/heads/main\nmark :%d\ncommitter Grace <grace@example.com> %d +0000\ndata %d\n%d\n", i+1, when(i), len(fmt.Sprint(i)), i)
		parents := map[int]bool{}
		for range min(i, 1+rnd.IntN(3)/2) {
			parents[max(0, i-1-rnd.IntN(5))] = true
		}
		word := "from"
		for p := range commits {
			if parents[p] || i == commits-1 && p < i {
				fmt.Fprintf(&b, "%s :%d\n", word, p+1)
				word = "merge"
			}
		}
		b.WriteString("\n")
	}
	for i := range commits {
		fmt.Fprintf(&b, "get-mark :%d\n", i+1)
	}
	return strings.Fields(r.gitInput(b.String(), "fast-import", "--quiet", "--force", "--cat-blob-fd=1"))
}

func TestRangesAndBasesAreGits(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		when  func(int) int
		exact bool
	}{
		"rising": {func(i int) int { return 1_700_000_000 + i }, true},
		"equal":  {func(int) int { return 1_700_000_000 }, true},
		"wild":   {func(int) int { return 1_700_000_000 + rnd.IntN(1000) }, false},
	} {
		r := newRepo(t)
		all := r.graph(40, rnd, c.when)
		m := open(t, r.options())
		fetch(t, m)
		for range 25 {
			from, to := all[rnd.IntN(39)], all[rnd.IntN(39)]
			list, err := m.Range(t.Context(), from, to)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, commit := range list {
				for _, p := range commit.Parents {
					if !slices.Contains(got, p) && slices.ContainsFunc(list, func(c gitsource.Commit) bool { return c.SHA == p }) {
						t.Errorf("%s: %s comes before its parent", name, commit.SHA)
					}
				}
				got = append(got, commit.SHA)
			}
			want := strings.Fields(r.git("rev-list", from+".."+to))
			if left := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) }); len(left) > 0 || c.exact && len(got) != len(want) {
				t.Errorf("%s: Range(%s, %s) = %d commits, want %d, without %q", name, from, to, len(got), len(want), left)
			}
			merge, err := m.Merge(t.Context(), from, to)
			bases := r.gitMay("merge-base", "--all", from, to)
			switch {
			case len(bases) == 0 && !errors.Is(err, gitsource.ErrUnrelated):
				t.Errorf("%s: Merge(%s, %s) = %v, want ErrUnrelated", name, from, to, err)
			case len(bases) > 0 && (err != nil || !slices.Contains(bases, merge.Base)):
				t.Errorf("%s: base of %s and %s = %+v, %v, want one of %q", name, from, to, merge, err, bases)
			}
		}
	}
}

// gitMay runs git and gives nothing when it fails.
func (r *repo) gitMay(args ...string) []string {
	out, err := r.command(args...).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

func TestRangeIsBounded(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	first := r.commit("0", nil)
	for i := range 4 {
		r.commit(fmt.Sprint(i+1), nil)
	}
	o := r.options()
	o.Limits.MaxCommitsPerSync = 3
	m := open(t, o)
	head := fetch(t, m)
	if _, err := m.Range(t.Context(), first, head); !errors.Is(err, gitsource.ErrTooManyCommits) {
		t.Errorf("four commits: %v, want ErrTooManyCommits", err)
	}
	if list, err := m.Range(t.Context(), r.git("rev-parse", "HEAD~3"), head); err != nil || len(list) != 3 || list[2].SHA != head {
		t.Errorf("three commits: %+v, %v", list, err)
	}
	if list, err := m.Range(t.Context(), "", r.git("rev-parse", "HEAD~2")); err != nil || len(list) != 3 || list[0].SHA != first {
		t.Errorf("everything: %+v, %v", list, err)
	}
	for _, from := range []string{"main", someHead} {
		if _, err := m.Range(t.Context(), from, head); !errors.Is(err, gitsource.ErrNotFetched) {
			t.Errorf("Range from %s = %v, want ErrNotFetched", from, err)
		}
	}
	c, err := m.Commit(t.Context(), head)
	if err != nil || c.SHA != head || c.Message != "4" {
		t.Errorf("Commit = %+v, %v", c, err)
	}
}
