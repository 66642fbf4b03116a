package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const schemaID = "payment-config.v1"

// registered registers one more version of a schema.
func (w *world) registered(req wire.RegisterSchemaRequest, definition string) wire.Schema {
	w.t.Helper()
	req.SchemaID, req.SchemaDefinition = schemaID, []byte(definition)
	var out wire.Schema
	w.want(w.call(w.tokens[api.Developer], "POST", "/schemas", req), 201).into(w.t, &out)
	return out
}

func (w *world) approved(req wire.SchemaOrder) wire.Schema {
	w.t.Helper()
	var out wire.Schema
	w.want(w.admin("POST", "/schemas/"+schemaID+"/approve", req), 200).into(w.t, &out)
	return out
}

// under puts the profile under the schema, with a version that an edition of it checked.
func (w *world) under(number string, s wire.Schema, data profile.Data) {
	w.t.Helper()
	r := w.profile()
	r.SchemaID = schemaID
	w.must(w.store.PutProfile(w.t.Context(), r))
	v := profile.Version{Profile: name, Number: number, Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now(), SchemaID: schemaID, SchemaHash: s.Hash}
	w.must(w.store.InsertVersion(w.t.Context(), v))
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.registered(wire.RegisterSchemaRequest{Compatibility: "Backward"}, `{"type": "object", "properties": {"maxRetries": {"type": "integer", "maximum": 5}}}`)
	if first.Version != "1.0.0" || first.Status != "Draft" || first.CreatedBy != "developer" || len(first.Breaks) != 0 {
		t.Errorf("registered %+v", first)
	}
	// A name more: what was valid stays so. YAML in a string does as well.
	second := w.registered(wire.RegisterSchemaRequest{Version: "1.1.0"}, `"type: object\nproperties: {maxRetries: {type: integer, maximum: 5}, logLevel: {enum: [info, debug]}}\n"`)
	if second.Status != "Draft" || second.Compatibility != "Backward" || second.ComparedWith != "1.0.0" || len(second.Breaks) != 1 || !second.Breaks[0].OpenName {
		t.Errorf("registered %+v", second)
	}
	w.approved(wire.SchemaOrder{Version: "1.1.0", Reason: "fine"})
	third := w.registered(wire.RegisterSchemaRequest{}, `{"type": "object", "required": ["maxRetries"], "properties": {"maxRetries": {"type": "integer", "maximum": 4}}}`)
	if third.Status != "PendingApproval" || third.Version != "2.0.0" || third.ComparedWith != "1.1.0" || len(third.Breaks) != 2 {
		t.Errorf("registered %+v", third)
	}
	if b := third.Breaks[0]; b.Path != "$.properties.maxRetries.maximum" || b.Direction != "Backward" || b.Message != "maximum is 4 in this version, 5 in the version before" {
		t.Errorf("broken %+v", b)
	}

	var got wire.Schema
	w.want(w.call(w.tokens[api.Viewer], "GET", "/schemas/"+schemaID, nil), 200).into(t, &got)
	if got.Version != "2.0.0" || len(got.Versions) != 3 || got.Versions[1].Status != "Approved" || !strings.Contains(string(got.SchemaDefinition), `"maximum":4`) {
		t.Errorf("got %+v", got)
	}
	w.want(w.admin("GET", "/schemas/"+schemaID+"?version=1.0.0", nil), 200).into(t, &got)
	if got.Version != "1.0.0" {
		t.Errorf("got %+v", got)
	}
	var page wire.Page[wire.Schema]
	w.want(w.admin("GET", "/schemas?status=PendingApproval", nil), 200).into(t, &page)
	if page.Total != 1 || page.Items[0].Version != "2.0.0" || page.Items[0].SchemaDefinition != nil {
		t.Errorf("listed %+v", page)
	}
	w.want(w.admin("GET", "/schemas?status=Good", nil), 400, "VALIDATION_ERROR")
	w.want(w.admin("GET", "/schemas/no-such", nil), 404, "NOT_FOUND")
	w.want(w.admin("GET", "/schemas/"+schemaID+"?version=9.0.0", nil), 404, "NOT_FOUND")

	var gone wire.Schema
	w.want(w.admin("POST", "/schemas/"+schemaID+"/deprecate", wire.SchemaOrder{Version: "2.0.0"}), 400, "VALIDATION_ERROR")
	w.want(w.admin("POST", "/schemas/"+schemaID+"/deprecate", wire.SchemaOrder{Version: "2.0.0", Reason: "a mistake"}), 200).into(t, &gone)
	if gone.Status != "Deprecated" || gone.DeprecationReason != "a mistake" || gone.DeprecatedAt == nil {
		t.Errorf("deprecated %+v", gone)
	}
	w.want(w.admin("POST", "/schemas/"+schemaID+"/approve", wire.SchemaOrder{Version: "2.0.0"}), 409, "CONFLICT")
	w.want(w.admin("POST", "/schemas/no-such/approve", nil), 404, "NOT_FOUND")
	events, total, err := w.store.Audit(t.Context(), store.AuditFilter{EntityType: "schema", EntityID: schemaID})
	w.must(err)
	if total != 5 || events[0].Fact.Type != store.FactSchemaDeprecated || events[0].Fact.Actor != "admin" {
		t.Errorf("%d events, the last %+v", total, events[0])
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(wire.RegisterSchemaRequest{Version: "1.2.0"}, `{}`)
	for rule, tc := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"no id":                   {`{"schemaDefinition": {}}`, 400, "schemaId"},
		"a path as an id":         {`{"schemaId": "../x", "schemaDefinition": {}}`, 400, "schemaId"},
		"no definition":           {`{"schemaId": "x"}`, 400, "schemaDefinition"},
		"a list":                  {`{"schemaId": "x", "schemaDefinition": []}`, 400, "must be an object"},
		"another host":            {`{"schemaId": "x", "schemaDefinition": {"$ref": "http://example.com/x"}}`, 400, "must stay inside the schema"},
		"a type there is not":     {`{"schemaId": "x", "schemaDefinition": {"type": "strng"}}`, 400, "not a valid JSON Schema"},
		"a pattern without end":   {`{"schemaId": "x", "schemaDefinition": {"pattern": "(a{1000}){1000}"}}`, 400, "pattern"},
		"a key twice":             {`{"schemaId": "x", "schemaDefinition": {"type": "object", "type": "string"}}`, 400, "duplicate key"},
		"too deep":                {`{"schemaId": "x", "schemaDefinition": ` + strings.Repeat(`{"not":`, 100) + "{}" + strings.Repeat("}", 100) + `}`, 400, "nested more than 64 deep"},
		"more than 1 MiB":         {`{"schemaId": "x", "schemaDefinition": {"title": "` + strings.Repeat("x", 1<<20) + `"}}`, 400, "at most 1048576"},
		"more than the body":      {`{"schemaId": "x", "schemaDefinition": {"title": "` + strings.Repeat("x", 3<<20) + `"}}`, 413, "too large"},
		"no compatibility":        {`{"schemaId": "x", "schemaDefinition": {}, "compatibility": "Backwards"}`, 400, "did you mean Backward?"},
		"two compatibilities":     {`{"schemaId": "x", "schemaDefinition": {"x-sluice-compatibility": "Full"}, "compatibility": "None"}`, 400, "definition says"},
		"no version":              {`{"schemaId": "x", "schemaDefinition": {}, "version": "one"}`, 400, "MAJOR.MINOR.PATCH"},
		"the same version":        {`{"schemaId": "` + schemaID + `", "schemaDefinition": {}, "version": "1.2.0"}`, 409, "exists already"},
		"a version that is lower": {`{"schemaId": "` + schemaID + `", "schemaDefinition": {}, "version": "1.1.0"}`, 409, "does not rise"},
		"a field more":            {`{"schemaId": "x", "schemaDefinition": {}, "status": "Approved"}`, 400, "status"},
	} {
		t.Run(rule, func(t *testing.T) {
			got := w.call(w.tokens[api.Developer], "POST", "/schemas", tc.body)
			if got.status != tc.status || !strings.Contains(string(got.body), tc.want) {
				t.Errorf("answered %d %s, want %d with %q", got.status, got.body[:min(400, len(got.body))], tc.status, tc.want)
			}
		})
	}
}

func TestDataIsCheckedBySchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(wire.RegisterSchemaRequest{}, `{"properties": {"maxRetries": {"type": "integer"}}}`)
	w.registered(wire.RegisterSchemaRequest{}, `{"properties": {"maxRetries": {"type": "integer", "maximum": 5}}}`)
	check := func(body string) (out wire.ValidateDataResponse) {
		w.want(w.call(w.tokens[api.Developer], "POST", "/schemas/"+schemaID+"/validate", body), 200).into(t, &out)
		return out
	}
	got := check(`{"configData": {"maxRetries": 7}}`)
	if got.IsValid || got.SchemaVersion != "1.1.0" || len(got.Errors) != 1 || got.Errors[0].Path != "$.maxRetries" {
		t.Errorf("got %+v", got)
	}
	if got = check(`{"configData": "{\"maxRetries\": 7}", "version": "1.0.0"}`); !got.IsValid || got.Errors == nil {
		t.Errorf("a string, by another version: %+v", got)
	}
	w.approved(wire.SchemaOrder{Version: "1.0.0"})
	if got = check(`{"configData": {"maxRetries": 7}}`); !got.IsValid || got.SchemaVersion != "1.0.0" {
		t.Errorf("by the Approved one: %+v", got)
	}
	for _, wrong := range []string{``, `{}`, `{"configData": 5}`, `{"configData": "nope"}`, `{"configData": null}`, `{"configData": {"a": 1, "a": 2}}`} {
		w.want(w.call(w.tokens[api.Developer], "POST", "/schemas/"+schemaID+"/validate", wrong), 400, "VALIDATION_ERROR")
	}
	w.want(w.call(w.tokens[api.Developer], "POST", "/schemas/no-such/validate", `{"configData": {}}`), 404, "NOT_FOUND")
}

// What profiles have now is part of what a version of a schema breaks.
func TestSchemasAreHeldAgainstWhatProfilesHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.registered(wire.RegisterSchemaRequest{Compatibility: "Backward"}, `{"properties": {"timeout": {"type": "string"}}}`)
	w.under("1.0.0", first, profile.Data{"timeout": "1s", "retries": "many"})
	second := w.registered(wire.RegisterSchemaRequest{}, `{"properties": {"timeout": {"type": "string"}, "retries": {"type": "integer"}}}`)
	if second.Status != "PendingApproval" || len(second.Violations) != 1 || second.Violations[0].ConfigName != name || second.Violations[0].Errors[0].Path != "$.retries" {
		t.Fatalf("registered %+v", second)
	}
	if got := w.approved(wire.SchemaOrder{}); len(got.Violations) != 1 || got.Status != "Approved" || got.ApprovedBy != "admin" {
		t.Errorf("approved %+v", got)
	}
	events, total, err := w.store.Audit(t.Context(), store.AuditFilter{EventType: store.FactSchemaViolated, EntityID: name})
	w.must(err)
	if total != 1 || !strings.Contains(events[0].Fact.Details["first"].(string), "$.retries") {
		t.Errorf("%d events: %+v", total, events)
	}
	// The next version must satisfy it, and what there is does not start in Production any more.
	got := w.call(w.tokens[api.Operator], "POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0"})
	w.want(got, http.StatusUnprocessableEntity, "SCHEMA_VALIDATION_ERROR")
	if !strings.Contains(string(got.body), "$.retries") {
		t.Errorf("answered %s", got.body)
	}
}

func TestProductionOnlyAgainstApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draft := w.registered(wire.RegisterSchemaRequest{}, `{"properties": {"timeout": {"type": "string"}}}`)
	w.under("1.0.0", draft, data("1s"))
	order := wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0"}
	got := w.want(w.call(w.tokens[api.Operator], "POST", "/deployments", order), 409, "CONFLICT")
	for _, want := range []string{schemaID + " 1.0.0 is Draft", "sluice schema approve " + schemaID} {
		if !strings.Contains(string(got.body), want) {
			t.Errorf("it says not %q: %s", want, got.body)
		}
	}
	force := order
	force.Force, force.Reason = true, "now"
	w.want(w.admin("POST", "/deployments", force), 409, "CONFLICT") // an Admin can approve: that is the way past it

	r, err := w.store.Profile(t.Context(), name)
	w.must(err)
	r.Environment = profile.Staging
	w.must(w.store.PutProfile(t.Context(), r))
	w.want(w.call(w.tokens[api.Operator], "POST", "/deployments", order), 201)
	r.Environment = profile.Production
	w.must(w.store.PutProfile(t.Context(), r))

	w.approved(wire.SchemaOrder{})
	order.Strategy = "Rolling"
	w.want(w.call(w.tokens[api.Operator], "POST", "/deployments", order), 201)
}

// A schema of Git that breaks its word is approved by the same door: what waits
// for that, and for nothing else, starts.
func TestApprovingASchemaOfGit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	waiting := func(guard string) string {
		d := w.waiting(guard)
		w.must(w.store.Create(t.Context(), rollout.Decision{Next: d, Changed: true}))
		return d.ID
	}
	guard := "schema pay.v2 breaks the Backward compatibility that it declared: $.a: is allowed by the version before and not by this version"
	other := waiting("data grew from 10 to 3000 bytes; " + guard)
	w.want(w.admin("POST", "/schemas/pay.v2/approve", nil), 404, "NOT_FOUND")
	w.want(w.admin("POST", "/schemas/pay.v2/approve", wire.SchemaOrder{Version: "1.0.0"}), 404, "NOT_FOUND")
	id := waiting(guard) // which supersedes the other
	w.want(w.admin("POST", "/schemas/pay.v1/approve", nil), 404, "NOT_FOUND")
	var out wire.Schema
	w.want(w.admin("POST", "/schemas/pay.v2/approve", wire.SchemaOrder{Reason: "agreed"}), 200).into(t, &out)
	if len(out.Started) != 1 || out.Started[0] != id || out.SchemaID != "pay.v2" {
		t.Errorf("started %+v and not %s", out, other)
	}
	w.until("it starts", func() bool {
		d, err := w.store.Deployment(t.Context(), id)
		w.must(err)
		return d.Approved && d.State != rollout.Pending
	})
	w.want(w.admin("POST", "/schemas/pay.v2/approve", nil), 404, "NOT_FOUND")
}

// waiting is a deployment that waits for a person.
func (w *world) waiting(guard string) rollout.Deployment {
	w.t.Helper()
	v, err := w.store.Version(w.t.Context(), name, "1.0.0")
	w.must(err)
	r, err := w.store.Profile(w.t.Context(), name)
	w.must(err)
	now, err := w.store.Now(w.t.Context())
	w.must(err)
	return rollout.Deployment{
		ID: uuid.NewString(), Profile: name, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending, CreatedAt: now,
		Selector: fleet.Selector{Service: r.Service, Environment: r.Environment}, Strategy: r.Strategy, Health: r.Health,
		Guard: guard, Awaiting: rollout.AwaitingApproval, InitiatedBy: "ann",
	}
}
