package api_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

var madeToken = regexp.MustCompile(`<code class="secret">(slt_[^<]+)</code>`)

// A token is made by a form, shown by its answer alone, and revoked after a
// question.
func TestTokensPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.tokens[api.Admin]
	team := w.token(api.Admin, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	for _, token := range []string{w.tokens[api.Viewer], w.tokens[api.Operator], team} {
		if v := w.asBrowser(token, "GET", "/tokens", nil); v.status != 403 || !strings.Contains(v.text, "This is not for you") {
			t.Errorf("GET by somebody else: %d", v.status)
		}
		if v := w.asBrowser(token, "POST", "/tokens", url.Values{"name": {"ci"}, "role": {"Viewer"}}); v.status != 403 {
			t.Errorf("POST by somebody else: %d", v.status)
		}
	}
	w.lacks(w.opened(w.tokens[api.Viewer], "/"), `href="/tokens"`)
	w.has(w.opened(admin, "/tokens"), "Make a token", `<option value="P30D" selected>`, "everything")

	form := url.Values{"name": {hostile}, "role": {"Developer"}, "ttl": {"P7D"}, "environments": {"Staging"}, "profiles": {"not a glob!"}}
	refused := w.asBrowser(admin, "POST", "/tokens", form)
	if refused.status != 400 || strings.Contains(refused.text, "<script>") {
		t.Errorf("a wrong glob: %d\n%s", refused.status, refused.text)
	}
	w.has(refused.text, `role="alert"`, "is no glob of a profile", `<option value="P7D" selected>`, `value="Staging" checked`, ">not a glob!</textarea>", "<option selected>Developer")

	form.Set("profiles", "payment-*\r\nsearch-*")
	made := w.asBrowser(admin, "POST", "/tokens", form)
	found := madeToken.FindStringSubmatch(made.text)
	if made.status != http.StatusCreated || found == nil || made.at != "" || made.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("made: %d %v\n%s", made.status, made.header, made.text)
	}
	w.has(made.text, "This page alone shows it", "payment-*", "Staging")
	list := w.opened(admin, "/tokens")
	w.has(list, "&lt;script&gt;", "search-*", "by admin")
	w.lacks(list, found[1])
	w.want(w.call(found[1], "GET", "/configs", nil), 200)

	tokens, err := w.store.Tokens(t.Context())
	w.must(err)
	path := ""
	for _, token := range tokens {
		if token.Name == hostile {
			path = "/tokens/" + token.ID + "/revoke"
		}
	}
	w.has(w.opened(admin, path), "cannot be brought back", "&lt;script&gt;")
	w.want(w.call(found[1], "GET", "/configs", nil), 200) // a question is no order
	if v := w.asBrowser(admin, "POST", path, nil); v.status != 303 || v.at != "/tokens" {
		t.Errorf("revoked: %d to %s", v.status, v.at)
	}
	w.want(w.call(found[1], "GET", "/configs", nil), 401)
	if v := w.asBrowser(admin, "POST", path, nil); v.status != 404 {
		t.Errorf("revoked twice: %d", v.status)
	}
}
