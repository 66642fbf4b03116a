package api_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
)

// Whoever saw something else than what is there changes nothing.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.want(w.developer("POST", "/configs", `{"name": "`+mine+`", "environment": "Development"}`, "If-None-Match", "*"), 201)
	config, versions := "/configs/"+mine, "/configs/"+mine+"/versions"
	first := made.header.Get("ETag")
	if got := made.header.Get("Location"); got != "/api/v1"+config || len(first) != 34 {
		t.Errorf("Location %s, ETag %s", got, first)
	}
	w.want(w.developer("POST", "/configs", `{"name": "`+mine+`", "environment": "Development"}`, "If-None-Match", "*"), 412, "PRECONDITION_FAILED")
	if got := w.want(w.call(w.tokens[api.Viewer], "GET", config, nil, "If-None-Match", `"x", W/`+first), 304); len(got.body) > 0 || got.header.Get("ETag") != first {
		t.Errorf("304 with %v %s", got.header, got.body)
	}
	second := w.want(w.developer("PUT", config, `{"description": "one"}`, "If-Match", first), 200).header.Get("ETag")
	if second == first || second == "" {
		t.Errorf("changed, its ETag is %s, and was %s", second, first)
	}
	for _, stale := range []answer{
		w.developer("PUT", config, `{"description": "two"}`, "If-Match", first),
		w.developer("POST", versions, `{"configData": {"a": 1}}`, "If-Match", first),
		w.call(w.tokens[api.Admin], "DELETE", config, nil, "If-Match", first),
	} {
		if w.want(stale, 412, "PRECONDITION_FAILED"); !strings.Contains(string(stale.body), strings.Trim(second, `"`)) {
			t.Errorf("it does not say what its tag is: %s", stale.body)
		}
	}
	if got := w.want(w.call(w.tokens[api.Viewer], "GET", config, nil, "If-None-Match", first), 200).header.Get("ETag"); got != second {
		t.Errorf("read as %s, answered as %s", got, second)
	}

	uploaded := w.want(w.developer("POST", versions, `{"configData": {"a": 1}}`, "If-Match", second), 201)
	tag := uploaded.header.Get("ETag")
	if got := uploaded.header.Get("Location"); got != "/api/v1"+versions+"/1.0.0" {
		t.Errorf("Location %s", got)
	}
	w.want(w.developer("POST", versions, `{"configData": {"a": 1}, "version": "1.0.0"}`, "If-None-Match", "*"), 412, "PRECONDITION_FAILED")
	w.want(w.call(w.tokens[api.Viewer], "GET", versions+"/1.0.0", nil, "If-None-Match", tag), 304)
	w.want(w.developer("PATCH", versions+"/1.0.0", `{"tags": ["lts"]}`, "If-Match", `"other"`), 412)
	patched := w.want(w.developer("PATCH", versions+"/1.0.0", `{"tags": ["lts"]}`, "If-Match", tag), 200).header.Get("ETag")
	w.want(w.call(w.tokens[api.Admin], "DELETE", versions+"/1.0.0", nil, "If-Match", tag), 412)
	w.want(w.call(w.tokens[api.Viewer], "GET", versions+"/1.0.0", nil, "If-None-Match", patched), 304)
	w.want(w.call(w.tokens[api.Admin], "DELETE", versions+"/1.0.0", nil, "If-Match", patched), 204)
}

// Of many who change the same that they saw, one does.
func TestLostUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	tag := w.want(w.admin("GET", "/configs/"+mine, nil), 200).header.Get("ETag")
	var all sync.WaitGroup
	results := make(chan int, 16)
	for range cap(results) / 2 {
		all.Go(func() {
			results <- w.developer("PUT", "/configs/"+mine, `{"description": "x"}`, "If-Match", tag).status
		})
		all.Go(func() { // and of many who make the same, one does
			results <- -w.developer("POST", "/configs", `{"name": "new.dev", "environment": "Development"}`).status
		})
	}
	all.Wait()
	close(results)
	count := map[int]int{}
	for status := range results {
		count[status]++
	}
	if count[200] != 1 || count[412] != 7 || count[-201] != 1 || count[-409] != 7 {
		t.Errorf("answered %v", count)
	}
}

// A version that many upload at once gets a number of its own each time.
func TestUploadsRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	var all sync.WaitGroup
	numbers := make(chan string, 8)
	for i := range cap(numbers) {
		all.Go(func() {
			var v wire.Version
			body := wire.UploadRequest{ConfigData: json.RawMessage(`{"a": ` + string(rune('0'+i)) + `}`)}
			w.want(w.developer("POST", "/configs/"+mine+"/versions", body), 201).into(t, &v)
			numbers <- v.Version
		})
	}
	all.Wait()
	close(numbers)
	seen := map[string]bool{}
	for n := range numbers {
		seen[n] = true
	}
	if len(seen) != 8 || !seen["1.0.7"] {
		t.Errorf("the versions are %v", seen)
	}
}

// Every list knows its filters, and says so.
func TestFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.create()
	w.register("one")
	w.deploy("1.0.0")
	total := func(path string) int {
		var page wire.Page[json.RawMessage]
		w.want(w.admin("GET", path, nil), 200).into(t, &page)
		if page.Items == nil || page.Limit == 0 {
			t.Errorf("%s is no page: %+v", path, page)
		}
		return page.Total
	}
	for path, want := range map[string]int{
		"/configs": 2, "/configs?environment=Production": 1, "/configs?environment=Staging": 0, "/configs?source=configs": 1,
		"/configs?serviceType=Microservice": 1, "/configs?serviceType=Worker": 0, "/configs?held=true": 0, "/configs?held=false": 2, "/configs?retired=true": 0,
		"/configs?limit=1&offset=1":                  2,
		"/configs/" + name + "/versions":             1,
		"/configs/" + name + "/versions?tags=stable": 0,
		"/deployments?configName=" + name:            1, "/deployments?configName=none": 0, "/deployments?environment=Production": 1,
		"/deployments?status=Completed&environment=Staging": 0, "/deployments?commit=" + strings.Repeat("a", 40): 0,
		"/instances?serviceName=payment-service": 1, "/instances?serviceName=none": 0, "/instances?environment=Production": 1,
		"/instances?health=Unknown": 1, "/instances?health=Healthy": 0, "/instances?configVersion=9.9.9": 0,
		"/audit?entityType=profile&entityId=" + mine: 1, "/audit?user=developer": 1, "/audit?eventType=config.created": 1,
		"/audit?since=2999-01-01T00:00:00Z": 0, "/audit?until=2000-01-01T00:00:00Z": 0,
	} {
		if got := total(path); got != want {
			t.Errorf("%s has %d, want %d", path, got, want)
		}
	}
	for path, field := range map[string]string{
		"/configs?environment=Prod": "environment", "/configs?serviceType=Cloud": "serviceType", "/configs?held=maybe": "held", "/configs?retired=x": "retired",
		"/configs?env=Production": "env", "/configs?environment=Staging&environment=Production": "environment", "/configs?limit=-1": "limit",
		"/configs/" + name + "/versions?tag=x": "tag",
		"/deployments?status=Running":          "status", "/deployments?environment=prod": "environment", "/deployments?name=x": "name",
		"/instances?health=Fine": "health", "/instances?environment=prod": "environment", "/instances?service=x": "service",
		"/audit?since=yesterday": "since", "/audit?until=x": "until", "/audit?entity=x": "entity",
	} {
		w.refused(w.admin("GET", path, nil), 400, "VALIDATION_ERROR", field)
	}
	for accept, begins := range map[string]string{"text/csv": "id,createdAt,", "application/x-ndjson": `{"id":`} {
		got := w.want(w.call(w.tokens[api.Viewer], "GET", "/audit?eventType=config.created", nil, "Accept", accept), 200)
		if !strings.HasPrefix(string(got.body), begins) || !strings.HasPrefix(got.header.Get("Content-Type"), accept) || !strings.Contains(string(got.body), mine) {
			t.Errorf("exported as %s %s: %s", accept, got.header.Get("Content-Type"), got.body)
		}
	}
}
