package forge_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/forge/forgetest"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// newGitea is a fake server and the repository there, which the token administers.
func newGitea(t *testing.T, o fakeforge.Options) (*fakeforge.Forge, *forge.Gitea) {
	t.Helper()
	f := fakeforge.New(t, fakeforge.Gitea, o)
	f.Allow(f.Me, "admin")
	f.Allow("alice", "write")
	f.Allow("bob", "write")
	g, err := forge.NewGitea(forge.GiteaOptions{URL: f.URL, Repository: f.Repository, Token: f.Token})
	if err != nil {
		t.Fatal(err)
	}
	return f, g
}

// shownAtGitea is what a reader of a commit sees, in the words that Sluice has too.
func shownAtGitea(f *fakeforge.Forge, commit string) map[string]forge.Status {
	return shownAtGitHub(f, commit)
}

func TestGitea(t *testing.T) {
	t.Parallel()
	forgetest.RunHost(t, forgetest.Kind{
		Dialect: fakeforge.Gitea, Shown: shownAtGitea,
		Open: func(t *testing.T, f *fakeforge.Forge, gate *forge.Gateway) forge.Host {
			f.Allow(f.Me, "admin")
			g, err := forge.NewGitea(forge.GiteaOptions{URL: f.URL, Repository: f.Repository, Token: f.Token, Gateway: gate})
			if err != nil {
				t.Fatal(err)
			}
			return g
		},
	})
}

// opened is a pull request of alice's that adds a file.
func opened(t *testing.T, f *fakeforge.Forge) int {
	t.Helper()
	f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("one: 1\ntwo: 2\n")})
	return f.Open("feature", "Add a", "alice")
}

func approvers(t *testing.T, h forge.Host, number int) []string {
	t.Helper()
	all, err := h.Approvals(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	users := []string{}
	for _, a := range all {
		users = append(users, a.User)
	}
	return users
}

func TestGiteaOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]forge.GiteaOptions{
		"no url":              {Repository: "acme/configs", Token: "t"},
		"credentials in it":   {URL: "https://me:canary@forge.example.com", Repository: "acme/configs", Token: "t"},
		"another scheme":      {URL: "ssh://forge.example.com", Repository: "acme/configs", Token: "t"},
		"no owner":            {URL: "https://forge.example.com", Repository: "configs", Token: "t"},
		"too many parts":      {URL: "https://forge.example.com", Repository: "a/b/c", Token: "t"},
		"no token":            {URL: "https://forge.example.com", Repository: "acme/configs"},
		"a query in the url ": {URL: "https://forge.example.com?token=canary", Repository: "acme/configs", Token: "t"},
	} {
		if _, err := forge.NewGitea(o); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	// Nothing is asked of a server that is not there.
	o := forge.GiteaOptions{URL: "http://127.0.0.1:1/forge/", Repository: "acme/configs.git", Token: "canary-token"}
	if _, err := forge.NewGitea(o); err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", o, o, o); strings.Contains(shown, "canary") {
		t.Errorf("the options show the token: %s", shown)
	}
}

func TestGiteaTellsAGoneCommitFromABrokenServer(t *testing.T) {
	t.Parallel()
	f, g := newGitea(t, fakeforge.Options{})
	s := forge.Status{Commit: strings.Repeat("a", 40), Context: "sluice", State: forge.Success}
	if err := g.PostStatus(t.Context(), s); !errors.Is(err, forge.ErrTerminal) || !strings.Contains(err.Error(), s.Commit) {
		t.Fatalf("a commit that is not there: %v, want ErrTerminal", err)
	}
	s.Commit = f.Repo.Head()
	f.Inject(fakeforge.Fault{Method: http.MethodPost, Status: http.StatusInternalServerError})
	if err := g.PostStatus(t.Context(), s); err == nil || errors.Is(err, forge.ErrTerminal) {
		t.Fatalf("a server in trouble: %v, want an error to try again after", err)
	}
	if err := g.PostStatus(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestGiteaKeepsTheHeadThatWasMerged(t *testing.T) {
	t.Parallel()
	clock := &forgetest.Clock{}
	clock.Advance(time.Hour)
	f, g := newGitea(t, fakeforge.Options{Now: clock.Now})
	f.Allow("carol", "write")
	n := opened(t, f)
	head := f.Pull(n).Head
	f.Approve(n, "bob")
	merged := f.Merge(n)
	f.PushBranch("feature", "alice", map[string]*string{"later.yaml": new("x: 1\n")})
	pr, ok, err := g.MergedBy(t.Context(), merged)
	if err != nil || !ok || pr.Head != head || pr.MergeCommit != merged {
		t.Fatalf("MergedBy: %+v, %v, %v, want the head %s", pr, ok, err, head)
	}
	if got := approvers(t, g, n); !slices.Equal(got, []string{"bob"}) {
		t.Fatalf("approved by %v, want bob", got)
	}
	clock.Advance(time.Minute)
	f.Approve(n, "carol") // too late
	if got := approvers(t, g, n); !slices.Equal(got, []string{"bob"}) {
		t.Fatalf("approved by %v after the merge, want bob as when it was merged", got)
	}
	if pr, err = g.PullRequest(t.Context(), n); err != nil || pr.Head != head {
		t.Fatalf("PullRequest: %+v, %v, want the head %s", pr, err, head)
	}
}

func TestGiteaCountsApprovalsAsGiteaDoes(t *testing.T) {
	t.Parallel()
	f, g := newGitea(t, fakeforge.Options{PageSize: 2})
	n := opened(t, f)
	f.Allow("reader", "read")
	f.Approve(n, "reader") // is not official
	for range 3 {
		f.Remark(n, "bob") // more than a page
	}
	f.Approve(n, "bob")
	f.Approve(n, "alice") // her own
	if got := approvers(t, g, n); !slices.Equal(got, []string{"bob"}) {
		t.Fatalf("approved by %v, want bob", got)
	}
	f.Change(n, "alice", map[string]*string{"a.yaml": new("one: 3\n")})
	if got := approvers(t, g, n); len(got) != 0 {
		t.Fatalf("approved by %v after a push, want nobody", got)
	}
	f.Approve(n, "bob")
	f.Dismiss(n, "bob")
	if got := approvers(t, g, n); len(got) != 0 {
		t.Fatalf("approved by %v after a dismissal, want nobody", got)
	}
}

func TestGiteaFindsItsCommentBehindManyOthers(t *testing.T) {
	t.Parallel()
	f, g := newGitea(t, fakeforge.Options{})
	n := opened(t, f)
	for i := range 120 {
		f.CommentAs(n, "alice", fmt.Sprintf("<!-- sluice:check -->\nmine %d", i))
	}
	for _, body := range []string{"first", "second", "second"} {
		if err := g.PutComment(t.Context(), n, "check", body); err != nil {
			t.Fatal(err)
		}
	}
	all := f.Comments(n)
	last := all[len(all)-1]
	if len(all) != 121 || last.Author != f.Me || last.Edits != 1 || !strings.HasSuffix(last.Body, "second") {
		t.Fatalf("%d comments, the last %+v", len(all), last)
	}
}

func TestGiteaProposesFromTheCommitThatWasNamed(t *testing.T) {
	t.Parallel()
	f, g := newGitea(t, fakeforge.Options{})
	f.Repo.Write("old.yaml", "a: 1\n")
	from := f.Repo.Commit("before")
	f.Repo.Write("old.yaml", "a: 2\n")
	f.Repo.Commit("after")
	f.Repo.Push()
	p := forge.Proposal{
		Base: "main", From: from, Branch: "sluice/revert-1", Message: "Revert", Title: "Revert", Body: "why",
		Files: map[string]*string{"old.yaml": new("a: 3\n"), "dir/new.yaml": new("n: 1\n"), "README.md": nil, "nothing.yaml": nil},
	}
	// Cut off after the branch, then after the commit, then after the pull request.
	for _, path := range []string{"/branches", "/contents", "/pulls"} {
		f.Inject(fakeforge.Fault{Method: http.MethodPost, Path: "/repos/acme/configs" + path, Cut: true})
	}
	for range 3 {
		if _, err := g.Propose(t.Context(), p); err == nil {
			t.Fatal("a cut reply is no success")
		}
	}
	pr, err := g.Propose(t.Context(), p)
	if err != nil || pr.HeadBranch != p.Branch || pr.Branch != "main" || !pr.Open || pr.Fork {
		t.Fatalf("Propose: %+v, %v", pr, err)
	}
	if all := f.Pulls(); len(all) != 1 {
		t.Fatalf("%d pull requests, want one", len(all))
	}
	f.Repo.Git("fetch", "--quiet", "origin", p.Branch)
	if got := f.Repo.Git("rev-list", "--count", from+"..FETCH_HEAD"); got != "1" {
		t.Fatalf("%s commits since %s, want one", got, from)
	}
	if got := f.Repo.Git("diff", "--name-status", from, "FETCH_HEAD"); got != "D\tREADME.md\nA\tdir/new.yaml\nM\told.yaml" {
		t.Fatalf("changed:\n%s", got)
	}
}

func TestGiteaRemarksOncePerCommit(t *testing.T) {
	t.Parallel()
	f, g := newGitea(t, fakeforge.Options{})
	n := opened(t, f)
	head := f.Pull(n).Head
	remarks := []forge.Remark{{Path: "a.yaml", Line: 2, Text: "too much"}, {Path: "README.md", Line: 1, Text: "not changed here"}}
	for range 2 {
		if err := g.Annotate(t.Context(), n, head, remarks); err != nil {
			t.Fatal(err)
		}
	}
	reviews := f.Pull(n).Reviews
	if len(reviews) != 1 || !slices.Equal(reviews[0].Remarks, []fakeforge.Remark{{Path: "a.yaml", Line: 2, Body: "too much"}}) || reviews[0].Verdict != fakeforge.Remarked {
		t.Fatalf("reviews %+v", reviews)
	}
}

func TestGiteaPermissions(t *testing.T) {
	t.Parallel()
	f, g := newGitea(t, fakeforge.Options{})
	f.Allow("gone", "")
	f.Allow("reader", "read")
	for user, want := range map[string]forge.Permission{
		f.Me: forge.Admin, "alice": forge.Write, "reader": forge.Read, "gone": forge.NoPermission, "nobody": forge.NoPermission,
	} {
		if got, err := g.Permission(t.Context(), user); err != nil || got != want {
			t.Errorf("Permission(%s) = %v, %v, want %v", user, got, err, want)
		}
	}
	f.Allow(f.Me, "write")
	if _, err := g.Permission(t.Context(), "alice"); !errors.Is(err, forge.ErrAccess) || errors.Is(err, forge.ErrTerminal) {
		t.Fatalf("asked without the right to: %v, want ErrAccess", err)
	}
}
