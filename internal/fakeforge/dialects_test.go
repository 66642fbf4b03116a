package fakeforge_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/fakeforge"
)

// asked is one request that a forge has to refuse.
type asked struct {
	method, path, body string
	status             int
	said               string
}

// refuses sends requests with the token in a header and checks what is said to each.
func refuses(t *testing.T, f *fakeforge.Forge, api, header, token string, all map[string]asked) {
	t.Helper()
	for name, a := range all {
		req, err := http.NewRequestWithContext(t.Context(), a.method, f.URL+api+a.path, strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != a.status || !strings.Contains(string(body), a.said) {
			t.Errorf("%s: %d %s, want %d with %q", name, resp.StatusCode, body, a.status, a.said)
		}
	}
}

func TestGiteaRefusesWhatTheRealOneRefuses(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.Gitea, fakeforge.Options{})
	f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("a: 1\n")})
	f.Open("feature", "Add a", "alice")
	f.PushBranch("mine", f.Me, map[string]*string{"b.yaml": new("b: 1\n")})
	f.Open("mine", "Add b", f.Me)
	repo, head := "/repos/acme/configs", f.Repo.Head()
	const post = http.MethodPost
	refuses(t, f, "/api/v1", "Authorization", "token "+f.Token, map[string]asked{
		"a state of GitLab's":         {post, repo + "/statuses/" + head, `{"state":"failed","context":"a"}`, 422, "invalid state"},
		"an unknown commit":           {post, repo + "/statuses/" + strings.Repeat("a", 40), `{"state":"success"}`, 500, ""},
		"another repository":          {post, "/repos/acme/other/statuses/" + head, `{"state":"success"}`, 404, "The target couldn't be found."},
		"a pull out of air":           {post, repo + "/pulls", `{"title":"t","head":"nothing","base":"main"}`, 404, "couldn't be found"},
		"a pull that is there":        {post, repo + "/pulls", `{"title":"t","head":"feature","base":"main"}`, 409, "pull request already exists"},
		"a pull into itself":          {post, repo + "/pulls", `{"title":"t","head":"main","base":"main"}`, 422, "no changes"},
		"a branch that is there":      {post, repo + "/branches", `{"new_branch_name":"feature","old_ref_name":"main"}`, 409, "already exists"},
		"a branch from nowhere":       {post, repo + "/branches", `{"new_branch_name":"x","old_ref_name":"nowhere"}`, 404, "old branch"},
		"an update without an object": {post, repo + "/contents", `{"branch":"feature","message":"m","files":[{"operation":"update","path":"a.yaml","content":""}]}`, 422, "SHA"},
		"an update of another object": {post, repo + "/contents", `{"branch":"feature","message":"m","files":[{"operation":"update","path":"a.yaml","sha":"` + head + `","content":""}]}`, 422, "sha does not match"},
		"a file that is there":        {post, repo + "/contents", `{"branch":"feature","message":"m","files":[{"operation":"create","path":"a.yaml","content":""}]}`, 422, "already exists"},
		"a file that is not":          {post, repo + "/contents", `{"branch":"feature","message":"m","files":[{"operation":"delete","path":"z.yaml","sha":"x"}]}`, 404, "does not exist"},
		"a review without a word":     {post, repo + "/pulls/1/reviews", `{"event":"COMMENT"}`, 422, "requires a body"},
		"approval of one's own":       {post, repo + "/pulls/2/reviews", `{"event":"APPROVED"}`, 422, "your own"},
		"an empty comment":            {post, repo + "/issues/1/comments", `{"body":""}`, 422, "Required"},
		"others' permissions":         {http.MethodGet, repo + "/collaborators/alice/permission", "", 403, "Only admins"},
		"a pull that a merge lacks":   {http.MethodGet, repo + "/commits/" + head + "/pull", "", 404, "pull request does not exist"},
		"no commit's name":            {http.MethodGet, repo + "/git/commits/nope", "", 422, "no valid ref"},
	})
	refuses(t, f, "/api/v1", "Authorization", "Basic "+f.Token, map[string]asked{"another scheme": {http.MethodGet, "/user", "", 401, ""}})
	f.Allow(f.Me, "read")
	refuses(t, f, "/api/v1", "Authorization", "token "+f.Token, map[string]asked{
		"a reader's status": {post, repo + "/statuses/" + head, `{"state":"success"}`, 403, "permission"},
	})
}

func TestGitLabRefusesWhatTheRealOneRefuses(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitLab, fakeforge.Options{})
	f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("a: 1\n")})
	f.Open("feature", "Add a", "alice")
	project, head := "/projects/acme%2Fconfigs", f.Repo.Head()
	fork := f.OpenFork("patch", "From a stranger", "mallory", map[string]*string{"c.yaml": new("c: 1\n")})
	statuses, long := project+"/statuses/"+head, strings.Repeat("x", 256)
	const post = http.MethodPost
	refuses(t, f, "/api/v4", "Private-Token", f.Token, map[string]asked{
		"a state of GitHub's":       {post, statuses, `{"state":"failure","name":"a"}`, 400, "does not have a valid value"},
		"an unknown commit":         {post, project + "/statuses/" + strings.Repeat("a", 40), `{"state":"success"}`, 404, "Commit Not Found"},
		"a commit of no branch":     {post, project + "/statuses/" + f.Pull(fork).Head, `{"state":"success"}`, 404, "References for commit"},
		"a long description":        {post, statuses, `{"state":"success","description":"` + long + `"}`, 400, "too long"},
		"a long target":             {post, statuses, `{"state":"success","target_url":"https://` + long + `"}`, 400, "too long"},
		"a target that is no page":  {post, statuses, `{"state":"success","target_url":"javascript:x"}`, 400, "Only allowed schemes"},
		"a pipeline of another":     {post, statuses, `{"state":"success","pipeline_id":1}`, 404, "Pipeline for pipeline_id"},
		"another project":           {post, "/projects/acme%2Fother/statuses/" + head, `{"state":"success"}`, 404, "Project Not Found"},
		"a path that is not quoted": {post, "/projects/acme/configs/statuses/" + head, `{"state":"success"}`, 404, "404 Not Found"},
		"a request out of air":      {post, project + "/merge_requests", `{"title":"t","source_branch":"nothing","target_branch":"main"}`, 400, "does not exist"},
		"a request that is there":   {post, project + "/merge_requests", `{"title":"t","source_branch":"feature","target_branch":"main"}`, 409, "!1"},
		"a branch that is there":    {post, project + "/repository/commits", `{"branch":"feature","start_sha":"` + head + `","commit_message":"m","actions":[]}`, 400, "already exists"},
		"a file that is there":      {post, project + "/repository/commits", `{"branch":"x","start_sha":"` + head + `","commit_message":"m","actions":[{"action":"create","file_path":"README.md"}]}`, 400, "already exists"},
		"a file that is not":        {post, project + "/repository/commits", `{"branch":"x","start_sha":"` + head + `","commit_message":"m","actions":[{"action":"update","file_path":"z"}]}`, 400, "doesn't exist"},
		"an empty note":             {post, project + "/merge_requests/1/notes", `{"body":" "}`, 400, "body is empty"},
		"a thread on no new line":   {post, project + "/merge_requests/1/discussions", `{"body":"x","position":{"position_type":"text","base_sha":"a","start_sha":"b","head_sha":"` + f.Pull(1).Head + `","new_path":"README.md","new_line":1}}`, 400, "line_code"},
		"who is no member":          {http.MethodGet, project + "/members/all/7", "", 404, "404"},
	})
	refuses(t, f, "/api/v4", "Authorization", "token "+f.Token, map[string]asked{"another scheme": {http.MethodGet, "/user", "", 401, "401 Unauthorized"}})
	refuses(t, f, "/api/v4", "Authorization", "Bearer "+f.Token, map[string]asked{
		"the first": {post, statuses, `{"state":"pending"}`, 201, `"pending"`},
	})
	refuses(t, f, "/api/v4", "Private-Token", f.Token, map[string]asked{
		"the same again": {post, statuses, `{"state":"pending"}`, 400, "Cannot transition status via :enqueue from :pending"},
	})
}

func TestGiteaAndGitLabSign(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[fakeforge.Dialect][2]string{
		fakeforge.Gitea:  {"X-Gitea-Event", "pull_request"},
		fakeforge.GitLab: {"X-Gitlab-Event", "Merge Request Hook"},
	} {
		f := fakeforge.New(t, dialect, fakeforge.Options{})
		f.PushBranch("feature", "alice", map[string]*string{"a.yaml": new("a: 1\n")})
		n := f.Open("feature", "Add a", "alice")
		h, body := f.Delivery(fakeforge.Event{Kind: fakeforge.PullChanged, Number: n}, "s3cret")
		if h.Get(want[0]) != want[1] || !strings.Contains(string(body), f.Pull(n).Head) {
			t.Errorf("%s: %v %s", dialect, h, body)
		}
		switch dialect {
		case fakeforge.Gitea:
			if len(h.Get("X-Gitea-Signature")) != 64 || h.Get("X-Hub-Signature-256") != "sha256="+h.Get("X-Gitea-Signature") {
				t.Errorf("signed %v", h)
			}
		default:
			if h.Get("X-Gitlab-Token") != "s3cret" {
				t.Errorf("signed %v", h)
			}
		}
	}
}
