package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
)

// schemas is a daemon with one schema.
func schemas(t *testing.T) *fakeDaemon {
	t.Helper()
	d := newDaemon(t)
	draft := wire.Schema{SchemaID: "pay.v1", Version: "1.1.0", Status: "Draft", Compatibility: "Backward", ComparedWith: "1.0.0", SchemaDefinition: json.RawMessage(`{"type":"object"}`),
		Breaks: []wire.SchemaBreak{}, Versions: []wire.SchemaVersion{{Version: "1.1.0", Status: "Draft"}, {Version: "1.0.0", Status: "Approved"}}}
	pending := draft
	pending.Version, pending.Status = "2.0.0", "PendingApproval"
	pending.Breaks = []wire.SchemaBreak{
		{Path: "$.required", Message: "b is required", Direction: "Backward"},
		{Path: "$.properties.c", Message: "is described", Direction: "Backward", OpenName: true},
	}
	approved := draft
	approved.Status = "Approved"
	approved.Violations = []wire.SchemaViolation{{ConfigName: "shop", Version: "3.0.0", Errors: []wire.PathError{{Path: "$.a", Message: "too large"}}}}
	gone := draft
	gone.Status = "Deprecated"
	d.answers("POST /schemas", pending)
	d.answers("GET /schemas", page(pending, draft))
	d.answers("GET /schemas/pay.v1", draft)
	d.answers("POST /schemas/pay.v1/validate", wire.ValidateDataResponse{Errors: []wire.PathError{{Path: "$.a", Message: "too large"}}, SchemaVersion: "1.1.0"})
	d.answers("POST /schemas/pay.v1/approve", approved)
	d.answers("POST /schemas/pay.v1/deprecate", gone)
	d.answers("POST /validate", wire.ValidateResponse{
		Problems: []wire.FileProblem{{File: "a.yaml", Line: 7, Column: 3, Field: "$.data.a", Message: "too large"}}, Warnings: []wire.FileProblem{},
		Profiles: []wire.ProfileForecast{
			{Name: "one", IsValid: true, CurrentVersion: "1.0.0", Version: "2.0.0", Bump: "major", Breaking: true, Guard: "it grew"}, {Name: "two", Bump: "none"},
			{Name: "new", IsValid: true, Version: "1.0.0", Bump: "none"}, {Name: "same", IsValid: true, CurrentVersion: "1.0.0", Bump: "none"},
		},
	})
	return d
}

func TestSchemaCommands(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"s.yaml": "type: object\n", "data.yaml": "a: 9\n", "tree/a.yaml": "x: 1\n", "tree/README.md": "no\n"})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, tt := range []struct {
		rule, request, out string
		code               int
		args               []string
	}{
		{"register", `POST /schemas {"schemaId":"pay.v1","schemaDefinition":"type: object\n","compatibility":"Full"}`,
			"pay.v1 2.0.0 is registered: PendingApproval, Backward with 1.0.0\n  breaks Backward  $.required: b is required\n  note  $.properties.c: is described\napprove it: sluice schema approve pay.v1 --version 2.0.0\n",
			1, []string{"schema", "register", "pay.v1", at("s.yaml"), "--compatibility", "Full"}},
		{"register nothing", "", "needs an id and a file", 2, []string{"schema", "register", "pay.v1"}},
		{"list", "GET /schemas?limit=100&status=PendingApproval", "pay.v1  2.0.0    PendingApproval  Backward       1 place of 1.0.0", 0, []string{"schema", "list", "--status", "PendingApproval"}},
		{"names", "GET /schemas?limit=100", "schema/pay.v1@2.0.0\nschema/pay.v1@1.1.0\n", 0, []string{"schema", "ls", "-o", "name"}},
		{"get", "GET /schemas/pay.v1", "\"type\": \"object\"", 0, []string{"schema", "get", "pay.v1"}},
		{"get a version", "GET /schemas/pay.v1?version=1.0.0", `"schemaId": "pay.v1"`, 0, []string{"schema", "get", "pay.v1", "--version", "1.0.0", "-o", "json"}},
		{"validate data", `POST /schemas/pay.v1/validate {"configData":{"a":9}}`, "$.a: too large\npay.v1 1.1.0: 1 error\n", 1, []string{"schema", "validate", "pay.v1", at("data.yaml")}},
		{"approve", `POST /schemas/pay.v1/approve {"reason":"reviewed"}`, "pay.v1 1.1.0 is Approved\n  violated  shop 3.0.0: $.a: too large\n", 0,
			[]string{"schema", "approve", "pay.v1", "--reason", "reviewed"}},
		{"deprecate", `POST /schemas/pay.v1/deprecate {"version":"1.1.0","reason":"old"}`, "is Deprecated", 0, []string{"schema", "deprecate", "pay.v1", "--version", "1.1.0", "--reason", "old"}},
		{"deprecate without a word", "", "needs --reason", 2, []string{"schema", "deprecate", "pay.v1"}},
		{"a file, by the daemon", `POST /validate {"source":"configs","path":"data.yaml","content":"a: 9\n"}`,
			"a.yaml:7:3: too large ($.data.a)\none 1.0.0 becomes 2.0.0, major, breaking; a person is asked first: it grew\ntwo makes no version\nnew becomes 1.0.0, its first version\nsame stays as it is\n4 profiles: 1 error, 0 warnings\n",
			1, []string{"validate", "--remote", "--source", "configs", at("data.yaml")}},
		{"a tree, by the daemon", `POST /validate {"files":[{"path":"a.yaml","content":"x: 1\n"}]}`, "1 error", 1, []string{"validate", "--remote", at("tree")}},
		{"two trees, by the daemon", "", "one directory or one file", 2, []string{"validate", "--remote", at("tree"), dir}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			d := schemas(t)
			c := newConsole(t, d)
			c.wants(t, tt.code, tt.args...)
			if tt.request == "" && len(d.asked()) > 0 {
				t.Errorf("asked %q", d.asked())
			}
			if tt.request != "" && last(t, d) != tt.request {
				t.Errorf("asked %q, want %q", last(t, d), tt.request)
			}
			if said := c.out.String() + c.err.String(); !strings.Contains(said, tt.out) {
				t.Errorf("said %q, want %q", said, tt.out)
			}
		})
	}
}
