package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

func TestSchemasPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.has(w.opened(viewer, "/schemas"), "No schema is registered", "No profile names a schema of its repository")

	r := w.profile()
	r.SchemaID = "of-git.v1"
	w.must(w.store.PutProfile(t.Context(), r))
	first := w.registered(wire.RegisterSchemaRequest{}, `{"type": "object", "title": "<script>alert(1)</script>", "properties": {"n": {"type": "integer", "maximum": 9}}}`)
	second := w.registered(wire.RegisterSchemaRequest{}, `{"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}, "x-sluice-compatibility": "Backward"}`)
	list := w.opened(viewer, "/schemas")
	w.has(list, `href="/schemas/payment-config.v1"`, second.Version, "of-git.v1", "its merge")
	w.lacks(list, "<code class=\"version\">"+first.Version)
	w.lacks(w.opened(viewer, "/schemas?status=Deprecated"), "payment-config.v1")
	if v := w.asBrowser(viewer, "GET", "/schemas?status=Nice", nil); v.status != 400 {
		t.Errorf("a status that there is not: %d", v.status)
	}

	one := w.opened(viewer, "/schemas/payment-config.v1")
	w.has(one, second.Version, "Pending approval", "Backward", "How it parts with", "$.properties.n.maximum", `?version=`+first.Version, "No profile names it")
	w.lacks(one, "<form class=\"form\"", "Approve ")
	w.has(w.opened(viewer, "/schemas/payment-config.v1?version="+first.Version), "&lt;script&gt;", "Draft")
	w.has(w.opened(viewer, "/schemas/of-git.v1"), "its merge approves it", `href="/profiles/`+name+`"`)
	for _, path := range []string{"/schemas/no-such", "/schemas/payment-config.v1?version=9.9.9", "/schemas/of-git.v1?version=1.0.0"} {
		if v := w.asBrowser(viewer, "GET", path, nil); v.status != 404 {
			t.Errorf("%s: %d", path, v.status)
		}
	}
	team := w.token(api.Admin, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	w.lacks(w.opened(team, "/schemas"), "of-git.v1")
	w.lacks(w.opened(team, "/schemas/payment-config.v1"), "Decide")
	if v := w.asBrowser(team, "GET", "/schemas/of-git.v1", nil); v.status != 404 {
		t.Errorf("a schema that only another team uses: %d", v.status)
	}
}

func TestSchemaForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.tokens[api.Admin]
	e := w.registered(wire.RegisterSchemaRequest{}, `{"type": "object"}`)
	w.has(w.opened(admin, "/schemas/payment-config.v1"), "Approve "+e.Version, "Deprecate "+e.Version)
	form := url.Values{"version": {e.Version}, "reason": {""}}
	for _, role := range []api.Role{api.Viewer, api.Developer, api.Operator} {
		if v := w.asBrowser(w.tokens[role], "POST", "/schemas/payment-config.v1/approve", form); v.status != 403 {
			t.Errorf("%s: %d", role, v.status)
		}
	}
	if v := w.asBrowser(admin, "POST", "/schemas/payment-config.v1/approve", form); v.status != 303 || v.at != "/schemas/payment-config.v1?version="+e.Version {
		t.Fatalf("approve: %d to %s\n%s", v.status, v.at, v.text)
	}
	approved := w.opened(admin, "/schemas/payment-config.v1")
	w.has(approved, "Approved", "by admin")
	w.lacks(approved, "Approve "+e.Version)
	if v := w.asBrowser(admin, "POST", "/schemas/payment-config.v1/deprecate", form); v.status != 400 || !strings.Contains(v.text, "Reason is required") {
		t.Errorf("no reason: %d\n%s", v.status, v.text)
	}
	form.Set("reason", hostile)
	if v := w.asBrowser(admin, "POST", "/schemas/payment-config.v1/deprecate", form); v.status != 303 {
		t.Fatalf("deprecate: %d\n%s", v.status, v.text)
	}
	w.has(w.opened(admin, "/schemas/payment-config.v1"), "Deprecated", "&lt;script&gt;")
	if v := w.asBrowser(admin, "POST", "/schemas/payment-config.v1/approve", form); v.status != 409 || !strings.Contains(v.text, "which is its end") || strings.Contains(v.text, "<script>") {
		t.Errorf("approve what is deprecated: %d\n%s", v.status, v.text)
	}
}
