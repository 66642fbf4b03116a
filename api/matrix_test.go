package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// forScopes are the doors without somebody's id that a token with a scope may
// use. What it gets there has nothing of another team's.
var forScopes = map[string]bool{
	"GET /configs": true, "POST /configs": true, "POST /validate": true, "GET /deployments": true, "POST /deployments": true,
	"GET /instances": true, "POST /instances": true, "GET /audit": true, "GET /sources": true, "GET /freeze": true,
	"GET /schemas": true, "GET /schemas/:id": true, "POST /schemas/:id/validate": true,
	"POST /authentication/logout": true, "GET /authentication/identity": true,
	"GET //": true, "GET //live": true, "GET //profiles": true, "GET //freeze": true, "GET //deployments": true, "GET //instances": true, "GET //sources": true, "GET //schemas": true, "GET //schemas/:id": true, "GET //audit": true, "GET //account": true,
}

// matrix is one of everything that a path can name, and one of everybody who can
// come to a door.
type matrix struct {
	w              *world
	routes         []*echo.Route
	deployment     wire.Deployment
	mine, other    instance
	theirs         string // a token of the other team: an Admin's, for its own profiles alone
	callers        map[string]string
	refused, known *strings.Replacer
}

func (w *world) matrix() *matrix {
	w.t.Helper()
	w.profile()
	first := w.version("1.0.0", data("1s"))
	m := &matrix{w: w, routes: api.RoutesOf(w.api), mine: w.register("mine"), other: w.register("other")}
	m.deployment = w.complete("1.0.0", m.mine, m.other)
	w.must(w.store.Record(w.t.Context(), fact("profile.looked-at", "profile", name)))
	w.must(w.store.RecordSourceFailure(w.t.Context(), "configs", "gone"))
	m.theirs = w.token(api.Admin, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	m.callers = map[string]string{
		"nobody": "", "stranger": "slt_made-up", "instance": m.mine.token, "another instance": m.other.token,
		"expired": w.token(api.Admin, store.Token{ExpiresAt: time.Now().Add(-time.Second)}), "revoked": w.revoked(),
	}
	w.person("gone", api.Admin)
	w.person("left", api.Admin)
	m.callers["signed out"], m.callers["disabled"] = w.session("left"), w.session("gone")
	w.want(w.call(m.callers["signed out"], "POST", "/authentication/logout", nil), 204)
	w.want(w.admin("PUT", "/users/gone", `{"disabled": true}`), 200)
	for role, token := range w.tokens {
		m.callers[string(role)] = token
	}
	m.known = strings.NewReplacer(":name", name, ":version", "1.0.0", ":other", "1.0.0", ":hash", first.Hash, ":commit", first.Commit, ":target", "chat", ":username", "nobody")
	m.refused = strings.NewReplacer(":name", "no-such", ":id", uuid.NewString(), ":version", "1.0.0", ":other", "1.0.0", ":hash", "00", ":commit", "0000000", ":target", "chat")
	// What reads goes first: what writes may take something away.
	order := []string{"GET", "POST", "PATCH", "PUT", "DELETE"}
	slices.SortStableFunc(m.routes, func(a, b *echo.Route) int { return slices.Index(order, a.Method) - slices.Index(order, b.Method) })
	return m
}

// token makes one of a role, with what t says.
func (w *world) token(role api.Role, t store.Token) string {
	w.t.Helper()
	token := api.NewToken(api.UserToken)
	t.ID, t.Name, t.Kind, t.Role, t.Hash, t.CreatedBy = uuid.NewString(), uuid.NewString(), store.TokenAPI, string(role), api.HashToken(token), "test"
	w.must(w.store.CreateToken(w.t.Context(), t))
	return token
}

func (w *world) revoked() string {
	w.t.Helper()
	var made wire.Token
	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "to be revoked", Role: "Admin"}), 201).into(w.t, &made)
	w.want(w.admin("DELETE", "/tokens/"+made.ID, nil), 204)
	return made.Token
}

// path is a door with real ids in it.
func (m *matrix) path(method, door string) string {
	path := m.known.Replace(door)
	switch {
	case strings.Contains(door, "/deployments/:id"):
		return strings.Replace(path, ":id", m.deployment.ID, 1)
	case strings.Contains(door, "/instances/:id") && method == "DELETE":
		return strings.Replace(path, ":id", m.w.register("to be removed").id, 1)
	case strings.Contains(door, "/instances/:id"):
		return strings.Replace(path, ":id", m.mine.id, 1)
	case strings.Contains(door, "/sources/:id"):
		return strings.Replace(path, ":id", "configs", 1)
	}
	return strings.Replace(path, ":id", "no-such", 1)
}

// check comes to one door as everybody.
func (m *matrix) check(method, door, who string) {
	m.w.t.Helper()
	m.byRole(method, door, who)
	if who != "open" && who != "instance" {
		m.byOtherTeam(method, door)
	}
}

func (m *matrix) byRole(method, door, who string) {
	m.w.t.Helper()
	for caller, token := range m.callers {
		if caller == "instance" && method == "DELETE" {
			continue // it would end itself
		}
		allowed := who == "open" || strings.Contains(" "+who+" ", " "+caller+" ")
		if allowed && (strings.HasSuffix(door, "/watch") || strings.HasSuffix(door, "/events")) {
			continue // the stream does not end; other tests open it
		}
		path := m.path(method, door)
		got := m.w.call(token, method, path, nil)
		want := http.StatusForbidden
		switch _, role := m.w.tokens[api.Role(caller)]; {
		case allowed && got.status == http.StatusUnauthorized && strings.HasPrefix(door, "/authentication/"), allowed && door == "//login":
			continue // it answers so to everybody who brings no password
		case allowed:
			if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
				m.w.t.Errorf("%s %s by %s: %d, is allowed to %s", method, path, caller, got.status, who)
			}
			continue
		case strings.HasSuffix(caller, "instance") && strings.HasPrefix(door, "/instances/:id"):
			want = http.StatusNotFound // it finds the same as nothing
		case strings.HasPrefix(door, "//nacos/"):
			// Nacos answers so to whom it does not know too.
		case !role && !strings.HasSuffix(caller, "instance"):
			want = http.StatusUnauthorized
		}
		if got.status != want {
			m.w.t.Errorf("%s %s by %s: %d, want %d; it is for %s", method, path, caller, got.status, want, who)
		}
	}
}

// byOtherTeam comes with a token whose scope has nothing of what the paths name.
func (m *matrix) byOtherTeam(method, door string) {
	m.w.t.Helper()
	path := m.path(method, door)
	got := m.w.call(m.theirs, method, path, nil)
	switch {
	case door == "/statuses/:commit":
		fallthrough
	case strings.HasPrefix(door, "/configs/:"), strings.HasPrefix(door, "/deployments/:"), strings.HasPrefix(door, "/instances/:"), strings.HasPrefix(door, "/sources/:"),
		strings.HasPrefix(door, "//profiles/:"), strings.HasPrefix(door, "//deployments/:"), strings.HasPrefix(door, "//instances/:"), strings.HasPrefix(door, "//sources/:"):
		none := m.w.call(m.theirs, method, m.refused.Replace(door), nil)
		if got.status != http.StatusNotFound || told(got) != told(none) {
			m.w.t.Errorf("%s %s of another team: %d %s, of nobody %d %s", method, path, got.status, got.body, none.status, none.body)
		}
	case forScopes[method+" "+door], clientDoors()[method+" "+door]:
		if got.status == http.StatusForbidden || got.status == http.StatusUnauthorized || strings.Contains(string(got.body), name) ||
			strings.Contains(string(got.body), m.deployment.ID) || strings.Contains(string(got.body), m.mine.id) || strings.Contains(string(got.body), `"configs"`) {
			m.w.t.Errorf("%s %s by another team: %d %s", method, path, got.status, got.body)
		}
	case got.status != http.StatusForbidden:
		m.w.t.Errorf("%s %s with a scope: %d %s, want 403: it is about everything", method, path, got.status, got.body)
	}
}

// told is what an error says, without what differs from one to the next.
func told(a answer) string {
	var e wire.Error
	if json.Unmarshal(a.body, &e) != nil {
		return string(a.body)
	}
	return e.Error.Code + " " + e.Error.Message
}
