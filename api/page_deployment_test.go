package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// shows fails unless a page has the status and all of the texts.
func (v visit) shows(t *testing.T, status int, texts ...string) visit {
	t.Helper()
	if v.status != status {
		t.Fatalf("answered %d, want %d:\n%s", v.status, status, v.text)
	}
	for _, text := range texts {
		if !strings.Contains(v.text, text) {
			t.Errorf("the page does not say %q:\n%s", text, v.text)
		}
	}
	return v
}

// hides fails when a page has one of the texts.
func (v visit) hides(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(v.text, text) {
			t.Errorf("the page says %q:\n%s", text, v.text)
		}
	}
}

// canary is a deployment that waits an hour in its first phase.
func (w *world) canary() (wire.Deployment, instance) {
	w.t.Helper()
	one := w.slow()
	w.version("1.0.1", data("2"))
	d := w.deploy("1.0.1")
	return w.reaches(d.ID, "InProgress"), one
}

func TestDeploymentPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.store.RegisterSource(t.Context(), store.Source{ID: "configs", URL: "https://github.com/team/configs.git", Branch: "main"}))
	d := w.hurt()
	page := "/deployments/" + d.ID
	viewer := w.tokens[api.Viewer]
	w.asBrowser(viewer, "GET", page, nil).shows(t, 200, `data-live="`+page+`"`, name, "1.0.0", "1.0.1", "Rolled back", // what it is
		"Who had it", "timeout | &lt;b&gt;too short&lt;/b&gt;", // who had it
		"instances that could not apply it", "<strong>decided</strong>", `<svg class="plot"`, // the gate
		"dbPassword", "***", // what changed
		"the gate failed", `href="`+page+`/report"`, `href="/profiles/`+name+`"`).hides(t, "<b>", "swordfish", "<form method=\"post\" action=\"/deployments")
	if got := w.asBrowser(w.tokens[api.Operator], "GET", page, nil); !strings.Contains(got.text, page+"/retry") || strings.Contains(got.text, page+"/rollback") {
		t.Errorf("what was rolled back can be tried again, and nothing else:\n%s", got.text)
	}
	w.asBrowser(viewer, "GET", "/deployments/none", nil).shows(t, 404, "There is nothing here")
	ours := w.token(api.Operator, store.Token{Scope: profile.Scope{Profiles: []string{"payment-*"}}})
	theirs := w.token(api.Operator, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	for _, path := range []string{page, page + "/report", page + "/retry", page + "/rollback", page + "/cancel"} {
		w.asBrowser(ours, "GET", path, nil).shows(t, 200, name)
		w.asBrowser(theirs, "GET", path, nil).shows(t, 404).hides(t, name)
	}
	if got := w.call(theirs, "GET", "//live?page="+page, nil); got.status != 404 {
		t.Errorf("another team follows the page: %d", got.status)
	}
	w.asBrowser(theirs, "POST", page+"/retry", url.Values{"reason": {"mine"}}).shows(t, 404)
}

// Whoever wrote from right to left does not turn what stands beside it round, and a
// report says of which day it is.
func TestDeploymentPageInAnotherScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const author = "דוד כהן"
	const message = "רפע (timeout)"
	w.profile()
	content := data("1")
	w.must(w.store.InsertVersion(t.Context(), profile.Version{
		Profile: name, Number: "1.0.0", Data: content, Hash: profile.Hash(content), ValidatedAt: time.Now(), Source: "configs",
		Commit: strings.Repeat("c", 40), Author: author + " <david@example.com>", Message: message,
	}))
	d, err := w.engine.Start(t.Context(), rollout.Deployment{
		ID: uuid.NewString(), Profile: name, Kind: rollout.Forward, Version: "1.0.0", Hash: profile.Hash(content), State: rollout.Pending, CreatedAt: time.Now(),
		Selector: fleet.Selector{Service: "payment-service", Environment: profile.Production}, Strategy: profile.DefaultStrategy(profile.Canary),
		Source: "configs", Commit: strings.Repeat("c", 40), InitiatedBy: author + " <david@example.com>", Cause: message,
	}, author)
	w.must(err)
	viewer, page := w.tokens[api.Viewer], "/deployments/"+d.ID
	w.asBrowser(viewer, "GET", page, nil).shows(t, 200, "by <bdi>"+author+"</bdi> · <time", "<dd><bdi>"+message+"</bdi></dd>")
	w.asBrowser(viewer, "GET", page+"/report", nil).shows(t, 200, `<span class="day soft">`+d.CreatedAt.UTC().Format(time.DateOnly)+"</span>")
	w.asBrowser(viewer, "GET", "/profiles/"+name, nil).shows(t, 200, "<bdi>"+author+"</bdi> · <code", "<bdi>"+message+"</bdi>")
}

// What a commit came from is linked to, where the source's URL leads to a forge.
func TestDeploymentPageLeadsToTheForge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.store.RegisterSource(t.Context(), store.Source{ID: "configs", URL: "git@github.com:team/configs.git", Branch: "main"}))
	w.profile()
	v := w.version("1.0.0", data("1"))
	d, err := w.engine.Start(t.Context(), rollout.Deployment{
		ID: uuid.NewString(), Profile: name, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending, CreatedAt: time.Now(),
		Selector: fleet.Selector{Service: "payment-service", Environment: profile.Production}, Strategy: profile.DefaultStrategy(profile.Canary),
		Source: "configs", Commit: v.Commit, PullRequest: 42, InitiatedBy: "Ann",
	}, "Ann")
	w.must(err)
	w.asBrowser(w.tokens[api.Viewer], "GET", "/deployments/"+d.ID, nil).shows(t, 200, `href="https://github.com/team/configs/commit/`+v.Commit+`"`, `href="https://github.com/team/configs/pull/42"`)
}

func TestDeploymentsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.asBrowser(viewer, "GET", "/deployments", nil).shows(t, 200, `<a href="/deployments" aria-current="page">`, "Nothing was deployed yet", `data-live="/deployments"`)
	d := w.hurt()
	link := `href="/deployments/` + d.ID + `"`
	w.asBrowser(viewer, "GET", "/deployments", nil).shows(t, 200, link, `<span class="count">2</span>`)
	w.asBrowser(viewer, "GET", "/deployments?status=RolledBack&environment=Production&configName="+name, nil).shows(t, 200, link, `<span class="count">1</span>`, "<option selected>RolledBack</option>")
	w.asBrowser(viewer, "GET", "/deployments?status=Failed", nil).shows(t, 200, "No deployment is like that").hides(t, link)
	first := w.asBrowser(viewer, "GET", "/deployments?limit=1&environment=Production", nil).shows(t, 200, link, "1–1 of 2", `href="/deployments?environment=Production&amp;limit=1&amp;offset=1"`)
	if strings.Count(first.text, `class="main-link"`) != 1 {
		t.Error("a page of one has more than one")
	}
	w.asBrowser(viewer, "GET", "/deployments?status=Sunny", nil).shows(t, 400, "Status is one of")
	w.asBrowser(viewer, "GET", "/deployments?configName="+url.QueryEscape(`"><script>x</script>`), nil).shows(t, 200).hides(t, "<script>x")
	theirs := w.token(api.Viewer, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	w.asBrowser(theirs, "GET", "/deployments", nil).shows(t, 200).hides(t, link, name+"</a>")
}

func TestOrdersOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.canary()
	page := "/deployments/" + d.ID
	viewer, operator := w.tokens[api.Viewer], w.tokens[api.Operator]
	post := func(token, order string) visit { return w.asBrowser(token, "POST", page+"/"+order, url.Values{}) }
	w.asBrowser(viewer, "GET", page, nil).shows(t, 200).hides(t, page+"/pause", page+"/promote", page+"/rollback", page+"/cancel")
	w.asBrowser(w.tokens[api.Developer], "GET", page, nil).shows(t, 200).hides(t, page+"/pause")
	w.asBrowser(operator, "GET", page, nil).shows(t, 200, page+`/pause"`, page+`/promote"`, page+`/rollback"`, page+`/cancel"`).hides(t, page+"/resume", page+"/retry")
	w.asBrowser(viewer, "GET", page, nil).shows(t, 200, `role="status">In progress, phase 1 of 2</p>`)
	for _, order := range []string{"pause", "resume", "promote", "cancel", "rollback", "retry"} {
		post(viewer, order).shows(t, 403, "This is not for you to do")
		post(w.tokens[api.Developer], order).shows(t, 403)
	}
	if v := post(operator, "pause").shows(t, 303); v.at != page {
		t.Errorf("after the pause: at %s", v.at)
	}
	w.asBrowser(operator, "GET", page, nil).shows(t, 200, "Paused", page+`/resume"`).hides(t, page+`/pause"`, page+`/promote"`)
	// Refused, the page says why, stays as it is, and leads to how it is now.
	post(operator, "pause").shows(t, 409, `role="alert"`, "Pause is not possible for a deployment that is Paused", `href="`+page+`">The page as it is now`).hides(t, "data-live", "http-equiv")
	post(operator, "resume").shows(t, 303)
	w.reaches(d.ID, "InProgress")
	if facts := w.audited("deployment.paused"); len(facts) != 1 || facts[0].User != "operator" {
		t.Errorf("the audit log says %+v", facts)
	}
}

// Two people who look at the same phase do not promote two.
func TestPromoteOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, one := w.canary()
	page := "/deployments/" + d.ID
	operator := w.tokens[api.Operator]
	promote := func(form url.Values) visit { return w.asBrowser(operator, "POST", page+"/promote", form) }
	w.asBrowser(operator, "GET", page, nil).shows(t, 200, `name="phase" value="1"`, "Promote phase 1", "Promote through every phase")
	promote(url.Values{"phase": {"2"}}).shows(t, 409, "in phase 1, not in phase 2")
	promote(url.Values{"phase": {"one"}}).shows(t, 400, "Phase is that of one promotion")
	promote(url.Values{"phase": {"1"}}).shows(t, 303)
	promote(url.Values{"all": {"yes"}}).shows(t, 303)
	promote(url.Values{"all": {"yes"}}).shows(t, 409, "promoted already by operator")
	w.until("every phase to end", func() bool {
		one.apply()
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &d)
		return d.Status == "Completed"
	})
}

func TestCancelOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, one := w.canary()
	one.apply()
	page := "/deployments/" + d.ID
	operator := w.tokens[api.Operator]
	w.asBrowser(operator, "GET", page+"/cancel", nil).shows(t, 200, "Cancel the deployment of 1.0.1", "goes back from 1.0.1 to 1.0.0", `name="reason"`)
	w.asBrowser(operator, "POST", page+"/cancel", url.Values{"reason": {"  "}}).shows(t, 400, "Reason is required")
	w.asBrowser(operator, "POST", page+"/cancel", url.Values{"reason": {"wrong day"}}).shows(t, 303)
	w.asBrowser(operator, "GET", page+"/cancel", nil).shows(t, 200, "Cancel is not possible").hides(t, "<button class=\"danger\"")
	w.until("the way back", func() bool {
		one.apply()
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &d)
		return d.FinishedAt != nil
	})
}

func TestRollBackOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, one := w.canary()
	one.apply()
	page := "/deployments/" + d.ID
	operator := w.tokens[api.Operator]
	w.asBrowser(operator, "GET", page+"/rollback", nil).shows(t, 200, "Roll back to 1.0.0", "1 instance goes back from 1.0.1 to 1.0.0", "on hold at", `name="reason"`, `<button class="danger">Roll back to 1.0.0</button>`).hides(t, "data-live")
	w.asBrowser(w.tokens[api.Viewer], "GET", page+"/rollback", nil).shows(t, 200, "1 instance goes back", "an Operator may").hides(t, `<button class="danger"`)
	w.asBrowser(operator, "POST", page+"/rollback", url.Values{}).shows(t, 400, "Reason is required", "Roll back to 1.0.0")
	if v := w.asBrowser(operator, "POST", page+"/rollback", url.Values{"reason": {`"><b>it hurts`}}).shows(t, 303); v.at != page {
		t.Errorf("after the rollback: at %s", v.at)
	}
	w.asBrowser(operator, "GET", page+"/rollback", nil).shows(t, 200, "This rollback was asked for already", "To the rollback")
	w.asBrowser(operator, "GET", page, nil).shows(t, 200, "&gt;&lt;b&gt;it hurts").hides(t, "<b>it", page+`/rollback"`)
	if v := w.asBrowser(operator, "POST", page+"/rollback", url.Values{"reason": {"again"}}).shows(t, 303); v.at != page {
		t.Errorf("asked again: at %s", v.at)
	}
	w.until("the way back", func() bool {
		one.apply()
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &d)
		return d.Status == "RolledBack"
	})
}

// What completed goes back by a deployment of its own, while it runs.
func TestRollBackACompletedOneOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one := w.register("one")
	w.version("1.0.0", data("1"))
	first := w.complete("1.0.0", one)
	w.version("1.0.1", data("2"))
	second := w.complete("1.0.1", one)
	operator := w.tokens[api.Operator]
	w.asBrowser(operator, "GET", "/deployments/"+first.ID, nil).shows(t, 200).hides(t, first.ID+"/rollback")
	w.asBrowser(operator, "GET", "/deployments/"+first.ID+"/rollback", nil).shows(t, 200, "does not run any more").hides(t, `<button class="danger"`)
	w.asBrowser(operator, "POST", "/deployments/"+first.ID+"/rollback", url.Values{"reason": {"x"}}).shows(t, 409, `role="alert"`, "does not run any more")
	page := "/deployments/" + second.ID
	w.asBrowser(operator, "GET", page, nil).shows(t, 200, page+`/rollback"`)
	w.asBrowser(operator, "GET", page+"/rollback", nil).shows(t, 200, "by a deployment of its own", `<button class="danger">Roll back to 1.0.0</button>`)
	v := w.asBrowser(operator, "POST", page+"/rollback", url.Values{"reason": {"x"}}).shows(t, 303)
	if v.at == page || !strings.HasPrefix(v.at, "/deployments/") {
		t.Errorf("after the rollback: at %s", v.at)
	}
	w.asBrowser(operator, "GET", v.at, nil).shows(t, 200, "Rollback", "No gate holds up what takes a change back").hides(t, "No check yet")
	one.apply()
}

func TestRetryOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.hurt()
	page := "/deployments/" + d.ID
	operator := w.tokens[api.Operator]
	w.asBrowser(operator, "GET", page+"/retry", nil).shows(t, 200, "Try 1.0.1 again", `name="reason"`).hides(t, `name="force"`)
	w.asBrowser(w.tokens[api.Admin], "GET", page+"/retry", nil).shows(t, 200, `name="force"`)
	w.asBrowser(operator, "POST", page+"/retry", url.Values{}).shows(t, 400, "Reason is required")
	w.asBrowser(operator, "POST", page+"/retry", url.Values{"reason": {"mended"}, "force": {"yes"}}).shows(t, 403, "Force needs the role Admin", `value="mended"`)
	v := w.asBrowser(operator, "POST", page+"/retry", url.Values{"reason": {"mended"}}).shows(t, 303)
	if v.at == page || !strings.HasPrefix(v.at, "/deployments/") {
		t.Errorf("after the retry: at %s", v.at)
	}
	w.asBrowser(operator, "GET", v.at, nil).shows(t, 200, `href="`+page+`">deployment <code>`+d.ID)
	again := w.asBrowser(operator, "GET", v.at+"/retry", nil).shows(t, 200, "Retry is not possible")
	again.hides(t, "<button class=\"main\"")
}

// A page of this server sent the form, or it is nobody's.
func TestFormsOfAnotherSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.canary()
	w.person("ann", api.Operator)
	session := w.session("ann")
	for _, site := range []string{"cross-site", "same-site", ""} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", w.http.URL+"/deployments/"+d.ID+"/pause", strings.NewReader(""))
		w.must(err)
		req.AddCookie(&http.Cookie{Name: "sluice_session", Value: session})
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "text/html")
		if site != "" {
			req.Header.Set("Sec-Fetch-Site", site)
		}
		once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := once.Do(req)
		w.must(err)
		w.must(resp.Body.Close())
		if resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), "/login?next=%2Fdeployments%2F"+d.ID) {
			t.Errorf("from %q: %d to %s", site, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	w.reaches(d.ID, "InProgress")
}

// Whose session has ended when they send something is told that it was not done:
// after signing in, the page looks as if it had been.
func TestWhatIsSentWithoutASessionIsNotDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.canary()
	page := "/deployments/" + d.ID
	sent := w.asBrowser("", "POST", page+"/pause", nil)
	if sent.status != 303 || !strings.HasPrefix(sent.at, "/login?next="+url.QueryEscape(page)) {
		t.Fatalf("%d to %s", sent.status, sent.at)
	}
	w.asBrowser("", "GET", sent.at, nil).shows(t, 200, `role="alert"`, "what you sent was not done", `value="`+page+`"`)
	read := w.asBrowser("", "GET", page, nil)
	w.asBrowser("", "GET", read.at, nil).shows(t, 200, `value="`+page+`"`).hides(t, "not done", `role="alert"`)
	w.reaches(d.ID, "InProgress")
}
