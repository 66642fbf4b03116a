package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
)

// A user changes the own password: this browser goes on, all others are out.
func TestAccountPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("ann", api.Viewer)
	here, elsewhere := w.session("ann"), w.session("ann")
	w.has(w.opened(here, "/"), `href="/account"`)
	w.has(w.opened(here, "/account"), "Change your password", "Sign out", "Viewer")
	byToken := w.opened(w.tokens[api.Viewer], "/account")
	w.has(byToken, "a token")
	w.lacks(byToken, "Change your password", "Sign out")

	const better = "a newer password"
	for what, form := range map[string]url.Values{
		"The present password is wrong": {"currentPassword": {"wrong password"}, "newPassword": {better}, "again": {better}},
		"The new password was not":      {"currentPassword": {password}, "newPassword": {better}, "again": {"another one"}},
		"The new password":              {"currentPassword": {password}, "newPassword": {"short"}, "again": {"short"}},
	} {
		v := w.asBrowser(here, "POST", "/account/password", form)
		if v.status != 400 || !strings.Contains(v.text, `role="alert"`) || !strings.Contains(v.text, what) || strings.Contains(v.text, better) {
			t.Errorf("%s: %d\n%s", what, v.status, v.text)
		}
	}
	form := url.Values{"currentPassword": {password}, "newPassword": {better}, "again": {better}}
	if v := w.asBrowser(w.tokens[api.Viewer], "POST", "/account/password", form); v.status != 400 {
		t.Errorf("a token: %d", v.status)
	}
	v := w.asBrowser(here, "POST", "/account/password", form)
	cookies, err := http.ParseSetCookie(v.header.Get("Set-Cookie"))
	w.must(err)
	if v.status != 303 || v.at != "/account?changed=password" || !cookies.HttpOnly {
		t.Fatalf("changed: %d to %s, %v", v.status, v.at, cookies)
	}
	w.has(w.opened(cookies.Value, v.at), "The password is changed")
	for _, old := range []string{here, elsewhere} {
		if v := w.asBrowser(old, "GET", "/account", nil); v.status != 303 || !strings.HasPrefix(v.at, "/login") {
			t.Errorf("an older session: %d", v.status)
		}
	}
}
