package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/contract"
)

// seen is a request as a server sees it.
type seen struct {
	method, target, body, accept, auth string
	meant                              *contract.Operation
}

// serve answers every request with one body and records the requests.
func serve(t *testing.T, status int, header http.Header, body string) (*client.Client, *[]seen) {
	t.Helper()
	var got []seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, seen{r.Method, r.URL.RequestURI(), string(raw), r.Header.Get("Accept"), r.Header.Get("Authorization"), meant(t, r, raw)})
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that has read enough closes early
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(client.Options{Server: srv.URL + "/prefix/", Token: "slt_secret"})
	if err != nil {
		t.Fatal(err)
	}
	return c, &got
}

// asking is a call of the client, and the request that comes of it.
type asking struct {
	want string
	call func(context.Context, *client.Client) error
}

// answer is one that the call can read, whatever it asks.
func (asking) answer() string { return `{"id":"x","token":"y","items":[{}]}` }

func askings() []asking {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one := func(_ any, err error) error { return err }
	return []asking{
		{`POST /authentication/login {"username":"u","password":"p"}`, func(ctx context.Context, c *client.Client) error { return one(c.Login(ctx, "u", "p")) }},
		{`GET /users?limit=5&offset=10`, func(ctx context.Context, c *client.Client) error {
			return one(c.Users(ctx, client.List{Limit: 5, Offset: 10}))
		}},
		{`POST /users {"username":"ann","password":"p","role":"Viewer"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.CreateUser(ctx, wire.UserRequest{Username: "ann", Password: "p", Role: "Viewer"}))
		}},
		{`PUT /users/ann {"disabled":true}`, func(ctx context.Context, c *client.Client) error {
			yes := true
			return one(c.ChangeUser(ctx, "ann", wire.UserChange{Disabled: &yes}))
		}},
		{`DELETE /users/ann`, func(ctx context.Context, c *client.Client) error { return c.RemoveUser(ctx, "ann") }},
		{`PUT /authentication/password {"currentPassword":"a","newPassword":"b"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.ChangePassword(ctx, "a", "b"))
		}},
		{`POST /authentication/sso {"code":"c","verifier":"v"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.ExchangeCode(ctx, "c", "v"))
		}},
		{`GET /authentication/identity`, func(ctx context.Context, c *client.Client) error { return one(c.Identity(ctx)) }},
		{`POST /authentication/logout`, func(ctx context.Context, c *client.Client) error { return c.Logout(ctx) }},
		{`GET /configs?environment=Production&held=true&limit=5&offset=10&serviceType=Worker&source=s`, func(ctx context.Context, c *client.Client) error {
			return one(c.Configs(ctx, client.ConfigFilter{List: client.List{Limit: 5, Offset: 10}, Environment: "Production", ServiceType: "Worker", Source: "s", Held: true}))
		}},
		{`GET /configs/a%2Fb`, func(ctx context.Context, c *client.Client) error { return one(c.Config(ctx, "a/b")) }},
		{`GET /configs/p/versions?limit=3`, func(ctx context.Context, c *client.Client) error {
			return one(c.Versions(ctx, "p", client.List{Limit: 3}))
		}},
		{`GET /configs/p/versions/1.0.0`, func(ctx context.Context, c *client.Client) error { return one(c.Version(ctx, "p", "1.0.0")) }},
		{`GET /configs/p/versions/1.0.0/diff/2.0.0`, func(ctx context.Context, c *client.Client) error { return one(c.Diff(ctx, "p", "1.0.0", "2.0.0")) }},
		{`POST /configs {"name":"p","environment":"Staging"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.CreateConfig(ctx, wire.CreateConfigRequest{Name: "p", Environment: "Staging"}))
		}},
		{`PUT /configs/p {"serviceType":"Worker"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.UpdateConfig(ctx, "p", wire.UpdateConfigRequest{ServiceType: "Worker"}, `"t"`))
		}},
		{`POST /schemas {"schemaId":"s","schemaDefinition":{},"compatibility":"Full"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.RegisterSchema(ctx, wire.RegisterSchemaRequest{SchemaID: "s", SchemaDefinition: json.RawMessage(`{}`), Compatibility: "Full"}))
		}},
		{`GET /schemas?limit=2&status=Draft`, func(ctx context.Context, c *client.Client) error {
			return one(c.Schemas(ctx, client.SchemaFilter{List: client.List{Limit: 2}, Status: "Draft"}))
		}},
		{`GET /schemas/s?version=1.0.0`, func(ctx context.Context, c *client.Client) error { return one(c.Schema(ctx, "s", "1.0.0")) }},
		{`POST /schemas/s/validate {"configData":{"a":1}}`, func(ctx context.Context, c *client.Client) error {
			return one(c.ValidateData(ctx, "s", wire.ValidateDataRequest{ConfigData: json.RawMessage(`{"a":1}`)}))
		}},
		{`POST /schemas/s/approve {"version":"1.0.0"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.ApproveSchema(ctx, "s", wire.SchemaOrder{Version: "1.0.0"}))
		}},
		{`POST /schemas/s/deprecate {"reason":"old"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.DeprecateSchema(ctx, "s", wire.SchemaOrder{Reason: "old"}))
		}},
		{`POST /validate {"path":"a.yaml","content":"a: 1"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.ValidateFiles(ctx, wire.ValidateRequest{Path: "a.yaml", Content: "a: 1"}))
		}},
		{`DELETE /configs/p`, func(ctx context.Context, c *client.Client) error { return c.DeleteConfig(ctx, "p") }},
		{`POST /configs/p/versions {"version":"1.0.0","configData":{"a":1}}`, func(ctx context.Context, c *client.Client) error {
			return one(c.UploadVersion(ctx, "p", wire.UploadRequest{Version: "1.0.0", ConfigData: json.RawMessage(`{"a":1}`)}))
		}},
		{`PATCH /configs/p/versions/1.0.0 {"tags":["a"]}`, func(ctx context.Context, c *client.Client) error {
			return one(c.PatchVersion(ctx, "p", "1.0.0", wire.VersionPatch{Tags: &[]string{"a"}}))
		}},
		{`DELETE /configs/p/versions/1.0.0`, func(ctx context.Context, c *client.Client) error { return c.DeleteVersion(ctx, "p", "1.0.0") }},
		{`POST /configs/p/rollback {"reason":"r","toVersion":"1.0.0"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.RollbackConfig(ctx, "p", "1.0.0", "r"))
		}},
		{`GET /configs/p/rollback?toVersion=1.0.0`, func(ctx context.Context, c *client.Client) error {
			return one(c.PreviewRollbackConfig(ctx, "p", "1.0.0"))
		}},
		{`GET /deployments/d/rollback`, func(ctx context.Context, c *client.Client) error { return one(c.PreviewRollback(ctx, "d")) }},
		{`POST /configs/p/release {"reason":"r"}`, func(ctx context.Context, c *client.Client) error { return c.ReleaseConfig(ctx, "p", "r") }},
		{`GET /statuses/abcdef0`, func(ctx context.Context, c *client.Client) error { return one(c.Statuses(ctx, "abcdef0")) }},
		{`GET /sources`, func(ctx context.Context, c *client.Client) error { return one(c.Sources(ctx)) }},
		{`POST /sources/s/sync`, func(ctx context.Context, c *client.Client) error { return c.SyncSource(ctx, "s") }},
		{`GET /audit?entityId=p&entityType=Config&eventType=e&since=2026-01-02T03%3A04%3A05Z&user=u`, func(ctx context.Context, c *client.Client) error {
			return one(c.Audit(ctx, client.AuditFilter{EntityType: "Config", EntityID: "p", User: "u", EventType: "e", Since: at}))
		}},
		{`GET /audit/verify`, func(ctx context.Context, c *client.Client) error { return one(c.VerifyAudit(ctx)) }},
		{`POST /notifications/ops/test`, func(ctx context.Context, c *client.Client) error { return one(c.TestNotification(ctx, "ops")) }},
		{`GET /tokens`, func(ctx context.Context, c *client.Client) error { return one(c.Tokens(ctx)) }},
		{`POST /tokens {"name":"n","role":"Viewer"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.CreateToken(ctx, wire.TokenRequest{Name: "n", Role: "Viewer"}))
		}},
		{`DELETE /tokens/t`, func(ctx context.Context, c *client.Client) error { return c.RevokeToken(ctx, "t") }},
		{`GET /deployments?commit=abc&configName=p&environment=Staging&status=Paused`, func(ctx context.Context, c *client.Client) error {
			return one(c.Deployments(ctx, client.DeploymentFilter{ConfigName: "p", Status: "Paused", Environment: "Staging", Commit: "abc"}))
		}},
		{`GET /deployments/d`, func(ctx context.Context, c *client.Client) error { return one(c.Deployment(ctx, "d")) }},
		{`GET /deployments/d/report`, func(ctx context.Context, c *client.Client) error { return one(c.DeploymentReport(ctx, "d")) }},
		{`GET /deployments/d/health`, func(ctx context.Context, c *client.Client) error { return one(c.DeploymentHealth(ctx, "d")) }},
		{`POST /deployments {"configName":"p","configVersion":"1.0.0"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.CreateDeployment(ctx, wire.CreateDeploymentRequest{ConfigName: "p", ConfigVersion: "1.0.0"}))
		}},
		{`POST /deployments/d/pause {"reason":"r"}`, func(ctx context.Context, c *client.Client) error { return one(c.PauseDeployment(ctx, "d", "r")) }},
		{`POST /deployments/d/resume {}`, func(ctx context.Context, c *client.Client) error { return one(c.ResumeDeployment(ctx, "d", "")) }},
		{`POST /deployments/d/promote {"reason":"r","all":true,"phase":2}`, func(ctx context.Context, c *client.Client) error {
			return one(c.Promote(ctx, "d", wire.PromoteRequest{Reason: "r", All: true, Phase: 2}))
		}},
		{`POST /deployments/d/retry {"reason":"r","force":true}`, func(ctx context.Context, c *client.Client) error {
			return one(c.RetryDeployment(ctx, "d", wire.RetryRequest{Reason: "r", Force: true}))
		}},
		{`GET /freeze`, func(ctx context.Context, c *client.Client) error { return one(c.Freeze(ctx)) }},
		{`PUT /freeze {"reason":"r","expiresIn":"2h"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.BeginFreeze(ctx, wire.FreezeRequest{Reason: "r", ExpiresIn: "2h"}))
		}},
		{`GET /logging`, func(ctx context.Context, c *client.Client) error { return one(c.Logging(ctx)) }},
		{`PUT /logging {"level":"debug","expiresIn":"15m"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.SetLogging(ctx, wire.LoggingRequest{Level: "debug", ExpiresIn: "15m"}))
		}},
		{`DELETE /logging`, func(ctx context.Context, c *client.Client) error { return one(c.ResetLogging(ctx)) }},
		{`DELETE /freeze {"reason":"r"}`, func(ctx context.Context, c *client.Client) error { return c.EndFreeze(ctx, "r") }},
		{`POST /deployments/d/promote {}`, func(ctx context.Context, c *client.Client) error { return one(c.PromoteDeployment(ctx, "d", "")) }},
		{`POST /deployments/d/cancel {}`, func(ctx context.Context, c *client.Client) error { return one(c.CancelDeployment(ctx, "d", "")) }},
		{`POST /deployments/d/rollback {"reason":"r"}`, func(ctx context.Context, c *client.Client) error { return one(c.RollbackDeployment(ctx, "d", "r")) }},
		{`GET /instances?configVersion=1.0.0&environment=Production&health=Healthy&serviceName=s`, func(ctx context.Context, c *client.Client) error {
			return one(c.Instances(ctx, client.InstanceFilter{ServiceName: "s", Environment: "Production", Health: "Healthy", ConfigVersion: "1.0.0"}))
		}},
		{`GET /instances/i`, func(ctx context.Context, c *client.Client) error { return one(c.Instance(ctx, "i")) }},
		{`POST /instances/i/heartbeat {"health":{"status":"Healthy"}}`, func(ctx context.Context, c *client.Client) error {
			return one(c.Heartbeat(ctx, "i", wire.Health{Status: "Healthy"}))
		}},
		{`POST /instances/i/applied {"configName":"p","version":"1.0.0","hash":"h","generation":1,"ok":true,"durationMs":2}`, func(ctx context.Context, c *client.Client) error {
			return c.Applied(ctx, "i", wire.AppliedRequest{ConfigName: "p", Version: "1.0.0", Hash: "h", Generation: 1, OK: true, DurationMs: 2})
		}},
		{`DELETE /instances/i`, func(ctx context.Context, c *client.Client) error { return c.Deregister(ctx, "i") }},
		{`POST /instances {"serviceName":"s","hostname":"h","port":1,"environment":"Staging"}`, func(ctx context.Context, c *client.Client) error {
			return one(c.Register(ctx, wire.RegisterRequest{ServiceName: "s", Hostname: "h", Port: 1, Environment: "Staging"}))
		}},
		{`GET /instances/i/configs/p/h/data`, func(ctx context.Context, c *client.Client) error {
			return one(c.AssignmentData(ctx, "i", wire.Assignment{ConfigName: "p", Hash: "h"}))
		}},
	}
}

func TestCallsAskWhatTheContractSays(t *testing.T) {
	t.Parallel()
	for _, tc := range askings() {
		c, got := serve(t, http.StatusOK, nil, tc.answer())
		if err := tc.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", tc.want, err)
			continue
		}
		r := (*got)[0]
		line := strings.TrimSpace(r.method + " " + strings.TrimPrefix(r.target, "/prefix/api/v1") + " " + r.body)
		if line != tc.want {
			t.Errorf("asked %s, want %s", line, tc.want)
		}
		if r.auth != "Bearer slt_secret" || r.accept != "application/json" {
			t.Errorf("%s: Authorization %q, Accept %q", tc.want, r.auth, r.accept)
		}
	}
}

func TestRegisterNeedsAnIdentity(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, http.StatusCreated, nil, `{"id":"i"}`)
	if _, err := c.Register(t.Context(), wire.RegisterRequest{ServiceName: "s", Hostname: "h", Environment: "Staging"}); err == nil {
		t.Error("an answer without a token was taken")
	}
}

func TestDiffText(t *testing.T) {
	t.Parallel()
	c, got := serve(t, http.StatusOK, nil, "--- a\n+++ b\n")
	text, err := c.DiffText(t.Context(), "p", "1.0.0", "2.0.0")
	if err != nil || text != "--- a\n+++ b\n" || (*got)[0].accept != "text/plain" {
		t.Errorf("got %q, %v, asked for %s", text, err, (*got)[0].accept)
	}
}

func TestErrorsSayWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	body := `{"error":{"code":"VALIDATION_ERROR","message":"bad request","traceId":"t1","details":[{"field":"a","message":"too long"},{"field":"b","message":"missing"}]}}`
	cases := map[string]struct {
		status int
		header http.Header
		body   string
		want   string
		code   string
	}{
		"contract": {400, nil, body, "bad request: a: too long; b: missing (400 VALIDATION_ERROR, trace t1)", "VALIDATION_ERROR"},
		"proxy":    {403, nil, "<html>nginx</html>", "server answered forbidden (403)", ""},
		"redirect": {302, http.Header{"Location": {"http://evil.example/"}}, "", "server redirects, which is not followed (302)", ""},
		"endless":  {400, nil, strings.Repeat("x", 100<<10), "server answered bad request (400)", ""},
	}
	for name, tc := range cases {
		c, got := serve(t, tc.status, tc.header, tc.body)
		_, err := c.Config(t.Context(), "p")
		e, ok := errors.AsType[*client.APIError](err)
		if !ok || e.Error() != tc.want || e.Code != tc.code || !client.IsStatus(err, tc.status) {
			t.Errorf("%s: got %v", name, err)
		}
		if len(*got) != 1 {
			t.Errorf("%s: asked %d times", name, len(*got))
		}
		if !strings.HasPrefix(err.Error(), "GET /configs/p: ") {
			t.Errorf("%s: %q does not say what was asked", name, err)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	c, got := serve(t, http.StatusOK, nil, strings.Repeat(" ", 17<<20))
	if _, err := c.Config(t.Context(), "p"); !errors.Is(err, client.ErrTooLarge) || len(*got) != 1 {
		t.Errorf("got %v after %d requests", err, len(*got))
	}
	c, _ = serve(t, http.StatusOK, nil, "<html>")
	if _, err := c.Config(t.Context(), "p"); err == nil || !strings.Contains(err.Error(), "decode answer") {
		t.Errorf("got %v", err)
	}
}

// script answers one request after the other, in simulated time.
type script struct {
	answers []func() (*http.Response, error)
	asked   []*http.Request
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, r)
	if len(s.answers) == 0 {
		return nil, errors.New("connection refused")
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	return next()
}

func answer(status int, header http.Header, body string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func broken() (*http.Response, error) { return nil, errors.New("connection reset") }

func scripted(t *testing.T, s *script) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Server: "http://sluice.test", HTTPClient: &http.Client{Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRetries(t *testing.T) {
	t.Parallel()
	get := func(ctx context.Context, c *client.Client) error { _, err := c.Config(ctx, "p"); return err }
	beat := func(ctx context.Context, c *client.Client) error {
		_, err := c.Heartbeat(ctx, "i", wire.Health{})
		return err
	}
	busy := answer(503, nil, "")
	limited := func(v string) func() (*http.Response, error) {
		return answer(429, http.Header{"Retry-After": {v}}, "")
	}
	cases := map[string]struct {
		call     func(context.Context, *client.Client) error
		answers  []func() (*http.Response, error)
		asked    int
		ok       bool
		min, max time.Duration
	}{
		"a broken connection is tried again":   {get, []func() (*http.Response, error){broken, answer(200, nil, "{}")}, 2, true, 200 * time.Millisecond, 500 * time.Millisecond},
		"four attempts are enough":             {get, []func() (*http.Response, error){busy, busy, busy, busy, busy}, 4, false, time.Second, 3 * time.Second},
		"Retry-After in seconds is kept":       {get, []func() (*http.Response, error){limited("7"), answer(200, nil, "{}")}, 2, true, 7 * time.Second, 8 * time.Second},
		"Retry-After as a date is kept":        {get, []func() (*http.Response, error){limited("Sat, 01 Jan 2000 00:00:09 GMT"), answer(200, nil, "{}")}, 2, true, 8 * time.Second, 10 * time.Second},
		"a long Retry-After is for the caller": {get, []func() (*http.Response, error){limited("600")}, 1, false, 0, 0},
		"nonsense in Retry-After is ignored":   {get, []func() (*http.Response, error){limited("soon"), answer(200, nil, "{}")}, 2, true, 0, time.Second},
		"what counts is never repeated":        {beat, []func() (*http.Response, error){broken}, 1, false, 0, 0},
		"a mistake is not repeated":            {get, []func() (*http.Response, error){answer(404, nil, "")}, 1, false, 0, 0},
		"a failure inside is not repeated":     {get, []func() (*http.Response, error){answer(500, nil, "")}, 1, false, 0, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: tc.answers}
				start := time.Now()
				err := tc.call(t.Context(), scripted(t, s))
				if (err == nil) != tc.ok || len(s.asked) != tc.asked {
					t.Errorf("asked %d times, got %v", len(s.asked), err)
				}
				if took := time.Since(start); took < tc.min || took > tc.max {
					t.Errorf("took %s, want %s to %s", took, tc.min, tc.max)
				}
			})
		})
	}
}

func TestAllTurnsThePages(t *testing.T) {
	t.Parallel()
	var asked []client.List
	items, err := client.All(t.Context(), func(_ context.Context, l client.List) (wire.Page[int], error) {
		asked = append(asked, l)
		return wire.Page[int]{Items: []int{l.Offset, l.Offset + 1}, HasMore: l.Offset < 4}, nil
	})
	if err != nil || fmt.Sprint(items) != "[0 1 2 3 4 5]" || len(asked) != 3 {
		t.Errorf("got %v, %v, asked %v", items, err, asked)
	}
	_, err = client.All(t.Context(), func(context.Context, client.List) (wire.Page[int], error) {
		return wire.Page[int]{}, io.ErrUnexpectedEOF
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func sse(events ...string) func() (*http.Response, error) {
	return answer(200, http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}, strings.Join(events, ""))
}

func deploymentEvent(id, status string) string {
	raw, err := json.Marshal(wire.Deployment{ID: "d", Status: status})
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(": keep-alive\n\nevent: deployment\nid: %s\ndata: %s\n\n", id, raw)
}

func TestDeploymentEventsResumeAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []func() (*http.Response, error){
			sse(deploymentEvent("1", "InProgress"), deploymentEvent("2", "Paused")), // then cut
			broken,
			sse("event: reconnect\ndata: {\"afterMillis\":5000}\n\n"),
			sse(deploymentEvent("3", "Completed")),
		}}
		var got []string
		for d, err := range scripted(t, s).DeploymentEvents(t.Context(), "d") {
			if err != nil {
				if !errors.Is(err, client.ErrDisconnected) {
					t.Errorf("got %v", err)
				}
				got = append(got, "lost")
				continue
			}
			got = append(got, d.Status)
		}
		if s := strings.Join(got, " "); s != "InProgress Paused lost lost Completed" {
			t.Errorf("got %s", s)
		}
		var last []string
		for _, r := range s.asked {
			last = append(last, r.Header.Get("Last-Event-ID"))
		}
		if s := strings.Join(last, ","); s != ",2,2,2" {
			t.Errorf("resumed after %s", s)
		}
	})
}

func TestDeploymentEventsEndForGood(t *testing.T) {
	t.Parallel()
	cases := map[string]func() (*http.Response, error){
		"unknown deployment": answer(404, nil, ""),
		"signed out":         answer(401, nil, ""),
	}
	for name, a := range cases {
		s := &script{answers: []func() (*http.Response, error){a}}
		n := 0
		for _, err := range scripted(t, s).DeploymentEvents(t.Context(), "d") {
			if n++; errors.Is(err, client.ErrDisconnected) || err == nil {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if n != 1 || len(s.asked) != 1 {
			t.Errorf("%s: %d results of %d requests", name, n, len(s.asked))
		}
	}
	// The reader ends it by leaving, whether at a deployment or at an error.
	for _, a := range []func() (*http.Response, error){sse(deploymentEvent("1", "InProgress")), broken, sse("event: deployment\ndata: {\n\n"), answer(200, nil, "<html>")} {
		s := &script{answers: []func() (*http.Response, error){a}}
		//nolint:errcheck // the loop leaves at the first thing it is given, error or not
		for range scripted(t, s).DeploymentEvents(t.Context(), "d") {
			break
		}
		if len(s.asked) != 1 {
			t.Errorf("asked %d times", len(s.asked))
		}
	}
}

func TestWatchAssignmentsEnds(t *testing.T) {
	t.Parallel()
	set := "event: assignments\ndata: {\"assignments\":[{\"configName\":\"p\"}]}\n\n"
	cases := map[string]struct {
		body string
		want func(error) bool
	}{
		"closed":    {set, func(err error) bool { return errors.Is(err, io.EOF) }},
		"hint":      {set + "event: reconnect\ndata: {\"afterMillis\":1500}\n\n", isReconnect(1500 * time.Millisecond)},
		"long hint": {set + "event: reconnect\ndata: {\"afterMillis\":9000000000000000000}\n\n", isReconnect(time.Minute)},
		"bad hint":  {set + "event: reconnect\ndata: soon\n\n", isReconnect(0)},
		"broken":    {set + "event: assignments\ndata: {\n\n", func(err error) bool { return err != nil }},
	}
	for name, tc := range cases {
		var got []error
		sets := 0
		for set, err := range scripted(t, &script{answers: []func() (*http.Response, error){sse(tc.body)}}).WatchAssignments(t.Context(), "i") {
			if err != nil {
				got = append(got, err)
			} else if len(set.Assignments) == 1 {
				sets++
			}
		}
		if sets != 1 || len(got) != 1 || !tc.want(got[0]) {
			t.Errorf("%s: %d sets, errors %v", name, sets, got)
		}
	}
}

func isReconnect(after time.Duration) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*client.ReconnectError](err)
		return ok && e.After == after && e.Error() != ""
	}
}
