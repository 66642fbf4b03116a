package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
)

// counter is a fleet that Prometheus can scrape and Sluice can probe, each
// instance at an address of its own.
type counter struct {
	*fleet
	open atomic.Value // string: the version whose instances say shop_open
}

// openCounter makes n instances that serve and have not joined yet.
func openCounter(t *testing.T, n int) *counter {
	t.Helper()
	c := &counter{fleet: &fleet{}}
	c.open.Store("1.0.0")
	for i := range n {
		m := &member{name: fmt.Sprintf("127.0.1.%d", i+1)}
		listener, err := net.Listen("tcp", m.name+":0")
		if err != nil {
			t.Fatal(err)
		}
		m.port = listener.Addr().(*net.TCPAddr).Port
		server := httptest.NewUnstartedServer(c.serve(m))
		server.Listener.Close()
		server.Listener = listener
		server.Start()
		t.Cleanup(server.Close)
		c.members = append(c.members, m)
	}
	return c
}

func (c *counter) serve(m *member) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		now := m.now()
		fmt.Fprintf(w, "shop_backlog %d\n", now.values.Backlog)
		if now.version == c.open.Load() {
			fmt.Fprintf(w, "shop_open{version=%q} 1\n", now.version)
		}
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if m.now().values.Sick {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	return mux
}

// targets are the scrape configuration of the instances.
func (c *counter) targets() string {
	var addrs []string
	for _, m := range c.members {
		addrs = append(addrs, fmt.Sprintf("'%s:%d'", m.name, m.port))
	}
	return fmt.Sprintf("  - {job_name: shop, static_configs: [{targets: [%s]}]}\n", strings.Join(addrs, ", "))
}

// askingShop is the shop's profile whose gate asks somebody outside.
func askingShop(health, data string) string {
	return fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: shop
environment: Staging
strategy: {type: Canary, steps: [50, 100], progressDeadline: 10m, phaseInterval: 2s}
health: {checkInterval: 1s, errorRateThreshold: 5, %s}
data: {%s}
`, shop, health, data)
}

// performAsking sets a stage on which version 1.0.0 of the profile completed on
// four instances that serve.
func performAsking(t *testing.T, c *counter, content string, args ...string) *stage {
	t.Helper()
	s := empty(t, testenv.Binary(t), func(s *stage) {
		s.args = append(s.args, args...)
		s.first = s.commit("Open the shop", content)
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	c.join(ctx, t, s.url(), "shop", &running)
	s.fleet = c.fleet
	s.everywhere("1.0.0")
	s.concludes(s.first, "Completed")
	return s
}

// measured is one metric of a deployment's last verdict, if it has that.
func measured(d wire.Deployment, name string) (m wire.MetricCheck, ok bool) {
	if d.Verdict == nil {
		return m, false
	}
	i := slices.IndexFunc(d.Verdict.Metrics, func(m wire.MetricCheck) bool { return m.Name == name })
	if i < 0 {
		return m, false
	}
	return d.Verdict.Metrics[i], true
}

// check is one metric of a deployment's last verdict, which must have it.
func check(t *testing.T, d wire.Deployment, name string) wire.MetricCheck {
	t.Helper()
	m, ok := measured(d, name)
	if !ok {
		t.Fatalf("the verdict has no %s: %+v", name, d.Verdict)
	}
	return m
}

// touched counts the instances that ever ran a version.
func (s *stage) touched(version string) int {
	n := 0
	for _, m := range s.fleet.members {
		if slices.ContainsFunc(m.history(), func(e entry) bool { return e.version == version }) {
			n++
		}
	}
	return n
}

// What only Prometheus knows takes a canary back; on trial it changes nothing.
func TestPrometheusTakesACanaryBack(t *testing.T) {
	t.Parallel()
	c := openCounter(t, 4)
	prometheus := testenv.NewPrometheus(t, c.targets())
	metric := func(more string) string {
		return `metrics: [{name: backlog, query: 'max(shop_backlog{instance=~"{{updated}}:.*"})', max: 100` + more + `}]`
	}
	s := performAsking(t, c, askingShop(metric(", dryRun: true"), "backlog: 1"), "--prometheus-url", prometheus.URL())

	trial := strings.Replace(askingShop(metric(", dryRun: true"), "backlog: 500"), "phaseInterval: 2s", "phaseInterval: 2s, autoPromote: false", 1)
	tried := s.commit("Grow the backlog, on trial", trial)
	d := s.reaches(tried, "the trial to see the backlog, and the gate to pass", func(d wire.Deployment) bool {
		m, ok := measured(d, "backlog")
		return ok && d.Verdict.Outcome == "Pass" && m.Outcome == "Fail" && m.DryRun && m.Value != nil && *m.Value == 500
	})
	if _, err := s.api.Promote(t.Context(), d.ID, wire.PromoteRequest{All: true}); err != nil {
		t.Fatal(err)
	}
	s.concludes(tried, "Completed")

	bad := s.commit("Grow the backlog", askingShop(metric(""), "backlog: 600"))
	d = s.concludes(bad, "RolledBack")
	s.everywhere("1.0.1")
	m := check(t, d, "backlog")
	if m.Outcome != "Fail" || m.Value == nil || *m.Value < 500 || m.Threshold != 100 || m.N != 1 || m.Provider != "prometheus" {
		t.Errorf("the verdict says %+v", m)
	}
	if !strings.HasPrefix(m.Query, `max(shop_backlog{instance=~"(?:127[.]0[.]1[.]`) || strings.Count(m.Query, "|") != 1 {
		t.Errorf("the query as sent is %s", m.Query)
	}
	if n := s.touched(d.ConfigVersion); n != 2 {
		t.Errorf("%d instances ran it, want 2 of 4", n)
	}
	if c := s.status(bad, "sluice/"+shop); c.State != "failure" || !strings.Contains(c.Description, "backlog is ") || !strings.Contains(c.Description, ", above 100") {
		t.Errorf("the commit says %s: %s", c.State, c.Description)
	}
}

// A Prometheus that stops or hangs in mid-phase holds the deployment, and nobody
// else; when it is back the deployment goes on.
func TestPrometheusStopsInMidPhase(t *testing.T) {
	t.Parallel()
	c := openCounter(t, 4)
	prometheus := testenv.NewPrometheus(t, c.targets())
	const asks = `metrics: [{name: open, query: 'min(shop_open{version="{{version}}"})', min: 1}]`
	s := performAsking(t, c, askingShop(asks, "backlog: 1"), "--prometheus-url", prometheus.URL(), "--prometheus-timeout", "500ms")

	// No instance of it says yet that it is open, so the phase lasts.
	next := s.commit("Open wider", askingShop(asks, "backlog: 2"))
	says := func(outcome, reason string) wire.Deployment {
		t.Helper()
		return s.reaches(next, "the gate to say "+outcome, func(d wire.Deployment) bool {
			return d.Awaiting == "Evidence" && d.Verdict != nil && d.Verdict.Outcome == outcome && strings.Contains(d.Verdict.Reason, reason)
		})
	}
	says("Inconclusive", "no series")
	prometheus.Kill(t)
	d := says("Error", "open: Prometheus: connection refused")
	eventually(t, "three more checks without an answer", func() bool {
		health, err := s.api.DeploymentHealth(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		errors := 0
		for _, check := range health.Checks {
			if check.Verdict.Outcome == "Error" {
				errors++
			}
		}
		return errors > 3
	})
	if d = says("Error", "connection refused"); d.Status != "InProgress" || d.Phase != 1 || s.touched("1.0.1") != 2 {
		t.Errorf("it is %s in phase %d, on %d instances", d.Status, d.Phase, s.touched("1.0.1"))
	}
	if s.metric(`sluice_gate_measure_errors_total{provider="prometheus"}`) < 3 || !s.ready() {
		t.Error("the metrics do not tell, or the daemon is not ready")
	}

	prometheus.Start(t)
	says("Inconclusive", "no series")
	prometheus.Freeze(t)
	says("Error", "no answer within 500ms")
	s.repo.Write("till/staging.yaml", strings.NewReplacer(shop, "till.staging", "service: shop", "service: till").Replace(shopWith(automatic, "greeting: hello")))
	other := s.repo.Commit("Open the till")
	s.repo.Push()
	tills := join(t, s.url(), "till", 2)
	eventually(t, "the till to run while Prometheus hangs", func() bool { return tills.running("1.0.0") == 2 })
	if st := s.status(other, "sluice/till.staging"); st.State != "success" {
		t.Errorf("the till's commit says %s: %s", st.State, st.Description)
	}
	says("Error", "no answer within 500ms")
	prometheus.Thaw(t)
	c.open.Store("1.0.1")
	s.concludes(next, "Completed")

	// Who orders a rollback does not wait for Prometheus either.
	last := s.commit("Open wider still", askingShop(asks, "backlog: 3"))
	s.reaches(last, "the gate to check", func(d wire.Deployment) bool { return d.Verdict != nil && d.Awaiting == "Evidence" })
	prometheus.Freeze(t)
	if _, err := s.api.RollbackDeployment(t.Context(), s.deployed(last).ID, "the shop is too wide"); err != nil {
		t.Fatal(err)
	}
	s.everywhere("1.0.1")
	s.concludes(last, "RolledBack")
}

// judge is a webhook gate whose word the test decides.
type judge struct {
	mu   sync.Mutex
	word string
	sent map[string]any
	seen http.Header
}

func (j *judge) says(word string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.word = word
}

func (j *judge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sent, j.seen = map[string]any{}, r.Header
	if err := json.NewDecoder(r.Body).Decode(&j.sent); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, `{"result": %q, "reason": "as the judge thinks"}`, j.word)
}

// A webhook holds a phase, lets it go on and takes it back; a probe catches
// what only the instance's endpoint says.
func TestWebhookAndProbesJudge(t *testing.T) {
	t.Parallel()
	j := &judge{word: "pass"}
	server := httptest.NewServer(j)
	t.Cleanup(server.Close)
	const secretPath = "/hooks/canary-path-77aa"
	conf := filepath.Join(t.TempDir(), "sluice.yaml")
	content := fmt.Sprintf("gates:\n  - {name: smoke-tests, url: '%s%s', secret: canary-secret-of-the-smoke-tests-5f1e0c}\n", server.URL, secretPath)
	if err := os.WriteFile(conf, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	const asks = `endpoint: /healthz, metrics: [{name: smoke, provider: webhook, query: smoke-tests}]`
	c := openCounter(t, 4)
	s := performAsking(t, c, askingShop(asks, "greeting: hello"), "--config", conf, "--allow-insecure-http", "--probe-networks", "127.0.0.0/8")

	j.says("wait")
	good := s.commit("Greet better", askingShop(asks, "greeting: good morning"))
	d := s.reaches(good, "the gate to wait for the webhook", func(d wire.Deployment) bool {
		return d.Awaiting == "Evidence" && d.Verdict.Reason == "smoke says wait: as the judge thinks"
	})
	if d.Phase != 1 || s.touched("1.0.1") != 2 {
		t.Errorf("while it waits it is in phase %d on %d instances", d.Phase, s.touched("1.0.1"))
	}
	j.says("pass")
	d = s.concludes(good, "Completed")
	if m := check(t, d, "probes"); m.Outcome != "Pass" || m.N != 4 || m.Query != "/healthz" {
		t.Errorf("the probes say %+v", m)
	}
	j.mu.Lock()
	if j.sent["deployment"] != d.ID || j.sent["profile"] != shop || j.sent["version"] != "1.0.1" || j.sent["commit"] != good ||
		j.seen.Get("Webhook-Signature") == "" || !strings.Contains(j.seen.Get("Webhook-Id"), d.ID) {
		t.Errorf("the gate was asked %v with %v", j.sent, j.seen)
	}
	j.mu.Unlock()

	sick := s.commit("Greet until it hurts", askingShop(asks, "greeting: hey, sick: true"))
	d = s.concludes(sick, "RolledBack")
	if m := check(t, d, "probes"); m.Outcome != "Fail" || m.Value == nil || *m.Value != 100 || m.ControlN == 0 ||
		!strings.Contains(m.Reason, "instances fail their probe: 127.0.1.") || !strings.Contains(m.Reason, ": answered 500, control 0.0%, threshold 10%") {
		t.Errorf("the probes say %+v", m)
	}

	j.says("fail")
	refused := s.commit("Greet the judge", askingShop(asks, "greeting: your honour"))
	d = s.concludes(refused, "RolledBack")
	s.everywhere("1.0.1")
	if d.RollbackReason != "smoke says fail: as the judge thinks" || s.touched(d.ConfigVersion) != 2 {
		t.Errorf("rolled back because of %q, on %d instances", d.RollbackReason, s.touched(d.ConfigVersion))
	}

	// What the server does not know is refused when it is merged, and says the way out.
	unknown := s.commit("Ask somebody else", askingShop(`metrics: [{name: m, query: up, min: 1}]`, "greeting: hm"))
	if st := s.status(unknown, "sluice/"+shop); st.State != "failure" || !strings.Contains(st.Description, "prometheus") {
		t.Errorf("the commit says %s: %s", st.State, st.Description)
	}
	if logs := s.logs(); strings.Contains(logs, secretPath) || strings.Contains(logs, "canary-secret-of") {
		t.Error("the log tells where the gate is, or its secret")
	}
}
