package gitsource_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

// pull puts a commit at a pull request's ref, off every branch, as forges keep it.
func (r *repo) pull(ref string, files map[string]string) string {
	r.t.Helper()
	r.git("switch", "-q", "-c", "tmp")
	head := r.commit("pull request", files)
	r.git("update-ref", ref, head)
	r.git("switch", "-q", "main")
	r.git("branch", "-q", "-D", "tmp")
	return head
}

func fetchRef(t *testing.T, m *gitsource.Mirror, ref string) string {
	t.Helper()
	sha, err := m.FetchRef(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

func TestPullRequestsAreFetched(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(*repo) gitsource.Options{
		"file": (*repo).options,
		"http": func(r *repo) gitsource.Options { return r.httpOptions(r.serveHTTP("", "")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.commit("first", map[string]string{"a.yaml": "one"})
			pull := r.pull("refs/pull/7/head", map[string]string{"a.yaml": "two"})
			request := r.pull("refs/merge-requests/8/head", map[string]string{"a.yaml": "three"})
			main := r.commit("second", map[string]string{"b.yaml": "one"})
			o := options(r)
			m := open(t, o)
			if got := fetchRef(t, m, "refs/pull/7/head"); got != pull || read(t, m, pull, "a.yaml") != "two" {
				t.Errorf("FetchRef = %s, want %s", got, pull)
			}
			if got := fetchRef(t, m, "refs/merge-requests/8/head"); got != request || read(t, m, request, "a.yaml") != "three" {
				t.Errorf("FetchRef = %s, want %s", got, request)
			}
			// The branch is where the remote has it, and nothing else is a ref.
			b, err := os.ReadFile(filepath.Join(o.Dir, "configs.git", "refs", "heads", "main"))
			if err != nil || strings.TrimSpace(string(b)) != main {
				t.Errorf("branch at %s, %v, want %s", b, err, main)
			}
			if _, err := m.FetchRef(t.Context(), "refs/pull/9/head"); !errors.Is(err, gitsource.ErrRefGone) || errors.Is(err, gitsource.ErrBranchGone) {
				t.Errorf("FetchRef of none = %v, want ErrRefGone", err)
			}
			next := r.pull("refs/pull/7/head", map[string]string{"a.yaml": "four"})
			if got := fetchRef(t, m, "refs/pull/7/head"); got != next || read(t, m, next, "b.yaml") != "one" {
				t.Errorf("FetchRef = %s, want %s", got, next)
			}
			// Merged by moving the branch to it: nothing is to be fetched any more.
			r.git("reset", "-q", "--hard", next)
			if got := fetch(t, m); got != next {
				t.Errorf("Fetch = %s, want %s", got, next)
			}
		})
	}
}

func TestTheMergeQueueIsSeenWithTheBranch(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(*repo) gitsource.Options{
		"file": (*repo).options,
		"http": func(r *repo) gitsource.Options { return r.httpOptions(r.serveHTTP("", "")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const ref = "refs/heads/gh-readonly-queue/main/pr-7-0123"
			r := newRepo(t)
			r.commit("first", map[string]string{"a.yaml": "one"})
			queued := r.pull(ref, map[string]string{"a.yaml": "two"})
			r.pull("refs/heads/gh-readonly-queue/main/1.0/pr-8-0123", map[string]string{"a.yaml": "three"}) // of the branch main/1.0
			m := open(t, options(r))
			if got := m.Queued(); len(got) != 0 {
				t.Errorf("before the remote was asked: %v", got)
			}
			fetch(t, m)
			if got := m.Queued(); !maps.Equal(got, map[string]string{ref: queued}) {
				t.Errorf("queued %v, want %s alone", got, queued)
			}
			if got := fetchRef(t, m, ref); got != queued || read(t, m, queued, "a.yaml") != "two" {
				t.Errorf("FetchRef = %s, want %s", got, queued)
			}
			if _, err := m.FetchRef(t.Context(), "refs/heads/gh-readonly-queue/main/1.0/pr-8-0123"); !errors.Is(err, gitsource.ErrOptions) {
				t.Errorf("FetchRef of another branch's queue: %v, want ErrOptions", err)
			}
			r.git("update-ref", "-d", ref)
			if _, err := m.Head(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := m.Queued(); len(got) != 0 {
				t.Errorf("after it was merged: %v", got)
			}
		})
	}
}

func TestOnlyPullRequestsCanBeAskedFor(t *testing.T) {
	t.Parallel()
	o := newRepo(t).options()
	o.URL = "file:///nowhere"
	m := open(t, o)
	for _, ref := range []string{
		"", "refs/heads/main", "HEAD", "refs/pull/0/head", "refs/pull/07/head", "refs/pull/7/merge", "refs/pull/7/head\n", "refs/pull/7/head:refs/heads/main",
		"+refs/pull/7/head", "refs/pull/-1/head", "refs/pull/*/head", "refs/pull/1234567890/head", "refs/pull/7/../../heads/main", "-refs/pull/7/head", "x/refs/pull/7/head",
	} {
		if _, err := m.FetchRef(t.Context(), ref); !errors.Is(err, gitsource.ErrOptions) {
			t.Errorf("FetchRef(%q) = %v, want ErrOptions", ref, err)
		}
	}
	if _, err := m.FetchRef(t.Context(), "refs/pull/7/head"); !errors.Is(err, gitsource.ErrRepositoryNotFound) {
		t.Errorf("FetchRef = %v, want ErrRepositoryNotFound", err)
	}
}

// What a mirror lost when it started over is told as missing, and comes again.
func TestPullRequestsComeAgainAfterTheMirrorStartedOver(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	base := r.commit("first", map[string]string{"a.yaml": "one"})
	pull := r.pull("refs/pull/7/head", map[string]string{"b.yaml": strings.Repeat("two", 100)})
	main := r.commit("second", map[string]string{"c.yaml": "three"})
	o := r.options()
	m := open(t, o)
	fetchRef(t, m, "refs/pull/7/head")
	for _, p := range packFiles(t, o, ".pack") {
		truncate(t, p, 40)
	}
	if _, err := m.Read(t.Context(), base, "a.yaml"); !errors.Is(err, gitsource.ErrCorrupt) {
		t.Fatalf("Read of a damaged mirror = %v, want ErrCorrupt", err)
	}
	fetch(t, m)
	if _, err := m.Commit(t.Context(), pull); !errors.Is(err, gitsource.ErrNotFetched) {
		t.Errorf("Commit = %v, want ErrNotFetched", err)
	}
	if _, err := m.Merge(t.Context(), main, pull); !errors.Is(err, gitsource.ErrNotFetched) {
		t.Errorf("Merge = %v, want ErrNotFetched", err)
	}
	fetchRef(t, m, "refs/pull/7/head")
	merge, err := m.Merge(t.Context(), main, pull)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := merge.List(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("List = %v, %v", list, err)
	}
	// The damage is noticed by the pull request's own fetch.
	for _, p := range packFiles(t, o, ".pack") {
		truncate(t, p, 40)
	}
	if _, err := m.Read(t.Context(), base, "a.yaml"); !errors.Is(err, gitsource.ErrCorrupt) {
		t.Fatalf("Read of a damaged mirror = %v, want ErrCorrupt", err)
	}
	if got := fetchRef(t, m, "refs/pull/7/head"); got != pull || read(t, m, pull, "a.yaml") != "one" || read(t, m, main, "c.yaml") != "three" {
		t.Errorf("FetchRef = %s", got)
	}
}

// A stranger's pull request is bounded more tightly than the branch, and changes nothing when it is refused.
func TestPullRequestsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	main := r.commit("first", map[string]string{"a.yaml": strings.Repeat(someHead, 200)})
	noise := make([]byte, 0, 90_000)
	for i := range 9_000 {
		noise = append(noise, objectID("x", []byte{byte(i), byte(i >> 8)})[:10]...)
	}
	r.pull("refs/pull/7/head", map[string]string{"b.yaml": string(noise)})
	o := r.httpOptions(r.serveHTTP("", ""))
	o.Limits.MaxPullBytes = 20_000
	m := open(t, o)
	if _, err := m.FetchRef(t.Context(), "refs/pull/7/head"); !errors.Is(err, gitsource.ErrLimit) {
		t.Errorf("FetchRef = %v, want ErrLimit", err)
	}
	if got := read(t, m, main, "a.yaml"); len(got) != 8_000 {
		t.Errorf("a.yaml = %d bytes", len(got))
	}
	if left := packFiles(t, o, "tmp_*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What a fork's tree holds is reported at the merge as it is at a commit, and never followed.
func TestHostileTreesOfPullRequests(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	main := r.commit("first", map[string]string{"a.yaml": "one", "d/case.yaml": "one"})
	r.git("config", "uploadpack.allowFilter", "true")
	link := r.gitInput("/etc/passwd", "hash-object", "-w", "--stdin")
	huge := r.gitInput(strings.Repeat("x", 2<<20), "hash-object", "-w", "--stdin")
	// By hand: git itself would write no such names.
	blob := r.gitInput("x", "hash-object", "-w", "--stdin")
	sub := r.gitInput("100644 blob "+blob+"\tCase.yaml\n", "mktree")
	tree := r.gitInput(strings.Join([]string{
		"100644 blob " + r.git("rev-parse", main+":a.yaml") + "\ta.yaml", "120000 blob " + link + "\tpasswd.yaml", "160000 commit " + someHead + "\tsub",
		"100644 blob " + huge + "\thuge.yaml", "100644 blob " + blob + "\tp\u0430yment.yaml", "100644 blob " + blob + "\tesc\x1b[31m.yaml", "040000 tree " + sub + "\td",
		"100644 blob " + blob + "\t\u202egnp.yaml",
	}, "\x00")+"\x00", "mktree", "-z", "--missing")
	pull := r.gitInput("", "commit-tree", "-p", main, "-m", "hostile", tree)
	r.git("update-ref", "refs/pull/7/head", pull)
	r.commit("second", map[string]string{"z.yaml": "two", "d/other.yaml": "two"})
	m := open(t, r.httpOptions(r.serveHTTP("", "")))
	fetchRef(t, m, "refs/pull/7/head")
	merge, err := m.Merge(t.Context(), fetch(t, m), pull)
	if err != nil || len(merge.Conflicts) > 0 {
		t.Fatalf("Merge = %+v, %v", merge, err)
	}
	list, err := merge.Changes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list {
		got = append(got, strings.TrimSuffix(string(c.Kind)+" "+c.Path+": "+c.Reason, ": "))
	}
	const plain = "the name of a configuration file may hold letters, digits, dots, dashes and underscores only"
	want := []string{
		"Invalid ?gnp.yaml: the name holds control or invisible characters", "Added d/Case.yaml", "Deleted d/case.yaml",
		"Invalid esc?[31m.yaml: the name holds control or invisible characters", "Added huge.yaml",
		"Invalid passwd.yaml: symbolic links are not followed", "Invalid p\u0430yment.yaml: " + plain, "Invalid sub: submodules are not fetched",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Changes =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for path, want := range map[string]error{
		"passwd.yaml": gitsource.ErrNotRegular, "sub": gitsource.ErrNotRegular, "p\u0430yment.yaml": gitsource.ErrNotRegular, "huge.yaml": gitsource.ErrTooLarge,
		"esc\x1b[31m.yaml": gitsource.ErrNotRegular, "../a.yaml": os.ErrNotExist, "sub/x": os.ErrNotExist, "": gitsource.ErrNotRegular,
	} {
		if b, err := merge.Read(t.Context(), path); !errors.Is(err, want) || b != nil {
			t.Errorf("Read(%q) = %d bytes, %v, want %v", path, len(b), err, want)
		}
	}
}

// Two names that differ only in case, one from each side, are seen where they meet.
func TestMergeJudgesNamesOfTheResult(t *testing.T) {
	t.Parallel()
	f := newForks(t)
	_, ours, theirs := f.make(fork{map[string]string{"x": "1"}, map[string]string{"x": "1", "a.yaml": "1"}, map[string]string{"x": "1", "A.yaml": "2"}})
	merge, err := f.m.Merge(t.Context(), ours, theirs)
	if err != nil {
		t.Fatal(err)
	}
	list, err := merge.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	invalid := slices.DeleteFunc(list, func(e gitsource.Entry) bool { return e.Reason == "" })
	if len(invalid) != 1 || !strings.Contains(invalid[0].Reason, "only in case") {
		t.Errorf("List = %+v", list)
	}
}

// The files of a mirror that a folder limits: the merge is of everything, what it shows is the source's.
func TestMergeStaysWithinTheSourcesFolders(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.commit("first", map[string]string{"profiles/a.yaml": "1", "other/x": "1\n"})
	pull := r.pull("refs/pull/7/head", map[string]string{"profiles/a.yaml": "2", "other/x": "2\n", "other/y": "2", "schemas/s.json": "{}"})
	main := r.commit("second", map[string]string{"other/x": "3\n"})
	o := r.options()
	o.Path, o.Extra = "profiles", []string{"schemas"}
	m := open(t, o)
	fetchRef(t, m, "refs/pull/7/head")
	merge, err := m.Merge(t.Context(), main, pull)
	if err != nil || !slices.Equal(merge.Conflicts, []string{"other/x"}) {
		t.Fatalf("Merge = %+v, %v", merge, err)
	}
	list, err := merge.Changes(t.Context())
	if err != nil || len(list) != 2 || list[0].Path != "profiles/a.yaml" || list[1].Path != "schemas/s.json" {
		t.Errorf("Changes = %+v, %v", list, err)
	}
	if b, err := merge.Read(t.Context(), "other/y"); err != nil || string(b) != "2" {
		t.Errorf("Read = %q, %v", b, err)
	}
}

func TestMergesOfNothing(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	first := r.commit("first", map[string]string{"a.yaml": "1"})
	second := r.commit("second", map[string]string{"a.yaml": "2"})
	r.git("switch", "-q", "--orphan", "other")
	other := r.commit("other", map[string]string{"a.yaml": "3"})
	r.git("switch", "-q", "main")
	r.git("merge", "-q", "-s", "ours", "--allow-unrelated-histories", "-m", "all", "other")
	m := open(t, r.options())
	fetch(t, m)
	for name, c := range map[string]struct {
		into, from string
		want       []string
	}{
		"behind already": {second, first, nil}, "the same": {second, second, nil}, "ahead": {first, second, []string{"Modified a.yaml"}},
	} {
		merge, err := m.Merge(t.Context(), c.into, c.from)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list, err := merge.Changes(t.Context())
		var got []string
		for _, ch := range list {
			got = append(got, string(ch.Kind)+" "+ch.Path)
		}
		if err != nil || !slices.Equal(got, c.want) || len(merge.Conflicts) > 0 {
			t.Errorf("%s: %q, %v, conflicts %q, want %q", name, got, err, merge.Conflicts, c.want)
		}
	}
	if _, err := m.Merge(t.Context(), second, other); !errors.Is(err, gitsource.ErrUnrelated) {
		t.Errorf("Merge = %v, want ErrUnrelated", err)
	}
	for _, sha := range []string{"", "main", someHead} {
		if _, err := m.Merge(t.Context(), second, sha); !errors.Is(err, gitsource.ErrNotFetched) {
			t.Errorf("Merge(%q) = %v, want ErrNotFetched", sha, err)
		}
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	link := r.gitInput("x", "hash-object", "-w", "--stdin")
	r.commit("zero", map[string]string{"a.yaml": "1", "same.yaml": "1", "gone.yaml": "old", "later": "1"})
	r.git("update-index", "--add", "--cacheinfo", "120000,"+link+",link")
	r.git("commit", "-q", "-m", "first")
	first := r.git("rev-parse", "HEAD")
	second := r.commit("second", map[string]string{"a.yaml": "2", "new.yaml": "2", "gone.yaml": "", "link": "now a file"})
	m := open(t, r.options())
	fetch(t, m)
	got, err := m.Undo(t.Context(), second, first, []string{"a.yaml", "same.yaml", "new.yaml", "gone.yaml", "never.yaml"})
	if err != nil || len(got) != 3 || got["a.yaml"] == nil || *got["a.yaml"] != "1" || got["gone.yaml"] == nil || *got["gone.yaml"] != "old" {
		t.Errorf("Undo = %v, %v", got, err)
	}
	if content, there := got["new.yaml"]; !there || content != nil {
		t.Errorf("new.yaml = %v, %v, want to be deleted", content, there)
	}
	for _, path := range []string{"link"} {
		if _, err := m.Undo(t.Context(), second, first, []string{path}); !errors.Is(err, gitsource.ErrNotRegular) {
			t.Errorf("Undo(%s) = %v, want ErrNotRegular", path, err)
		}
	}
	if _, err := m.Undo(t.Context(), second, someHead, nil); !errors.Is(err, gitsource.ErrNotFetched) {
		t.Errorf("Undo = %v, want ErrNotFetched", err)
	}
}
