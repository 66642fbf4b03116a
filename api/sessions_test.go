package api_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/session"
)

// person makes a user with the test's password.
func (w *world) person(name string, role api.Role) {
	w.t.Helper()
	hash, err := api.HashPassword(password)
	w.must(err)
	w.must(w.store.CreateUser(w.t.Context(), userNamed(name, role, hash)))
}

func (w *world) signIn(name, with string) answer {
	w.t.Helper()
	return w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: name, Password: with})
}

func (w *world) session(name string) string {
	w.t.Helper()
	var in wire.LoginResponse
	w.want(w.signIn(name, password), 200).into(w.t, &in)
	return in.Token
}

func TestSessionsOfAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("ann", api.Operator)
	w.person("root", api.Admin)
	one, two := w.session("ann"), w.session("ann")
	if !strings.HasPrefix(one, "eyJ") || one == two {
		t.Errorf("the sessions are %q and %q", one, two)
	}
	var me wire.Identity
	w.want(w.call(one, "GET", "/authentication/identity", nil), 200).into(t, &me)
	if me.Name != "ann" || me.Role != "Operator" || me.Kind != "user" {
		t.Errorf("ann is %+v", me)
	}
	w.want(w.call(w.tokens[api.Viewer], "GET", "/authentication/identity", nil), 200).into(t, &me)
	if me.Name != "viewer" || me.Kind != "token" {
		t.Errorf("a token is %+v", me)
	}
	w.want(w.call(one, "POST", "/authentication/logout", nil), 204)
	w.want(w.call(one, "GET", "/configs", nil), 401, "UNAUTHORIZED")
	w.want(w.call(two, "GET", "/configs", nil), 200)
	w.want(w.call(w.tokens[api.Viewer], "POST", "/authentication/logout", nil), 400, "VALIDATION_ERROR")

	// What an Admin changes ends what was begun before.
	root := w.session("root")
	for _, tt := range [][2]string{{"role", `{"role": "Viewer"}`}, {"password", `{"password": "another password"}`}, {"disabled", `{"disabled": true}`}} {
		what, change := tt[0], tt[1]
		w.must(w.store.RemoveUser(t.Context(), "ann", "test"))
		w.person("ann", api.Operator)
		two = w.session("ann")
		var u wire.User
		w.want(w.call(root, "PUT", "/users/ann", change), 200).into(t, &u)
		w.want(w.call(two, "GET", "/configs", nil), 401)
		if again := w.signIn("ann", password); (again.status == 200) != (what == "role") {
			t.Errorf("after another %s the password answers %d", what, again.status)
		}
	}
	w.want(w.call(root, "PUT", "/users/ann", `{"disabled": false}`), 200)
	two = w.session("ann")
	w.want(w.call(root, "DELETE", "/users/ann", nil), 204)
	w.want(w.call(two, "GET", "/configs", nil), 401)
	w.want(w.call(root, "DELETE", "/users/ann", nil), 404, "NOT_FOUND")
	var log wire.Page[wire.AuditEvent]
	w.want(w.call(root, "GET", "/audit?entityType=user&user=root", nil), 200).into(t, &log)
	if log.Total != 5 {
		t.Errorf("root did %d things in the audit log: %+v", log.Total, log.Items)
	}
}

// A browser tells the password of a proxy before this server with every request: who
// is signed in here stays so. A bearer token is said on purpose, and counts alone.
func TestSessionBehindAProxyThatAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("ann", api.Operator)
	cookie := "sluice_session=" + w.session("ann")
	for _, tt := range []struct {
		authorization string
		status        int
	}{{"Basic dXNlcjpwYXNz", 200}, {"Negotiate YII", 200}, {"", 200}, {"Bearer slt_made-up", 401}} {
		w.want(w.call("", "GET", "/authentication/identity", nil, "Cookie", cookie, "Authorization", tt.authorization), tt.status)
	}
	w.want(w.call("", "POST", "/authentication/logout", nil, "Cookie", cookie, "Authorization", "Basic dXNlcjpwYXNz"), 401) // no page of ours asks
	w.want(w.call("", "GET", "/authentication/identity", nil, "Authorization", "Basic dXNlcjpwYXNz"), 401)
}

// A token that this server's keys signed is good for nothing unless the store
// knows its session, and its user as it says.
func TestForgedSessions(t *testing.T) {
	t.Parallel()
	keys, err := session.ParseKeys(session.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *api.Options) { o.SessionKeys, o.Issuer = keys, "here" })
	w.person("ann", api.Viewer)
	w.person("bob", api.Admin)
	genuine, err := session.Signer{Keys: keys, Issuer: "here", Audience: "sluice-api"}.Verify(w.session("ann"))
	w.must(err)
	for what, c := range map[string]session.Claims{
		"another role": {Subject: "ann", Role: "Admin", ID: genuine.ID}, "another user": {Subject: "bob", Role: "Admin", ID: genuine.ID},
		"another session": {Subject: "ann", Role: "Viewer", ID: "made up"}, "no role": {Subject: "ann", ID: genuine.ID},
		"a role of no person": {Subject: "ann", Role: "Registration", ID: genuine.ID},
	} {
		c.ExpiresAt = time.Now().Add(time.Hour)
		forged, err := session.Signer{Keys: keys, Issuer: "here", Audience: "sluice-api"}.Sign(c)
		w.must(err)
		if got := w.call(forged, "GET", "/configs", nil); got.status != 401 {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	genuine.ExpiresAt = time.Now().Add(time.Hour)
	for what, s := range map[string]session.Signer{
		"another purpose": {Keys: keys, Issuer: "here", Audience: "sluice-sign-in"}, "another server": {Keys: keys, Issuer: "there", Audience: "sluice-api"},
	} {
		forged, err := s.Sign(genuine)
		w.must(err)
		if got := w.call(forged, "GET", "/configs", nil); got.status != 401 {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	for _, text := range []string{"eyJ.", "eyJ..", "eyJ" + strings.Repeat(".", 20_000), "eyJ" + strings.Repeat("x", 20_000) + ".y.z"} {
		w.want(w.call(text, "GET", "/configs", nil), 401, "UNAUTHORIZED")
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("root", api.Admin)
	root := w.session("root")
	var u wire.User
	w.want(w.call(root, "POST", "/users", wire.UserRequest{Username: "ann@example.com", Password: password, Role: "Developer"}), 201).into(t, &u)
	if u.Username != "ann@example.com" || u.Role != "Developer" || u.CreatedAt == nil {
		t.Errorf("made %+v", u)
	}
	w.session("ann@example.com")
	for what, wrong := range map[string]wire.UserRequest{
		"a name of a provider's": {Username: "sso:ann", Password: password, Role: "Viewer"}, "the server's name": {Username: "Sluice", Password: password, Role: "Viewer"},
		"no name": {Password: password, Role: "Viewer"}, "a name of two lines": {Username: "a\nb", Password: password, Role: "Viewer"}, "an instance's": {Username: "instance one", Password: password, Role: "Viewer"},
		"a short password": {Username: "x", Password: "short", Role: "Viewer"}, "a role of tokens": {Username: "x", Password: password, Role: "Registration"},
	} {
		if got := w.call(root, "POST", "/users", wrong); got.status != 400 || strings.Contains(string(got.body), password) {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	w.want(w.call(root, "POST", "/users", wire.UserRequest{Username: "ROOT", Password: password, Role: "Viewer"}), 409, "CONFLICT")
	w.want(w.call(root, "POST", "/users", wire.UserRequest{Username: "viewer", Password: password, Role: "Viewer"}), 409) // a token's name
	w.want(w.call(root, "PUT", "/users/root", `{"role": "Viewer"}`), 409, "CONFLICT")
	w.want(w.call(root, "DELETE", "/users/root", nil), 409, "CONFLICT")
	w.want(w.call(root, "PUT", "/users/nobody", `{"role": "Viewer"}`), 404, "NOT_FOUND")
	w.want(w.call(root, "PUT", "/users/root", `{"role": "King"}`), 400, "VALIDATION_ERROR")
	var page wire.Page[wire.User]
	list := w.want(w.call(root, "GET", "/users", nil), 200)
	if list.into(t, &page); page.Total != 2 || strings.Contains(string(list.body), "argon2") {
		t.Errorf("users are %s", list.body)
	}
	w.want(w.call(root, "GET", "/users/ann@example.com", nil), 200)

	// Her own password: all her sessions end, and the answer is a new one.
	ann := w.session("ann@example.com")
	w.want(w.call(ann, "PUT", "/authentication/password", wire.PasswordChange{Current: "wrong", New: "a newer password"}), 400, "VALIDATION_ERROR")
	w.want(w.call(ann, "PUT", "/authentication/password", wire.PasswordChange{Current: password, New: "short"}), 400, "VALIDATION_ERROR")
	w.want(w.call(w.tokens[api.Admin], "PUT", "/authentication/password", wire.PasswordChange{Current: password, New: "a newer password"}), 400)
	var in wire.LoginResponse
	w.want(w.call(ann, "PUT", "/authentication/password", wire.PasswordChange{Current: password, New: "a newer password"}), 200).into(t, &in)
	w.want(w.call(ann, "GET", "/configs", nil), 401)
	w.want(w.call(in.Token, "GET", "/configs", nil), 200)
	w.want(w.signIn("ann@example.com", password), 401)
	w.want(w.signIn("ann@example.com", "a newer password"), 200)
}

// What an Admin made tokens with does not matter: they stop with the Admin.
func TestTokensStopWithWhoMadeThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("root", api.Admin)
	w.person("ann", api.Admin)
	root := w.session("root")
	var one, two wire.Token
	w.want(w.call(w.session("ann"), "POST", "/tokens", wire.TokenRequest{Name: "one", Role: "Admin"}), 201).into(t, &one)
	w.want(w.call(one.Token, "POST", "/tokens", wire.TokenRequest{Name: "two", Role: "Viewer"}), 201).into(t, &two)
	if two.CreatedBy != "one" || two.Owner != "ann" {
		t.Errorf("made %+v", two)
	}
	both := func(status int) {
		t.Helper()
		for _, token := range []string{one.Token, two.Token} {
			w.want(w.call(token, "GET", "/configs", nil), status)
		}
	}
	both(200)
	w.want(w.call(root, "PUT", "/users/ann", `{"disabled": true}`), 200)
	both(401)
	if list := w.want(w.call(root, "GET", "/tokens", nil), 200); strings.Count(string(list.body), `"stopped":true`) != 2 {
		t.Errorf("the list says %s", list.body)
	}
	w.has(w.opened(root, "/tokens"), "stopped with ann")
	w.want(w.call(root, "PUT", "/users/ann", `{"disabled": false}`), 200)
	both(200)
	w.want(w.call(root, "DELETE", "/users/ann", nil), 204)
	both(401)
	if list := w.want(w.call(root, "GET", "/tokens", nil), 200); strings.Contains(string(list.body), one.ID) {
		t.Errorf("the list says %s", list.body)
	}
}

// Too many wrong passwords shut an account to an address for a while, whether
// there is such an account or not.
func TestLockedSignIns(t *testing.T) {
	t.Parallel()
	start, passed := time.Now(), atomic.Int64{}
	w := newWorld(t, func(o *api.Options) { o.Now = func() time.Time { return start.Add(time.Duration(passed.Load())) } })
	w.person("ann", api.Viewer)
	for _, name := range []string{"ann", "nobody"} {
		for n := range 10 {
			if n%5 == 0 {
				passed.Add(int64(time.Minute)) // the limit of each minute is another matter
			}
			w.want(w.signIn(name, "guess number"), 401, "UNAUTHORIZED")
		}
		passed.Add(int64(30 * time.Second))
		got := w.want(w.signIn(name, password), 429, "RATE_LIMIT_EXCEEDED")
		if got.header.Get("Retry-After") != "30" {
			t.Errorf("%s waits %s s", name, got.header.Get("Retry-After"))
		}
	}
	passed.Add(int64(time.Minute))
	w.want(w.signIn("ann", password), 200)
}
