package api_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/fakeidp"
	"github.com/sluicehq/sluice/internal/session"
	"github.com/sluicehq/sluice/internal/sso"
	"github.com/sluicehq/sluice/store"
)

const external = "https://sluice.example.com"

// browser goes from page to page, and knows the server by its external URL.
type browser struct {
	w *world
	c *http.Client
}

func newIdentityWorld(t *testing.T, change ...func(*api.Options)) (*world, *fakeidp.Provider) {
	t.Helper()
	idp := fakeidp.New()
	t.Cleanup(idp.Close)
	idp.Claims = map[string]any{"groups": []string{"ops"}, "email": "ann@example.com", "email_verified": true}
	provider := sso.New(sso.Options{
		Name: "Example", Issuer: idp.URL, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, RedirectURL: external + api.SSOCallback,
		RolesClaim: "groups", Roles: map[string]string{"ops": "Operator", "admins": "Admin"},
	})
	return newWorld(t, append(change, func(o *api.Options) { o.SSO = provider })...), idp
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// open asks for one page, and does not follow where it leads.
func (b *browser) open(to string) visit {
	b.w.t.Helper()
	to = strings.Replace(to, external, b.w.http.URL, 1)
	if strings.HasPrefix(to, "/") {
		to = b.w.http.URL + to
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, to, http.NoBody)
	b.w.must(err)
	resp, err := b.c.Do(req)
	b.w.must(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	b.w.must(err)
	return visit{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(raw)}
}

// callback is where the provider sends the browser back to.
func (b *browser) callback(start string) string {
	b.w.t.Helper()
	v := b.open(start)
	if v.status != 303 {
		b.w.t.Fatalf("%s answered %d\n%s", start, v.status, v.text)
	}
	back := b.open(v.at)
	if back.status != 302 || !strings.HasPrefix(back.at, external+api.SSOCallback) {
		b.w.t.Fatalf("the provider sent %d to %s", back.status, back.at)
	}
	return back.at
}

func (b *browser) signedIn() bool { return b.open("/api/v1/configs").status == 200 }

// A person signs in at the provider and is a user here, of the role that it says.
func TestSingleSignOn(t *testing.T) {
	t.Parallel()
	w, idp := newIdentityWorld(t)
	b := w.browser()
	if v := b.open("/login?next=/deployments/1"); !strings.Contains(v.text, `href="/login/sso?next=%2Fdeployments%2F1"`) || !strings.Contains(v.text, "Sign in with Example") {
		t.Errorf("the page has no way to the provider:\n%s", v.text)
	}
	back := b.callback("/login/sso?next=/deployments/1")
	if v := b.open(back); v.status != 303 || v.at != "/deployments/1" {
		t.Fatalf("came back to %d %s\n%s", v.status, v.at, v.text)
	}
	var me wire.Identity
	answer{body: []byte(b.open("/api/v1/authentication/identity").text)}.into(t, &me)
	if me.Name != "sso:ann@example.com" || me.Role != "Operator" {
		t.Errorf("signed in as %+v", me)
	}
	if v := b.open(back); v.status != 400 {
		t.Errorf("the same answer a second time: %d", v.status)
	}

	// Nobody gets to be a local user, nor two people one.
	w.person("ann@example.com", api.Admin)
	idp.Claims["sub"] = "somebody else"
	other := w.browser()
	other.open(other.callback("/login/sso"))
	answer{body: []byte(other.open("/api/v1/authentication/identity").text)}.into(t, &me)
	if !strings.HasPrefix(me.Name, "sso:ann@example.com (") {
		t.Errorf("another of the same address is %+v", me)
	}
	w.want(w.signIn("sso:ann@example.com", ""), 401)
	w.want(w.admin("PUT", "/users/sso:ann@example.com", `{"password": "a new password"}`), 409, "CONFLICT")
	w.want(w.admin("PUT", "/users/sso:ann@example.com", `{"role": "Admin"}`), 409, "CONFLICT")
	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "SSO:x", Role: "Viewer"}), 400)

	// Another role ends what was begun with the one before.
	delete(idp.Claims, "sub")
	idp.Claims["groups"] = "admins"
	again := w.browser()
	again.open(again.callback("/login/sso"))
	if b.signedIn() || !again.signedIn() {
		t.Errorf("before the change of role signed in: %v, after it: %v", b.signedIn(), again.signedIn())
	}
	w.want(w.admin("PUT", "/users/sso:ann@example.com", `{"disabled": true}`), 200)
	if again.signedIn() {
		t.Error("a disabled user is signed in")
	}
	if v := again.open(again.callback("/login/sso")); v.status != 403 || !strings.Contains(v.text, "is disabled here") || again.signedIn() {
		t.Errorf("a disabled user gets %d\n%s", v.status, v.text)
	}
}

// What does not come of a sign-in that this browser began signs nobody in.
func TestSingleSignOnRefused(t *testing.T) {
	t.Parallel()
	w, idp := newIdentityWorld(t)
	victim, attacker := w.browser(), w.browser()
	victim.callback("/login/sso")
	if v := victim.open(attacker.callback("/login/sso")); v.status != 400 || victim.signedIn() {
		t.Errorf("the answer to another browser: %d", v.status)
	}
	back := victim.callback("/login/sso")
	if v := victim.open(strings.Replace(back, "state=", "state=x", 1)); v.status != 400 || victim.signedIn() {
		t.Errorf("another state: %d", v.status)
	}
	state, err := url.Parse(victim.callback("/login/sso"))
	w.must(err)
	if v := victim.open(api.SSOCallback + "?error=access_denied&error_description=%3Cb%3E&state=" + state.Query().Get("state")); v.status != 403 || strings.Contains(v.text, "<b>") {
		t.Errorf("a refusal: %d\n%s", v.status, v.text)
	}
	idp.Claims["groups"] = []string{"guests"}
	if v := victim.open(victim.callback("/login/sso")); v.status != 403 || !strings.Contains(v.text, "groups") || strings.Contains(v.text, "guests") || victim.signedIn() {
		t.Errorf("without a role: %d\n%s", v.status, v.text)
	}
	idp.Claims["groups"], idp.Claims["nonce"] = []string{"ops"}, "another"
	if v := victim.open(victim.callback("/login/sso")); v.status != 403 || victim.signedIn() {
		t.Errorf("another nonce: %d", v.status)
	}
	delete(idp.Claims, "nonce")
	for _, next := range []string{"//evil.example.com", "https://evil.example.com", "/\t/evil.example.com", "/\n/evil.example.com", `/\evil.example.com`, "/" + strings.Repeat("x", 3000)} {
		b := w.browser()
		if v := b.open(b.callback("/login/sso?next=" + url.QueryEscape(next))); v.at != "/" {
			t.Errorf("next=%.40s leads to %q", next, v.at)
		}
	}
}

// While the provider is away, passwords work and the page says so.
func TestSingleSignOnAway(t *testing.T) {
	t.Parallel()
	w, idp := newIdentityWorld(t)
	w.person("ann", api.Viewer)
	idp.Status.Store(503)
	if v := w.browser().open("/login/sso"); v.status != 503 || !strings.Contains(v.text, "sign in with a password") || v.header.Get("Content-Security-Policy") == "" {
		t.Errorf("away: %d\n%s", v.status, v.text)
	}
	w.session("ann")
	none := newWorld(t)
	none.want(none.call("", "GET", "//login/sso", nil), 404, "NOT_FOUND")
	none.want(none.call("", "GET", "//login/sso/callback", nil), 404, "NOT_FOUND")
}

// The command line gets a code by way of the browser, after a person said so, and
// exchanges it once with the verifier that it alone has.
func TestSingleSignOnOfTheCommandLine(t *testing.T) {
	t.Parallel()
	w, _ := newIdentityWorld(t)
	b, verifier := w.browser(), sso.NewVerifier()
	start := "/login/sso?port=40000&challenge=" + sso.Challenge(verifier)
	page := b.open(start)
	_, rest, ok := strings.Cut(page.text, `<a href="`)
	link, _, _ := strings.Cut(rest, `"`)
	if page.status != 200 || !ok || !strings.Contains(page.text, "port 40000") {
		t.Fatalf("nobody is asked: %d\n%s", page.status, page.text)
	}
	link = strings.ReplaceAll(link, "&amp;", "&")
	if v := w.browser().open(link); v.status != 200 {
		t.Errorf("the link works in another browser: %d %s", v.status, v.at)
	}
	if v := b.open(start + "&confirm="); v.status != 200 {
		t.Errorf("an empty confirmation is one: %d", v.status)
	}
	page = b.open(start)
	_, rest, _ = strings.Cut(page.text, `<a href="`)
	link, _, _ = strings.Cut(rest, `"`)
	v := b.open(b.callback(strings.ReplaceAll(link, "&amp;", "&")))
	to, err := url.Parse(v.at)
	if err != nil || to.Host != "127.0.0.1:40000" || b.signedIn() {
		t.Fatalf("sent to %s, %v", v.at, err)
	}
	exchange := func(code, verifier string) answer {
		return w.call("", "POST", "/authentication/sso", wire.CodeRequest{Code: code, Verifier: verifier})
	}
	code := to.Query().Get("code")
	w.want(exchange(code, sso.NewVerifier()), 401, "UNAUTHORIZED")
	w.want(exchange(code+"x", verifier), 401)
	w.want(exchange("", ""), 401)
	var in wire.LoginResponse
	w.want(exchange(code, verifier), 200).into(t, &in)
	w.want(w.call(in.Token, "GET", "/configs", nil), 200)
	w.want(w.call(code, "GET", "/configs", nil), 401) // a code is no session
	w.want(exchange(code, verifier), 401)
	for _, wrong := range []string{"port=80&challenge=" + sso.Challenge(verifier), "port=x&challenge=" + sso.Challenge(verifier), "port=40000&challenge=short", "port=40000", "port=40000@evil.example.com&challenge=" + sso.Challenge(verifier), "port=40000&challenge=" + strings.Repeat("<", 43)} {
		if v := b.open("/login/sso?" + wrong); v.status != 400 {
			t.Errorf("%s answered %d", wrong, v.status)
		}
	}
}

// A code is nobody's when its user changed meanwhile.
func TestCodesOfChangedUsers(t *testing.T) {
	t.Parallel()
	keys, err := session.ParseKeys(session.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	w, _ := newIdentityWorld(t, func(o *api.Options) { o.SessionKeys = keys })
	w.must(w.store.CreateUser(t.Context(), store.User{Name: "sso:ann", Role: "Viewer", Issuer: "i", Subject: "s"}))
	verifier := sso.NewVerifier()
	for who, want := range map[[2]string]int{{"sso:ann", "Viewer"}: 200, {"sso:ann", "Admin"}: 401, {"sso:bob", "Viewer"}: 401} {
		code, err := session.Signer{Keys: keys, Issuer: "sluice", Audience: "sluice-command-line"}.Sign(session.Claims{
			Subject: who[0], Role: who[1], ID: rand.Text(), ExpiresAt: time.Now().Add(time.Minute), Data: map[string]string{"challenge": sso.Challenge(verifier)},
		})
		w.must(err)
		w.want(w.call("", "POST", "/authentication/sso", wire.CodeRequest{Code: code, Verifier: verifier}), want)
	}
}
