package forge_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/forge/forgetest"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// newGitLab is a fake server and the project there.
func newGitLab(t *testing.T, o fakeforge.Options) (*fakeforge.Forge, *forge.GitLab) {
	t.Helper()
	f := fakeforge.New(t, fakeforge.GitLab, o)
	for _, user := range []string{"alice", "bob", "carol"} {
		f.Allow(user, "write")
	}
	g, err := forge.NewGitLab(forge.GitLabOptions{URL: f.URL, Repository: f.Repository, Token: f.Token})
	if err != nil {
		t.Fatal(err)
	}
	return f, g
}

func TestGitLabOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]forge.GitLabOptions{
		"credentials in the url": {URL: "https://me:canary@forge.example.com", Repository: "acme/configs", Token: "t"},
		"no group":               {Repository: "configs", Token: "t"},
		"an empty part":          {Repository: "acme//configs", Token: "t"},
		"a slash at the end":     {Repository: "acme/configs/", Token: "t"},
		"no token":               {Repository: "acme/configs"},
	} {
		if _, err := forge.NewGitLab(o); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	o := forge.GitLabOptions{URL: "http://127.0.0.1:1", Repository: "acme/team/configs.git", Token: "canary-token"}
	if _, err := forge.NewGitLab(o); err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", o, o, o); strings.Contains(shown, "canary") {
		t.Errorf("the options show the token: %s", shown)
	}
}

// shownAtGitLab is what a reader of a commit sees, in Sluice's words.
func shownAtGitLab(f *fakeforge.Forge, commit string) map[string]forge.Status {
	words := map[string]forge.State{
		"pending": forge.Pending, "running": forge.Pending, "success": forge.Success, "failed": forge.Failure,
	}
	shown := map[string]forge.Status{}
	for context, s := range f.Shown(commit) {
		out := forge.Status{Commit: s.SHA, Context: s.Context, State: words[s.State], Description: s.Description, TargetURL: s.TargetURL}
		if rest, ok := strings.CutPrefix(s.Description, forge.GitLabErrorPrefix); ok && s.State == "failed" {
			out.State, out.Description = forge.Error, rest
		}
		shown[context] = out
	}
	return shown
}

func TestGitLab(t *testing.T) {
	t.Parallel()
	forgetest.RunHost(t, forgetest.Kind{
		Dialect: fakeforge.GitLab, Shown: shownAtGitLab, Conditional: true, Quota: true, Maintain: true,
		Open: func(t *testing.T, f *fakeforge.Forge, gate *forge.Gateway) forge.Host {
			g, err := forge.NewGitLab(forge.GitLabOptions{URL: f.URL, Repository: f.Repository, Token: f.Token, Gateway: gate})
			if err != nil {
				t.Fatal(err)
			}
			return g
		},
	})
}

// told is what a fake GitLab was asked to say about a commit, in order.
func told(f *fakeforge.Forge) []string {
	var states []string
	for _, r := range f.Requests() {
		if r.Method == http.MethodPost && strings.Contains(r.Path, "/statuses/") {
			_, rest, _ := strings.Cut(r.Body, `"state":"`)
			state, _, _ := strings.Cut(rest, `"`)
			states = append(states, fmt.Sprintf("%s %d", state, r.Status))
		}
	}
	return states
}

func TestGitLabFindsTheWayToEachStatus(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	s := forge.Status{Commit: f.Repo.Head(), Context: "sluice/payment.production", TargetURL: "https://sluice.example.com/d/1"}
	for i, step := range []struct {
		state       forge.State
		description string
		shown       string
		said        []string // of GitLab, since the last step
	}{
		{forge.Pending, "waiting", "pending", []string{"pending 201"}},
		{forge.Pending, "waiting", "pending", nil},
		{forge.Pending, "canary 10%", "running", []string{"running 201"}},
		{forge.Pending, "canary 10%", "running", nil},
		{forge.Pending, "canary 30%", "pending", []string{"canceled 201", "pending 201"}},
		{forge.Success, "completed", "success", []string{"success 201"}},
		{forge.Success, "completed", "success", nil},
		{forge.Failure, "rolled back", "failed", []string{"failed 201"}},
		{forge.Error, "rolled back", "failed", []string{"failed 201"}},
		{forge.Pending, "again", "pending", []string{"pending 201"}},
	} {
		before := len(told(f))
		s.State, s.Description = step.state, step.description
		if err := g.PostStatus(t.Context(), s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		want := step.description
		if step.state == forge.Error {
			want = forge.GitLabErrorPrefix + want
		}
		got := f.Shown(s.Commit)[s.Context]
		if got.State != step.shown || got.Description != want || got.TargetURL != s.TargetURL {
			t.Errorf("step %d: shown %+v, want %s %q", i, got, step.shown, want)
		}
		if said := told(f)[before:]; !slices.Equal(said, step.said) {
			t.Errorf("step %d: said %v, want %v", i, said, step.said)
		}
	}
}

func TestGitLabLooksAgainWhenAnotherWasFaster(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	s := forge.Status{Commit: f.Repo.Head(), Context: "sluice", State: forge.Pending, Description: "waiting"}
	refusal := `{"message":"Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")"}`
	f.Inject(fakeforge.Fault{Method: http.MethodPost, Status: http.StatusBadRequest, Body: refusal})
	if err := g.PostStatus(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := told(f); !slices.Equal(got, []string{"pending 400", "pending 201"}) {
		t.Fatalf("said %v", got)
	}
	f.Inject(fakeforge.Fault{Method: http.MethodPost, Times: -1, Status: http.StatusBadRequest, Body: refusal})
	s.Description = "another"
	if err := g.PostStatus(t.Context(), s); err == nil || errors.Is(err, forge.ErrTerminal) || len(told(f)) != 5 {
		t.Fatalf("refused for ever: %v after %v, want an error to try again after", err, told(f))
	}
}

func TestGitLabHasNoPlaceForAForksStatus(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	n := f.OpenFork("feature", "Add b", "mallory", map[string]*string{"b.yaml": new("b: 1\n")})
	pr, err := g.PullRequest(t.Context(), n)
	if err != nil || !pr.Fork {
		t.Fatalf("PullRequest: %+v, %v, want one of a fork", pr, err)
	}
	err = g.PostStatus(t.Context(), forge.Status{Commit: pr.Head, Context: "sluice/check", State: forge.Success})
	if !errors.Is(err, forge.ErrTerminal) || !strings.Contains(err.Error(), "References for commit") {
		t.Fatalf("error %v, want GitLab's reason, for good", err)
	}
}

func TestGitLabComparesApprovalsWithTheHead(t *testing.T) {
	t.Parallel()
	clock := &forgetest.Clock{}
	clock.Advance(time.Hour)
	f, g := newGitLab(t, fakeforge.Options{PageSize: 2, Now: clock.Now})
	n := opened(t, f)
	f.Approve(n, "bob")
	f.Approve(n, "alice") // her own
	if got := approvers(t, g, n); !slices.Equal(got, []string{"bob"}) {
		t.Fatalf("approved by %v, want bob", got)
	}
	clock.Advance(time.Minute)
	f.Change(n, "alice", map[string]*string{"a.yaml": new("one: 3\n")})
	if got := approvers(t, g, n); len(got) != 0 {
		t.Fatalf("approved by %v after a push, want nobody: GitLab keeps approvals over pushes", got)
	}
	f.Approve(n, "carol")
	f.Merge(n)
	clock.Advance(time.Minute)
	f.Approve(n, "bob") // too late
	if got := approvers(t, g, n); !slices.Equal(got, []string{"carol"}) {
		t.Fatalf("approved by %v when it was merged, want carol", got)
	}
}

func TestGitLabGetsNoOrdersFromWhatIsShown(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	n := opened(t, f)
	body := "the value is\n\n/close\n  /merge\n> /approve\nand a/b"
	for range 2 {
		if err := g.PutComment(t.Context(), n, "check", body); err != nil {
			t.Fatal(err)
		}
	}
	if !f.Pull(n).Open {
		t.Fatal("the comment closed the merge request")
	}
	notes := f.Comments(n)
	if len(notes) != 1 || notes[0].Edits != 0 || strings.ReplaceAll(notes[0].Body, "\u200b", "") != "<!-- sluice:check -->\n"+body || !strings.HasSuffix(notes[0].Body, "and a/b") {
		t.Fatalf("comments %+v", notes)
	}
	pr, err := g.Propose(t.Context(), forge.Proposal{
		Base: "main", From: f.Repo.Head(), Branch: "sluice/revert-1", Message: "Revert", Title: "Revert", Body: "because\n/close",
		Files: map[string]*string{"b.yaml": new("b: 1\n")},
	})
	if err != nil || !pr.Open {
		t.Fatalf("Propose: %+v, %v, want an open one", pr, err)
	}
}

func TestGitLabProposesInOneCommit(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	from := f.Repo.Head()
	f.Repo.Write("later.yaml", "a: 2\n")
	f.Repo.Commit("after")
	f.Repo.Push()
	p := forge.Proposal{
		Base: "main", From: from, Branch: "sluice/revert-1", Message: "Revert", Title: "Revert", Body: "why",
		Files: map[string]*string{"dir/new.yaml": new("\xff not UTF-8"), "README.md": new("# new\n"), "nothing.yaml": nil},
	}
	for _, path := range []string{"/repository/commits", "/merge_requests"} {
		f.Inject(fakeforge.Fault{Method: http.MethodPost, Path: "/projects/acme/configs" + path, Cut: true})
		if _, err := g.Propose(t.Context(), p); err == nil {
			t.Fatal("a cut reply is no success")
		}
	}
	pr, err := g.Propose(t.Context(), p)
	if err != nil || pr.HeadBranch != p.Branch || pr.Branch != "main" || !pr.Open || pr.Fork {
		t.Fatalf("Propose: %+v, %v", pr, err)
	}
	if all := f.Pulls(); len(all) != 1 {
		t.Fatalf("%d merge requests, want one", len(all))
	}
	f.Repo.Git("fetch", "--quiet", "origin", p.Branch)
	if got := f.Repo.Git("diff", "--name-status", from, "FETCH_HEAD"); got != "M\tREADME.md\nA\tdir/new.yaml" {
		t.Fatalf("changed:\n%s", got)
	}
	if got := f.Repo.Git("show", "FETCH_HEAD:dir/new.yaml"); got != "\xff not UTF-8" {
		t.Fatalf("content %q", got)
	}
}

func TestGitLabRemarksEachLineOnce(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	n := opened(t, f)
	head := f.Pull(n).Head
	remarks := []forge.Remark{
		{Path: "a.yaml", Line: 2, Text: "too much\n/close"}, {Path: "README.md", Line: 1, Text: "not changed here"}, {Path: "a.yaml", Line: 1, Text: "why"},
	}
	// The second is cut off, and said again with the first and third left as they are.
	f.Inject(fakeforge.Fault{Method: http.MethodPost, Cut: true})
	if err := g.Annotate(t.Context(), n, head, remarks); err == nil {
		t.Fatal("a cut reply is no success")
	}
	for range 2 {
		if err := g.Annotate(t.Context(), n, head, remarks); err != nil {
			t.Fatal(err)
		}
	}
	lines := []string{}
	for _, r := range f.Pull(n).Reviews {
		for _, remark := range r.Remarks {
			lines = append(lines, fmt.Sprintf("%s:%d", remark.Path, remark.Line))
		}
	}
	if !slices.Equal(lines, []string{"a.yaml:2", "a.yaml:1"}) || !f.Pull(n).Open {
		t.Fatalf("remarks at %v, open %v", lines, f.Pull(n).Open)
	}
	if err := g.Annotate(t.Context(), n, strings.Repeat("a", 40), remarks); err != nil {
		t.Fatalf("a head that is none any more: %v, want nothing said", err)
	}
}

func TestGitLabPermissions(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	for _, role := range []string{"read", "write", "maintain", "admin"} {
		f.Allow(role+"r", role)
	}
	f.Allow("gone", "")
	for user, want := range map[string]forge.Permission{
		"readr": forge.Read, "writer": forge.Write, "maintainr": forge.Maintain, "adminr": forge.Admin,
		"gone": forge.NoPermission, "nobody": forge.NoPermission,
	} {
		if got, err := g.Permission(t.Context(), user); err != nil || got != want {
			t.Errorf("Permission(%s) = %v, %v, want %v", user, got, err, want)
		}
	}
}

func TestGitLabBelievesNoBlockedMember(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	f.Inject(fakeforge.Fault{Path: "/projects/acme/configs/members", Status: http.StatusOK, Body: `{"id": 1, "username": "bob", "state": "blocked", "access_level": 50}`})
	if got, err := g.Permission(t.Context(), "bob"); err != nil || got != forge.NoPermission {
		t.Fatalf("Permission = %v, %v, want none", got, err)
	}
}

func TestGitLabCountsApprovalsWithoutTimeOfOneHeadAlone(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	n := opened(t, f)
	f.Inject(fakeforge.Fault{
		Path: "/projects/acme/configs/merge_requests/1/approvals", Times: -1, Status: http.StatusOK,
		Body: fmt.Sprintf(`{"approved_by": [{"user": {"id": %d, "username": "bob"}}]}`, f.UserID("bob")),
	})
	if got := approvers(t, g, n); !slices.Equal(got, []string{"bob"}) {
		t.Fatalf("approved by %v, want bob", got)
	}
	f.Change(n, "alice", map[string]*string{"a.yaml": new("one: 3\n")})
	if got := approvers(t, g, n); len(got) != 0 {
		t.Fatalf("approved by %v, want nobody: it may have been the earlier head", got)
	}
}

// refusedDials counts connections that nobody takes.
type refusedDials struct{ n atomic.Int64 }

func (r *refusedDials) RoundTrip(*http.Request) (*http.Response, error) {
	r.n.Add(1)
	return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
}

func TestGitLabTriesOnce(t *testing.T) {
	t.Parallel()
	away := &refusedDials{}
	g, err := forge.NewGitLab(forge.GitLabOptions{
		URL: "https://forge.example.com", Repository: "acme/configs", Token: "t",
		Gateway: forge.NewGateway(forge.GatewayOptions{Host: "forge.example.com", Transport: away}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.PullRequest(t.Context(), 1); err == nil || errors.Is(err, forge.ErrTerminal) || away.n.Load() != 1 {
		t.Fatalf("error %v after %d tries, want one, to be tried again by who decides that", err, away.n.Load())
	}
}

func TestGitLabFindsWhatBroughtACommit(t *testing.T) {
	t.Parallel()
	f, g := newGitLab(t, fakeforge.Options{})
	first := f.Repo.Head()
	n := opened(t, f)
	head := f.Pull(n).Head
	squashed := f.Squash(n)
	for _, commit := range []string{squashed, head} {
		pr, ok, err := g.MergedBy(t.Context(), commit)
		if err != nil || !ok || pr.Number != n || pr.MergeCommit != squashed {
			t.Fatalf("MergedBy(%s): %+v, %v, %v", commit, pr, ok, err)
		}
	}
	// The merge into a branch is brought into main by another, which GitLab names too.
	f.Inject(fakeforge.Fault{Status: http.StatusOK, Body: `[
		{"iid": 8, "state": "merged", "merged_at": "2026-01-01T00:00:00Z", "merge_commit_sha": "other"},
		{"iid": 9, "state": "merged", "merged_at": "2026-01-02T00:00:00Z", "merge_commit_sha": "` + squashed + `"},
		{"iid": 7, "state": "opened"}]`})
	if pr, ok, err := g.MergedBy(t.Context(), squashed); err != nil || !ok || pr.Number != 9 {
		t.Fatalf("MergedBy: %+v, %v, %v, want the one that made the commit", pr, ok, err)
	}
	for _, commit := range []string{first, strings.Repeat("a", 40)} {
		if _, ok, err := g.MergedBy(t.Context(), commit); ok || err != nil {
			t.Fatalf("MergedBy(%s): %v, %v, want none", commit, ok, err)
		}
	}
}
