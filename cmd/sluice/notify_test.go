package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// inbox is a server that keeps what is posted to it.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	signed int
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	b := &inbox{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bodies = append(b.bodies, string(body))
		if r.Header.Get("webhook-signature") != "" {
			b.signed++
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *inbox) has(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(strings.Join(b.bodies, "\n"), text)
}

// The whole way: a commit is rolled out, and the targets of the settings and of
// the profile hear of it, past one that hangs. Nothing shows where they are.
func TestServeNotifies(t *testing.T) {
	t.Parallel()
	chat, hook := newInbox(t), newInbox(t)
	gone := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gone }))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(gone) })
	dir := t.TempDir()
	conf, url := filepath.Join(dir, "sluice.yaml"), filepath.Join(dir, "chat-url")
	if err := os.WriteFile(url, []byte(chat.URL+"/services/PATHSECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte(`
external_url: https://sluice.example.com
allow_insecure_http: true
notifications:
  targets:
    - {name: chat, type: slack, url_file: `+url+`}
    - {name: hook, type: webhook, url: `+hook.URL+`/PATHSECRET, secret: "`+"KEYSECRET-5f1e0c8d21b7a9e3f4a6b2d0"+`"}
    - {name: hangs, type: slack, url: `+hanging.URL+`/PATHSECRET}
  routes:
    - {targets: [hangs, hook]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	repo := testenv.NewRepo(t)
	repo.Write("payment-service/staging.yaml", goodProfile+"settings: {notify: [chat, nobody], slackChannel: '#payments'}\n")
	repo.Commit("Configuration of the payment service")
	repo.Push()
	server, out, _ := startDaemon(t, "--config", conf, "--data-dir", dir, "--source-id", "configs", "--source-url", "file://"+repo.Bare,
		"--allow-file-urls", "--admin-password", "correct horse battery")

	eventually(t, "the chat to hear of it", func() bool { return chat.has("payment-service.staging 1.0.0 is rolled out") })
	eventually(t, "the hook to hear of it", func() bool { return hook.has(`"type":"deployment.completed"`) })
	if !chat.has(`"channel":"#payments"`) || !chat.has("https://sluice.example.com/deployments/") {
		t.Errorf("the chat got %s", chat.bodies)
	}
	c, err := client.New(client.Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Login(t.Context(), "admin", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	code, text := command(t, "notify", "test", "hook", "--server", server, "--token", session.Token)
	if code != 0 || !strings.Contains(text, "hook took it: 200 OK") || !hook.has("sluice-test") {
		t.Errorf("the test ends with %d: %s", code, text)
	}
	events, err := c.WithToken(session.Token).Audit(t.Context(), client.AuditFilter{EventType: "notification.tested"})
	if err != nil || events.Total != 1 || events.Items[0].EntityID != "hook" || events.Items[0].User != "admin" {
		t.Errorf("%+v, %v", events, err)
	}
	var metrics string
	eventually(t, "the metrics", func() bool {
		res, err := http.Get(server + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		metrics = string(body)
		return err == nil && strings.Contains(metrics, `sluice_notifications_total{outcome="sent",type="webhook"}`) &&
			strings.Contains(metrics, `sluice_notifications_total{outcome="refused",type="unknown"}`) &&
			strings.Contains(metrics, "sluice_notifications_pending")
	})
	for where, text := range map[string]string{"log": out.String(), "answer": text, "metrics": metrics} {
		if strings.Contains(text, "SECRET") {
			t.Errorf("the %s shows a secret: %s", where, text)
		}
	}
	if !strings.Contains(out.String(), `"target":"nobody"`) {
		t.Error("the log says nothing of the target that there is not")
	}
}

func TestNotifyTest(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("POST /notifications/ops/test", wire.NotificationTest{Target: "ops", Answer: "404 Not Found"})
	d.answers("POST /notifications/audit/test", wire.NotificationTest{Target: "audit", Taken: true, Answer: "204 No Content"})
	for target, want := range map[string]struct {
		code int
		text string
	}{
		"ops":    {exitProblems, "ops did not take it: 404 Not Found"},
		"audit":  {0, "audit took it: 204 No Content\n"},
		"nobody": {exitTrouble, `name no target "nobody"`},
	} {
		code, text := command(t, "notify", "test", target, "--server", d.URL, "--token", "t")
		if code != want.code || !strings.Contains(text, want.text) {
			t.Errorf("%s: %d, %s", target, code, text)
		}
	}
}

// command runs one command as a shell does.
func command(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	out := &lines{}
	code = newShell(strings.NewReader(""), out, out, func(string) string { return "" }).run(t.Context(), args)
	return code, out.String()
}
