package forge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// withToken is a repository that is reached with a personal token.
func withToken(t *testing.T) (*fakeforge.Forge, *forge.GitHub) {
	t.Helper()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{})
	f.Allow("alice", "write")
	g, err := forge.NewGitHub(forge.GitHubOptions{URL: f.URL, Repository: f.Repository, Token: f.Token})
	if err != nil {
		t.Fatal(err)
	}
	return f, g
}

func TestGitHubOptionsThatWillNotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    forge.GitHubOptions
		want string
	}{
		"no name":          {forge.GitHubOptions{Repository: "configs", Token: "t"}, "OWNER/NAME"},
		"a path too deep":  {forge.GitHubOptions{Repository: "a/b/c", Token: "t"}, "OWNER/NAME"},
		"no credentials":   {forge.GitHubOptions{Repository: "a/b"}, "neither a token nor an app"},
		"both":             {forge.GitHubOptions{Repository: "a/b", Token: "t", App: forge.GitHubApp{ID: 1}}, "choose one"},
		"another scheme":   {forge.GitHubOptions{URL: "ssh://github.com", Repository: "a/b", Token: "t"}, "https://host"},
		"a password there": {forge.GitHubOptions{URL: "https://u:canary@github.com", Repository: "a/b", Token: "t"}, "more than"},
	} {
		if _, err := forge.NewGitHub(c.o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestPrintingAGitHubShowsNoToken(t *testing.T) {
	t.Parallel()
	o := forge.GitHubOptions{Repository: "acme/configs", Token: "token-canary"}
	g, err := forge.NewGitHub(o)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("all", "options", o, "github", g)
	raw, err := json.Marshal(map[string]any{"options": o, "github": g})
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v %v %+v %#v %s %s", o, o, o, g, g, g, raw, log.String()); strings.Contains(shown, "canary") {
		t.Fatal(shown)
	}
}

// caught answers every request itself and remembers where it went.
type caught struct{ urls []string }

func (c *caught) RoundTrip(r *http.Request) (*http.Response, error) {
	c.urls = append(c.urls, r.URL.String())
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestWhereTheAPIOfAServerIs(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"":                                  "https://api.github.com/repos/a/b/pulls/1",
		"https://github.com/":               "https://api.github.com/repos/a/b/pulls/1",
		"https://api.github.com":            "https://api.github.com/repos/a/b/pulls/1",
		"https://acme.ghe.com":              "https://api.acme.ghe.com/repos/a/b/pulls/1",
		"https://git.example.com":           "https://git.example.com/api/v3/repos/a/b/pulls/1",
		"https://git.example.com/api/v3/":   "https://git.example.com/api/v3/repos/a/b/pulls/1",
		"https://git.example.com:8443/ghe/": "https://git.example.com:8443/ghe/api/v3/repos/a/b/pulls/1",
	} {
		c := &caught{}
		g, err := forge.NewGitHub(forge.GitHubOptions{
			URL: server, Repository: "a/b", Token: "t", Gateway: forge.NewGateway(forge.GatewayOptions{Transport: c}),
		})
		if err != nil {
			t.Errorf("%s: %v", server, err)
			continue
		}
		_, _ = g.PullRequest(t.Context(), 1) // the answer is empty
		if len(c.urls) != 1 || c.urls[0] != want {
			t.Errorf("%q: asked %v, want %s", server, c.urls, want)
		}
	}
}

func TestAReviewAnnotatesTheLinesThatTheDiffShows(t *testing.T) {
	t.Parallel()
	f, g := withToken(t)
	long := strings.Repeat("line: 1\n", 40)
	f.Repo.Write("a.yaml", long)
	f.Repo.Commit("long")
	f.Repo.Push()
	f.PushBranch("feature", "alice", map[string]*string{
		"a.yaml": new(strings.Replace(long, "line", "changed", 1)), "b.yaml": new("b: 1\n"),
	})
	n := f.Open("feature", "Change a", "alice")
	head := f.Pull(n).Head
	stolen := "<!-- sluice:remarks:" + head + " -->"
	f.CommentAs(n, "mallory", stolen)
	said := []forge.Remark{
		{Path: "a.yaml", Line: 1, Text: "shown"}, {Path: "a.yaml", Line: 4, Text: "shown as context"},
		{Path: "a.yaml", Line: 30, Text: "not shown"}, {Path: "c.yaml", Line: 1, Text: "no such file"},
		{Path: "b.yaml", Line: 1, Text: "new"}, {Path: "b.yaml", Line: 9, Text: "behind its end"},
	}
	for range 2 {
		if err := g.Annotate(t.Context(), n, head, said); err != nil {
			t.Fatal(err)
		}
	}
	reviews := f.Pull(n).Reviews
	if len(reviews) != 1 || reviews[0].Commit != head || reviews[0].Verdict != fakeforge.Remarked || len(reviews[0].Remarks) != 3 {
		t.Fatalf("reviews: %+v", reviews)
	}
	for i, want := range []fakeforge.Remark{{Path: "a.yaml", Line: 1, Body: "shown"}, {Path: "a.yaml", Line: 4, Body: "shown as context"}, {Path: "b.yaml", Line: 1, Body: "new"}} {
		if reviews[0].Remarks[i] != want {
			t.Errorf("remark %d: %+v, want %+v", i, reviews[0].Remarks[i], want)
		}
	}
	next := f.Change(n, "alice", map[string]*string{"b.yaml": new("b: 2\n")})
	if err := g.Annotate(t.Context(), n, head, said); err != nil || len(f.Pull(n).Reviews) != 1 {
		t.Errorf("an old head: %v, %d reviews", err, len(f.Pull(n).Reviews))
	}
	f.Inject(fakeforge.Fault{Method: http.MethodPost, Cut: true})
	if err := g.Annotate(t.Context(), n, next, said); err == nil {
		t.Error("a lost answer is no success")
	}
	if err := g.Annotate(t.Context(), n, next, said); err != nil || len(f.Pull(n).Reviews) != 2 {
		t.Errorf("the new head, again after a lost answer: %v, %d reviews", err, len(f.Pull(n).Reviews))
	}
	if err := g.Annotate(t.Context(), n, next, nil); err != nil || len(f.Pull(n).Reviews) != 2 {
		t.Errorf("no remarks: %v", err)
	}
}

func TestABranchWithOtherWorkIsLeftAlone(t *testing.T) {
	t.Parallel()
	f, g := withToken(t)
	theirs := f.PushBranch("sluice/revert-1", "alice", map[string]*string{"mine.yaml": new("a: 1\n")})
	p := forge.Proposal{
		Base: "main", From: f.Repo.Head(), Branch: "sluice/revert-1", Message: "Revert", Title: "Revert",
		Files: map[string]*string{"a.yaml": new("a: 2\n")},
	}
	if pr, err := g.Propose(t.Context(), p); !errors.Is(err, forge.ErrTerminal) || !strings.Contains(err.Error(), "sluice/revert-1") {
		t.Fatalf("%+v, error %v, want ErrTerminal", pr, err)
	}
	if got := f.Repo.Git("--git-dir", f.Repo.Bare, "rev-parse", "sluice/revert-1"); got != theirs {
		t.Fatalf("the branch was moved from %s to %s", theirs, got)
	}
}

func TestAProposalThatWasLeftHalfDoneIsMadeAnewWhenMainMovedOn(t *testing.T) {
	t.Parallel()
	f, g := withToken(t)
	p := forge.Proposal{
		Base: "main", From: f.Repo.Head(), Branch: "sluice/revert-1", Message: "Revert", Title: "Revert",
		Files: map[string]*string{"a.yaml": new("a: 2\n")},
	}
	f.Inject(fakeforge.Fault{Method: http.MethodPost, Path: "/repos/acme/configs/pulls", Status: 500})
	if _, err := g.Propose(t.Context(), p); err == nil || errors.Is(err, forge.ErrTerminal) {
		t.Fatalf("error %v, want one worth trying again", err)
	}
	f.Repo.Write("other.yaml", "o: 1\n")
	p.From = f.Repo.Commit("more")
	f.Repo.Push()
	pr, err := g.Propose(t.Context(), p)
	if err != nil || f.Repo.Git("--git-dir", f.Repo.Bare, "rev-parse", pr.Head+"^") != p.From {
		t.Fatalf("%+v, %v, want it on %s", pr, err, p.From)
	}
}

// A hundred comments fill a page: that nothing comes after it was true when its
// answer was kept, and GitHub confirms the answer by its body alone.
func TestACommentBehindAFullPageIsFound(t *testing.T) {
	t.Parallel()
	f, g := withToken(t)
	f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("a: 1\n")})
	n := f.Open("feature", "Add a", "alice")
	for range 100 {
		f.CommentAs(n, "alice", "hm")
	}
	for _, body := range []string{"one", "two"} {
		if err := g.PutComment(t.Context(), n, "check", body); err != nil {
			t.Fatal(err)
		}
	}
	if all := f.Comments(n); len(all) != 101 || !strings.HasSuffix(all[100].Body, "two") {
		t.Fatalf("%d comments, the last %q", len(all), all[len(all)-1].Body)
	}
}

func TestAnApprovalAfterTheMergeIsTooLate(t *testing.T) {
	t.Parallel()
	f, g := withToken(t)
	f.Allow("bob", "write")
	f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("a: 1\n")})
	n := f.Open("feature", "Add a", "alice")
	recorded := `{"number":1,"state":"closed","merged":true,"merged_at":"2019-05-15T15:20:33Z","user":{"login":"alice"},"head":{"sha":"` + f.Pull(n).Head + `"}}`
	f.Inject(fakeforge.Fault{Path: "/repos/acme/configs/pulls/1", Status: 200, Body: recorded})
	f.Approve(n, "bob")
	if got, err := g.Approvals(t.Context(), n); err != nil || len(got) != 0 {
		t.Fatalf("%+v, %v, want none", got, err)
	}
	if got, err := g.Approvals(t.Context(), n); err != nil || len(got) != 1 {
		t.Fatalf("while it is open: %+v, %v, want one", got, err)
	}
}

func TestARoleOfTheOrganisationsOwnIsWhatItIsBuiltOn(t *testing.T) {
	t.Parallel()
	f, g := withToken(t)
	for body, want := range map[string]forge.Permission{
		`{"permission":"write","role_name":"release-manager"}`: forge.Write,
		`{"permission":"write","role_name":"maintain"}`:        forge.Maintain,
		`{"permission":"admin"}`:                               forge.Admin, // a server without roles
		`{"permission":"read","role_name":"triage"}`:           forge.Read,
		`{"permission":"none","role_name":"none"}`:             forge.NoPermission,
		`{"permission":"read","role_name":"superuser"}`:        forge.Read,
		`{}`: forge.NoPermission,
	} {
		f.Inject(fakeforge.Fault{Path: "/repos/acme/configs/collaborators/", Status: 200, Body: body})
		if got, err := g.Permission(t.Context(), "alice"); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", body, got, err, want)
		}
	}
}

// testdata/github-pull.json is the pull request in octokit/webhooks' example
// payload of a closed one (MIT).
func TestAPullRequestAsGitHubWritesIt(t *testing.T) {
	t.Parallel()
	f, g := withToken(t)
	recorded, err := os.ReadFile("testdata/github-pull.json")
	if err != nil {
		t.Fatal(err)
	}
	f.Inject(fakeforge.Fault{Path: "/repos/acme/configs/pulls/2", Status: 200, Body: string(recorded)})
	got, err := g.PullRequest(t.Context(), 2)
	want := forge.PullRequest{
		Number: 2, URL: "https://github.com/Codertocat/Hello-World/pull/2", Title: "Update the README with new information.",
		Author: "Codertocat", Head: "ec26c3e57ca3a959ca5aad62de7213c562f8c821", HeadBranch: "changes", Branch: "master",
		UpdatedAt: time.Date(2019, 5, 15, 15, 21, 18, 0, time.UTC),
	}
	if err != nil || got != want {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
}
