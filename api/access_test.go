package api_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
)

// Every door of every kind, and who may open it. A route that is missing here
// fails the test: nobody adds a door without saying who may use it.
func TestWhoMayUseWhichDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	everybody := "Viewer Developer Operator Admin"
	doors := map[string]string{
		"POST //webhooks/:forge": "open", "GET //healthz": "open", "GET //readyz": "open", "GET //health": "open", "GET //metrics": "open", "GET //openapi.json": "open", "GET //docs": "open",
		"POST /authentication/login": "open", "POST /authentication/logout": everybody, "GET /authentication/identity": everybody,
		"PUT /authentication/password": everybody, "GET //logout": "open", "GET //login/sso": "open", "GET //login/sso/callback": "open", "POST /authentication/sso": "open", "POST //logout": "open",
		"GET /users": "Admin", "POST /users": "Admin", "GET /users/:username": "Admin", "PUT /users/:username": "Admin", "DELETE /users/:username": "Admin",
		"POST /tokens": "Admin", "GET /tokens": "Admin", "DELETE /tokens/:id": "Admin",
		"GET /configs": everybody, "GET /configs/:name": everybody, "GET /configs/:name/versions": everybody,
		"GET /configs/:name/versions/:version": everybody, "GET /configs/:name/versions/:version/diff/:other": everybody,
		"POST /configs": "Developer Admin", "PATCH /configs/:name/versions/:version": "Developer Admin", "DELETE /configs/:name/versions/:version": "Admin",
		"PUT /configs/:name": "Developer Admin", "DELETE /configs/:name": "Admin", "POST /configs/:name/versions": "Developer Admin",
		"GET /configs/:name/rollback": everybody, "POST /configs/:name/rollback": "Operator Admin", "POST /configs/:name/release": "Operator Admin",
		"POST /deployments": "Operator Admin", "GET /deployments": everybody, "GET /deployments/:id": everybody,
		"GET /deployments/:id/health": everybody, "GET /deployments/:id/report": everybody,
		// Pages: whoever is refused is told so in JSON here, and a browser on a page.
		"GET //": everybody, "GET //live": everybody,
		"GET //profiles": everybody, "GET //profiles/:name": everybody, "GET //profiles/:name/versions": everybody,
		"GET //profiles/:name/versions/:version": everybody, "GET //profiles/:name/diff": everybody,
		"GET //profiles/:name/rollback": everybody, "POST //profiles/:name/rollback": "Operator Admin",
		"GET //profiles/:name/release": everybody, "POST //profiles/:name/release": "Operator Admin",
		"GET //freeze": everybody, "POST //freeze": "Operator Admin", "POST //freeze/end": "Operator Admin",
		"GET //instances": everybody, "GET //instances/:id": everybody,
		"GET //sources": everybody, "GET //sources/:id": everybody, "POST //sources/:id/sync": "Operator Admin",
		"GET //schemas": everybody, "GET //schemas/:id": everybody, "POST //schemas/:id/approve": "Admin", "POST //schemas/:id/deprecate": "Admin",
		"GET //audit": everybody, "GET //tokens": "Admin", "POST //tokens": "Admin", "GET //tokens/:id/revoke": "Admin", "POST //tokens/:id/revoke": "Admin",
		"GET //account": everybody, "POST //account/password": everybody,
		"GET //deployments": everybody, "GET //deployments/:id": everybody, "GET //deployments/:id/report": everybody,
		"GET //deployments/:id/rollback": everybody, "GET //deployments/:id/cancel": everybody, "GET //deployments/:id/retry": everybody,
		"POST //deployments/:id/pause": "Operator Admin", "POST //deployments/:id/resume": "Operator Admin", "POST //deployments/:id/promote": "Operator Admin",
		"POST //deployments/:id/rollback": "Operator Admin", "POST //deployments/:id/cancel": "Operator Admin", "POST //deployments/:id/retry": "Operator Admin",
		"GET //login": "open", "POST //login": "open", "GET //assets/:file": "open",
		"GET //assets/docs.css":       "open",
		"GET /deployments/:id/events": everybody,
		"POST /deployments/:id/pause": "Operator Admin", "POST /deployments/:id/resume": "Operator Admin",
		"POST /deployments/:id/promote": "Operator Admin", "POST /deployments/:id/cancel": "Operator Admin",
		"GET /deployments/:id/rollback": everybody, "POST /deployments/:id/rollback": "Operator Admin", "POST /deployments/:id/retry": "Operator Admin",
		"GET /freeze": everybody, "PUT /freeze": "Operator Admin", "DELETE /freeze": "Operator Admin",
		"POST /instances": "Developer Admin Registration", "GET /instances": everybody, "GET /instances/:id": everybody,
		"DELETE /instances/:id": "Developer Admin instance", "POST /instances/:id/heartbeat": "instance",
		"POST /instances/:id/applied": "instance", "GET /instances/:id/watch": "instance", "GET /instances/:id/configs": "instance",
		"GET /instances/:id/configs/:name/:hash/data": "instance",
		"POST /validate": "Developer Admin", "POST /schemas": "Developer Admin", "GET /schemas": everybody, "GET /schemas/:id": everybody,
		"POST /schemas/:id/validate": "Developer Admin", "POST /schemas/:id/approve": "Admin", "POST /schemas/:id/deprecate": "Admin",
		"GET /logging": "Admin", "PUT /logging": "Admin", "DELETE /logging": "Admin",
		"POST /notifications/:target/test": "Admin", "GET /audit": everybody, "GET /audit/verify": "Operator Admin", "GET /statuses/:commit": everybody, "GET /sources": everybody, "POST /sources/:id/sync": "Operator Admin",
	}
	for door := range clientDoors() {
		doors[door] = everybody + " instance another instance"
	}
	m := w.matrix()
	seen := 0
	for _, route := range m.routes {
		path := strings.TrimPrefix(route.Path, "/api/v1")
		if path == route.Path {
			path = "/" + path
		}
		who, ok := doors[route.Method+" "+path]
		if !ok {
			t.Errorf("%s %s is a door that this test does not know", route.Method, route.Path)
			continue
		}
		seen++
		m.check(route.Method, path, who)
	}
	if seen != len(doors) {
		t.Errorf("%d doors are there, the test knows %d", seen, len(doors))
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hash, err := api.HashPassword(password)
	w.must(err)
	w.must(w.store.CreateUser(t.Context(), userNamed("ann", api.Operator, hash)))

	var in wire.LoginResponse
	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "ann", Password: password}), 200).into(t, &in)
	if in.User.Role != "Operator" || in.User.Username != "ann" || in.ExpiresAt.IsZero() {
		t.Errorf("signed in as %+v", in)
	}
	w.want(w.call(in.Token, "GET", "/configs", nil), 200)
	w.want(w.call(in.Token, "GET", "/tokens", nil), 403, "FORBIDDEN")

	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "ann", Password: "wrong"}), 401, "UNAUTHORIZED")
	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "nobody", Password: password}), 401, "UNAUTHORIZED")
	w.want(w.call("", "POST", "/authentication/login", `{"username": "ann", "pass": "x"}`), 400, "VALIDATION_ERROR")
	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: strings.Repeat("x", 254), Password: password}), 400, "VALIDATION_ERROR")
	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Password: password}), 400, "VALIDATION_ERROR")
	for range 12 {
		w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "ann", Password: "guess"})
	}
	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "ann", Password: password}), 429, "RATE_LIMIT_EXCEEDED")
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	hash, err := api.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	if !api.VerifyPassword(hash, password) || api.VerifyPassword(hash, password+"x") || strings.Contains(hash, password) {
		t.Error("a hash verifies its own password and no other")
	}
	for _, broken := range []string{"", "x", "$argon2i$v=19$m=1,t=1,p=1$AA$AA", "$argon2id$v=18$m=1,t=1,p=1$AA$AA", "$argon2id$v=19$m=0,t=1,p=1$AA$AA", "$argon2id$v=19$m=8,t=1,p=1$!$AA", "$argon2id$v=19$m=8,t=1,p=1$AA$", "$argon2id$v=19$m=99999999,t=1,p=1$AA$AA"} {
		if api.VerifyPassword(broken, "") {
			t.Errorf("the broken hash %q verifies", broken)
		}
	}
	if _, err := api.HashPassword("short"); err == nil {
		t.Error("a short password is taken")
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var made wire.Token
	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "ci", Role: "Developer", TTL: "PT1H"}), 201).into(t, &made)
	if !strings.HasPrefix(made.Token, "slt_") || made.ExpiresAt == nil {
		t.Errorf("made %+v", made)
	}
	w.want(w.call(made.Token, "GET", "/configs", nil), 200)
	list := w.want(w.admin("GET", "/tokens", nil), 200)
	if strings.Contains(string(list.body), made.Token) || !strings.Contains(string(list.body), made.ID) {
		t.Errorf("the list shows %s", list.body)
	}
	w.want(w.admin("DELETE", "/tokens/"+made.ID, nil), 204)
	w.want(w.call(made.Token, "GET", "/configs", nil), 401)
	w.want(w.admin("DELETE", "/tokens/"+made.ID, nil), 404, "NOT_FOUND")

	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "fleet", Role: "Registration"}), 201).into(t, &made)
	if !strings.HasPrefix(made.Token, "slr_") {
		t.Errorf("a registration token begins with %q", made.Token[:4])
	}
	w.must(w.store.CreateUser(t.Context(), userNamed("ann", api.Viewer, "x")))
	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "ann", Role: "Viewer"}), 409, "CONFLICT") // the audit log could not tell them apart
	for _, wrong := range []wire.TokenRequest{{Name: "Sluice", Role: "Viewer"}, {Name: "gate", Role: "Viewer"}, {Name: "a\nb", Role: "Viewer"}, {Role: "Admin"}, {Name: "x", Role: "King"}, {Name: "x", Role: "Admin", TTL: "soon"}} {
		w.want(w.admin("POST", "/tokens", wrong), 400, "VALIDATION_ERROR")
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.LimitFactor = 0.1 }) // 60 a minute become 6
	w.profile()
	var last answer
	for n := range 6 {
		last = w.want(w.call(w.tokens[api.Viewer], "GET", "/configs", nil, "X-Forwarded-For", strings.Repeat("1", n+1)+".2.3.4"), 200)
	}
	if last.header.Get("X-RateLimit-Limit") != "6" || last.header.Get("X-RateLimit-Remaining") != "0" || last.header.Get("X-RateLimit-Reset") == "" {
		t.Errorf("headers %v", last.header)
	}
	over := w.want(w.call(w.tokens[api.Viewer], "GET", "/configs", nil), 429, "RATE_LIMIT_EXCEEDED")
	if over.header.Get("Retry-After") == "" {
		t.Error("429 says not when to come back")
	}
	w.want(w.call(w.tokens[api.Operator], "GET", "/configs", nil), 200) // somebody else is not bothered
	w.want(w.call(w.tokens[api.Viewer], "GET", "/sources", nil), 200)   // nor is another door
	// An address that a caller makes up is not believed.
	for range 2 {
		w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "x", Password: "x"}, "X-Forwarded-For", "9.9.9.9")
	}
	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "x", Password: "x"}, "X-Forwarded-For", "8.8.8.8"), 429)
}
