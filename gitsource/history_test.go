package gitsource_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/gitsource"
)

// subjects renders a walk as the first lines of its messages.
func subjects(t *testing.T, m *gitsource.Mirror, from, to string) []string {
	t.Helper()
	commits, err := m.Walk(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range commits {
		line, _, _ := strings.Cut(c.Message, "\n")
		out = append(out, line)
	}
	return out
}

func TestWalkFollowsFirstParents(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	first := r.commit("first", map[string]string{"a": "1"})
	r.git("switch", "-q", "-c", "feature")
	inner := r.commit("inside the feature", map[string]string{"f": "1"})
	r.commit("more inside", map[string]string{"f": "2"})
	r.git("switch", "-q", "main")
	second := r.commit("second", map[string]string{"a": "2"})
	r.git("merge", "-q", "--no-ff", "-m", "Merge pull request #7 from acme/feature\n\nAdd the feature", "feature")
	r.commit("third", map[string]string{"a": "3"})
	head := r.git("rev-parse", "HEAD")
	m := open(t, r.options())
	fetch(t, m)
	want := []string{"second", "Merge pull request #7 from acme/feature", "third"}
	if got := subjects(t, m, first, head); !slices.Equal(got, want) {
		t.Errorf("Walk = %q, want %q", got, want)
	}
	if got := subjects(t, m, "", head); !slices.Equal(got, []string{"third"}) {
		t.Errorf("first sync = %q", got)
	}
	if got := subjects(t, m, head, head); len(got) != 0 {
		t.Errorf("Walk of nothing = %q", got)
	}
	commits, err := m.Walk(t.Context(), second, r.git("rev-parse", "HEAD~1"))
	if err != nil || len(commits) != 1 {
		t.Fatalf("Walk = %v, %v", commits, err)
	}
	c := commits[0]
	if c.PullRequest != 7 || len(c.Parents) != 2 || c.Parents[0] != second || c.AuthorName != "Ada" || c.AuthorEmail != "ada@example.com" ||
		c.CommitterName != "Grace" || c.CommitterEmail != "grace@example.com" ||
		!c.AuthoredAt.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || !c.CommittedAt.Equal(time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)) {
		t.Errorf("commit = %+v", c)
	}
	for name, from := range map[string]string{
		"a commit inside the merge": inner, "a later commit": head, "no commit": strings.Repeat("0", 40), "no id": "main", "a tree": r.git("rev-parse", "HEAD^{tree}"),
	} {
		if _, err := m.Walk(t.Context(), from, second); !errors.Is(err, gitsource.ErrRewritten) {
			t.Errorf("Walk from %s = %v, want ErrRewritten", name, err)
		}
	}
	for name, to := range map[string]string{"no id": "main", "unknown": someHead, "empty": ""} {
		if _, err := m.Walk(t.Context(), first, to); !errors.Is(err, gitsource.ErrNotFetched) {
			t.Errorf("Walk to %s = %v, want ErrNotFetched", name, err)
		}
	}
}

func TestWalkIsBounded(t *testing.T) {
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
	if _, err := m.Walk(t.Context(), first, head); !errors.Is(err, gitsource.ErrTooManyCommits) {
		t.Errorf("four commits: %v, want ErrTooManyCommits", err)
	}
	if got := subjects(t, m, r.git("rev-parse", "HEAD~3"), head); !slices.Equal(got, []string{"2", "3", "4"}) {
		t.Errorf("three commits: %q", got)
	}
}

func TestRewrittenBranch(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(*repo) gitsource.Options{
		"file": (*repo).options,
		"http": func(r *repo) gitsource.Options { return r.httpOptions(r.serveHTTP("", "")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			base := r.commit("base", map[string]string{"a.yaml": "1", "b.yaml": "1"})
			old := r.commit("old", map[string]string{"a.yaml": "2"})
			m := open(t, options(r))
			fetch(t, m)
			r.git("reset", "-q", "--hard", base)
			rewritten := r.commit("rewritten", map[string]string{"a.yaml": "3"})
			// The old commit is gone from the remote for good.
			r.git("reflog", "expire", "--expire=now", "--all")
			r.git("gc", "-q", "--prune=now")
			if got := fetch(t, m); got != rewritten {
				t.Fatalf("Fetch = %s, want %s", got, rewritten)
			}
			if _, err := m.Walk(t.Context(), old, rewritten); !errors.Is(err, gitsource.ErrRewritten) {
				t.Errorf("Walk = %v, want ErrRewritten", err)
			}
			// The trees can still be compared, because the mirror keeps what it had.
			if got, want := changes(t, m, old, rewritten), []string{"Modified a.yaml"}; !slices.Equal(got, want) {
				t.Errorf("Changes = %q, want %q", got, want)
			}
			// The branch goes back to a commit that is there already.
			r.git("reset", "-q", "--hard", base)
			if got := fetch(t, m); got != base {
				t.Errorf("Fetch = %s, want %s", got, base)
			}
			r.git("switch", "-q", "-c", "other")
			r.git("branch", "-D", "main")
			if _, err := m.Fetch(t.Context()); !errors.Is(err, gitsource.ErrBranchGone) {
				t.Errorf("Fetch of a deleted branch = %v, want ErrBranchGone", err)
			}
			if got := read(t, m, rewritten, "a.yaml"); got != "3" {
				t.Errorf("what was fetched is lost: %q", got)
			}
		})
	}
}

func TestLocalFetchTakesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("d%d/f.yaml", i)] = fmt.Sprint(i, strings.Repeat("x", 1000))
	}
	r.commit("first", files)
	r.git("branch", "feature")
	m := open(t, r.options())
	fetch(t, m)
	before := m.Stats().Bytes
	r.commit("second", map[string]string{"d7/f.yaml": "new"})
	r.git("switch", "-q", "feature")
	r.commit("feature", map[string]string{"d8/f.yaml": "newer", "d9/f.yaml": "2" + strings.Repeat("y", 2000)})
	r.git("switch", "-q", "main")
	r.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
	head := fetch(t, m)
	if got := m.Stats().Bytes - before; got > 8_000 {
		t.Errorf("the second fetch brought %d bytes of %d", got, before)
	}
	list, err := m.List(t.Context(), head)
	if err != nil || len(list) != 50 {
		t.Fatalf("List = %d entries, %v", len(list), err)
	}
	for _, e := range list {
		read(t, m, head, e.Path)
	}
}

func TestPullRequestOfAMessage(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	for message, want := range map[string]int{
		"Merge pull request #12 from acme/x\n\nbody (#9)":                         12,
		"Raise the timeout (#34)\n\n* one (#1)":                                   34,
		"Merge pull request 'Raise it' (#56) from x into main":                    56,
		"Merge branch 'x' into 'main'\n\nRaise it\n\nSee merge request acme/c!78": 78,
		"Merged in x (pull request #90)\n\nbody":                                  90,
		"Merged PR 123: Raise it":                                                 123,
		"Raise it (!45)":                                                          45,
		"Raise it !46":                                                            46,
		"Fix #12":                                                                 0,
		"Raise it\n\nsee (#12)":                                                   0,
		"Wow!12 is not a number":                                                  0,
		"Raise (#99999999999999999999)":                                           0,
	} {
		r.commit(message, nil)
		m := open(t, r.options())
		commits, err := m.Walk(t.Context(), "", fetch(t, m))
		if err != nil || commits[0].PullRequest != want {
			t.Errorf("%q: %+v, %v, want %d", message, commits, err, want)
		}
	}
}

// A commit may hold anything; what Walk returns can be printed.
func TestCommitTextIsMadeSafe(t *testing.T) {
	t.Parallel()
	var b packBuilder
	tree, _ := b.object(typeTree, nil)
	id, _ := b.object(typeCommit, append(fmt.Appendf(nil,
		"tree %x\nauthor Ev\x1b[31mil\u202e <a@x\x00> 1 +0000\ncommitter \xff <%s> 1 +0000\n\ntitle\r\n\x1b]0;x\x07\u202eb\xff\n", tree, strings.Repeat("e", 9000)),
		strings.Repeat("é", 20_000)...))
	head := fmt.Sprintf("%x", id)
	m := open(t, serverOptions(t, servePack(t, head, b.bytes())))
	fetch(t, m)
	commits, err := m.Walk(t.Context(), "", head)
	if err != nil {
		t.Fatal(err)
	}
	c := commits[0]
	text := c.AuthorName + c.AuthorEmail + c.CommitterName + c.CommitterEmail + c.Message
	if strings.ContainsAny(text, "\x00\x07\x1b\r\u202e\ufffd") || !strings.HasPrefix(c.Message, "title\n?]0;x??b?\né") {
		t.Errorf("not safe: %q", text[:200])
	}
	if len(c.Message) > 16<<10 || len(c.CommitterEmail) > 300 {
		t.Errorf("too long: %d, %d", len(c.Message), len(c.CommitterEmail))
	}
}
