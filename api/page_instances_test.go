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

// hostile is what somebody else may write who can write anything: none of it may
// become part of a page.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>`

func TestInstancesPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.has(w.opened(viewer, "/instances"), "No instance has registered yet")

	w.profile()
	w.version("1.0.0", data("1s"))
	one, two := w.register("payments-7f"), w.register("payments-8g")
	w.complete("1.0.0", one, two)
	var odd wire.RegisterResponse
	w.want(w.call(w.tokens[api.Registration], "POST", "/instances", wire.RegisterRequest{
		ServiceName: "search", Hostname: hostile, Environment: "Staging", Version: hostile, Labels: map[string]string{hostile: hostile}, Metadata: map[string]string{"a": hostile},
	}), 201).into(t, &odd)

	list := w.opened(viewer, "/instances")
	w.has(list, `href="/instances/`+one.id+`"`, "payments-8g", "1.0.0", "&lt;script&gt;", `data-live="/instances"`, "nothing assigned")
	found := w.opened(viewer, "/instances?search=PAYMENTS-7&serviceName=&environment=&health=")
	w.has(found, one.id, `value="PAYMENTS-7"`, "Show all")
	w.lacks(found, two.id, odd.ID)
	w.lacks(w.opened(viewer, "/instances?environment=Staging"), one.id)
	w.has(w.opened(viewer, "/instances?search="+url.QueryEscape(hostile)), odd.ID)
	w.has(w.opened(viewer, "/instances?search=none-like-it"), "No instance is like that")
	w.has(w.opened(viewer, "/instances?limit=1&environment=Production"), `href="/instances?environment=Production&amp;limit=1&amp;offset=1"`, "1–1 of 2")
	if v := w.asBrowser(viewer, "GET", "/instances?healht=Healthy", nil); v.status != 400 || !strings.Contains(v.text, "healht") {
		t.Errorf("a filter with a typing mistake: %d\n%s", v.status, v.text)
	}
	w.has(w.opened(viewer, "/instances/"+odd.ID), "&lt;script&gt;", "Nothing is assigned", "Metadata")
	w.has(w.opened(viewer, "/instances/"+one.id), "payments-7f", `href="/profiles/`+name+`"`, "Applied", "7.1.0", "Generation")
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/applied", refusal(one.assigned())), 204)
	w.has(w.opened(viewer, "/instances/"+one.id), "&lt;script&gt;", "Failed")
	if v := w.asBrowser(viewer, "GET", "/instances/no-such", nil); v.status != 404 {
		t.Errorf("no such instance: %d", v.status)
	}

	team := w.token(api.Viewer, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	w.lacks(w.opened(team, "/instances"), one.id, odd.ID, "payments-7f")
	if v := w.asBrowser(team, "GET", "/instances/"+one.id, nil); v.status != 404 {
		t.Errorf("another team's instance: %d", v.status)
	}
}

// refusal says that the first assignment could not be applied.
func refusal(set wire.Assignments) wire.AppliedRequest {
	a := set.Assignments[0]
	return wire.AppliedRequest{ConfigName: a.ConfigName, Version: a.Version, Hash: a.Hash, Generation: a.Generation, Error: hostile}
}
