package e2e_test

import (
	"database/sql"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"

	_ "github.com/jackc/pgx/v5/stdlib" // to dump the database
)

// What the test plants, each in its own place.
const (
	canaryVaultToken   = "canary-vault-token-1d7c3a"
	canaryVaultValue   = "canary-vault-value-2e8d4b"
	canaryEnvValue     = "canary-env-value-3f9e5c"
	canarySealedValue  = "canary-sealed-value-4a0f6d"
	canarySopsValue    = "canary-sops-7f3a" // in the file that sops encrypted
	canaryNotifyURL    = "canary-notification-url-5b1a7e"
	canaryNotifySecret = "canary-notification-secret-6c2b8f-of-32-bytes"
	canaryPassword     = "canary-database-password-7d3c90"
	canaryWebhook      = "canary-webhook-secret-8e4da1-which-has-32-bytes"
)

// heard collects what somebody outside is sent, and answers with a fault that repeats it.
type heard struct {
	*httptest.Server
	mu   sync.Mutex
	text strings.Builder
}

func hear(t *testing.T, status int) *heard {
	t.Helper()
	h := &heard{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		h.text.Write(raw)
		h.mu.Unlock()
		if status != http.StatusOK {
			http.Error(w, r.URL.String()+" "+string(raw), status)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// Unique strings stand for every secret that the daemon knows, it lives a
// small life with good days and bad, and nothing that is said or kept has one of
// them, but for the file of the instance that each is for.
func TestNoSecretIsSaidOrKept(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			liveWithSecrets(t, engine == "postgres")
		})
	}
}

func liveWithSecrets(t *testing.T, onPostgres bool) {
	vault := testenv.NewVault(t, canaryVaultToken)
	vault.Put("secret/cart", map[string]any{"key": canaryVaultValue})
	traces, notified := testenv.StartCollector(t), hear(t, http.StatusInternalServerError)
	key, err := secrets.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	age := read(t, "../secrets/testdata/age.key")
	kept := map[string]string{
		"master key": strings.TrimPrefix(key, "k1:"), "age identity": strings.TrimSpace(age[strings.Index(age, "AGE-SECRET"):]),
		"vault token": canaryVaultToken, "vault value": canaryVaultValue, "variable": canaryEnvValue, "sealed value": canarySealedValue,
		"value of sops": canarySopsValue, "notification URL": canaryNotifyURL, "notification secret": canaryNotifySecret,
		"webhook secret": canaryWebhook, "database password": canaryPassword, "admin's password": adminPassword,
		"registration token": registrationToken, "mistyped password": wrongPassword,
	}
	database := ""
	s := empty(t, testenv.Binary(t), func(s *stage) {
		conf := filepath.Join(t.TempDir(), "sluice.yaml")
		write(t, conf, fmt.Sprintf(`allow_file_urls: true
allow_insecure_http: true
master_key: %q
sops_age_keys: %q
secrets:
  allow: [{profiles: "cart.*", references: ["vault:secret/cart#*", "env:SLUICE_SECRET_CART"]}]
  vault: {url: %q, token: %q}
notifications:
  targets: [{name: ops, type: webhook, url: "%s/%s", secret: %s}]
  routes: [{targets: [ops]}]
sources:
  - {id: configs, url: "file://%s", poll_interval: 200ms}
  - {id: away, url: "http://127.0.0.1:1/acme/configs.git", poll_interval: 200ms, auth: {token: %s},
     forge: {type: gitea, url: "http://127.0.0.1:1", repository: acme/configs, token: %s, webhook_secrets: %s}}
`, key, age, vault.URL, canaryVaultToken, notified.URL, canaryNotifyURL, canaryNotifySecret, s.repo.Bare, sourceToken, sourceToken, canaryWebhook))
		kept["source's token"] = sourceToken
		s.args = append(s.args[:len(s.args)-len(s.sourceArgs())], "--config", conf)
		s.env = append(traces.Env(), "SLUICE_SECRET_CART="+canaryEnvValue)
		database = "sqlite:" + filepath.Join(s.data, "sluice.db")
		if onPostgres {
			u, err := url.Parse(testenv.SharedPostgres(t).CreateDatabase(t, "template0"))
			if err != nil {
				t.Fatal(err)
			}
			u.User = url.UserPassword(u.User.Username(), canaryPassword)
			database = u.String()
			s.env = append(s.env, "SLUICE_DATABASE_URL="+database, "SLUICE_MIGRATE=true")
		}
		giveByAPI(t, database, key)
		s.repo.Write("cart/staging.yaml", cartWith("hello, login: {$secret: \"env:SLUICE_SECRET_CART\"}, apiKey: {$secret: \"vault:secret/cart#key\"}"))
		s.repo.Write("payment/staging.yaml", read(t, "../secrets/testdata/sops.yaml"))
		s.first = s.repo.Commit("Open the cart")
		s.repo.Push()
	})

	cart, payment, desk := newSidecar(t, s, "cart"), newSidecar(t, s, "payment-service"), newSidecar(t, s, "desk")
	cart.args = append(cart.args, "--check-command", `cat "$SLUICE_FILE"; ! grep -q refuse "$SLUICE_FILE"`)
	for _, a := range []*sidecar{cart, payment, desk} {
		a.env = traces.Env()
		a.start()
	}
	cart.loads(canaryVaultValue)
	cart.loads(canaryEnvValue)
	payment.loads(canarySopsValue)
	if _, err := s.api.CreateDeployment(t.Context(), wire.CreateDeploymentRequest{ConfigName: "desk.staging", ConfigVersion: "1.0.0"}); err != nil {
		t.Fatal(err)
	}
	desk.loads(canarySealedValue)
	badDays(t, s, vault, cart)

	session, err := s.api.Login(t.Context(), "admin", adminPassword)
	if err != nil {
		t.Fatal(err)
	}
	kept["session token"], kept["instance's token"] = session.Token, cart.token()
	said := s.everythingSaid()
	for _, name := range []string{"desk.staging", "payment-service.staging"} {
		for _, path := range []string{"", "/versions", "/versions/1.0.0"} {
			said[name+path] = s.body("/api/v1/configs/"+name+path, "")
		}
	}
	for _, a := range []*sidecar{cart, payment, desk} {
		a.end(syscall.SIGTERM)
		said["the log of the agent at "+a.program.file] = a.logs()
	}
	s.stop()
	said["the daemon's log"], said["what notifications say"] = s.logs(), notified.all()
	tracedWithout(t, kept, traces, "sluice", "sluice-agent", "config.reload", "config.check")
	if onPostgres {
		maps.Copy(said, dump(t, database))
	} else {
		maps.Copy(said, s.everythingKept())
	}
	for _, must := range []string{"what notifications say", "the daemon's log"} {
		if said[must] == "" {
			t.Errorf("nothing was heard of %s: nothing is proved of them", must)
		}
	}
	for where, text := range said {
		for what, secret := range kept {
			if strings.Contains(text, secret) {
				t.Errorf("the %s is in %s", what, where)
			}
		}
	}
}

// tracedWithout wants spans of these services, or failed ones of these names,
// among those that were exported, and none of the secrets in all of it.
func tracedWithout(t *testing.T, secrets map[string]string, traces *testenv.Collector, wanted ...string) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range traces.Spans() {
		seen[s.Service] = true
		seen[s.Name] = seen[s.Name] || s.Error != ""
	}
	for _, name := range wanted {
		if !seen[name] {
			t.Errorf("no span of %s, or none that failed: nothing is proved of it", name)
		}
	}
	for what, secret := range secrets {
		if traces.Holds(secret) {
			t.Errorf("the %s is in the traces", what)
		}
	}
}

// badDays are faults of all kinds, each of which could repeat what it was given.
func badDays(t *testing.T, s *stage, vault *testenv.Vault, cart *sidecar) {
	t.Helper()
	if _, err := s.api.Login(t.Context(), "admin", wrongPassword); err == nil {
		t.Error("a wrong password was taken")
	}
	for _, reference := range []string{"vault:secret/cart#nothing", "vault:secret/other#key", "env:SLUICE_MASTER_KEY", "k8s:ns/name#key"} {
		s.repo.Write("cart/staging.yaml", cartWith("never, apiKey: {$secret: \""+reference+"\"}"))
		sha := s.repo.Commit("Ask for " + reference)
		s.repo.Push()
		eventually(t, "the refusal of "+reference, func() bool {
			list, err := s.api.Deployments(t.Context(), client.DeploymentFilter{Commit: sha})
			return err == nil && len(list.Items) > 0 && final(list.Items[0].Status) && list.Items[0].Status != "Completed"
		})
	}
	s.repo.Write("cart/staging.yaml", cartWith("refuse, login: {$secret: \"env:SLUICE_SECRET_CART\"}, apiKey: {$secret: \"vault:secret/cart#key\"}"))
	refused := s.repo.Commit("Have the check print all of it")
	s.repo.Push()
	eventually(t, "the refusal of the check", func() bool {
		list, err := s.api.Deployments(t.Context(), client.DeploymentFilter{Commit: refused})
		return err == nil && len(list.Items) > 0 && final(list.Items[0].Status) && list.Items[0].Status != "Completed"
	})
	vault.Fault(func(w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "no access for "+r.Header.Get("X-Vault-Token")+" to "+canaryVaultValue, http.StatusServiceUnavailable)
		return true
	})
	s.repo.Write("cart/staging.yaml", cartWith("later, apiKey: {$secret: \"vault:secret/cart#key\"}"))
	s.repo.Commit("While Vault is away")
	s.repo.Push()
	eventually(t, "the daemon to say that Vault is away", func() bool { return strings.Contains(s.logs(), "vault: the server answers 503") })
	vault.Fault(nil)
	cart.loads("later")
	for _, path := range []string{"/api/v1/configs/" + canaryPassword[:6], "/api/v1/instances/none/configs/cart.staging/0/data"} {
		resp, err := http.Get(s.url() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}

// giveByAPI keeps a profile with a sealed value, as its upload would.
func giveByAPI(t *testing.T, database, key string) {
	t.Helper()
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), store.Options{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	keys, err := secrets.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const name = "desk.staging"
	health := profile.DefaultHealth(profile.Staging)
	health.Enabled = false
	record := profile.Record{
		Name: name, Service: "desk", Environment: profile.Staging, Strategy: profile.DefaultStrategy(profile.Direct), Health: health, Origin: profile.OriginAPI,
	}
	if err := db.PutProfile(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	data, err := secrets.New(secrets.Options{Keys: keys, Boxes: db}).Seal(t.Context(), name, profile.Data{"pin": map[string]any{"type": "secret", "value": canarySealedValue}})
	if err != nil {
		t.Fatal(err)
	}
	v := profile.Version{Profile: name, Number: "1.0.0", Data: data, Hash: profile.Hash(data), ValidatedAt: db.Clock()}
	if err := db.InsertVersion(t.Context(), v); err != nil {
		t.Fatal(err)
	}
}

// dump is every row of every table.
func dump(t *testing.T, database string) map[string]string {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables := column(t, db, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
	if len(tables) < 20 {
		t.Fatalf("found %d tables", len(tables))
	}
	out := map[string]string{}
	for _, table := range tables {
		out["the table "+table] = strings.Join(column(t, db, `SELECT t::text FROM `+table+` t`), "\n")
	}
	return out
}

func column(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
