package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

const (
	sourceToken   = "canary-source-token-77aa01c3"
	wrongPassword = "canary-wrong-password-3b9f"
	urlPassword   = "canary-url-password-c0de42"
)

// leakyForge refuses every request and repeats what it was sent, credentials
// and all, as careless servers do. It tells whether it was given the token.
func leakyForge(t *testing.T) (server *httptest.Server, told *atomic.Bool) {
	t.Helper()
	told = &atomic.Bool{}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if password == sourceToken {
			told.Store(true)
		}
		http.Error(w, fmt.Sprintf("no access for %s:%s (%s) at %s", user, password, r.Header.Get("Authorization"), r.URL), http.StatusInternalServerError)
	}))
	t.Cleanup(server.Close)
	return server, told
}

// I9: nothing that was told in confidence is in anything that is said or kept.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	forge, told := leakyForge(t)
	traces := testenv.StartCollector(t)
	s := empty(t, testenv.Binary(t), func(s *stage) {
		dir := t.TempDir()
		conf := filepath.Join(dir, "sluice.yaml")
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(sourceToken+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(`allow_insecure_http: true
sources:
  - {id: leaky, url: "%s/acme/configs.git", poll_interval: 200ms, auth: {username: ci, token_file: %s/token}}
`, forge.URL, dir)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = append(s.args, "--config", conf)
		s.env = traces.Env()
		s.repo.Write("cart/staging.yaml", named("cart.staging"))
		s.first = s.repo.Commit("Open the cart")
		s.repo.Push()
	})
	a := newSidecar(t, s, "cart")
	a.env = traces.Env()
	a.start()
	a.loads("hello")
	eventually(t, "the leaky source to fail", func() bool { return strings.Contains(s.body("/api/v1/sources", ""), `"lastError":"`) })
	if !told.Load() {
		t.Error("the source's token was not sent: nothing is proved of it")
	}
	session, err := s.api.Login(t.Context(), "admin", adminPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.api.Login(t.Context(), "admin", wrongPassword); err == nil {
		t.Error("a wrong password was taken")
	}
	made, err := s.api.CreateToken(t.Context(), wire.TokenRequest{Name: "ci", Role: "Viewer"})
	if err != nil {
		t.Fatal(err)
	}

	secrets := map[string]string{
		"admin's password": adminPassword, "registration token": registrationToken, "source's token": sourceToken,
		"mistyped password": wrongPassword, "session token": session.Token, "API token": made.Token, "instance's token": a.token(),
	}
	said := s.everythingSaid()
	s.api.WithToken(made.Token + "x").Sources(t.Context()) //nolint:errcheck // it is refused; what is said of it matters
	a.end(syscall.SIGTERM)
	s.stop()
	tracedWithout(t, secrets, traces, "sluice", "sluice-agent")
	said["the daemon's log"], said["the agent's log"] = s.logs(), a.logs()
	maps.Copy(said, s.everythingKept())
	for where, text := range said {
		for what, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the %s is in %s", what, where)
			}
		}
	}
}

// token is the instance's, as the agent keeps it for itself.
func (a *sidecar) token() string {
	a.t.Helper()
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(a.program.file), ".config.json.sluice", "instance.json"))
	if err != nil {
		a.t.Fatal(err)
	}
	var id struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(raw, &id); err != nil || id.Token == "" {
		a.t.Fatalf("the agent keeps %d bytes without a token: %v", len(raw), err)
	}
	return id.Token
}

// everythingSaid is every answer of the API to an admin.
func (s *stage) everythingSaid() map[string]string {
	s.t.Helper()
	deployments, err := s.api.Deployments(s.t.Context(), client.DeploymentFilter{})
	if err != nil || len(deployments.Items) == 0 {
		s.t.Fatalf("no deployment: %v", err)
	}
	instances, err := s.api.Instances(s.t.Context(), client.InstanceFilter{})
	if err != nil || len(instances.Items) == 0 {
		s.t.Fatalf("no instance: %v", err)
	}
	said := map[string]string{}
	for _, path := range []string{
		"/healthz", "/readyz", "/metrics", "/api/v1/configs", "/api/v1/configs/cart.staging", "/api/v1/configs/cart.staging/versions",
		"/api/v1/configs/cart.staging/versions/1.0.0", "/api/v1/configs/cart.staging/versions/1.0.0/diff/1.0.0",
		"/api/v1/deployments", "/api/v1/deployments/" + deployments.Items[0].ID, "/api/v1/deployments/" + deployments.Items[0].ID + "/health",
		"/api/v1/instances", "/api/v1/instances/" + instances.Items[0].ID, "/api/v1/audit?limit=200", "/api/v1/statuses/" + s.first,
		"/api/v1/sources", "/api/v1/tokens", "/api/v1/nowhere",
	} {
		said[path] = s.body(path, "")
	}
	for _, kind := range []string{"text/csv", "application/x-ndjson"} {
		said["the audit export as "+kind] = s.body("/api/v1/audit", kind)
	}
	return said
}

// body is what the API answers to an admin.
func (s *stage) body(path, accept string) string {
	s.t.Helper()
	if s.adminToken == "" {
		session, err := s.api.Login(s.t.Context(), "admin", adminPassword)
		if err != nil {
			s.t.Fatal(err)
		}
		s.adminToken = session.Token
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url()+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.adminToken)
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK && !strings.HasSuffix(path, "nowhere") {
		s.t.Errorf("GET %s: %s: %s", path, resp.Status, raw)
	}
	return string(raw)
}

// everythingKept is every file in the data folder.
func (s *stage) everythingKept() map[string]string {
	s.t.Helper()
	kept := map[string]string{}
	err := filepath.WalkDir(s.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		kept[path] = string(raw)
		return err
	})
	if err != nil || len(kept) < 3 {
		s.t.Fatalf("read %d files of the data folder: %v", len(kept), err)
	}
	return kept
}

// A password in a URL is refused at the start, and not repeated.
func TestPasswordInAURLIsRefusedUnseen(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://ci:" + urlPassword + "@git.example.com/acme/configs.git",
		"https://" + urlPassword + "@git.example.com/acme/configs.git",
		"https://git.example.com/acme/configs.git?token=" + urlPassword,
		"ssh://git:" + urlPassword + "@git.example.com/acme/configs.git",
		"https://ci:" + urlPassword + "%zz@git.example.com/",
	} {
		d := newDaemon(t, testenv.Binary(t), "--source-id", "configs", "--source-url", url)
		d.launch()
		if code := d.ended().ExitStatus(); code == 0 {
			t.Errorf("a daemon ran with a secret in its source's URL")
		}
		said := d.logs()
		if strings.Contains(said, urlPassword) || !strings.Contains(said, "url") {
			t.Errorf("the daemon said %s", said)
		}
	}
}
