package forge_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/forge"
)

var (
	giteaSecret = []byte("s3cret") // of the recorded deliveries
	longSecret  = []byte("CANARY-0123456789abcdef0123456789abcdef")
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "hooks", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// recordedHeaders are the headers that came with a recorded delivery.
func recordedHeaders(t *testing.T, name string) http.Header {
	t.Helper()
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(sample(t, name), "\n\n"...)))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	return http.Header(h)
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func sum256(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// TestGiteaDeliveries reads what a Gitea server really sent, with its signatures.
func TestGiteaDeliveries(t *testing.T) {
	t.Parallel()
	pull := forge.Event{Kind: forge.EventPullRequest, Repository: "boss/configs", Branch: "main", PullRequest: 1}
	for name, want := range map[string]forge.Event{
		"01-push":         {Kind: forge.EventPush, Repository: "boss/configs", Branch: "main"},
		"02-pull_request": pull,
		"03-push":         {Kind: forge.EventPush, Repository: "boss/configs", Branch: "raise-timeout"},
		"04-push":         {Kind: forge.EventPush, Repository: "boss/configs", Branch: "raise-timeout"},
		"05-pull_request": pull,
		"06-pull_request": pull,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, body := recordedHeaders(t, "gitea/"+name+".headers"), sample(t, "gitea/"+name+".json")
			want.Delivery = h.Get("X-Gitea-Delivery")
			if err := (forge.GiteaHook{}).Verify(h, body, [][]byte{longSecret, giteaSecret}); err != nil {
				t.Errorf("the recorded signature: %v", err)
			}
			got, err := forge.GiteaHook{}.Parse(h, body)
			if err != nil || got != want || got.Delivery == "" {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
			h.Del("X-Gitea-Signature")
			if err := (forge.GiteaHook{}).Verify(h, body, [][]byte{giteaSecret}); err != nil {
				t.Errorf("X-Hub-Signature-256 alone: %v", err)
			}
			h.Del("X-Hub-Signature-256")
			if err := (forge.GiteaHook{}).Verify(h, body, [][]byte{giteaSecret}); !errors.Is(err, forge.ErrSignature) {
				t.Errorf("SHA-1 alone: %v", err)
			}
		})
	}
}

func TestGitHubDeliveries(t *testing.T) {
	t.Parallel()
	const repository = "Codertocat/Hello-World"
	pull := forge.Event{Kind: forge.EventPullRequest, Repository: repository, Branch: "master", PullRequest: 2}
	for file, want := range map[string]forge.Event{
		"ping.json":                          {Kind: forge.EventPing, Repository: "Octocoders/Hello-World"},
		"push.json":                          {Kind: forge.EventPush, Repository: repository, Deleted: true}, // of a tag
		"push-with-installation.json":        {Kind: forge.EventPush, Repository: repository, Deleted: true},
		"push-with-new-branch.json":          {Kind: forge.EventPush, Repository: repository, Branch: "master"},
		"pull_request-opened.json":           pull,
		"pull_request-synchronize.json":      pull,
		"pull_request-closed.json":           pull,
		"pull_request_review-submitted.json": {Kind: forge.EventReview, Repository: repository, Branch: "master", PullRequest: 2},
	} {
		event := strings.TrimSuffix(file, ".json")
		event, _, _ = strings.Cut(event, "-")
		want.Delivery = "d1"
		got, err := forge.GitHubHook{}.Parse(headers("X-GitHub-Event", event, "X-GitHub-Delivery", "d1"), sample(t, "github/"+file))
		if err != nil || got != want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", file, got, err, want)
		}
	}
}

func TestAMergeQueueWakesItsBranch(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]forge.Event{
		"checks_requested": {Kind: forge.EventPush, Branch: "main"},
		"destroyed":        {Kind: forge.EventOther},
	} {
		want.Delivery, want.Repository = "d1", "acme/configs"
		body := `{"action": "` + action + `", "repository": {"full_name": "acme/configs"}, "merge_group": {
			"head_sha": "2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d", "head_ref": "refs/heads/gh-readonly-queue/main/pr-104-929f8209d40f77f4abc622a499c93a83babdbe64",
			"base_sha": "380387fbc80638b734a49e1be1c4dfec1c01b33c", "base_ref": "refs/heads/main"}}`
		got, err := forge.GitHubHook{}.Parse(headers("X-GitHub-Event", "merge_group", "X-GitHub-Delivery", "d1"), []byte(body))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", action, got, err, want)
		}
	}
}

func TestGitLabDeliveries(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]forge.Event{
		"push-event.json":          {Kind: forge.EventPush, Repository: "mike/diaspora", Branch: "master"},
		"tag-event.json":           {Kind: forge.EventPush, Repository: "jsmith/example"},
		"merge-request-event.json": {Kind: forge.EventPullRequest, Repository: "gitlabhq/gitlab-test", Branch: "master", PullRequest: 1},
	} {
		want.Delivery = "try-1"
		got, err := forge.GitLabHook{}.Parse(headers("Idempotency-Key", "try-1", "X-Gitlab-Event-UUID", "event-1"), sample(t, "gitlab/"+file))
		if err != nil || got != want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", file, got, err, want)
		}
	}
}

// TestEvents are the rules of what matters, on bodies made by hand.
func TestEvents(t *testing.T) {
	t.Parallel()
	const (
		repository = `"repository":{"full_name":"a/b"}`
		project    = `"project":{"path_with_namespace":"g/s/b"}`
		issue      = `"issue":{"number":7,"pull_request":{}},"comment":{"id":99,"body":`
		mr         = `"merge_request":{"iid":7,"target_branch":"main","source_project_id":2,"target_project_id":1}`
		note       = `{"object_kind":"note",` + project + `,` + mr + `,"object_attributes":{"id":99,"noteable_type":"MergeRequest",`
	)
	comment := forge.Event{Kind: forge.EventComment, Repository: "a/b", PullRequest: 7, CommentID: 99}
	other := forge.Event{Kind: forge.EventOther, Repository: "a/b"}
	tests := []struct {
		rule  string
		hook  forge.Hook
		event string
		body  string
		want  forge.Event
	}{
		{"an order", forge.GitHubHook{}, "issue_comment", `{"action":"created",` + repository + `,` + issue + `"/sluice rollback\n"}}`, comment},
		{"an order on a later line", forge.GitHubHook{}, "issue_comment", `{"action":"created",` + repository + `,` + issue + `"Sorry.\r\n/sluice promote"}}`, comment},
		{"talk about an order", forge.GitHubHook{}, "issue_comment", `{"action":"created",` + repository + `,` + issue + `"write /sluice rollback"}}`, other},
		{"another word", forge.GitHubHook{}, "issue_comment", `{"action":"created",` + repository + `,` + issue + `"/sluices are open"}}`, other},
		{"an edit", forge.GitHubHook{}, "issue_comment", `{"action":"edited",` + repository + `,` + issue + `"/sluice rollback"}}`, other},
		{"a deletion", forge.GitHubHook{}, "issue_comment", `{"action":"deleted",` + repository + `,` + issue + `"/sluice rollback"}}`, other},
		{
			"an issue that is no pull request", forge.GitHubHook{}, "issue_comment",
			`{"action":"created",` + repository + `,"issue":{"number":7},"comment":{"id":99,"body":"/sluice rollback"}}`, other,
		},
		{"a label", forge.GitHubHook{}, "pull_request", `{"action":"labeled",` + repository + `,"pull_request":{"number":7}}`, other},
		{"an unknown event", forge.GitHubHook{}, "sponsorship", `{"action":"created",` + repository + `}`, other},
		{"no event", forge.GitHubHook{}, "", `{` + repository + `}`, other},
		{"a ping of an organization", forge.GitHubHook{}, "ping", `{"zen":"x"}`, forge.Event{Kind: forge.EventPing}},
		{
			"a fork", forge.GitHubHook{}, "pull_request",
			`{"action":"opened",` + repository + `,"pull_request":{"number":7,"base":{"ref":"main"},"head":{"repo":{"full_name":"c/b"}}}}`,
			forge.Event{Kind: forge.EventPullRequest, Repository: "a/b", Branch: "main", PullRequest: 7, Fork: true},
		},
		{
			"a fork that is gone", forge.GitHubHook{}, "pull_request",
			`{"action":"closed",` + repository + `,"pull_request":{"number":7,"base":{"ref":"main"},"head":{"repo":null}}}`,
			forge.Event{Kind: forge.EventPullRequest, Repository: "a/b", Branch: "main", PullRequest: 7, Fork: true},
		},
		{
			"a deleted branch", forge.GitHubHook{}, "push", `{"ref":"refs/heads/main","after":"` + strings.Repeat("0", 40) + `",` + repository + `}`,
			forge.Event{Kind: forge.EventPush, Repository: "a/b", Branch: "main", Deleted: true},
		},
		{
			"a branch with slashes", forge.GitHubHook{}, "push", `{"ref":"refs/heads/release/1.0","after":"c0ffee",` + repository + `}`,
			forge.Event{Kind: forge.EventPush, Repository: "a/b", Branch: "release/1.0"},
		},
		{"Gitea's word for a pull request", forge.GiteaHook{}, "issue_comment", `{"action":"created","is_pull":true,` + repository + `,"issue":{"number":7},"comment":{"id":99,"body":"/sluice rollback"}}`, comment},
		{"Gitea's other event", forge.GiteaHook{}, "pull_request_comment", `{"action":"created","is_pull":true,` + repository + `,"issue":{"number":7},"comment":{"id":99,"body":"/sluice rollback"}}`, comment},
		{"Gitea's issue", forge.GiteaHook{}, "issue_comment", `{"action":"created","is_pull":false,` + repository + `,"issue":{"number":7},"comment":{"id":99,"body":"/sluice rollback"}}`, other},
		{
			"Gitea's approval", forge.GiteaHook{}, "pull_request_approved",
			`{"action":"reviewed",` + repository + `,"pull_request":{"number":7,"base":{"ref":"main"},"head":{"repo":{"full_name":"A/B"}}}}`,
			forge.Event{Kind: forge.EventReview, Repository: "a/b", Branch: "main", PullRequest: 7},
		},
		{
			"Gitea's remark", forge.GiteaHook{}, "pull_request_comment",
			`{"action":"reviewed",` + repository + `,"pull_request":{"number":7,"base":{"ref":"main"},"head":{"repo":{"full_name":"a/b"}}},"review":{"content":"/sluice rollback"}}`,
			forge.Event{Kind: forge.EventReview, Repository: "a/b", Branch: "main", PullRequest: 7},
		},
		{
			"GitLab's order", forge.GitLabHook{}, "", note + `"action":"create","note":"/sluice rollback"}}`,
			forge.Event{Kind: forge.EventComment, Repository: "g/s/b", Branch: "main", PullRequest: 7, CommentID: 99, Fork: true},
		},
		{
			"an old GitLab's order", forge.GitLabHook{}, "", note + `"note":"/sluice rollback"}}`,
			forge.Event{Kind: forge.EventComment, Repository: "g/s/b", Branch: "main", PullRequest: 7, CommentID: 99, Fork: true},
		},
		{"GitLab's edit", forge.GitLabHook{}, "", note + `"action":"update","note":"/sluice rollback"}}`, forge.Event{Kind: forge.EventOther, Repository: "g/s/b"}},
		{"GitLab's own notes", forge.GitLabHook{}, "", note + `"system":true,"note":"/sluice rollback"}}`, forge.Event{Kind: forge.EventOther, Repository: "g/s/b"}},
		{
			"GitLab's approval", forge.GitLabHook{}, "",
			`{"object_kind":"merge_request",` + project + `,"object_attributes":{"iid":7,"action":"approved","target_branch":"main"}}`,
			forge.Event{Kind: forge.EventReview, Repository: "g/s/b", Branch: "main", PullRequest: 7},
		},
		{"GitLab's pipeline", forge.GitLabHook{}, "", `{"object_kind":"pipeline",` + project + `}`, forge.Event{Kind: forge.EventOther, Repository: "g/s/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			got, err := tt.hook.Parse(headers("X-GitHub-Event", tt.event, "X-Gitea-Event", tt.event), []byte(tt.body))
			if err != nil || got != tt.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

// hooks are the three, with an event whose payload must be right.
var hooks = map[string]struct {
	hook  forge.Hook
	event http.Header
}{
	"github": {forge.GitHubHook{}, headers("X-GitHub-Event", "push")},
	"gitea":  {forge.GiteaHook{}, headers("X-Gitea-Event", "pull_request")},
	"gitlab": {forge.GitLabHook{}, headers("X-Gitlab-Event", "Push Hook")},
}

// TestHostilePayloads: whoever has a secret may still send nonsense.
func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	deep := strings.Repeat(`{"`+canary+`":`, 1e6)
	for name, body := range map[string]string{
		"nothing": "", "a list": "[]", "a text": `"` + canary + `"`, "a number": "1e999", "no JSON": canary, "half": `{"ref":"` + canary,
		"two": `{}{}`, "deep": deep, "a deep list": strings.Repeat("[", 1e6), "not UTF-8": "\xff\xfe", "null": "null",
		"null fields":      `{"action":null,"ref":null,"after":null,"repository":null,"pull_request":null,"object_kind":"push","project":null,"object_attributes":null}`,
		"wrong types":      `{"action":{},"ref":5,"repository":"` + canary + `","pull_request":[],"object_kind":7,"project":[]}`,
		"a huge number":    `{"action":"opened","pull_request":{"number":99999999999999999999},"object_kind":"merge_request","object_attributes":{"iid":1e99},"ref":1}`,
		"below zero":       `{"action":"opened","repository":{"full_name":"a/b"},"pull_request":{"number":-1},"ref":"refs/heads/x","object_kind":"merge_request","project":{"path_with_namespace":"a"},"object_attributes":{"iid":-1}}`,
		"no repository":    `{"action":"opened","ref":"refs/heads/main","after":"c0ffee","pull_request":{"number":1},"object_kind":"push"}`,
		"no ref":           `{"action":"opened","repository":{"full_name":"a/b"},"after":"c0ffee","object_kind":"push","project":{"path_with_namespace":"a"}}`,
		"no commit":        `{"action":"opened","repository":{"full_name":"a/b"},"ref":"refs/heads/main","object_kind":"push","project":{"path_with_namespace":"a"}}`,
		"a ref of its own": `{"action":"opened","repository":{"full_name":"a/b"},"ref":"` + canary + `","after":"c0ffee","object_kind":"push","project":{"path_with_namespace":"a"}}`,
	} {
		for kind, h := range hooks {
			e, err := h.hook.Parse(h.event, []byte(body))
			if err == nil && e.Kind == forge.EventOther && kind != "github" {
				continue // what names no kind or action is of no interest
			}
			if !errors.Is(err, forge.ErrPayload) {
				t.Errorf("%s from %s: %+v, %v", name, kind, e, err)
			} else if strings.Contains(err.Error(), canary) {
				t.Errorf("%s from %s: the error repeats the body: %v", name, kind, err)
			}
		}
	}
}

// TestSignatures: everything but the right signature with SHA-256 is refused, in
// the same words.
func TestSignatures(t *testing.T) {
	t.Parallel()
	body := []byte(`{"ref":"refs/heads/main"}`)
	good := sum256(longSecret, body)
	sha := hmac.New(sha1.New, longSecret)
	sha.Write(body)
	old := "sha1=" + hex.EncodeToString(sha.Sum(nil))
	secrets := [][]byte{giteaSecret, longSecret}
	tests := []struct {
		rule    string
		hook    forge.Hook
		header  http.Header
		secrets [][]byte
		ok      bool
	}{
		{"right", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+good), secrets, true},
		{"right, the old secret first", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+good), [][]byte{longSecret, giteaSecret}, true},
		{"in capitals", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+strings.ToUpper(good)), secrets, true},
		{"without the name of the hash", forge.GitHubHook{}, headers("X-Hub-Signature-256", good), secrets, false},
		{"none", forge.GitHubHook{}, headers(), secrets, false},
		{"empty", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="), secrets, false},
		{"cut", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+good[:32]), secrets, false},
		{"longer", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+good+"00"), secrets, false},
		{"no hexadecimal", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256=zz"), secrets, false},
		{"SHA-1 alone", forge.GitHubHook{}, headers("X-Hub-Signature", old), secrets, false},
		{"SHA-1 in the other header", forge.GitHubHook{}, headers("X-Hub-Signature-256", old), secrets, false},
		{"another's secret", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+good), [][]byte{giteaSecret}, false},
		{"no secrets", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+good), nil, false},
		{"an empty secret", forge.GitHubHook{}, headers("X-Hub-Signature-256", "sha256="+sum256(nil, body)), [][]byte{{}, nil}, false},
		{"right at Gitea", forge.GiteaHook{}, headers("X-Gitea-Signature", good), secrets, true},
		{"GitHub's header at Gitea", forge.GiteaHook{}, headers("X-Hub-Signature-256", "sha256="+good), secrets, true},
		{"none at Gitea", forge.GiteaHook{}, headers(), secrets, false},
		{"SHA-1 alone at Gitea", forge.GiteaHook{}, headers("X-Hub-Signature", old), secrets, false},
		{"an empty secret at Gitea", forge.GiteaHook{}, headers("X-Gitea-Signature", sum256(nil, body)), [][]byte{{}}, false},
		{"right at GitLab", forge.GitLabHook{}, headers("X-Gitlab-Token", string(longSecret)), secrets, true},
		{"none at GitLab", forge.GitLabHook{}, headers(), secrets, false},
		{"a part at GitLab", forge.GitLabHook{}, headers("X-Gitlab-Token", string(longSecret[:30])), secrets, false},
		{"an empty secret at GitLab", forge.GitLabHook{}, headers(), [][]byte{{}, nil}, false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			err := tt.hook.Verify(tt.header, body, tt.secrets)
			if tt.ok && err != nil || !tt.ok && err != forge.ErrSignature { //nolint:errorlint // word for word the same
				t.Errorf("got %v, want it to be taken: %t", err, tt.ok)
			}
			if changed := append([]byte(" "), body...); tt.ok && tt.hook != (forge.GitLabHook{}) && tt.hook.Verify(tt.header, changed, tt.secrets) == nil {
				t.Error("another body is taken")
			}
		})
	}
}

func fuzzHook(f *testing.F, folder, eventHeader string, events []string, hook forge.Hook) {
	files, err := filepath.Glob(filepath.Join("testdata", "hooks", folder, "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		body := sample(f, filepath.Join(folder, filepath.Base(file)))
		for _, event := range events {
			f.Add(event, body)
		}
	}
	for _, seed := range []string{"null", "[]", `{"repository":null}`, `{"object_kind":"note"}`} {
		f.Add(events[0], []byte(seed))
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		e, err := hook.Parse(http.Header{eventHeader: {event}}, body)
		if err != nil {
			if e != (forge.Event{}) || !errors.Is(err, forge.ErrPayload) {
				t.Fatalf("%+v with %v", e, err)
			}
			return
		}
		matters := e.Kind != forge.EventPing && e.Kind != forge.EventOther
		if matters && e.Repository == "" || e.PullRequest < 0 || e.CommentID < 0 || e.Kind == forge.EventComment && (e.CommentID == 0 || e.PullRequest == 0) {
			t.Fatalf("nothing to look at: %+v", e)
		}
	})
}

func FuzzGitHubHook(f *testing.F) {
	fuzzHook(f, "github", "X-Github-Event", []string{"push", "pull_request", "pull_request_review", "issue_comment"}, forge.GitHubHook{})
}

func FuzzGiteaHook(f *testing.F) {
	fuzzHook(f, "gitea", "X-Gitea-Event", []string{"push", "pull_request", "pull_request_approved", "issue_comment", "pull_request_comment"}, forge.GiteaHook{})
}

func FuzzGitLabHook(f *testing.F) {
	fuzzHook(f, "gitlab", "X-Gitlab-Event", []string{"Push Hook"}, forge.GitLabHook{})
}
