package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

const profilePath = "/profiles/" + name

func TestProfilesPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.has(w.opened(viewer, "/profiles"), "There is no profile yet")
	w.profile()
	first := w.version("1.0.0", data("1s"))
	for i := range 60 {
		w.must(w.store.PutProfile(t.Context(), profile.Record{
			Name: fmt.Sprintf("many-%02d.staging", i), Service: "many", Environment: profile.Staging, ServiceType: profile.Worker,
			Origin: profile.OriginGit, Source: "others", Strategy: profile.DefaultStrategy(profile.Direct), Retired: i == 7,
		}))
	}
	page := w.opened(viewer, "/profiles")
	w.has(page, "1–50 of 60", "many-00.staging", "No version", `href="/profiles?offset=50"`)
	w.lacks(page, "many-07.staging", name)
	w.has(w.opened(viewer, "/profiles?offset=50"), name, "51–60 of 60", `href="/profiles"`)
	page = w.opened(viewer, "/profiles?q=MANY-&environment=Staging&serviceType=Worker&held=false&limit=10&source=")
	w.has(page, "1–10 of 59", "environment=Staging&amp;held=false&amp;limit=10&amp;offset=10&amp;q=MANY-&amp;serviceType=Worker", `value="MANY-"`)
	w.has(w.opened(viewer, "/profiles?retired=true"), "many-07.staging", "Retired")
	w.has(w.opened(viewer, "/profiles?q=07&retired=any"), "many-07.staging")
	w.has(w.opened(viewer, "/profiles?q=%3Cscript%3E"), "&lt;script&gt;", "No profile is like this")
	w.has(w.opened(viewer, "/profiles?offset=1000"), "The list ends before here")
	for _, wrong := range []string{"environment=Moon", "held=maybe", "retired=maybe", "limit=x", "q=" + strings.Repeat("x", 301)} {
		if v := w.asBrowser(viewer, "GET", "/profiles?"+wrong, nil); v.status != 400 {
			t.Errorf("%s: %d", wrong, v.status)
		}
	}
	w.lacks(w.opened(w.elsewhere(api.Viewer), "/profiles"), name, "many-", "configs")

	one := w.register("one")
	w.complete(first.Number, one)
	w.has(w.opened(viewer, "/profiles?q=payment"), ">1.0.0<")
	w.version("1.0.1", data("2s"))
	d := w.deploy("1.0.1")
	w.reaches(d.ID, "InProgress")
	w.has(w.opened(viewer, "/profiles?q=payment"), "Rolling out", "/deployments/"+d.ID)
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "no"}), 200)
	w.until("the profile to be back", func() bool {
		one.apply()
		return strings.Contains(w.opened(viewer, "/profiles?held=true"), "On hold</span>")
	})
}

func TestProfilePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer, operator := w.tokens[api.Viewer], w.tokens[api.Operator]
	w.profile()
	w.has(w.opened(viewer, profilePath), "There is no version yet", "No instance runs this profile", "Nothing was deployed yet", "payment-service/production.yaml", "Canary: 50%, then 100%")
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	one, two := w.register("one"), w.register("two")
	w.complete("1.0.0", one, two)
	w.has(w.opened(viewer, profilePath), "2 run 1.0.0")
	w.complete("1.0.1", one, two)
	page := w.opened(operator, profilePath)
	w.has(page, "2 run 1.0.1", "since 1.0.0", "1.0.0 <span", profilePath+"/rollback", "<bdi>Ann</bdi> · <code")
	w.lacks(w.opened(viewer, profilePath), profilePath+"/rollback")
	if v := w.asBrowser(viewer, "GET", "/profiles/no-such", nil); v.status != 404 {
		t.Errorf("no such profile: %d", v.status)
	}
	if v := w.asBrowser(w.elsewhere(api.Admin), "GET", profilePath, nil); v.status != 404 {
		t.Errorf("another team's profile: %d", v.status)
	}
}

func (w *world) statusOf(id string) string {
	w.t.Helper()
	var d wire.Deployment
	w.want(w.admin("GET", "/deployments/"+id, nil), 200).into(w.t, &d)
	return d.Status
}

func TestVersionPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.profile()
	w.has(w.opened(viewer, profilePath+"/versions"), "There is no version here")
	w.version("1.0.0", profile.Data{"timeout": "1s", "password": "hunter2", "n": 12345678901234567, "yes": "true", "nested": profile.Data{"list": []any{1, "two"}}})
	w.version("1.1.0", data("2s"))
	page := w.opened(viewer, profilePath+"/versions")
	w.has(page, `value="1.0.0" checked`, `value="1.1.0" checked`, `action="/profiles/`+name+`/diff"`)
	page = w.opened(viewer, profilePath+"/versions/1.0.0")
	w.has(page, "n: 12345678901234567", "yes: &#34;true&#34;", "password: &#39;***&#39;", "list:\n    - 1", "payment-service/production.yaml", strings.Repeat("a", 39)+"0")
	w.lacks(page, "hunter2")
	if v := w.asBrowser(viewer, "GET", profilePath+"/versions/9.9.9", nil); v.status != 404 || !strings.Contains(v.text, "has no version 9.9.9") {
		t.Errorf("no such version: %d\n%s", v.status, v.text)
	}
}

func TestDiffPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.profile()
	w.has(w.opened(viewer, profilePath+"/diff"), "There are no two versions to compare yet")
	w.version("1.0.0", profile.Data{"timeout": "1s", "old": true, "password": "hunter2", "same": 1})
	w.version("2.0.0", profile.Data{"timeout": "<b>2s</b>", "new": []any{1}, "password": "hunter3", "same": 1})
	page := w.opened(viewer, profilePath+"/diff") // the newest two when nothing is asked
	w.has(page, "Breaking", "$.old", "$.new", "$.timeout", "&lt;b&gt;2s&lt;/b&gt;", `<span class="plus">&#43; new:`, `<span class="minus">- old: true`)
	w.lacks(page, "hunter", "<b>2s")
	w.has(w.opened(viewer, profilePath+"/diff?from=1.0.0&to=1.0.0"), "have the same data")
	if v := w.asBrowser(viewer, "GET", profilePath+"/diff?from=1.0.0&to=7.0.0", nil); v.status != 404 || !strings.Contains(v.text, "has no version 7.0.0") {
		t.Errorf("no such version: %d\n%s", v.status, v.text)
	}
}

func TestRollbackByForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer, operator := w.tokens[api.Viewer], w.tokens[api.Operator]
	path := profilePath + "/rollback"
	w.profile()
	w.has(w.opened(operator, path), "No version ever completed here")
	one := w.register("one")
	for _, number := range []string{"1.0.0", "1.0.1", "1.0.2"} {
		w.version(number, data(number))
		w.complete(number, one)
	}
	page := w.opened(operator, path)
	w.has(page, "Roll back to 1.0.1", "$.timeout", "1 instance goes back from 1.0.2 to 1.0.1")
	w.has(w.opened(operator, path+"?toVersion=1.0.0"), "Roll back to 1.0.0", `<option selected value="1.0.0">`)
	w.has(w.opened(operator, path+"?toVersion=9.9.9"), "never completed", "Show what would happen")
	page = w.opened(viewer, path)
	w.has(page, "1 instance goes back", "An Operator can do it")
	w.lacks(page, `method="post" action="/profiles`)

	asked := url.Values{"toVersion": {"1.0.0"}, "reason": {"payments <b>fail</b>"}}
	if v := w.asBrowser(viewer, "POST", path, asked); v.status != 403 {
		t.Errorf("a viewer: %d", v.status)
	}
	if v := w.asBrowser(operator, "POST", path, url.Values{"toVersion": {"1.0.0"}}); v.status != 400 || !strings.Contains(v.text, "Reason is required") || !strings.Contains(v.text, "Roll back to 1.0.0") {
		t.Errorf("without a reason: %d\n%s", v.status, v.text)
	}
	if v := w.asBrowser(operator, "POST", path, url.Values{"toVersion": {"1.0.2"}, "reason": {"kept <i>text</i>"}}); v.status != 409 || !strings.Contains(v.text, "is the version that runs") {
		t.Errorf("to what runs: %d\n%s", v.status, v.text)
	}
	v := w.asBrowser(operator, "POST", path, asked)
	id, ok := strings.CutPrefix(v.at, "/deployments/")
	if v.status != 303 || !ok {
		t.Fatalf("rolled back: %d to %q\n%s", v.status, v.at, v.text)
	}
	if again := w.asBrowser(operator, "POST", path, asked); again.at != v.at {
		t.Errorf("sent twice: %d to %s, want %s", again.status, again.at, v.at)
	}
	w.until("the profile to be back", func() bool { one.apply(); return w.statusOf(id) == "Completed" })
	page = w.opened(viewer, profilePath)
	w.has(page, "On hold", "payments &lt;b&gt;fail&lt;/b&gt;", "An Operator can release it.")
	w.lacks(page, "<b>fail", "Release the hold")
	w.has(w.opened(operator, path), "payment-service.production was rolled back from 1.0.2 to 1.0.0 already", "choose one below")
}

func TestReleaseByForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer, operator := w.tokens[api.Viewer], w.tokens[api.Operator]
	path := profilePath + "/release"
	w.profile()
	one := w.register("one")
	for _, number := range []string{"1.0.0", "1.0.1"} {
		w.version(number, data(number))
		w.complete(number, one)
	}
	w.has(w.opened(operator, path), "It is not on hold")
	if v := w.asBrowser(operator, "POST", path, nil); v.status != 409 || !strings.Contains(v.text, "The profile is not on hold") {
		t.Errorf("without a hold: %d\n%s", v.status, v.text)
	}
	w.want(w.call(operator, "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "no"}), 200)
	w.has(w.opened(operator, path), "Release the hold")
	w.lacks(w.opened(viewer, path), "<form class=\"form\"")
	if v := w.asBrowser(viewer, "POST", path, nil); v.status != 403 {
		t.Errorf("a viewer: %d", v.status)
	}
	if v := w.asBrowser(operator, "POST", path, url.Values{"reason": {"mended"}}); v.status != 303 || v.at != profilePath {
		t.Fatalf("released: %d to %s\n%s", v.status, v.at, v.text)
	}
	w.lacks(w.opened(operator, profilePath), "On hold")
}

// What people and commits say is shown, and is never a part of the page.
func TestProfilePagesAreHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const evil = `"><script>alert(1)</script>`
	r := w.profile()
	r.Description, r.Path, r.Settings = evil, evil, map[string]any{evil: evil, "token": "hunter2"}
	r.Targets.Labels = map[string]string{"region": evil}
	w.must(w.store.PutProfile(t.Context(), r))
	made := profile.Data{evil: evil, "timeout": evil}
	w.must(w.store.InsertVersion(t.Context(), profile.Version{
		Profile: name, Number: "1.0.0", Data: made, Hash: profile.Hash(made), Author: evil + " <" + evil + ">", Message: evil, Description: evil,
		Tags: []string{evil}, Metadata: map[string]string{evil: evil}, Commit: strings.Repeat("a", 40), CreatedBy: evil,
	}))
	w.version("1.0.1", data("1s"))
	for _, path := range []string{"", "/versions", "/versions/1.0.0", "/diff", "/rollback", "/release", "/rollback?toVersion=" + url.QueryEscape(evil), "/rollback?reason=" + url.QueryEscape(evil)} {
		page := w.opened(w.tokens[api.Admin], profilePath+path)
		w.lacks(page, "<script>alert", "hunter2")
	}
	for _, path := range []string{"/diff?from=" + url.QueryEscape(evil) + "&to=1.0.0", "/versions/" + url.PathEscape(evil)} {
		v := w.asBrowser(w.tokens[api.Admin], "GET", profilePath+path, nil)
		if v.status != 404 || strings.Contains(v.text, "<script>alert") {
			t.Errorf("%s: %d\n%s", path, v.status, v.text)
		}
	}
}
