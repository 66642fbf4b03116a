package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/store"
)

const (
	forgeSecret = "canary-webhook-secret-0123456789abcdef"
	otherSecret = "canary-other-webhook-secret-0123456789"
	forgeToken  = "canary-forge-token-4411aa90"
)

// deadForge is the forge of a source: nobody listens there.
func deadForge(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("http://127.0.0.1:%d", testenv.FreePort(t))
}

// hooked writes a settings file in which the source "hooked" at url is of a
// forge that is dead, with webhooks, and is polled at an interval; the argument
// for it.
func hooked(t *testing.T, url, poll, more string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"token": forgeToken, "secrets": otherSecret + "\n" + forgeSecret,
		"sluice.yaml": fmt.Sprintf(`allow_file_urls: true
allow_insecure_http: true
sources:
  - id: hooked
    url: %s
    poll_interval: %s
    forge: {type: gitea, url: "%s", repository: acme/configs, token_file: %s/token, webhook_secrets_file: %s/secrets}
%s`, url, poll, deadForge(t), dir, dir, more),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "--config=" + filepath.Join(dir, "sluice.yaml")
}

// hookStage is a daemon with a source as hooked says, that has one profile.
func hookStage(t *testing.T, program, poll, more string) *stage {
	t.Helper()
	s := &stage{t: t, scene: newScene(t)}
	s.daemon = newDaemon(t, program, hooked(t, s.repo.Bare, poll, more))
	s.database = filepath.Join(s.data, "sluice.db")
	s.first = s.commit("Open the shop", direct("hello"))
	s.start()
	s.api = s.signIn()
	s.concludes(s.first, "Completed")
	return s
}

// direct is the shop's profile, deployed at once.
func direct(greeting string) string {
	return strings.Replace(named(shop), "hello", greeting, 1)
}

// pushBody is a push as Gitea tells of it.
func pushBody(repository, ref, after string) string {
	return fmt.Sprintf(`{"ref":%q,"after":%q,"repository":{"full_name":%q}}`, ref, after, repository)
}

// deliver posts a webhook as Gitea does; 0 when nobody answered.
func deliver(t *testing.T, server, event, id, body, secret string) int {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return post(t, server+"/webhooks/gitea", body, map[string]string{
		"X-Gitea-Event": event, "X-Gitea-Delivery": id, "X-Gitea-Signature": hex.EncodeToString(mac.Sum(nil)),
	})
}

func post(t *testing.T, url, body string, headers map[string]string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	resp, err := hookClient.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body) //nolint:errcheck // so that the connection is used again
	return resp.StatusCode
}

// hookClient keeps as many connections as a flood takes.
var hookClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}

// pushed delivers a push of the branch main.
func (s *stage) pushed(id, after string) int {
	s.t.Helper()
	return deliver(s.t, s.url(), "push", id, pushBody("acme/configs", "refs/heads/main", after), forgeSecret)
}

// hookRows counts what is kept of webhooks.
func hookRows(t *testing.T, driver, dsn, where string) (n int) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM webhook_deliveries WHERE `+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Each source is polled once an hour: it is the webhook that makes it be looked
// at, and nothing else that looks like one.
func TestAWebhookWakesItsSource(t *testing.T) {
	t.Parallel()
	plain := testenv.NewRepo(t)
	plain.Write("cart.yaml", named("cart.staging"))
	plain.Commit("Open the cart")
	plain.Push()
	s := hookStage(t, testenv.Binary(t), "1h", fmt.Sprintf(`  - {id: plain, url: "%s", poll_interval: 1h, forge: {webhook_secrets: %s}}
`, plain.Bare, forgeSecret))

	one := s.commit("Greet", direct("servus"))
	for what, status := range map[string][2]int{
		"an unsigned one":     {post(t, s.url()+"/webhooks/gitea", pushBody("acme/configs", "refs/heads/main", one), nil), 401},
		"a wrong secret":      {deliver(t, s.url(), "push", "x1", pushBody("acme/configs", "refs/heads/main", one), "wrong"), 401},
		"another branch":      {deliver(t, s.url(), "push", "x2", pushBody("acme/configs", "refs/heads/other", one), forgeSecret), 202},
		"a tag":               {deliver(t, s.url(), "push", "x3", pushBody("acme/configs", "refs/tags/main", one), forgeSecret), 202},
		"another repository":  {deliver(t, s.url(), "push", "x4", pushBody("acme/other", "refs/heads/main", one), forgeSecret), 202},
		"an unknown event":    {deliver(t, s.url(), "wiki", "x5", pushBody("acme/configs", "refs/heads/main", one), forgeSecret), 202},
		"one of another kind": {post(t, s.url()+"/webhooks/github", pushBody("acme/configs", "refs/heads/main", one), nil), 401},
		"one of no kind":      {post(t, s.url()+"/webhooks/cvs", "{}", nil), 404},
	} {
		if status[0] != status[1] {
			t.Errorf("%s is answered %d, want %d", what, status[0], status[1])
		}
	}
	syncs := `sluice_source_sync_duration_seconds_count{outcome="ok",source="hooked"}`
	before := s.metric(syncs)
	if status := s.pushed("d1", one); status != http.StatusAccepted {
		t.Fatalf("the push is answered %d", status)
	}
	s.concludes(one, "Completed")
	if n := s.metric(syncs) - before; n < 1 || n > 2 {
		t.Errorf("it made %v syncs", n)
	}

	plain.Write("cart.yaml", strings.Replace(named("cart.staging"), "hello", "servus", 1))
	two := plain.Commit("Greet in the cart")
	plain.Push()
	headers := http.Header{}
	body := []byte(`{"source":"plain"}`)
	signature.Sign(headers, []byte(forgeSecret), "m1", time.Now(), body)
	if status := post(t, s.url()+"/webhooks/generic", string(body), flat(headers)); status != http.StatusAccepted {
		t.Fatalf("the generic webhook is answered %d", status)
	}
	eventually(t, "the commit of the plain source to be deployed", func() bool {
		page, err := s.api.Deployments(t.Context(), client.DeploymentFilter{Commit: two})
		return err == nil && len(page.Items) == 1
	})

	metrics := s.get("/metrics")
	s.stop()
	if n := hookRows(t, "sqlite", s.database, "source_id = 'hooked'"); n != 4 {
		t.Errorf("%d webhooks are kept, want the signed ones of the repository: 4", n)
	}
	dump, err := os.ReadFile(s.database)
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{forgeSecret, otherSecret, forgeToken} {
		if strings.Contains(s.logs(), canary) || strings.Contains(metrics, canary) || bytes.Contains(dump, []byte(canary)) {
			t.Errorf("%s is in the log, the metrics or the database", canary)
		}
	}
}

func flat(h http.Header) map[string]string {
	out := map[string]string{}
	for name := range h {
		out[name] = h.Get(name)
	}
	return out
}

// Whatever becomes of webhooks, polling finds what was merged.
func TestAllWebhooksAreLost(t *testing.T) {
	t.Parallel()
	s := hookStage(t, testenv.Binary(t), "300ms", "")
	one := s.commit("Greet", direct("servus"))
	s.concludes(one, "Completed")
	if n := s.metric(`sluice_webhook_deliveries_total{forge="gitea",outcome="accepted"}`); n > 0 {
		t.Errorf("%v webhooks came", n)
	}
}

// K1 and K2 at the door: killed before a webhook is kept the sender gets no 2xx;
// killed after that, sending it again does nothing.
func TestKilledAtTheDoor(t *testing.T) {
	t.Parallel()
	s := hookStage(t, testenv.CrashingBinary(t), "1h", "")
	s.stop()
	commits := map[string]string{}
	for point, kept := range map[string]int{"K1-webhook": 0, "K2": 1} {
		// The source is at its head when the webhook comes, and nothing but that brings it on.
		s.start("SLUICE_FAILPOINT=" + point)
		eventually(t, "the first look at the source", func() bool {
			return s.metric(`sluice_source_sync_duration_seconds_count{outcome="ok",source="hooked"}`) >= 1
		})
		commits[point] = s.commit("Greet with "+point, direct(point))
		if status := s.pushed("d-"+point, commits[point]); status != 0 {
			t.Errorf("killed at %s, the daemon answered %d", point, status)
		}
		s.killedItself()
		s.offline(func(*store.Store) {})
		if n := hookRows(t, "sqlite", s.database, "delivery_id = 'd-"+point+"'"); n != kept {
			t.Errorf("killed at %s, it kept %d webhooks, want %d", point, n, kept)
		}
		s.start()
		s.concludes(commits[point], "Completed")
		if status := s.pushed("d-"+point, commits[point]); status != http.StatusAccepted {
			t.Errorf("after %s, sending it again is answered %d", point, status)
		}
		outcome := map[int]string{0: "accepted", 1: "duplicate"}[kept]
		if n := s.metric(`sluice_webhook_deliveries_total{forge="gitea",outcome="` + outcome + `"}`); n != 1 {
			t.Errorf("after %s, sending it again is not %s", point, outcome)
		}
		s.stop()
	}
	s.start()
	for point, commit := range commits {
		if n := len(s.deployments(client.DeploymentFilter{Commit: commit})); n != 1 {
			t.Errorf("the commit of %s was deployed %d times", point, n)
		}
	}
}

// Bodies of 5 GB, without an end, of the largest size that is read, and slow
// ones, all at once and none of them signed: the daemon's memory hardly grows.
func TestHostileBodiesTakeNoMemory(t *testing.T) {
	t.Parallel()
	s := hookStage(t, testenv.Binary(t), "1h", "")
	before := s.memory()
	var group sync.WaitGroup
	statuses := make(chan int, 100)
	send := func(length int64, body io.Reader) {
		group.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url()+"/webhooks/gitea", body)
			if err != nil {
				t.Error(err)
				return
			}
			r.ContentLength = length
			r.Header.Set("Content-Type", "application/json")
			resp, err := hookClient.Do(r)
			if err != nil {
				return // it was cut before all was sent
			}
			defer resp.Body.Close()
			statuses <- resp.StatusCode
		})
	}
	const most = 5 << 20
	for range 10 {
		send(5<<30, io.LimitReader(spaces{}, 5<<30))
		send(-1, spaces{})
		send(most, io.LimitReader(spaces{}, most))
	}
	group.Wait()
	close(statuses)
	seen := map[int]bool{}
	for status := range statuses {
		seen[status] = true
		if !slices.Contains([]int{401, 408, 413, 429, 503}, status) {
			t.Errorf("one is answered %d", status)
		}
	}
	if !seen[413] || !seen[401] && !seen[408] {
		t.Errorf("answers were %v, want some that were too large, and some that were read", seen)
	}
	grown := s.memory() - before
	t.Logf("the most memory that it had grew by %d KiB", grown)
	if grown > 50<<10 {
		t.Errorf("its memory grew by %d KiB, want less than 50 MiB", grown)
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// memory is the most that the daemon ever took, in KiB. It does not count what a
// race detector takes beside it.
func (d *daemon) memory() int {
	d.t.Helper()
	return int(d.metric("go_memstats_sys_bytes")) >> 10
}
