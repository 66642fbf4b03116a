package fakeforge_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/fakeforge"
)

// answered is what came back.
type answered struct {
	status  int
	header  http.Header
	message string
}

// call sends one request with the token.
func call(t *testing.T, f *fakeforge.Forge, method, path, body string, header ...string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+"/api/v3"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.Token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Message string }
	_ = json.NewDecoder(resp.Body).Decode(&out) // what is no object says nothing
	return answered{resp.StatusCode, resp.Header, out.Message}
}

func TestARepositoryIsServedToWhoHasTheToken(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{})
	list := func(token string, ref string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", "ls-remote", strings.Replace(f.CloneURL, "://", "://git:"+token+"@", 1), ref)
		cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.Output()
		return string(out), err
	}
	f.PushBranch("feature", "alice", map[string]*string{"a.txt": new("a\n")})
	n := f.Open("feature", "Add a", "alice")
	head := f.Change(n, "alice", map[string]*string{"a.txt": new("b\n")})
	if out, err := list(f.Token, "refs/pull/1/head"); err != nil || !strings.HasPrefix(out, head) {
		t.Fatalf("ls-remote: %q, %v, want %s", out, err, head)
	}
	if out, err := list("wrong", "HEAD"); err == nil {
		t.Fatalf("a wrong token sees %q", out)
	}
	if f.Git.Lists() == 0 {
		t.Fatal("the listing was not counted")
	}
	merged := f.Merge(n)
	if got := f.Repo.Head(); got != merged {
		t.Fatalf("the clone stands on %s, want %s", got, merged)
	}
}

func TestGitHubRefusesWhatTheRealOneRefuses(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{MaxStatuses: 1})
	head := f.Repo.Head()
	status := "/repos/acme/configs/statuses/"
	for name, c := range map[string]struct {
		path, body string
		want       int
		message    string
	}{
		"a state of its own":  {status + head, `{"state":"green","context":"a"}`, 422, "Validation Failed"},
		"an unknown commit":   {status + strings.Repeat("a", 40), `{"state":"success"}`, 422, "No commit found for SHA"},
		"a long description":  {status + head, `{"state":"success","description":"` + strings.Repeat("x", 141) + `"}`, 422, "Validation Failed"},
		"no JSON":             {status + head, `{"state":`, 400, "Problems parsing JSON"},
		"another repository":  {"/repos/acme/other/statuses/" + head, `{"state":"success"}`, 404, "Not Found"},
		"a pull out of air":   {"/repos/acme/configs/pulls", `{"title":"t","head":"nothing","base":"main"}`, 422, "Validation Failed"},
		"a pull of no change": {"/repos/acme/configs/pulls", `{"title":"t","head":"main","base":"main"}`, 422, "Validation Failed"},
	} {
		got := call(t, f, http.MethodPost, c.path, c.body)
		if got.status != c.want || !strings.HasPrefix(got.message, c.message) {
			t.Errorf("%s: %d %q, want %d %q", name, got.status, got.message, c.want, c.message)
		}
	}
	if got := call(t, f, http.MethodPost, status+head, `{"state":"success","context":"a"}`); got.status != 201 {
		t.Fatalf("a good status: %d", got.status)
	}
	if got := call(t, f, http.MethodPost, status+head, `{"state":"success","context":"a"}`); got.status != 422 {
		t.Fatalf("one status too many: %d", got.status)
	}
	if got := call(t, f, http.MethodGet, "/user", "", "Authorization", "Basic "+f.Token); got.status != 401 {
		t.Fatalf("another scheme: %d", got.status)
	}
}

func TestQuotaIsSparedByConditionsAndEnds(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{Quota: 2})
	first := call(t, f, http.MethodGet, "/user", "")
	for range 3 {
		again := call(t, f, http.MethodGet, "/user", "", "If-None-Match", first.header.Get("ETag"))
		if again.status != 304 || again.header.Get("X-RateLimit-Remaining") != "1" {
			t.Fatalf("again: %d, %s left", again.status, again.header.Get("X-RateLimit-Remaining"))
		}
	}
	call(t, f, http.MethodGet, "/user", "")
	got := call(t, f, http.MethodGet, "/user", "")
	if got.status != 403 || got.header.Get("X-RateLimit-Remaining") != "0" || got.header.Get("X-RateLimit-Reset") == "" {
		t.Fatalf("over the quota: %d %v", got.status, got.header)
	}
	f.SpendQuota(10, time.Now().Add(time.Hour))
	f.SlowDown(90 * time.Second)
	if got := call(t, f, http.MethodGet, "/user", ""); got.status != 403 || got.header.Get("Retry-After") != "90" {
		t.Fatalf("too fast: %d %v", got.status, got.header)
	}
}

func TestADeliveryIsSigned(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{})
	h, body := f.Delivery(fakeforge.Event{Kind: fakeforge.Pushed, Ref: "refs/heads/main", Before: f.Repo.Head(), After: f.Repo.Head()}, "s3cret")
	if h.Get("X-GitHub-Event") != "push" || !strings.HasPrefix(h.Get("X-Hub-Signature-256"), "sha256=") || h.Get("X-GitHub-Delivery") == "" {
		t.Fatalf("headers %v", h)
	}
	var push struct {
		Ref        string
		Repository struct {
			FullName string `json:"full_name"`
		}
	}
	if err := json.Unmarshal(body, &push); err != nil || push.Ref != "refs/heads/main" || push.Repository.FullName != "acme/configs" {
		t.Fatalf("%s: %v", body, err)
	}
}
