package api_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/compat"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// speaking turns every protocol of other servers on.
func speaking(o *api.Options) { o.Clients = compat.Names() }

// clientDoors are those of all of them, as the matrix names doors.
func clientDoors() map[string]bool {
	doors := map[string]bool{}
	for _, p := range compat.Protocols() {
		for _, r := range p.Routes {
			doors[r.Method+" /"+r.Path] = true
		}
	}
	return doors
}

// key reads a key of Consul's store, as plain text.
func (w *world) key(token, key string) answer {
	w.t.Helper()
	return w.call("", "GET", "//v1/kv/"+key+"?raw", nil, "X-Consul-Token", token)
}

// Nothing is served that is not turned on, and what is turned on has to be there.
func TestClientsAreTurnedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(w.key(w.tokens[api.Admin], "sluice/"+name), 404, "NOT_FOUND")
	_, err := api.New(api.Options{Store: w.store, Engine: w.engine, Bus: bus{}, Heartbeats: store.NewHeartbeatWriter(w.store, 0), Clients: []string{"consul", "etcd"}})
	if err == nil || !strings.Contains(err.Error(), `no protocol "etcd", only consul`) {
		t.Errorf("a protocol that is not there: %v", err)
	}
}

// An instance reads what it is assigned, everybody else the stable version: while a canary runs, when
// it ended, and while its rollback runs.
func TestClientsReadWhatIsAssigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	r := w.profile()
	r.Strategy.AutoPromote = false
	w.must(w.store.PutProfile(t.Context(), r))
	w.version("1.0.0", data("30s"))
	one, two := w.register("one"), w.register("two")
	reads := func(token string) string { return string(w.want(w.key(token, name+"/timeout"), 200).body) }
	if got := w.key(one.token, name+"/timeout"); got.status != 404 || got.header.Get("X-Consul-Index") == "" {
		t.Errorf("before the first version completed: %d %v", got.status, got.header)
	}
	w.promoted("1.0.0", one, two)
	w.version("1.1.0", data("20s"))
	d := w.deploy("1.1.0")
	w.until("the canary", func() bool { return reads(one.token) != reads(two.token) })
	canary, other := one, two
	if reads(two.token) == "20s" {
		canary, other = two, one
	}
	for token, want := range map[string]string{canary.token: "20s", other.token: "30s", w.tokens[api.Viewer]: "30s"} {
		if got := reads(token); got != want {
			t.Errorf("in the canary it is %s, want %s", got, want)
		}
	}
	w.want(w.call(w.tokens[api.Operator], "POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: "too short"}), 200)
	w.until("the rollback", func() bool { return reads(canary.token) == "30s" })
	for _, i := range []instance{one, two} {
		i.apply()
	}
	w.reaches(d.ID, "RolledBack")
	w.version("1.2.0", data("10s"))
	w.promoted("1.2.0", one, two)
	for _, token := range []string{one.token, two.token, w.tokens[api.Viewer]} {
		if got := reads(token); got != "10s" {
			t.Errorf("completed, it is %s", got)
		}
	}
}

// promoted deploys a version and promotes it until it is done.
func (w *world) promoted(number string, instances ...instance) {
	w.t.Helper()
	d := w.deploy(number)
	w.until("deployment of "+number, func() bool {
		for _, i := range instances {
			i.apply()
		}
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(w.t, &d)
		if d.Status == "Paused" || d.Status == "InProgress" {
			w.call(w.tokens[api.Operator], "POST", "/deployments/"+d.ID+"/promote", wire.ReasonRequest{Reason: "good"})
		}
		return d.Status == "Completed"
	})
}

// A query that waits is answered when a version completes or is rolled back, its index only rises,
// and one that waits in vain gets what there is.
func TestClientsWaitForChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	w.profile()
	absent := w.key(w.tokens[api.Viewer], name+"/timeout").header.Get("X-Consul-Index")
	w.version("1.0.0", data("30s"))
	answers := make(chan answer, 1)
	wait := func(index string) {
		go func() {
			answers <- w.call(w.tokens[api.Viewer], "GET", "//v1/kv/"+name+"/timeout?raw&wait=10m&index="+index, nil)
		}()
	}
	wait(absent)
	w.complete("1.0.0")
	first := <-answers
	if first.status != 200 || string(first.body) != "30s" {
		t.Fatalf("waited for the first version: %d %s", first.status, first.body)
	}
	index := first.header.Get("X-Consul-Index")
	wait(index)
	w.version("1.1.0", data("20s"))
	w.complete("1.1.0")
	second := <-answers
	if string(second.body) != "20s" || len(second.header.Get("X-Consul-Index")) < len(index) || second.header.Get("X-Consul-Index") <= index {
		t.Errorf("waited for the second: %s %s after %s", second.body, second.header.Get("X-Consul-Index"), index)
	}
	wait(second.header.Get("X-Consul-Index"))
	var back wire.Deployment
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "too short"}), 200).into(t, &back)
	if got := <-answers; string(got.body) != "30s" {
		t.Errorf("waited for the rollback: %s", got.body)
	}
	w.reaches(back.ID, "Completed") // nothing of the profile is written after that
	index = w.key(w.tokens[api.Viewer], name+"/timeout").header.Get("X-Consul-Index")
	if got := w.call(w.tokens[api.Viewer], "GET", "//v1/kv/"+name+"/timeout?raw&wait=50ms&index="+index, nil); string(got.body) != "30s" || got.header.Get("X-Consul-Index") != index {
		t.Errorf("waited in vain: %d %s", got.status, got.body)
	}
	wait(index)
	w.until("somebody to wait", func() bool { return api.Hinted(w.api) > 0 })
	w.api.Drain()
	var last answer
	w.until("an answer of a server that stops", func() bool {
		select {
		case last = <-answers:
			return true
		default:
			return false
		}
	})
	if string(last.body) != "30s" {
		t.Errorf("a server that stops answers %d %s", last.status, last.body)
	}
}

// A token reads what its scope has, and finds nothing else.
func TestClientsKeepToScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	w.profile()
	w.version("1.0.0", data("30s"))
	w.complete("1.0.0")
	theirs := w.token(api.Viewer, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	for _, path := range []string{"sluice/" + name + "?raw", name + "/timeout?raw", "sluice/?recurse", "?keys"} {
		mine, none := w.call(w.tokens[api.Viewer], "GET", "//v1/kv/"+path, nil), w.call(theirs, "GET", "//v1/kv/"+path, nil)
		if mine.status != 200 || none.status != 404 {
			t.Errorf("%s: %d, of another team %d %s", path, mine.status, none.status, none.body)
		}
	}
	// An instance has no scope, but a service: of others it reads nothing, assigned or stable.
	another := w.registerOf("another-service", "one")
	for _, path := range []string{"sluice/" + name + "?raw", name + "/timeout?raw", "sluice/?recurse", "?keys"} {
		if got := w.call(another.token, "GET", "//v1/kv/"+path, nil); got.status != 404 {
			t.Errorf("%s: another service's instance gets %d %s", path, got.status, got.body)
		}
	}
}

// Secrets are opened for the instance that is assigned them alone, and the audit log tells of it.
// Others read references as they stand, and nothing of what is secret.
func TestClientsAndSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking, keeping(&atomic.Bool{}))
	w.profile()
	w.version("1.0.0", profile.Data{
		"db": map[string]any{"password": map[string]any{"$secret": "env:SLUICE_SECRET_PAYMENT"}}, "apiKey": "plain-as-day", "timeout": "30s",
	})
	one := w.register("one")
	w.complete("1.0.0", one)
	for path, want := range map[string]string{"db/password/$secret": "env:SLUICE_SECRET_PAYMENT", "apiKey": "***", "timeout": "30s"} {
		if got := w.key(w.tokens[api.Admin], name+"/"+path); got.status != 200 || string(got.body) != want {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
	opened := w.want(w.key(one.token, name+"/db/password"), 200)
	if len(opened.body) == 0 || strings.Contains(string(opened.body), "SLUICE_SECRET") {
		t.Errorf("the instance gets %s", opened.body)
	}
	if got := w.want(w.key(one.token, name+"/apiKey"), 200); string(got.body) != "plain-as-day" {
		t.Errorf("the instance gets %s", got.body)
	}
	_, total, err := w.store.Audit(t.Context(), store.AuditFilter{EventType: store.FactOpened, EntityID: one.id})
	w.must(err)
	if total != 1 {
		t.Errorf("the audit log tells of %d openings of one version by one instance", total)
	}
}

// Who may not read is told so as the client's own server would tell it.
func TestClientsAreRefusedInTheirOwnShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	got := w.call("", "GET", "//v1/kv/sluice/"+name, nil, "Accept", "text/html")
	if got.status != http.StatusUnauthorized || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") || strings.Contains(string(got.body), "<") {
		t.Errorf("without a token: %d %v %s", got.status, got.header, got.body)
	}
	if got := w.call(w.tokens[api.Admin], "PUT", "//v1/kv/sluice/"+name, "x"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("writing: %d %s", got.status, got.body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", w.http.URL+"/v1/kv/sluice/x", http.NoBody)
	w.must(err)
	req.AddCookie(&http.Cookie{Name: "sluice_session", Value: w.tokens[api.Admin]})
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a cookie is taken: %d", resp.StatusCode)
	}
}
