package e2e_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/fakeforge"
	"github.com/sluicehq/sluice/internal/testenv"
)

// watched is a workshop whose daemon has PostgreSQL and Redis, tells a collector
// of its spans, and is scraped by a Prometheus.
type watched struct {
	*workshop
	prometheus *testenv.Prometheus
	collector  *testenv.Collector
}

// openWatched sets the stage. Prometheus scrapes from the start on: what counts
// begins at 0 for it.
func openWatched(t *testing.T) *watched {
	t.Helper()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{})
	f.Allow("ann", "write")
	s := &stage{t: t, scene: scene{t: t, repo: f.Repo, fleet: &fleet{}}}
	s.first = s.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	s.database = testenv.NewPostgres(t).CreateDatabase(t, "")
	collector := testenv.StartCollector(t)
	s.daemon = newDaemon(t, testenv.Binary(t), "--database-url", s.database, "--migrate=true", "--redis-url", testenv.NewRedis(t).URL())
	s.env = collector.Env()
	s.settings = forgeSettings(t, fakeforge.GitHub, f, s.url())
	s.args = append(s.args, s.sourceArgs()...)
	w := &watched{
		workshop: &workshop{stage: s, t: t, forge: f, kind: fakeforge.GitHub, doors: s.url}, collector: collector,
		prometheus: testenv.NewPrometheus(t, fmt.Sprintf("  - {job_name: sluice, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: [%q]}]}\n", s.addr),
			"--enable-feature=exemplar-storage"),
	}
	s.start()
	s.api = s.signIn()
	s.fleet = join(t, s.url(), "shop", members)
	s.everywhere("1.0.0")
	s.concludes(s.first, "Completed")
	return w
}

// sample is one series of an answer, at one time.
type sample struct {
	labels map[string]string
	value  float64
}

// asks runs a query now.
func (w *watched) asks(query string) []sample {
	w.t.Helper()
	var answer struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
	w.read("/api/v1/query", url.Values{"query": {query}}, &answer)
	var out []sample
	for _, r := range answer.Result {
		var value float64
		if _, err := fmt.Sscan(fmt.Sprint(r.Value[1]), &value); err != nil {
			w.t.Fatalf("%s: %v", query, err)
		}
		out = append(out, sample{r.Metric, value})
	}
	return out
}

// read asks Prometheus by its API; what it says is wrong ends the test.
func (w *watched) read(path string, form url.Values, data any) {
	w.t.Helper()
	resp, err := http.PostForm(w.prometheus.URL()+path, form)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	if answer.Status != "success" {
		w.t.Fatalf("%s %v: %s", path, form, answer.Error)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		w.t.Fatal(err)
	}
}

// perform has one of everything that figures tell of: a change that goes well
// after its check, one that is refused as a file, one that waits until another
// takes its place, one that is taken back, a version by API, and requests that are answered, refused and never meant.
func (w *watched) perform() {
	w.t.Helper()
	// The next one that takes as long leaves its trace in the place of the first one's.
	eventually(w.t, "Prometheus to have seen the first deployment", func() bool {
		return len(w.asks(`sluice_deployment_duration_seconds_count >= 1`)) > 0
	})
	n := w.proposes("ann", "greet", "Greet better", shopWith(automatic, "greeting: servus"))
	w.shown(w.forge.Pull(n).Head, "sluice/check", "success")
	w.concludes(w.merges(n), "Completed")
	broken := strings.Replace(shopWith(automatic, "greeting: hello"), shop, "broken.staging", 1) + "unknown: field\n"
	w.forge.PushBranch("break", "ann", map[string]*string{"broken.yaml": &broken})
	w.shown(w.merges(w.forge.Open("break", "Break", "ann")), "sluice/broken.staging", "failure")
	n = w.proposes("ann", "wait", "Wait for somebody", shopWith(byHand, "greeting: moin"))
	waits := w.merges(n)
	w.reaches(waits, "InProgress", func(d wire.Deployment) bool { return d.Status == "InProgress" })
	n = w.proposes("ann", "hurt", "Fail a lot", shopWith(automatic, "greeting: servus, failing: 60"))
	bad := w.merges(n)
	w.concludes(bad, "RolledBack")
	w.shown(bad, "sluice/"+shop, "failure")
	w.concludes(waits, "Superseded")
	ctx := w.t.Context()
	if _, err := w.api.CreateConfig(ctx, wire.CreateConfigRequest{Name: "till.staging", Environment: "Staging"}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.api.UploadVersion(ctx, "till.staging", wire.UploadRequest{ConfigData: json.RawMessage(`{"drawer": 1}`)}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.api.Config(w.t.Context(), "nobody.staging"); err == nil {
		w.t.Error("there is a profile that there is not")
	}
	if status := deliver(w.t, w.url(), "push", "forged", "{}", "no secret at all, but long enough"); status == http.StatusAccepted {
		w.t.Error("a forged webhook was taken")
	}
}

// TestWatching performs what figures tell of, and looks at it as its watchers do.
func TestWatching(t *testing.T) {
	t.Parallel()
	w := openWatched(t)
	w.perform()
	traced := w.request("/openapi.json")
	// Twice, so that there is a rate of what came last.
	eventually(t, "Prometheus to have seen all of it", func() bool {
		return len(w.asks(`sluice_holds == 1 and on () sluice_configs == 2 and on () sluice_rollback_duration_seconds_count == 1
			and on () count_over_time(sluice_http_request_duration_seconds_count{route="/openapi.json"}[1m]) >= 2`)) > 0
	})
	w.figures()
	w.dashboard()
	w.rules()
	w.exemplars(traced)
	w.spans()
	w.listed()
}

// request reads something that is open to all and returns the trace that its answer names.
func (w *watched) request(path string) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url()+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %s", path, resp.Status)
	}
	return resp.Header.Get("X-Trace-Id")
}

// figures are what the contract promises, each with a value that fits what
// happened: four deployments of a canary over ten instances, of which one was superseded.
func (w *watched) figures() {
	w.t.Helper()
	for query, want := range map[string]func(float64) bool{
		`sluice_configs`: is(2), `sluice_holds`: is(1), `sluice_outbox_pending`: atLeast(0), `sluice_deployments_in_progress`: is(0),
		`sluice_config_versions_total{source="configs"}`: is(4), `sluice_config_versions_total{source=""}`: is(1),
		`sluice_deployments_total{strategy="Canary",status="Completed"}`:                         is(2),
		`sluice_deployments_total{strategy="Canary",status="RolledBack"}`:                        is(1),
		`sluice_deployments_total{strategy="Canary",status="Superseded"}`:                        is(1),
		`sluice_rollbacks_total{trigger="gate"}`:                                                 is(1),
		`sluice_rollbacks_total{trigger="person"}`:                                               is(0),
		`sluice_config_validation_failures_total{source="configs"}`:                              is(1),
		`sluice_deployment_duration_seconds_count`:                                               is(3),
		`sluice_rollback_duration_seconds_count`:                                                 is(1),
		`sluice_config_reload_duration_seconds_count`:                                            atLeast(2 * members),
		`sluice_propagation_seconds_count`:                                                       atLeast(2 * members),
		`sluice_propagation_seconds_sum / sluice_propagation_seconds_count`:                      between(0, 60),
		`sluice_validation_duration_seconds_count`:                                               atLeast(3),
		`sluice_instances{status="Healthy"}`:                                                     is(members),
		`sluice_instances{status="Unhealthy"}`:                                                   is(0),
		`sluice_source_sync_duration_seconds_count{source="configs",outcome="ok"}`:               atLeast(3),
		`sluice_source_lag_seconds{source="configs"}`:                                            is(0),
		`sluice_git_fetch_duration_seconds_count{outcome="ok"}`:                                  atLeast(3),
		`sluice_watch_streams`:                                                                   is(members),
		`sluice_ready`:                                                                           is(1),
		`sluice_database_up`:                                                                     is(1),
		`sluice_redis_up`:                                                                        is(1),
		`sum(sluice_redis_command_duration_seconds_count)`:                                       atLeast(1),
		`sum(sluice_redis_pool_connections)`:                                                     atLeast(1),
		`count(go_sql_open_connections)`:                                                         is(6),
		`sum(sluice_outbox_attempt_duration_seconds_count{outcome="sent"})`:                      atLeast(3),
		`sum(sluice_engine_step_duration_seconds_count)`:                                         atLeast(3),
		`sluice_heartbeat_batch_size_sum`:                                                        atLeast(members),
		`sum(sluice_webhook_deliveries_total{outcome="accepted"})`:                               atLeast(2),
		`sum(sluice_forge_requests_total{outcome="ok"})`:                                         atLeast(1),
		`sluice_http_requests_in_flight`:                                                         atLeast(members),
		`process_resident_memory_bytes{job="sluice"}`:                                            atLeast(1 << 20),
		`go_goroutines{job="sluice"}`:                                                            atLeast(members),
		`sluice_http_request_duration_seconds_count{route="/api/v1/configs/:name",status="404"}`: atLeast(1),
	} {
		got := w.asks(query)
		if len(got) != 1 || !want(got[0].value) {
			w.t.Errorf("%s is %v", query, got)
		}
	}
}

func is(n float64) func(float64) bool      { return between(n, n) }
func atLeast(n float64) func(float64) bool { return between(n, math.Inf(1)) }

func between(least, most float64) func(float64) bool {
	return func(v float64) bool { return v >= least && v <= most }
}

// window is what the dashboard's and the rules' windows become: as long as the
// scene at the most.
var window = strings.NewReplacer("$__rate_interval", "5m", "$__range", "5m", `"$instance"`, `".*"`)

// dashboard runs every query of the dashboard: none comes back empty.
func (w *watched) dashboard() {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana", "dashboards", "sluice.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		w.t.Fatal(err)
	}
	queries := 0
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			queries++
			w.answers(p.Title, window.Replace(q.Expr))
		}
	}
	if queries < 50 {
		w.t.Errorf("the dashboard has %d queries", queries)
	}
}

// rules runs every recording rule, which must say something, and every alert,
// which must be able to.
func (w *watched) rules() {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "prometheus", "rules", "sluice.rules.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		w.t.Fatal(err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				w.answers(r.Record, r.Expr)
				continue
			}
			w.asks(r.Expr)
		}
	}
}

// answers runs a query that must come back with figures, and shows them.
func (w *watched) answers(title, query string) {
	w.t.Helper()
	samples := w.asks(query)
	figures := slices.ContainsFunc(samples, func(s sample) bool { return !math.IsNaN(s.value) })
	if !figures {
		w.t.Errorf("%s comes back without a figure: %s", title, query)
	}
	shown := make([]string, 0, len(samples))
	for _, s := range samples {
		label := ""
		for _, name := range []string{"status", "state", "strategy", "trigger", "outcome", "kind", "source", "route", "command", "db_name", "awaiting"} {
			if v := s.labels[name]; v != "" {
				label += v + " "
			}
		}
		shown = append(shown, fmt.Sprintf("%s%.4g", label, s.value))
	}
	slices.Sort(shown)
	if len(shown) > 6 {
		shown = append(shown[:6], fmt.Sprintf("and %d more", len(shown)-6))
	}
	w.t.Logf("%-32s %s\n    %s", title, strings.Join(shown, ", "), regexp.MustCompile(`\s+`).ReplaceAllString(query, " "))
}

// exemplars lead from the figures to the traces of what they were measured on.
func (w *watched) exemplars(traced string) {
	w.t.Helper()
	if !w.leadsTo(`sluice_http_request_duration_seconds_bucket{route="/openapi.json"}`, traced) {
		w.t.Errorf("no exemplar leads to the request's trace %s", traced)
	}
	d := w.deployed(w.first)
	for _, metric := range []string{
		"sluice_config_reload_duration_seconds", "sluice_propagation_seconds", "sluice_rollback_duration_seconds", "sluice_validation_duration_seconds",
		"sluice_source_sync_duration_seconds", "sluice_git_fetch_duration_seconds",
	} {
		if got := w.traces(metric + "_bucket"); len(got) == 0 {
			w.t.Errorf("%s has no exemplar", metric)
		}
	}
	if d.TraceID == "" || !w.leadsTo("sluice_deployment_duration_seconds_bucket", d.TraceID) {
		w.t.Errorf("no exemplar leads to the first deployment's trace %q", d.TraceID)
	}
	w.collector.Wait(w.t, "spans of the traces that exemplars lead to", func(all []testenv.Span) bool {
		return slices.ContainsFunc(all, func(s testenv.Span) bool { return s.Trace == traced }) &&
			slices.ContainsFunc(all, func(s testenv.Span) bool { return s.Trace == d.TraceID })
	})
}

// spans are of each kind that docs/tracing.md promises, and stand where it says.
func (w *watched) spans() {
	w.t.Helper()
	below := map[string]string{
		"config.create": "", "config.version.upload": "", "config.validate": "", "config.deploy": "source.sync", "config.deploy.instance": "config.deploy",
		"config.push": "config.deploy.instance", "config.health.check": "config.deploy", "config.complete": "config.deploy", "config.rollback": "config.deploy",
	}
	w.collector.Wait(w.t, "span of each kind below the one that it belongs to", func(all []testenv.Span) bool {
		names, found := map[string]string{}, map[string]bool{}
		for _, s := range all {
			names[s.Trace+s.ID] = s.Name
		}
		for _, s := range all {
			if parent, ok := below[s.Name]; ok && (parent == "" || names[s.Trace+s.Parent] == parent) {
				found[s.Name] = true
			}
		}
		return len(found) == len(below)
	})
}

func (w *watched) leadsTo(query, trace string) bool {
	w.t.Helper()
	return slices.Contains(w.traces(query), trace)
}

// traces are those that the exemplars of a series lead to.
func (w *watched) traces(query string) (ids []string) {
	w.t.Helper()
	var found []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	now := time.Now()
	w.read("/api/v1/query_exemplars", url.Values{
		"query": {query}, "start": {fmt.Sprint(now.Add(-time.Hour).Unix())}, "end": {fmt.Sprint(now.Add(time.Minute).Unix())},
	}, &found)
	for _, series := range found {
		for _, e := range series.Exemplars {
			ids = append(ids, e.Labels["trace_id"])
		}
	}
	return ids
}
