package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

// A token with a scope does its work within it, and finds nothing outside.
func TestTokenWithAScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.profile()
	w.version("1.0.0", data("1s"))
	r.Name, r.Service, r.Environment = "shipping-service.staging", "shipping-service", profile.Staging
	w.must(w.store.PutProfile(t.Context(), r))
	token := func(role string, environments, profiles []string) string {
		var made wire.Token
		w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: strings.ToLower(role), Role: role, Environments: environments, Profiles: profiles}), 201).into(t, &made)
		if len(made.Environments) != len(environments) || len(made.Profiles) != len(profiles) {
			t.Errorf("made %+v", made)
		}
		return made.Token
	}
	mine := token("Operator", []string{"Production"}, []string{"payment-*"})
	theirs := token("Operator", nil, []string{"shipping-*"})
	one := w.register("one")

	names := func(by, path string) (out []string) {
		var page wire.Page[struct {
			Name string `json:"name"`
			ID   string `json:"id"`
		}]
		w.want(w.call(by, "GET", path, nil), 200).into(t, &page)
		if page.Total != len(page.Items) {
			t.Errorf("%s: total %d of %d", path, page.Total, len(page.Items))
		}
		for _, item := range page.Items {
			out = append(out, item.Name+item.ID)
		}
		return out
	}
	if got := names(mine, "/configs"); len(got) != 1 || got[0] != name {
		t.Errorf("mine lists %v", got)
	}
	if got := names(theirs, "/configs"); len(got) != 1 || got[0] != r.Name {
		t.Errorf("theirs lists %v", got)
	}
	if got := names(mine, "/instances"); len(got) != 1 || got[0] != one.id {
		t.Errorf("mine lists the instances %v", got)
	}
	if got := names(theirs, "/instances"); len(got) != 0 {
		t.Errorf("theirs lists the instances %v", got)
	}

	create := wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0"}
	unknown := wire.CreateDeploymentRequest{ConfigName: "no-such", ConfigVersion: "1.0.0"}
	hidden, none := w.want(w.call(theirs, "POST", "/deployments", create), 404, "NOT_FOUND"), w.want(w.call(theirs, "POST", "/deployments", unknown), 404)
	if told(hidden) != told(none) {
		t.Errorf("a profile outside the scope is told as %s, an unknown one as %s", hidden.body, none.body)
	}
	var d wire.Deployment
	w.want(w.call(mine, "POST", "/deployments", create), 201).into(t, &d)
	w.want(w.call(mine, "GET", "//deployments/"+d.ID, nil), 200)
	w.want(w.call(theirs, "GET", "//deployments/"+d.ID, nil), 404)
	w.want(w.call(theirs, "POST", "/deployments/"+d.ID+"/cancel", nil), 404)
	if got := names(theirs, "/deployments"); len(got) != 0 {
		t.Errorf("theirs lists the deployments %v", got)
	}
	events := func(by string) string {
		return string(w.want(w.call(by, "GET", "/audit", nil, "Accept", "text/csv"), 200).body)
	}
	if !strings.Contains(events(mine), d.ID) || strings.Contains(events(theirs), d.ID) {
		t.Error("the audit log tells of what a scope has, and of nothing else")
	}
	w.want(w.call(mine, "PUT", "/freeze", wire.FreezeRequest{Reason: "stop"}), 403, "FORBIDDEN")
	w.want(w.call(w.tokens[api.Operator], "PUT", "/freeze", wire.FreezeRequest{Reason: "stop"}), 200)
	w.want(w.call(mine, "GET", "/freeze", nil), 200)
}

func TestRegistrationWithAScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	register := func(token, service, environment string) answer {
		return w.call(token, "POST", "/instances", wire.RegisterRequest{ServiceName: service, Hostname: "h", Port: 1, Environment: environment})
	}
	var made wire.Token
	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "a", Role: "Registration", Environments: []string{"Production"}}), 201).into(t, &made)
	w.want(register(made.Token, "whatever", "Production"), 201)
	w.want(register(made.Token, "whatever", "Staging"), 403, "FORBIDDEN")
	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "b", Role: "Registration", Profiles: []string{"payment-*"}}), 201).into(t, &made)
	w.want(register(made.Token, "payment-service", "Production"), 201)
	w.want(register(made.Token, "payment-service", "Staging"), 403)
	w.want(register(made.Token, "shipping-service", "Production"), 403)
}

// A scope that cannot be is refused, and an Admin's token with one makes no
// token without.
func TestScopesThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for field, wrong := range map[string]wire.TokenRequest{
		"environments": {Name: "x", Role: "Viewer", Environments: []string{"Moon"}},
		"profiles":     {Name: "x", Role: "Viewer", Profiles: []string{"[a"}},
	} {
		got := w.want(w.admin("POST", "/tokens", wrong), 400, "VALIDATION_ERROR")
		var e wire.Error
		if json.Unmarshal(got.body, &e) != nil || len(e.Error.Details) != 1 || e.Error.Details[0].Field != field {
			t.Errorf("told %s", got.body)
		}
	}
	var made wire.Token
	w.want(w.admin("POST", "/tokens", wire.TokenRequest{Name: "a", Role: "Admin", Profiles: []string{"*"}}), 201).into(t, &made)
	w.want(w.call(made.Token, "POST", "/tokens", wire.TokenRequest{Name: "b", Role: "Admin"}), 403, "FORBIDDEN")
	w.want(w.call(made.Token, "GET", "/configs", nil), 200)
}
