package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/webhook"
)

const (
	secret = "CANARY-0123456789abcdef0123456789abcdef"
	other  = "OTHER-CANARY-0123456789abcdef0123456789"
)

// inbox is a store in memory.
type inbox struct {
	mu   sync.Mutex
	rows []webhook.Delivery
	err  error
}

func (s *inbox) RecordDeliveries(_ context.Context, ds ...webhook.Delivery) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	fresh := make([]bool, len(ds))
	for i, d := range ds {
		fresh[i] = !slices.ContainsFunc(s.rows, func(r webhook.Delivery) bool {
			return r.Forge == d.Forge && r.ID == d.ID && r.Source == d.Source
		})
		if fresh[i] {
			s.rows = append(s.rows, d)
		}
	}
	return fresh, nil
}

// scene is a door with everything around it.
type scene struct {
	*inbox
	t      *testing.T
	server *httptest.Server
	log    bytes.Buffer

	mu       sync.Mutex
	now      time.Time
	woken    []string
	outcomes []string
	points   []string
}

// sources are at two repositories, two of them at one, with secrets of their own.
var sources = []webhook.Source{
	{ID: "configs", Forge: "github", Repository: "Acme/Configs", Branch: "main", Secrets: []string{"OLD-CANARY-0123456789abcdef0123456789", secret}},
	{ID: "staging", Forge: "github", Repository: "acme/configs", Branch: "staging", Secrets: []string{secret}},
	{ID: "theirs", Forge: "github", Repository: "umbrella/configs", Branch: "main", Secrets: []string{other}},
	{ID: "tea", Forge: "gitea", Repository: "acme/tea", Branch: "main", Secrets: []string{secret}},
	{ID: "lab", Forge: "gitlab", Repository: "acme/platform/lab", Branch: "main", Secrets: []string{secret}},
	{ID: "plain", Forge: "local", Branch: "main", Secrets: []string{secret}},
}

func newScene(t *testing.T, change func(*webhook.Options)) *scene {
	t.Helper()
	s := &scene{t: t, inbox: &inbox{}, now: time.Now()}
	opts := webhook.Options{
		Sources: sources, Store: s.inbox, Failures: 1e6,
		Wake:     func(id string) { s.note(&s.woken, id) },
		Logger:   slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Answered: func(forge string, o webhook.Outcome) { s.note(&s.outcomes, forge+" "+string(o)) },
		Now:      func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now },
		Fail:     func(point string) { s.note(&s.points, point) },
	}
	if change != nil {
		change(&opts)
	}
	door, err := webhook.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(door)
	t.Cleanup(func() {
		s.server.Close()
		if said := s.log.String(); strings.Contains(said, "CANARY") {
			t.Errorf("the log repeats what was sent: %s", said)
		}
	})
	return s
}

// Write keeps the log.
func (s *scene) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *scene) note(list *[]string, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, what)
}

// takeWoken gives the sources that were woken since it was asked last.
func (s *scene) takeWoken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	woken := s.woken
	s.woken = nil
	slices.Sort(woken)
	return strings.Join(woken, " ")
}

func (s *scene) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// send posts a body, with headers in pairs, and gives the answer's status.
func (s *scene) send(path, body string, pairs ...string) int {
	s.t.Helper()
	return s.answer(http.MethodPost, path, strings.NewReader(body), pairs...).status
}

// said is what a request was answered.
type said struct {
	status int
	header http.Header
}

func (s *scene) answer(method, path string, body io.Reader, pairs ...string) said {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(pairs); i += 2 {
		if r.Header.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			r.Header.Del(pairs[i])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if strings.Contains(string(text), "CANARY") || len(text) > 200 {
		s.t.Errorf("the answer repeats what was sent: %s", text)
	}
	return said{resp.StatusCode, resp.Header}
}

func sign(body, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// github sends an event as GitHub does.
func (s *scene) github(event, id, body, secret string) int {
	s.t.Helper()
	return s.send("/webhooks/github", body, "X-GitHub-Event", event, "X-GitHub-Delivery", id, "X-Hub-Signature-256", sign(body, secret))
}

func push(repository, ref string) string {
	return `{"ref":"` + ref + `","after":"c0ffee","repository":{"full_name":"` + repository + `"}}`
}

// TestWhatIsTaken: what comes for whom, and what is done about it.
func TestWhatIsTaken(t *testing.T) {
	t.Parallel()
	const pull = `{"action":"opened","repository":{"full_name":"acme/configs"},"pull_request":{"number":7,"base":{"ref":"main"},"head":{"repo":{"full_name":"fork/configs"}}}}`
	const comment = `{"action":"created","repository":{"full_name":"acme/configs"},"issue":{"number":7,"pull_request":{}},"comment":{"id":99,"body":"/sluice rollback CANARY"}}`
	tests := []struct {
		rule, event, body, secret string
		woken, rows               string
	}{
		{"a push wakes who follows its branch, and is kept for who does not", "push", push("acme/configs", "refs/heads/main"), secret, "configs", "configs:push:0:0 staging:push:0:0"},
		{"another branch wakes nobody", "push", push("acme/configs", "refs/heads/other"), secret, "", "configs:push:0:0 staging:push:0:0"},
		{"a tag wakes nobody", "push", push("acme/configs", "refs/tags/main"), secret, "", "configs:push:0:0 staging:push:0:0"},
		{
			"a deleted branch wakes nobody", "push",
			strings.Replace(push("acme/configs", "refs/heads/main"), "c0ffee", strings.Repeat("0", 40), 1), secret, "", "configs:push:0:0 staging:push:0:0",
		},
		{"an old secret counts for who has it", "push", push("acme/configs", "refs/heads/main"), "OLD-CANARY-0123456789abcdef0123456789", "configs", "configs:push:0:0"},
		{"the secret of one repository is none of another's", "push", push("acme/configs", "refs/heads/main"), other, "", ""},
		{"an unknown repository is nobody's", "push", push("acme/secret-project", "refs/heads/main"), secret, "", ""},
		{"no case in names", "push", push("ACME/CONFIGS", "refs/heads/main"), secret, "configs", "configs:push:0:0 staging:push:0:0"},
		{"a pull request, of a fork too", "pull_request", pull, secret, "configs staging", "configs:pull_request:7:0 staging:pull_request:7:0"},
		{"an order is stored and wakes nobody", "issue_comment", comment, secret, "", "configs:comment:7:99 staging:comment:7:99"},
		{"talk is of no interest", "issue_comment", strings.Replace(comment, "/sluice", "sluice", 1), secret, "", "configs:other:0:0 staging:other:0:0"},
		{"a ping", "ping", `{"zen":"CANARY"}`, secret, "", ""},
		{"an unknown event", "CANARY", `{"repository":{"full_name":"acme/configs"}}`, secret, "", "configs:other:0:0 staging:other:0:0"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			for range 2 { // and again, which changes nothing
				if status := s.github(tt.event, "d1", tt.body, tt.secret); status != http.StatusAccepted {
					t.Errorf("answered %d", status)
				}
			}
			if woken := s.takeWoken(); woken != tt.woken {
				t.Errorf("woke %q, want %q", woken, tt.woken)
			}
			var rows []string
			for _, d := range s.rows {
				if d.Forge != "github" || d.ID != "d1" {
					t.Errorf("kept %+v", d)
				}
				rows = append(rows, fmt.Sprintf("%s:%s:%d:%d", d.Source, d.Event, d.PullRequest, d.Comment))
			}
			if got := strings.Join(rows, " "); got != tt.rows {
				t.Errorf("kept %q, want %q", got, tt.rows)
			}
			want := "github accepted github duplicate"
			if tt.rows == "" {
				want = "github unmatched github unmatched"
			}
			if got := strings.Join(s.outcomes, " "); got != want {
				t.Errorf("outcomes %q, want %q", got, want)
			}
		})
	}
}

// TestTheOtherDesks: Gitea, Forgejo and GitLab, and whoever can sign.
func TestTheOtherDesks(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	body := push("acme/tea", "refs/heads/main")
	for i, path := range []string{"/webhooks/gitea", "/webhooks/forgejo"} {
		if status := s.send(path, body, "X-Gitea-Event", "push", "X-Gitea-Delivery", fmt.Sprint(i), "X-Gitea-Signature", strings.TrimPrefix(sign(body, secret), "sha256=")); status != http.StatusAccepted {
			t.Errorf("%s: %d", path, status)
		}
		if woken := s.takeWoken(); woken != "tea" {
			t.Errorf("%s woke %q", path, woken)
		}
	}
	lab := `{"object_kind":"push","ref":"refs/heads/main","after":"c0ffee","project":{"path_with_namespace":"acme/platform/lab"}}`
	if status := s.send("/webhooks/gitlab", lab, "X-Gitlab-Token", secret); status != http.StatusAccepted {
		t.Errorf("gitlab: %d", status)
	}
	if woken := s.takeWoken(); woken != "lab" {
		t.Errorf("gitlab woke %q", woken)
	}
	if last := s.rows[len(s.rows)-1]; !strings.HasPrefix(last.ID, "sha256:") {
		t.Errorf("a delivery without an id is kept as %q", last.ID)
	}
	// One forge's signature opens no other's desk.
	if status := s.send("/webhooks/gitlab", lab, "X-Hub-Signature-256", sign(lab, secret)); status != http.StatusUnauthorized {
		t.Errorf("GitHub's signature at GitLab's desk: %d", status)
	}
}

// TestGeneric: a script may wake any source whose secret it has.
func TestGeneric(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	send := func(id, body, key string, at time.Time) int {
		h := http.Header{}
		signature.Sign(h, []byte(key), id, at, []byte(body))
		var pairs []string
		for name := range h {
			pairs = append(pairs, name, h.Get(name))
		}
		return s.send("/webhooks/generic", body, pairs...)
	}
	tests := []struct {
		rule, id, body, key string
		ago                 time.Duration
		status              int
		woken               string
	}{
		{"a source without a forge", "m1", `{"source":"plain"}`, secret, 0, http.StatusAccepted, "plain"},
		{"the same again", "m1", `{"source":"plain"}`, secret, 0, http.StatusAccepted, ""},
		{"a source with one", "m2", `{"source":"configs"}`, secret, 0, http.StatusAccepted, "configs"},
		{"another's source", "m3", `{"source":"theirs"}`, secret, 0, http.StatusAccepted, ""},
		{"no such source", "m4", `{"source":"none"}`, secret, 0, http.StatusAccepted, ""},
		{"a recorded one", "m5", `{"source":"plain"}`, secret, 6 * time.Minute, http.StatusUnauthorized, ""},
		{"a wrong secret", "m6", `{"source":"plain"}`, strings.ToLower(secret), 0, http.StatusUnauthorized, ""},
		{"no source", "m7", `{}`, secret, 0, http.StatusBadRequest, ""},
		{"a list", "m8", `[]`, secret, 0, http.StatusBadRequest, ""},
	}
	for _, tt := range tests {
		if status := send(tt.id, tt.body, tt.key, s.now.Add(-tt.ago)); status != tt.status {
			t.Errorf("%s: %d, want %d", tt.rule, status, tt.status)
		}
		if woken := s.takeWoken(); woken != tt.woken {
			t.Errorf("%s woke %q, want %q", tt.rule, woken, tt.woken)
		}
	}
}

// TestRefused: nothing that is not signed gets anywhere, and whoever has no
// secret learns nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(o *webhook.Options) { o.MaxBody = 128 << 10 })
	body := push("acme/configs", "refs/heads/main")
	good := sign(body, secret)
	old := hmac.New(sha1.New, []byte(secret))
	old.Write([]byte(body))
	large := `{"x":"` + strings.Repeat("y", 200<<10) + `"}`
	deep := strings.Repeat(`{"a":`, 1e4*2)
	tests := []struct {
		rule, path, body string
		headers          []string
		want             int
	}{
		{"a bad signature", "github", body, []string{"X-Hub-Signature-256", sign(body, "wrong")}, 401},
		{"none", "github", body, nil, 401},
		{"an empty one", "github", body, []string{"X-Hub-Signature-256", "sha256="}, 401},
		{"an empty secret's", "github", body, []string{"X-Hub-Signature-256", sign(body, "")}, 401},
		{"SHA-1 alone", "github", body, []string{"X-Hub-Signature", "sha1=" + hex.EncodeToString(old.Sum(nil))}, 401},
		{"another body's", "github", body + " ", []string{"X-Hub-Signature-256", good}, 401},
		{"another desk", "gitea", body, nil, 401},
		{"no token at GitLab's", "gitlab", body, nil, 401},
		{"unsigned nonsense is not even read", "github", "[[[[", nil, 401},
		{"a form", "github", body, []string{"X-Hub-Signature-256", good, "Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"no content type", "github", body, []string{"X-Hub-Signature-256", good, "Content-Type", ""}, 415},
		{"gzip", "github", body, []string{"X-Hub-Signature-256", good, "Content-Encoding", "gzip"}, 415},
		{"too large", "github", large, []string{"X-Hub-Signature-256", sign(large, secret)}, 413},
		{"unknown forge", "cvs", body, []string{"X-Hub-Signature-256", good}, 404},
		{"below a forge", "github/x", body, []string{"X-Hub-Signature-256", good}, 404},
		{"signed nonsense", "github", "{", []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", sign("{", secret)}, 400},
		{"a signed list", "github", "[]", []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", sign("[]", secret)}, 400},
		{"a signed null", "github", "null", []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", sign("null", secret)}, 400},
		{"signed and deep", "github", deep, []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", sign(deep, secret)}, 400},
		{"signed, of wrong types", "github", `{"ref":5}`, []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", sign(`{"ref":5}`, secret)}, 400},
	}
	for _, tt := range tests {
		if status := s.send("/webhooks/"+tt.path, tt.body, tt.headers...); status != tt.want {
			t.Errorf("%s: %d, want %d", tt.rule, status, tt.want)
		}
	}
	if resp := s.answer(http.MethodGet, "/webhooks/github", nil); resp.status != 405 || resp.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", resp.status)
	}
	if resp := s.answer(http.MethodPost, "/webhooks/github", endless{}, "X-Hub-Signature-256", good); resp.status != 413 {
		t.Errorf("a body without an end: %d", resp.status)
	}
	if woken := s.takeWoken(); woken != "" || len(s.rows) != 0 || len(s.points) != 0 {
		t.Errorf("woke %q, kept %v", woken, s.rows)
	}
	for _, o := range s.outcomes {
		if !strings.HasSuffix(o, " refused") {
			t.Errorf("an outcome is %s", o)
		}
	}
	if status := s.github("push", "d1", body, secret); status != 202 || s.takeWoken() != "configs" {
		t.Errorf("the right one is answered %d", status)
	}
}

// endless is a body of unknown length that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestLargeBodies: within the bound a large body is taken, of known length or not.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(o *webhook.Options) { o.MaxBody = 1 << 20 })
	body := strings.Replace(push("acme/configs", "refs/heads/main"), "{", `{"commits":"`+strings.Repeat("x", 900<<10)+`",`, 1)
	for i, reader := range []io.Reader{strings.NewReader(body), io.MultiReader(strings.NewReader(body))} { // the second has no length
		resp := s.answer(http.MethodPost, "/webhooks/github", reader,
			"X-GitHub-Event", "push", "X-GitHub-Delivery", fmt.Sprint(i), "X-Hub-Signature-256", sign(body, secret))
		if resp.status != 202 || s.takeWoken() != "configs" {
			t.Errorf("body %d is answered %d", i, resp.status)
		}
	}
}

// TestASlowBodyIsNotWaitedFor: whoever sends a byte now and then is sent away,
// and holds up nobody.
func TestASlowBodyIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(o *webhook.Options) { o.Patience = 20 * time.Millisecond })
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
			said, err := io.ReadAll(conn) // the server closes it
			if err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 408 ") {
				t.Errorf("answered %q, %v", said, err)
			}
		})
	}
	group.Wait()
}

// TestLargeBodiesTakeTurns: bodies that nobody sends to their end hold no room
// that a small one needs.
func TestLargeBodiesTakeTurns(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(o *webhook.Options) { o.Patience = time.Minute })
	arrived := make(chan struct{})
	for range 10 {
		reader, writer := io.Pipe()
		go func() {
			io.WriteString(writer, strings.Repeat(" ", 100<<10)) //nolint:errcheck // cut at the end of the test
			arrived <- struct{}{}
		}()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+"/webhooks/github", reader)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 4 << 20
		go func() {
			if resp, err := http.DefaultClient.Do(r); err == nil {
				resp.Body.Close()
			}
		}()
		t.Cleanup(func() { writer.CloseWithError(errors.New("the end")) })
	}
	for range 10 {
		<-arrived
	}
	if status := s.github("push", "d1", push("acme/configs", "refs/heads/main"), secret); status != 202 {
		t.Errorf("a small one is answered %d", status)
	}
}

// TestAFloodOfFailures: an address that fails again and again is not listened to
// for a minute.
func TestAFloodOfFailures(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(o *webhook.Options) { o.Failures = 3 })
	body := push("acme/configs", "refs/heads/main")
	for i, want := range []int{401, 401, 401, 429, 429} {
		if status := s.send("/webhooks/github", body); status != want {
			t.Errorf("failure %d: %d, want %d", i+1, status, want)
		}
	}
	s.advance(15 * time.Second)
	resp := s.answer(http.MethodPost, "/webhooks/github", strings.NewReader(body))
	if resp.status != 429 || resp.header.Get("Retry-After") != "45" {
		t.Errorf("answered %d, again after %q", resp.status, resp.header.Get("Retry-After"))
	}
	s.advance(45 * time.Second)
	if status := s.github("push", "d1", body, secret); status != 202 {
		t.Errorf("a minute later: %d", status)
	}
}

// TestAFloodOfWebhooks: beyond the limit nothing is kept, but the source is
// looked at, and no order is lost.
func TestAFloodOfWebhooks(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(o *webhook.Options) { o.PerMinute = 3 })
	body := push("acme/configs", "refs/heads/main")
	for i := range 5 {
		want := 202
		if i >= 3 {
			want = 429
		}
		if status := s.github("push", fmt.Sprint(i), body, secret); status != want {
			t.Errorf("webhook %d: %d, want %d", i+1, status, want)
		}
		if woken := s.takeWoken(); woken != "configs" {
			t.Errorf("webhook %d woke %q", i+1, woken)
		}
	}
	comment := `{"action":"created","repository":{"full_name":"acme/configs"},"issue":{"number":7,"pull_request":{}},"comment":{"id":99,"body":"/sluice rollback"}}`
	if status := s.github("issue_comment", "order", comment, secret); status != 202 {
		t.Errorf("an order is answered %d", status)
	}
	if n := len(s.rows); n != 8 { // three pushes and an order, each for two sources
		t.Errorf("%d rows", n)
	}
	theirs := push("umbrella/configs", "refs/heads/main")
	if status := s.github("push", "theirs", theirs, other); status != 202 || s.takeWoken() != "theirs" {
		t.Errorf("another source is answered %d", status)
	}
	s.advance(time.Minute)
	if status := s.github("push", "later", body, secret); status != 202 {
		t.Errorf("a minute later: %d", status)
	}
}

// TestAStoreThatFails: the forge is told so, and the source is looked at all the
// same: the next poll may be an hour away.
func TestAStoreThatFails(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.err = errors.New("the disk is full")
	resp := s.answer(http.MethodPost, "/webhooks/github", strings.NewReader(push("acme/configs", "refs/heads/main")),
		"X-GitHub-Event", "push", "X-Hub-Signature-256", sign(push("acme/configs", "refs/heads/main"), secret))
	if resp.status != 503 || resp.header.Get("Retry-After") == "" || s.takeWoken() != "configs" {
		t.Errorf("answered %d", resp.status)
	}
	if got := strings.Join(s.points, " "); got != "K1-webhook" {
		t.Errorf("crash points %q, want the one before it is kept", got)
	}
	s.err = nil
	if status := s.github("push", "d1", push("acme/configs", "refs/heads/main"), secret); status != 202 {
		t.Errorf("then %d", status)
	}
	if got := strings.Join(s.points, " "); got != "K1-webhook K1-webhook K2" {
		t.Errorf("crash points %q", got)
	}
}

// TestAPanicIsOneRequests: whatever breaks, the next request is answered.
func TestAPanicIsOneRequests(t *testing.T) {
	t.Parallel()
	broken := true
	s := newScene(t, func(o *webhook.Options) {
		o.Fail = func(string) {
			if broken {
				panic("a bug")
			}
		}
	})
	body := push("acme/configs", "refs/heads/main")
	if status := s.github("push", "d1", body, secret); status != 500 {
		t.Errorf("a panic is answered %d", status)
	}
	broken = false
	if status := s.github("push", "d1", body, secret); status != 202 {
		t.Errorf("after it: %d", status)
	}
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	wake := func(string) {}
	for name, opts := range map[string]webhook.Options{
		"no store":        {Wake: wake},
		"no wake":         {Store: &inbox{}},
		"an empty secret": {Store: &inbox{}, Wake: wake, Sources: []webhook.Source{{ID: "a", Forge: "github", Secrets: []string{""}}}},
	} {
		if _, err := webhook.New(opts); !errors.Is(err, webhook.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
