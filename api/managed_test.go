package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

const mine = "test-service.dev"

func (w *world) developer(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	return w.call(w.tokens[api.Developer], method, path, body, headers...)
}

// create makes the API-managed profile of the tests.
func (w *world) create(change ...func(*wire.CreateConfigRequest)) wire.Config {
	w.t.Helper()
	req := wire.CreateConfigRequest{Name: mine, Environment: "Development", DefaultStrategy: json.RawMessage(`"Direct"`)}
	for _, c := range change {
		c(&req)
	}
	var out wire.Config
	w.want(w.developer("POST", "/configs", req), 201).into(w.t, &out)
	return out
}

// upload makes a version of it.
func (w *world) upload(version, data string) wire.Version {
	w.t.Helper()
	var out wire.Version
	w.want(w.developer("POST", "/configs/"+mine+"/versions", wire.UploadRequest{Version: version, ConfigData: json.RawMessage(data)}), 201).into(w.t, &out)
	return out
}

// knowsSchema puts a schema into the store.
func (w *world) knowsSchema(id, definition string) {
	w.t.Helper()
	e, _, err := profile.NewEdition(profile.Draft{ID: id, Definition: []byte(definition)}, nil)
	w.must(err)
	_, err = w.store.RegisterSchema(w.t.Context(), e, nil, "test")
	w.must(err)
}

// refused wants a refusal that names the fields.
func (w *world) refused(a answer, status int, code string, fields ...string) {
	w.t.Helper()
	var e wire.Error
	w.want(a, status, code).into(w.t, &e)
	got := map[string]string{}
	for _, d := range e.Error.Details {
		got[d.Field] = d.Message
	}
	for _, field := range fields {
		if got[field] == "" {
			w.t.Errorf("the refusal does not name %s: %s", field, a.body)
		}
	}
}

// A profile is made, gets versions, is deployed and deleted, all by API.
func TestManagedByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create()
	if made.ServiceName != "test-service" || made.Origin != "API" || made.ServiceType != "Microservice" || made.CreatedBy != "developer" ||
		made.Strategy == nil || made.Strategy.Type != "Direct" || made.Health == nil || made.Health.Enabled {
		t.Errorf("made %+v", made)
	}
	first := w.upload("", `{"timeout": "1s", "maxRetries": 3}`)
	if first.Version != "1.0.0" || first.CreatedBy != "developer" || first.Author != "developer" {
		t.Errorf("the first version is %+v", first)
	}
	if v := w.upload("", `"{\"timeout\": \"1s\", \"maxRetries\": 3, \"more\": true}"`); v.Version != "1.1.0" {
		t.Errorf("a key more makes %s", v.Version)
	}
	var d wire.Deployment
	a := w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: mine, ConfigVersion: "1.1.0"}), 201)
	a.into(t, &d)
	if got := a.header.Get("Location"); got != "/api/v1/deployments/"+d.ID {
		t.Errorf("Location is %s", got)
	}
	w.reaches(d.ID, "Completed")
	var now wire.Config
	w.want(w.admin("GET", "/configs/"+mine, nil), 200).into(t, &now)
	if now.CurrentVersion != "1.1.0" || now.DesiredVersion != "1.1.0" || now.VersionCount != 2 {
		t.Errorf("it is %+v", now)
	}
	w.want(w.developer("PUT", "/configs/"+mine, `{"description": "of the tests", "defaultStrategy": {"type": "Rolling", "batchSize": 2}, "settings": {"team": "a"}}`), 200).into(t, &now)
	if now.Description != "of the tests" || now.Strategy.BatchSize != "2" || now.Settings["team"] != "a" || now.CurrentVersion != "1.1.0" || now.DesiredVersion != "1.1.0" {
		t.Errorf("changed to %+v", now)
	}
	w.want(w.admin("DELETE", "/configs/"+mine, nil), 204)
	w.want(w.admin("GET", "/configs/"+mine, nil), 200).into(t, &now)
	if !now.Retired {
		t.Error("a profile with versions is gone by DELETE, not retired")
	}
	w.want(w.developer("POST", "/configs/"+mine+"/versions", wire.UploadRequest{ConfigData: json.RawMessage(`{}`)}), 409, "CONFLICT")
	w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: mine, ConfigVersion: "1.0.0"}), 409, "CONFLICT")
	w.want(w.developer("POST", "/configs", `{"name": "`+mine+`", "environment": "Staging"}`), 409, "CONFLICT")
	if again := w.create(); again.Retired || again.VersionCount != 2 || again.DesiredVersion != "1.1.0" {
		t.Errorf("created again it is %+v", again)
	}
	for kind, n := range map[string]int{
		"config.created": 1, "config.changed": 1, "config.retired": 1, "config.revived": 1, "version.uploaded": 2,
	} {
		if got := len(w.audited(kind)); got != n {
			t.Errorf("%d events of %s, want %d", got, kind, n)
		}
	}
}

// One of which nothing was made leaves no trace but in the audit log.
func TestDeleteBeforeAnything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	w.want(w.developer("DELETE", "/configs/"+mine, nil), 403)
	w.want(w.admin("DELETE", "/configs/"+mine, nil), 204)
	w.want(w.admin("GET", "/configs/"+mine, nil), 404, "NOT_FOUND")
	if len(w.audited("config.removed")) != 1 {
		t.Error("its end is not in the audit log")
	}
}

func TestCreateConfigRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.create()
	for _, tt := range []struct {
		body, code string
		status     int
		fields     []string
	}{
		{`{}`, "VALIDATION_ERROR", 400, []string{"name", "environment", "serviceName"}},
		{`{"name": "-x", "environment": "Dev"}`, "VALIDATION_ERROR", 400, []string{"name", "environment"}},
		{`{"name": "x.production", "environment": "Production"}`, "VALIDATION_ERROR", 400, []string{"schemaId"}},
		{`{"name": "x", "environment": "Staging", "defaultStrategy": "Quick"}`, "VALIDATION_ERROR", 400, []string{"defaultStrategy.type"}},
		{`{"name": "x", "environment": "Staging", "defaultStrategy": {"type": "Canary", "steps": [50, 10]}}`, "VALIDATION_ERROR", 400, []string{"defaultStrategy.steps"}},
		{`{"name": "x", "environment": "Staging", "defaultStrategy": {"type": "Canary", "batchSize": "2"}}`, "VALIDATION_ERROR", 400, []string{"defaultStrategy.batchSize"}},
		{`{"name": "x", "environment": "Staging", "health": {"errorRateThreshold": -1}}`, "VALIDATION_ERROR", 400, []string{"health.errorRateThreshold"}},
		{`{"name": "x", "environment": "Staging", "windows": {"deny": ["never"]}}`, "VALIDATION_ERROR", 400, []string{"windows.deny[0]"}},
		{`{"name": "x", "environment": "Staging", "targetLabels": {"zone": ""}}`, "VALIDATION_ERROR", 400, []string{"targetLabels.zone"}},
		{`{"name": "x", "environment": "Staging", "serviceType": "Cloud"}`, "VALIDATION_ERROR", 400, []string{"serviceType"}},
		{`{"name": "x", "environment": "Staging", "settings": {"a": 1, "a": 2}}`, "VALIDATION_ERROR", 400, nil},
		{`{"name": "x", "environment": "Staging", "settings": []}`, "VALIDATION_ERROR", 400, []string{"settings"}},
		{`{"name": "x", "environment": "Staging", "owner": "me"}`, "VALIDATION_ERROR", 400, nil},
		{`{"name": "x", "environment": "Staging"`, "VALIDATION_ERROR", 400, nil},
		{`{"name": "x", "environment": "Staging", "schemaId": "none.v1"}`, "NOT_FOUND", 404, []string{"schemaId"}},
		{`{"name": "` + mine + `", "environment": "Development"}`, "CONFLICT", 409, nil},
		{`{"name": "` + name + `", "environment": "Development"}`, "MANAGED_BY_GIT", 409, nil},
	} {
		w.refused(w.developer("POST", "/configs", tt.body), tt.status, tt.code, tt.fields...)
	}
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs", `{}`), 403, "FORBIDDEN")
	if n := len(w.audited("config.created")); n != 1 {
		t.Errorf("%d profiles were made", n)
	}
}

func TestPutConfigRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.create()
	for _, tt := range []struct {
		name, body, code string
		status           int
		fields           []string
	}{
		{mine, `{"name": "other", "environment": "Production", "serviceName": "s", "schemaId": "a.v1"}`, "VALIDATION_ERROR", 400, []string{"name", "environment", "serviceName", "schemaId"}},
		{mine, `{"defaultStrategy": {"type": "Canary", "steps": []}}`, "VALIDATION_ERROR", 400, []string{"defaultStrategy.steps"}},
		{"none", `{}`, "NOT_FOUND", 404, nil},
		{name, `{}`, "MANAGED_BY_GIT", 409, nil},
	} {
		w.refused(w.developer("PUT", "/configs/"+tt.name, tt.body), tt.status, tt.code, tt.fields...)
	}
	// As it is, it may be given whole.
	w.want(w.developer("PUT", "/configs/"+mine, `{"name": "`+mine+`", "environment": "Development", "serviceName": "test-service", "schemaId": ""}`), 200)
	if n := len(w.audited("config.changed")); n != 0 {
		t.Errorf("nothing was changed, and the audit log has %d events of it", n)
	}
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.knowsSchema("test.v1", `{"type": "object", "properties": {"maxRetries": {"type": "integer", "maximum": 9}}}`)
	w.create(func(r *wire.CreateConfigRequest) { r.SchemaID = "test.v1" })
	if v := w.upload("1.2.0", `{"maxRetries": 3}`); v.SchemaID != "test.v1" {
		t.Errorf("validated by %q", v.SchemaID)
	}
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	for _, tt := range []struct {
		body, code string
		status     int
		fields     []string
	}{
		{`{"configData": {"maxRetries": "many"}}`, "SCHEMA_VALIDATION_ERROR", 422, []string{"$.maxRetries"}},
		{`{"configData": "{\"maxRetries\": 10}"}`, "SCHEMA_VALIDATION_ERROR", 422, []string{"$.maxRetries"}},
		{`{"configData": {"maxRetries": 4}, "version": "1.2.0"}`, "CONFLICT", 409, nil},
		{`{"configData": {"maxRetries": 4}, "version": "1.1.9"}`, "CONFLICT", 409, nil},
		{`{"configData": {"maxRetries": 3}, "version": "1.3.0"}`, "CONFLICT", 409, nil},
		{`{"configData": {"maxRetries": 4}, "version": "v2"}`, "VALIDATION_ERROR", 400, []string{"version"}},
		{`{"configData": {"a": 1, "a": 2}}`, "VALIDATION_ERROR", 400, []string{"configData"}},
		{`{"configData": {"a": 1e999}}`, "VALIDATION_ERROR", 400, []string{"configData"}},
		{`{"configData": ` + deep + `}`, "VALIDATION_ERROR", 400, []string{"configData"}},
		{`{"configData": [1]}`, "VALIDATION_ERROR", 400, []string{"configData"}},
		{`{"configData": "no json"}`, "VALIDATION_ERROR", 400, []string{"configData"}},
		{`{"configData": null}`, "VALIDATION_ERROR", 400, []string{"configData"}},
		{`{"configData": {"key": {"$secret": "vault:no-key"}}}`, "VALIDATION_ERROR", 400, []string{"configData.key"}},
		{`{"configData": {"key": {"type": "secret", "value": "hush"}}}`, "VALIDATION_ERROR", 400, []string{"configData"}},
		{`{"configData": {}, "tags": ["a b", "x", "x"]}`, "VALIDATION_ERROR", 400, []string{"tags[0]", "tags[2]"}},
		{`{"configData": {}, "metadata": {"": "x"}}`, "VALIDATION_ERROR", 400, []string{"metadata."}},
		{`{"configData": {"text": "` + strings.Repeat("x", 1<<20) + `"}}`, "PAYLOAD_TOO_LARGE", 413, []string{"configData"}},
		{`{"configData": {"text": "` + strings.Repeat("x", 3<<20) + `"}}`, "PAYLOAD_TOO_LARGE", 413, nil},
	} {
		a := w.developer("POST", "/configs/"+mine+"/versions", tt.body)
		w.refused(a, tt.status, tt.code, tt.fields...)
		if strings.Contains(string(a.body), "hush") {
			t.Errorf("a secret is in the answer: %s", a.body)
		}
	}
	w.want(w.developer("POST", "/configs/"+name+"/versions", `{"configData": {}}`), 409, "MANAGED_BY_GIT")
	w.want(w.developer("POST", "/configs/none/versions", `{"configData": {}}`), 404, "NOT_FOUND")
	if n := len(w.audited("version.uploaded")); n != 1 {
		t.Errorf("%d versions were made", n)
	}
}

// What is said about a version may change, whoever made it; its data never does.
func TestPatchVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	path := "/configs/" + name + "/versions/1.0.0"
	var v wire.Version
	w.want(w.developer("PATCH", path, `{"tags": ["stable", "lts"], "deprecated": "it leaks"}`), 200).into(t, &v)
	if len(v.Tags) != 2 || v.Deprecated != "it leaks" {
		t.Errorf("patched to %+v", v)
	}
	w.refused(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0"}), 409, "CONFLICT")
	v = wire.Version{}
	w.want(w.developer("PATCH", path, `{"deprecated": ""}`), 200).into(t, &v)
	if len(v.Tags) != 2 || v.Deprecated != "" {
		t.Errorf("patched to %+v", v)
	}
	w.deploy("1.0.0")
	for _, query := range []string{"stable", "stable,lts"} {
		var page wire.Page[wire.Version]
		w.want(w.admin("GET", "/configs/"+name+"/versions?tags="+query, nil), 200).into(t, &page)
		if page.Total != 1 {
			t.Errorf("%d versions have the tags %s", page.Total, query)
		}
	}
	w.refused(w.developer("PATCH", path, `{"tags": [""]}`), 400, "VALIDATION_ERROR", "tags[0]")
	w.want(w.developer("PATCH", path, `{}`), 400, "VALIDATION_ERROR")
	w.want(w.developer("PATCH", path, `{"configData": {}}`), 400, "VALIDATION_ERROR")
	w.want(w.developer("PATCH", "/configs/"+name+"/versions/9.0.0", `{"tags": []}`), 404, "NOT_FOUND")
	if n := len(w.audited("version.changed")); n != 2 {
		t.Errorf("%d changes are in the audit log, want 2", n)
	}
}

func TestDeleteVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"} {
		w.upload(v, `{"v": "`+v+`"}`)
	}
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		var d wire.Deployment
		w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: mine, ConfigVersion: v}), 201).into(t, &d)
		w.reaches(d.ID, "Completed")
	}
	at := func(v string) string { return "/configs/" + mine + "/versions/" + v }
	w.want(w.developer("PATCH", at("1.3.0"), `{"tags": ["stable"]}`), 200)
	for v, why := range map[string]string{"1.2.0": "is deployed", "1.1.0": "where a rollback would go", "1.3.0": "tagged stable"} {
		if a := w.want(w.admin("DELETE", at(v), nil), 409, "CONFLICT"); !strings.Contains(string(a.body), why) {
			t.Errorf("%s stays without saying %s: %s", v, why, a.body)
		}
	}
	w.want(w.admin("DELETE", at("1.0.0"), nil), 204) // with its deployment
	w.want(w.admin("GET", at("1.0.0"), nil), 404, "NOT_FOUND")
	w.want(w.admin("DELETE", at("1.4.0"), nil), 204)
	var now wire.Config
	w.want(w.admin("GET", "/configs/"+mine, nil), 200).into(t, &now)
	if now.DesiredVersion != "1.3.0" || now.VersionCount != 3 || now.DeploymentCount != 2 {
		t.Errorf("afterwards it is %+v", now)
	}
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+mine+"/rollback", wire.ReasonRequest{Reason: "test"}), 200)
	if a := w.want(w.admin("DELETE", at("1.2.0"), nil), 409); !strings.Contains(string(a.body), "hold") {
		t.Errorf("a version that a hold names: %s", a.body)
	}
	w.profile()
	w.version("1.0.0", data("1s"))
	w.want(w.admin("DELETE", "/configs/"+name+"/versions/1.0.0", nil), 409, "MANAGED_BY_GIT")
}

// A profile whose deployment is under way cannot be deleted.
func TestDeleteWhileActive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(func(r *wire.CreateConfigRequest) {
		r.DefaultStrategy = json.RawMessage(`{"type":"Rolling","autoPromote":false}`)
	})
	w.upload("1.0.0", `{"a": 1}`)
	w.want(w.call(w.tokens[api.Registration], "POST", "/instances", wire.RegisterRequest{ServiceName: "test-service", Hostname: "one", Environment: "Development"}), 201)
	var d wire.Deployment
	w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: mine, ConfigVersion: "1.0.0"}), 201).into(t, &d)
	a := w.want(w.admin("DELETE", "/configs/"+mine, nil), 409, "CONFLICT")
	if !strings.Contains(string(a.body), d.ID) {
		t.Errorf("it does not say which deployment: %s", a.body)
	}
	w.want(w.admin("DELETE", "/configs/"+mine+"/versions/1.0.0", nil), 409, "CONFLICT")
}

// A deployment may go otherwise than its profile says.
func TestDeploymentOverrides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	w.upload("1.0.0", `{"a": 1}`)
	deploy := func(more string) answer {
		return w.operator("POST", "/deployments", `{"configName": "`+mine+`", "configVersion": "1.0.0", `+more+`}`)
	}
	w.refused(deploy(`"strategy": "Fast"`), 400, "VALIDATION_ERROR", "strategy")
	w.refused(deploy(`"config": {"steps": [10]}`), 400, "VALIDATION_ERROR", "config.steps") // the profile is Direct
	w.refused(deploy(`"strategy": "Canary", "config": {"steps": [10, 5], "type": "Rolling"}`), 400, "VALIDATION_ERROR", "config.steps", "config.type")
	w.refused(deploy(`"healthCheck": {"latencyThreshold": 0, "x": 1}`), 400, "VALIDATION_ERROR", "healthCheck.latencyThreshold", "healthCheck.x")
	w.refused(deploy(`"config": [1]`), 400, "VALIDATION_ERROR", "config")
	w.refused(w.operator("POST", "/deployments", `{}`), 400, "VALIDATION_ERROR", "configName", "configVersion")
	var d wire.Deployment
	w.want(deploy(`"strategy": "Canary", "config": {"steps": [20, 100], "phaseInterval": "2m"}, "healthCheck": {"enabled": true, "errorRateThreshold": 2}`), 201).into(t, &d)
	if d.Strategy != "Canary" || len(d.Steps) != 2 || d.Steps[0] != 20 || d.PhaseInterval != "PT2M" {
		t.Errorf("it goes by %+v", d)
	}
	stored, err := w.store.Deployment(t.Context(), d.ID)
	w.must(err)
	if h := stored.Health; !h.Enabled || h.ErrorRateThreshold != 2 || h.LatencyThreshold != 50 {
		t.Errorf("it is judged by %+v", h)
	}
	r, err := w.store.Profile(t.Context(), mine)
	w.must(err)
	if r.Strategy.Type != profile.Direct || r.Health.Enabled {
		t.Error("the profile itself changed")
	}
}
