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

func (w *world) elsewhere(role api.Role) string {
	w.t.Helper()
	return w.token(role, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
}

func TestOverviewPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer, operator := w.tokens[api.Viewer], w.tokens[api.Operator]
	w.has(w.opened(viewer, "/"), "sluice serve --source-url", "sluice agent", "Register an instance")
	w.must(w.store.RegisterSource(t.Context(), store.Source{ID: "configs", URL: "https://example.com/configs.git", Branch: "main"}))
	w.has(w.opened(viewer, "/"), "There is no profile yet", "https://example.com/configs.git")
	problem := func(change func(tx *store.Tx) error) { w.must(w.store.InTx(t.Context(), change)) }
	problem(func(tx *store.Tx) error {
		return tx.PutProblem(t.Context(), profile.SourceProblem{Source: "configs", Path: "a.yaml", Commit: "c", Message: "YAML syntax"})
	})
	const unusable = `<a href="/sources/configs#problems">1 file cannot be used</a>`
	w.has(w.opened(viewer, "/"), "There is no profile yet", unusable) // who begins is told why
	w.lacks(w.opened(w.elsewhere(api.Viewer), "/"), "Register an instance", "configs")

	w.profile()
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	one := w.register("one")
	w.complete("1.0.0", one)
	d := w.deploy("1.0.1")
	w.reaches(d.ID, "InProgress")
	w.has(w.opened(viewer, "/"), unusable)
	w.lacks(w.opened(viewer, "/"), "No source fails.")
	problem(func(tx *store.Tx) error { return tx.ClearProblem(t.Context(), "configs", "a.yaml") })
	w.has(w.opened(viewer, "/"), "No source fails.", "No profile is on hold.", "No instance is unhealthy or silent.", "Nothing waits for approval.",
		`href="/deployments/`+d.ID+`"`, `href="/deployments?status=Completed"`, "Completed</span> 1")

	w.must(w.store.RecordSourceFailure(t.Context(), "configs", "<script>remote</script> hung up"))
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", wire.HeartbeatRequest{Health: wire.Health{Status: "Unhealthy"}}), 200)
	w.want(w.call(operator, "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "payments <b>fail</b>"}), 200)
	page := w.opened(viewer, "/")
	w.has(page, "&lt;script&gt;remote&lt;/script&gt; hung up", "Fails since", "Unhealthy</span> 1", "of 1 instance", "payments &lt;b&gt;fail&lt;/b&gt;",
		"An Operator can release it.")
	w.lacks(page, "<script>remote", "<b>fail", "/profiles/"+name+"/release", "Freeze everything")
	w.has(w.opened(operator, "/"), "You can release it.", "/profiles/"+name+"/release", "Freeze everything")
	w.lacks(w.opened(w.elsewhere(api.Admin), "/"), name, "configs", "payment-service", d.ID, "Freeze everything")
}

func TestFreezeByForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer, operator := w.tokens[api.Viewer], w.tokens[api.Operator]
	w.lacks(w.opened(viewer, "/freeze"), "<form class=\"form\"")
	w.lacks(w.opened(w.elsewhere(api.Admin), "/freeze"), "<form class=\"form\"")
	w.has(w.opened(operator, "/freeze"), `<option value="4h" selected>`)
	begin := url.Values{"reason": {"the fair <b>opens</b>"}, "lasts": {"4h"}}
	for token, want := range map[string]int{viewer: 403, w.elsewhere(api.Admin): 403, "": 303} {
		if v := w.asBrowser(token, "POST", "/freeze", begin); v.status != want {
			t.Errorf("a freeze: %d, want %d\n%s", v.status, want, v.text)
		}
	}
	if v := w.asBrowser(operator, "POST", "/freeze", url.Values{"lasts": {"soon"}, "reason": {" "}}); v.status != 400 || !strings.Contains(v.text, "Reason is required") {
		t.Errorf("without a reason: %d\n%s", v.status, v.text)
	}
	refused := w.asBrowser(operator, "POST", "/freeze", url.Values{"lasts": {"soon"}, "reason": {"kept as it was"}})
	if refused.status != 400 || !strings.Contains(refused.text, "kept as it was") {
		t.Errorf("with a time that is none: %d\n%s", refused.status, refused.text)
	}
	if v := w.asBrowser(operator, "POST", "/freeze/end", url.Values{"reason": {"x"}}); v.status != 404 || !strings.Contains(v.text, "No freeze is in force") {
		t.Errorf("ending none: %d\n%s", v.status, v.text)
	}
	if v := w.asBrowser(operator, "POST", "/freeze", begin); v.status != 303 || v.at != "/freeze" {
		t.Fatalf("begun: %d to %s\n%s", v.status, v.at, v.text)
	}
	w.has(w.opened(viewer, "/"), "Everything is frozen", `data-absolute>`, " UTC</time>: <bdi>the fair &lt;b&gt;opens&lt;/b&gt;</bdi>")
	w.has(w.opened(operator, "/freeze"), "End the freeze")
	if v := w.asBrowser(operator, "POST", "/freeze/end", url.Values{"reason": {"over"}}); v.status != 303 {
		t.Fatalf("ended: %d\n%s", v.status, v.text)
	}
	w.lacks(w.opened(viewer, "/"), "Everything is frozen")
}
