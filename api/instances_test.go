package api_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// events reads a stream's events of one name into a channel.
func (w *world) events(token, path, name string) <-chan string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), "GET", w.http.URL+"/api/v1"+path, http.NoBody)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req) //nolint:bodyclose // the goroutine below closes it
	w.must(err)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%s answered %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer resp.Body.Close()
		current := ""
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			line := lines.Text()
			if event, ok := strings.CutPrefix(line, "event: "); ok {
				current = event
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok && current == name {
				out <- data
			}
			if line == ": here" && name == "keep-alive" {
				out <- line
			}
		}
	}()
	return out
}

func (w *world) next(events <-chan string) string {
	w.t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			w.t.Fatal("the stream ended")
		}
		return e
	case <-time.After(20 * time.Second):
		w.t.Fatal("no event came")
		return ""
	}
}

// A stream lives longer than the server may take to read a request.
func TestAStreamOutlivesTheReadTimeout(t *testing.T) {
	t.Parallel()
	w := newWorldReading(t, 2*time.Second)
	one := w.register("one")
	alive := w.events(one.token, "/instances/"+one.id+"/watch", "keep-alive")
	for begun := time.Now(); time.Since(begun) < 3*time.Second; {
		w.next(alive)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	stream := w.events(one.token, "/instances/"+one.id+"/watch", "assignments")
	var set wire.Assignments
	w.must(json.Unmarshal([]byte(w.next(stream)), &set))
	if len(set.Assignments) != 0 {
		t.Errorf("assigned before anything was deployed: %+v", set)
	}
	d := w.deploy("1.0.0")
	w.must(json.Unmarshal([]byte(w.next(stream)), &set))
	if len(set.Assignments) != 1 {
		t.Fatalf("the stream brought %+v", set)
	}
	got := set.Assignments[0]
	sum := sha256.Sum256(got.Data)
	if got.Version != "1.0.0" || got.Generation < 1 || got.DeploymentID != d.ID || hex.EncodeToString(sum[:]) != got.Hash {
		t.Errorf("assigned %+v", got)
	}
	if !strings.Contains(string(got.Data), "hunter22") {
		t.Error("the instance's own delivery hides what the instance needs")
	}

	hint := w.events(one.token, "/instances/"+one.id+"/watch", "reconnect")
	w.api.Drain()
	if text := w.next(hint); !strings.Contains(text, "afterMillis") {
		t.Errorf("the last word is %s", text)
	}
}

// An instance that registers before its profile's first deployment has a
// generation; the first deployment's is above it.
func TestGenerationsRiseFromRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	w.complete("1.0.0") // nobody is there
	one := w.register("one")
	before := one.assigned().Assignments[0]
	w.deploy("1.0.1")
	w.until("the new version to be assigned", func() bool {
		now := one.assigned().Assignments[0]
		return now.Version == "1.0.1" && now.Generation > before.Generation
	})
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	path := "/instances/" + one.id + "/configs"
	first := w.want(w.call(one.token, "GET", path, nil), 200)
	tag := first.header.Get("ETag")
	w.want(w.call(one.token, "GET", path, nil, "If-None-Match", tag), 304)
	w.want(w.call(one.token, "GET", path, nil, "If-None-Match", tag, "Prefer", "respond-async, wait=1"), 304)
	answered := make(chan answer, 1)
	go func() { answered <- w.call(one.token, "GET", path, nil, "If-None-Match", tag, "Prefer", "wait=50") }()
	w.deploy("1.0.0")
	select {
	case got := <-answered:
		w.want(got, 200)
		if got.header.Get("ETag") == tag || !strings.Contains(string(got.body), `"1.0.0"`) {
			t.Errorf("the poll brought %s", got.body)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the poll was not answered when something changed")
	}
}

func TestLargeDataIsFetchedApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", profile.Data{"text": strings.Repeat("x", 40<<10)})
	one, other := w.register("one"), w.register("other")
	w.complete("1.0.0", one, other)
	got := one.assigned().Assignments[0]
	if got.Data != nil || got.URL == "" {
		t.Fatalf("%d bytes inline, URL %q", len(got.Data), got.URL)
	}
	body := w.want(w.call(one.token, "GET", strings.TrimPrefix(got.URL, "/api/v1"), nil), 200)
	if sum := sha256.Sum256(body.body); hex.EncodeToString(sum[:]) != got.Hash {
		t.Error("the data has another hash than was assigned")
	}
	w.want(w.call(other.token, "GET", strings.TrimPrefix(got.URL, "/api/v1"), nil), 404, "NOT_FOUND")
	w.want(w.call(one.token, "GET", "/instances/"+one.id+"/configs/"+name+"/00/data", nil), 404, "NOT_FOUND")
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	n := func(v uint64) *uint64 { return &v }
	f := func(v float64) *float64 { return &v }
	beat := func(h wire.Health) answer {
		return w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", wire.HeartbeatRequest{Health: h})
	}
	var out wire.HeartbeatResponse
	w.want(beat(wire.Health{Status: "Healthy", Requests: n(100), Errors: n(1), Latency: &wire.Histogram{Bounds: []float64{10, 100}, Counts: []uint64{90, 9, 1}}}), 200).into(t, &out)
	if out.NextHeartbeatMillis < 27_000 || out.NextHeartbeatMillis > 33_000 {
		t.Errorf("at rest the next heartbeat is in %d ms", out.NextHeartbeatMillis)
	}
	recorder := latencies(t, 5, 50)
	w.want(beat(wire.Health{Status: "Healthy", Requests: n(2), LatencySketch: recorder}), 200)
	w.want(beat(wire.Health{LatencySketch: recorder, Latency: &wire.Histogram{}}), 400, "VALIDATION_ERROR")
	if got := beat(wire.Health{LatencySketch: []byte("no sketch")}); got.status != 400 || !strings.Contains(string(got.body), `"field":"health.latencySketch"`) {
		t.Errorf("a broken sketch: %s", got.body)
	}
	d := w.deploy("1.0.0")
	w.reaches(d.ID, "InProgress")
	w.want(beat(wire.Health{}), 200).into(t, &out)
	if out.NextHeartbeatMillis != 5000 || len(out.Assignments) != 1 || out.Assignments[0].Data != nil {
		t.Fatalf("while a deployment runs: %+v", out)
	}
	// Whoever missed the stream finds the data where the heartbeat says.
	missed := w.want(w.call(one.token, "GET", strings.TrimPrefix(out.Assignments[0].URL, "/api/v1"), nil), 200)
	if sum := sha256.Sum256(missed.body); hex.EncodeToString(sum[:]) != out.Assignments[0].Hash {
		t.Errorf("the data is %s", missed.body)
	}
	for what, h := range map[string]wire.Health{
		"an unknown status":         {Status: "Fine"},
		"more errors than requests": {Requests: n(1), Errors: n(2)},
		"a negative rate":           {ErrorRate: f(-1)},
		"a broken histogram":        {Latency: &wire.Histogram{Bounds: []float64{2, 1}, Counts: []uint64{1, 1, 1}}},
	} {
		if got := beat(h); got.status != 400 {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	for what, body := range map[string]string{
		"a sketch that is no base64": `{"health":{"latencySketch":"!"}}`, "errors without requests": `{"health":{"errors":1}}`, "more than can be": `{"health":{"requests":18446744073709551615}}`,
		"a nameless metric": `{"health":{"customMetrics":{"":1}}}`, "a control character": `{"health":{"customMetrics":{"a\n":1}}}`,
		"a huge figure": `{"health":{"customMetrics":{"a":1e300}}}`, "no number": `{"health":{"p99Latency":1e999}}`,
	} {
		if got := w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", body); got.status != 400 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	// An instance of a later release says more than this server understands.
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", `{"health":{"status":"Unknown","mood":"good"},"since":1}`), 200)
	many := map[string]float64{}
	for i := range 65 {
		many[fmt.Sprint(i)] = 1
	}
	w.want(beat(wire.Health{CustomMetrics: many}), 400, "VALIDATION_ERROR")

	var list wire.Page[wire.Instance]
	w.want(w.admin("GET", "/instances?serviceName=payment-service&environment=Production&health=Unknown", nil), 200).into(t, &list)
	if list.Total != 1 || list.Items[0].Liveness != "Live" || len(list.Items[0].Configs) != 1 {
		t.Errorf("the list is %+v", list)
	}
	w.want(w.admin("GET", "/instances/"+one.id, nil), 200)
	w.want(w.call(one.token, "DELETE", "/instances/"+one.id, nil), 204)
	w.want(beat(wire.Health{}), 401, "UNAUTHORIZED")
	w.want(w.admin("GET", "/instances/"+one.id, nil), 404, "NOT_FOUND")
}

func TestApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	d := w.deploy("1.0.0")
	w.until("an assignment", func() bool { return len(one.assigned().Assignments) == 1 })
	a := one.assigned().Assignments[0]
	say := func(r wire.AppliedRequest) answer {
		return w.call(one.token, "POST", "/instances/"+one.id+"/applied", r)
	}
	good := wire.AppliedRequest{ConfigName: name, Version: a.Version, Hash: a.Hash, Generation: a.Generation, OK: true}
	wrong := good
	wrong.Hash = strings.Repeat("0", 64)
	w.want(say(wrong), 409, "CONFLICT")
	w.want(say(wire.AppliedRequest{}), 400, "VALIDATION_ERROR")
	w.want(say(wire.AppliedRequest{ConfigName: "no-such", Version: "1.0.0"}), 404, "NOT_FOUND")
	old := good
	old.Generation = 0
	w.want(say(old), 204) // heard, and of no weight
	if got := w.reaches(d.ID, "InProgress"); got.Progress.Applied != 0 {
		t.Errorf("an old acknowledgement counts: %+v", got.Progress)
	}
	refusal := good
	refusal.OK, refusal.Error = false, "the pool cannot be empty"
	w.want(say(refusal), 204)
	got := w.reaches(d.ID, "Failed") // there is no version to go back to
	if !strings.Contains(got.Explanation, "the pool cannot be empty") {
		t.Errorf("it failed with %q", got.Explanation)
	}
}

// What an instance ran while nobody was here is in the audit log, once.
func TestStartFromASnapshotIsNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	w.deploy("1.0.0")
	w.until("an assignment", func() bool { return len(one.assigned().Assignments) == 1 })
	a := one.assigned().Assignments[0]
	said := wire.AppliedRequest{ConfigName: name, Version: a.Version, Hash: a.Hash, Generation: a.Generation, OK: true,
		Snapshot: &wire.SnapshotStart{Version: strings.Repeat("9", 1000), WrittenAt: time.Unix(1_800_000_000, 0), StartedAt: time.Unix(1_800_003_600, 0)}}
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/applied", said), 400, "VALIDATION_ERROR")
	said.Snapshot.Version = "0.9.0"
	for range 3 {
		w.want(w.call(one.token, "POST", "/instances/"+one.id+"/applied", said), 204)
	}
	events, total, err := w.store.Audit(t.Context(), store.AuditFilter{EventType: api.FactSnapshotStart, EntityID: one.id})
	w.must(err)
	if total != 1 || events[0].Fact.Details["version"] != "0.9.0" || events[0].Fact.Details["startedAt"] != "2027-01-15T09:00:00Z" {
		t.Errorf("%d events: %+v", total, events)
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.version("2.0.0", profile.Data{"timeout": 5, "apiKey": "other-secret"})
	viewer := w.tokens[api.Viewer]
	var configs wire.Page[wire.Config]
	w.want(w.call(viewer, "GET", "/configs?environment=Production&held=false&limit=1", nil), 200).into(t, &configs)
	if configs.Total != 1 || configs.Items[0].VersionCount != 2 || configs.HasMore {
		t.Errorf("configs %+v", configs)
	}
	w.want(w.call(viewer, "GET", "/configs?held=perhaps", nil), 400, "VALIDATION_ERROR")
	w.want(w.call(viewer, "GET", "/configs?limit=-1", nil), 400, "VALIDATION_ERROR")
	w.want(w.call(viewer, "GET", "/configs/no-such", nil), 404, "NOT_FOUND")
	w.want(w.call(w.tokens[api.Developer], "PUT", "/configs/"+name, nil), 409, "MANAGED_BY_GIT")
	w.want(w.call(w.tokens[api.Developer], "POST", "/configs/"+name+"/versions", nil), 409, "MANAGED_BY_GIT")

	var versions wire.Page[wire.Version]
	w.want(w.call(viewer, "GET", "/configs/"+name+"/versions?limit=1", nil), 200).into(t, &versions)
	if versions.Total != 2 || versions.Items[0].Version != "2.0.0" || !versions.HasMore || *versions.NextOffset != 1 {
		t.Errorf("versions %+v", versions)
	}
	for _, path := range []string{"/configs/" + name + "/versions/1.0.0", "/configs/" + name + "/versions/1.0.0/diff/2.0.0"} {
		for _, accept := range []string{"application/json", "text/plain"} {
			got := w.want(w.call(viewer, "GET", path, nil, "Accept", accept), 200)
			if strings.Contains(string(got.body), "hunter22") || strings.Contains(string(got.body), "other-secret") {
				t.Errorf("%s shows a secret: %s", path, got.body)
			}
		}
	}
	var diff wire.DiffResponse
	w.want(w.call(viewer, "GET", "/configs/"+name+"/versions/1.0.0/diff/2.0.0", nil), 200).into(t, &diff)
	if !diff.IsBreakingChange || diff.Bump != "Major" && diff.Bump != "major" || len(diff.Diff.Modified) == 0 {
		t.Errorf("diff %+v", diff)
	}
	w.want(w.call(viewer, "GET", "/configs/"+name+"/versions/9.0.0", nil), 404, "NOT_FOUND")
	w.want(w.call(viewer, "GET", "/configs/no-such/versions", nil), 404, "NOT_FOUND")
	w.want(w.call(viewer, "GET", "/statuses/zzz", nil), 400, "VALIDATION_ERROR")
	w.want(w.call(viewer, "GET", "/statuses/0123456", nil), 404, "NOT_FOUND")
	w.want(w.call(w.tokens[api.Operator], "POST", "/sources/configs/sync", nil), 202)
	if id := <-w.synced; id != "configs" {
		t.Errorf("synced %s", id)
	}
	var asked wire.Page[wire.AuditEvent]
	w.want(w.call(viewer, "GET", "/audit?eventType=source.sync-asked", nil), 200).into(t, &asked)
	if asked.Total != 1 || asked.Items[0].User != "operator" || asked.Items[0].EntityID != "configs" {
		t.Errorf("the audit log says %+v", asked)
	}
	w.want(w.call(w.tokens[api.Operator], "POST", "/sources/no-such/sync", nil), 404, "NOT_FOUND")
	w.want(w.call(viewer, "GET", "/sources", nil), 200)
}

func TestAuditExports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("one")
	w.must(w.store.Record(t.Context(), fact("instance.looked-at", "instance", "=cmd()")))
	viewer := w.tokens[api.Viewer]
	csv := w.want(w.call(viewer, "GET", "/audit?entityType=instance", nil, "Accept", "text/csv"), 200)
	if lines := strings.Split(strings.TrimSpace(string(csv.body)), "\n"); len(lines) != 3 || !strings.Contains(lines[2], "instance.registered") || !strings.Contains(lines[1], ",'=cmd(),") {
		t.Errorf("csv is %s", csv.body)
	}
	nd := w.want(w.call(viewer, "GET", "/audit", nil, "Accept", "application/x-ndjson"), 200)
	for line := range strings.SplitSeq(strings.TrimSpace(string(nd.body)), "\n") {
		var e wire.AuditEvent
		w.must(json.Unmarshal([]byte(line), &e))
		if e.Hash == "" {
			t.Errorf("%s has no hash", line)
		}
	}
	w.want(w.call(viewer, "GET", "/audit?since=yesterday", nil), 400, "VALIDATION_ERROR")
	var page wire.Page[wire.AuditEvent]
	w.want(w.call(viewer, "GET", "/audit?since=2100-01-01T00:00:00Z", nil), 200).into(t, &page)
	if page.Total != 0 || page.Items == nil {
		t.Errorf("the future has %+v", page)
	}
}

// Whatever an instance sends is either refused as its mistake or a sample that
// can be counted with.
func FuzzHeartbeat(f *testing.F) {
	for _, seed := range []string{
		`{"health":{"status":"Healthy","requests":1}}`, `{"health":{"latency":{"bounds":[1],"counts":[1,2]}}}`, `{`, `[]`, `{"health":null}`,
		`{"health":{"requests":1e400}}`, `{"health":{"requests":18446744073709551615,"errors":18446744073709551615}}`,
		`{"health":{"latency":{"bounds":[1,1],"counts":[1,2,3]}}}`, `{"health":{"latency":{"bounds":[-1e308,1e308],"counts":[18446744073709551615,1,1]}}}`,
		`{"health":{"customMetrics":{"a":-1e308,"":0}}}`, `{"health":{"errorRate":-0.0,"p99Latency":1e13}}`, "\xff", strings.Repeat("[", 20_000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s, status, err := api.DecodeHeartbeat(body)
		if err != nil {
			if status < 400 || status > 499 {
				t.Errorf("%q is told as %d: %v", body, status, err)
			}
			return
		}
		figures := []*float64{s.ErrorRate, s.P99, s.CPU, s.Memory}
		for _, value := range s.Custom {
			figures = append(figures, &value)
		}
		for _, value := range figures {
			if value != nil && !(math.Abs(*value) <= 1e12) {
				t.Errorf("%q lets %g through", body, *value)
			}
		}
		if s.Errors > s.Requests || s.Requests+s.Errors < s.Requests || !s.Counted && s.Requests > 0 || s.Latency.Validate() != nil {
			t.Errorf("%q lets %+v through", body, s)
		}
		// What was taken can be stored and added up.
		if _, err := json.Marshal(fleet.Aggregate([]fleet.Sample{s, s})); err != nil {
			t.Errorf("%q cannot be added up: %v", body, err)
		}
	})
}

// latencies are a sketch of milliseconds, as instances send it.
func latencies(t *testing.T, ms ...float64) []byte {
	t.Helper()
	s, err := ddsketch.NewDefaultDDSketch(fleet.SketchAccuracy)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range ms {
		if err := s.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := proto.Marshal(s.ToProto())
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
