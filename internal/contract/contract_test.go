package contract_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/contract"
)

const document = `{
	"openapi": "3.1.1",
	"paths": {
		"/things/{id}": {"put": {
			"operationId": "putThing", "tags": ["Things"],
			"parameters": [
				{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
				{"name": "limit", "in": "query", "schema": {"type": "integer"}},
				{"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"}},
				{"name": "If-Match", "in": "header", "schema": {"type": "string"}}
			],
			"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing", "required": ["size"]}}}},
			"responses": {
				"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
				"204": {"description": "none"},
				"404": {"$ref": "#/components/responses/NotFound"}
			}
		}},
		"/things/special": {"put": {"operationId": "putSpecial", "responses": {"204": {}}}},
		"/things/{id}/events": {"get": {"operationId": "follow", "responses": {"200": {"content": {"text/event-stream": {
			"schema": {"type": "string"}, "x-sluice-events": {"thing": {"$ref": "#/components/schemas/Thing"}}
		}}}}}},
		"/never": {"get": {"operationId": "never", "responses": {"404": {"$ref": "#/components/responses/NotFound"}}}}
	},
	"components": {
		"schemas": {"Thing": {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}, "required": ["name"]}},
		"responses": {"NotFound": {"content": {"application/json": {"schema": {"type": "object"}}}}}
	}
}`

func load(t *testing.T) *contract.Document {
	t.Helper()
	d, err := contract.Load([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFindTakesTheNearestPath(t *testing.T) {
	t.Parallel()
	d := load(t)
	for path, want := range map[string]string{"/things/a%2Fb": "putThing", "/things/special": "putSpecial", "/things": "", "/things/a/b": ""} {
		got := ""
		if o := d.Find("PUT", path); o != nil {
			got = o.ID
		}
		if got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if d.Find("GET", "/things/a") != nil {
		t.Error("another method was taken")
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	d := load(t)
	whole := `{"name":"a","size":1}`
	for _, tc := range []struct {
		query, header, body string
		ok                  bool
	}{
		{"", "", whole, true},
		{"?limit=5&since=2026-01-02T03:04:05Z", "If-Match", whole, true},
		{"?limit=five", "", whole, false},
		{"?since=today", "", whole, false},
		{"?other=1", "", whole, false},
		{"", "Idempotency-Key", whole, false},
		{"", "", "", false},
		{"", "", `{"name":"a"}`, false},
		{"", "", `{"name":"a","size":1,"colour":"red"}`, false},
		{"", "", `{"name":"a","size":"big"}`, false},
	} {
		r := httptest.NewRequest(http.MethodPut, "/things/a"+tc.query, strings.NewReader(tc.body))
		if tc.header != "" {
			r.Header.Set(tc.header, "x")
		}
		if err := d.CheckRequest(d.Find("PUT", "/things/a"), r, []byte(tc.body)); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	d := load(t)
	for _, tc := range []struct {
		status     int
		kind, body string
		ok         bool
	}{
		{200, "application/json; charset=utf-8", `{"name":"a"}`, true},
		{204, "", "", true},
		{404, "application/json", `{}`, true},
		{404, "application/json", `[]`, false},
		{200, "application/json", `{"name":"a","colour":"red"}`, false},
		{200, "application/json", `{"name":null}`, false},
		{200, "text/plain", `a`, false},
		{200, "", "", false},
		{201, "application/json", `{"name":"a"}`, false},
	} {
		header := http.Header{}
		if tc.kind != "" {
			header.Set("Content-Type", tc.kind)
		}
		if err := d.CheckAnswer(d.Find("PUT", "/things/a"), tc.status, header, []byte(tc.body)); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// What passes comes through whole; what does not fit is an error to whoever asked.
func TestTransport(t *testing.T) {
	t.Parallel()
	answer := `{"name":"a"}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Trace-Id", "t")
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "event: thing\ndata: {\"name\":\"a\"}\n\nevent: thing\ndata: {\"colour\":\"red\"}\n\nevent: other\ndata: {}\n\n")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	d := load(t)
	through := &contract.Transport{Next: http.DefaultTransport}
	through.Hold(d)
	through.Hold(nil) // the first one stays
	ask := func(method, path, body string) (string, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: through}).Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	if got, err := ask("PUT", "/things/a", `{"name":"a","size":1}`); err != nil || got != answer {
		t.Errorf("got %q, %v", got, err)
	}
	if unused := strings.Join(d.Unused(), ", "); unused != "PUT /things/special, GET /things/{id}/events" {
		t.Errorf("unused are %s", unused)
	}
	if _, err := ask("PUT", "/things/a", `{"name":"a"}`); err == nil || !strings.Contains(err.Error(), "PUT /things/{id}") {
		t.Errorf("a wrong request that was taken: %v", err)
	}
	answer = `{"colour":"red"}`
	if _, err := ask("PUT", "/things/a", `{"name":"a","size":1}`); err == nil {
		t.Error("a wrong answer passed")
	}
	if err := d.Faults(); err != nil {
		t.Error(err)
	}
	if _, err := ask("GET", "/things/a/events", ""); err != nil {
		t.Error(err)
	}
	if err := d.Faults(); err == nil || !strings.Contains(err.Error(), "colour") || !strings.Contains(err.Error(), "event other") {
		t.Errorf("wrong events: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	if _, err := contract.Load([]byte("{")); err == nil {
		t.Error("what is no JSON was loaded")
	}
}
