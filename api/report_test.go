package api_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// hurt lets the gate take a canary back, whose instance cannot apply it.
func (w *world) hurt() wire.Deployment {
	w.t.Helper()
	w.profile()
	one, two := w.register("one"), w.register("two")
	w.version("1.0.0", profile.Data{"timeout": "30s", "dbPassword": "swordfish-before"})
	w.complete("1.0.0", one, two)
	w.version("1.0.1", profile.Data{"timeout": "1s", "dbPassword": "swordfish-after", "retries": 3})
	d := w.deploy("1.0.1")
	w.until("the canary to be taken back", func() bool {
		for _, i := range []instance{one, two} {
			for _, a := range i.assigned().Assignments {
				if a.Version != "1.0.1" {
					continue
				}
				w.call(i.token, "POST", "/instances/"+i.id+"/applied", wire.AppliedRequest{
					ConfigName: a.ConfigName, Version: a.Version, Hash: a.Hash, Generation: a.Generation, Error: "timeout | <b>too short</b>",
				})
			}
		}
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(w.t, &d)
		return d.Status == "RollingBack" || d.Status == "RolledBack"
	})
	w.until("everybody to be back", func() bool {
		one.apply()
		two.apply()
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(w.t, &d)
		return d.Status == "RolledBack"
	})
	return d
}

func TestReportOfARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.hurt()
	var r wire.Report
	w.want(w.call(w.tokens[api.Viewer], "GET", "/deployments/"+d.ID+"/report", nil), 200).into(t, &r)
	if !strings.Contains(r.Headline, name+" 1.0.1 was rolled back to 1.0.0 by the gate: 1 of 1 instances could not apply it") {
		t.Errorf("the headline is %q", r.Headline)
	}
	if r.Deployment.Exposed != 1 || len(r.Deployment.Exposures) != 1 || r.Deployment.Exposures[0].ServiceVersion != "7.1.0" ||
		!strings.Contains(r.Deployment.Exposures[0].ApplyError, "too short") || r.Deployment.Exposures[0].BackAt == nil {
		t.Errorf("who had it: %d %+v", r.Deployment.Exposed, r.Deployment.Exposures)
	}
	var said []string
	for i, m := range r.TimeLine {
		said = append(said, m.What)
		if i > 0 && m.At.Before(r.TimeLine[i-1].At) {
			t.Errorf("the time line goes back at %q", m.What)
		}
	}
	line := strings.Join(said, "\n")
	for _, want := range []string{"seen by Sluice", "started", "the gate failed: 1 of 1", "rollback to 1.0.0 began", "the last of 1 instance was back on 1.0.0", "rolled back"} {
		before, after, found := strings.Cut(line, want)
		if !found {
			t.Errorf("the time line does not say %q after %q:\n%s", want, before, strings.Join(said, "\n"))
			break
		}
		line = after
	}
	if r.Changes == nil || len(r.Changes.Diff.Added) != 1 || len(r.Changes.Diff.Modified) != 2 {
		t.Errorf("what changed: %+v", r.Changes)
	}
	if r.Durations.StartToDetected == "" || r.Durations.DetectedToBack == "" || r.Durations.Whole == "" {
		t.Errorf("durations %+v", r.Durations)
	}
	if len(r.Series) == 0 || r.Series[0].Name != "apply" || !r.Series[0].Failed || len(r.Series[0].Points) == 0 {
		t.Errorf("series %+v", r.Series)
	}
}

func TestReportInEveryForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.hurt()
	viewer := w.tokens[api.Viewer]
	path := "/deployments/" + d.ID
	forms := map[string]answer{
		"application/json":             w.call(viewer, "GET", path+"/report", nil),
		"text/markdown":                w.call(viewer, "GET", path+"/report", nil, "Accept", "text/markdown"),
		"text/markdown; charset=utf-8": w.call(viewer, "GET", path+"/report?format=markdown", nil),
		"text/html; charset=UTF-8":     w.call(viewer, "GET", "/"+path+"/report", nil),
	}
	for kind, a := range forms {
		w.want(a, 200)
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, strings.SplitN(kind, ";", 2)[0]) {
			t.Errorf("%s came as %s", kind, got)
		}
		text := strings.ReplaceAll(string(a.body), `\*`, "*") // as Markdown shows it
		if strings.Contains(text, "swordfish") {
			t.Errorf("%s shows a secret", kind)
		}
		if !strings.Contains(text, "***") || !strings.Contains(text, "dbPassword") {
			t.Errorf("%s does not show that the secret changed:\n%s", kind, text)
		}
		if kind != "application/json" && strings.Contains(text, "<b>") {
			t.Errorf("%s carries somebody else's markup", kind)
		}
	}
	w.want(w.call(viewer, "GET", path+"/report?format=pdf", nil), 400, "VALIDATION_ERROR")
	w.want(w.call(viewer, "GET", "/deployments/none/report", nil), 404, "NOT_FOUND")
	w.want(w.call("", "GET", path+"/report", nil), 401, "UNAUTHORIZED")
}

// A browser follows the commit status's link, signs in, and is there.
func TestPageAsksToSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.hurt()
	hash, err := api.HashPassword(password)
	w.must(err)
	w.must(w.store.CreateUser(t.Context(), store.User{Name: "ann", Role: "Viewer", PasswordHash: hash}))
	jar, err := cookiejar.New(nil)
	w.must(err)
	browser := &http.Client{Jar: jar}
	page := w.http.URL + "/deployments/" + d.ID
	form := url.Values{"username": {"ann"}, "password": {"wrong password"}, "next": {"/deployments/" + d.ID}}
	send := func(c *http.Client, method, to, kind, body string, header ...string) visit {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
		w.must(err)
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := c.Do(req)
		w.must(err)
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		w.must(err)
		return visit{resp.StatusCode, resp.Request.URL.String(), resp.Header, string(raw)}
	}
	signIn := func(header ...string) visit {
		t.Helper()
		return send(browser, "POST", w.http.URL+"/login", "application/x-www-form-urlencoded", form.Encode(), header...)
	}

	if v := send(browser, "GET", page, "", ""); v.status != 200 || !strings.Contains(v.at, "/login?next=") || !strings.Contains(v.text, `value="/deployments/`+d.ID+`"`) {
		t.Fatalf("a stranger sees %d at %s:\n%s", v.status, v.at, v.text)
	}
	if v := signIn(); v.status != 401 || !strings.Contains(v.text, "wrong user name or password") {
		t.Errorf("a wrong password: %d\n%s", v.status, v.text)
	}
	form.Set("password", password)
	if v := signIn("Sec-Fetch-Site", "cross-site"); v.status != 403 {
		t.Errorf("another site's form was taken: %d", v.status)
	}
	v := signIn("Sec-Fetch-Site", "same-origin")
	if v.status != 200 || v.at != page || !strings.Contains(v.text, "Back on 1.0.0") {
		t.Fatalf("after signing in: %d at %s:\n%s", v.status, v.at, v.text)
	}
	if policy := v.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the page may load %q", policy)
	}

	// The session reads; what changes something must come from a page of this server, as the browser tells.
	if v := send(browser, "GET", w.http.URL+"/api/v1/deployments/"+d.ID+"/report", "", ""); v.status != 200 {
		t.Errorf("the link to the JSON answers %d", v.status)
	}
	if v := send(browser, "POST", w.http.URL+"/api/v1/deployments/"+d.ID+"/pause", "application/json", "{}"); v.status != 401 {
		t.Errorf("a cookie alone was enough to pause: %d", v.status)
	}
	for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example.com"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site", "Origin", w.http.URL}} {
		if v := send(browser, "POST", w.http.URL+"/api/v1/deployments/"+d.ID+"/pause", "application/json", "{}", from...); v.status != 401 {
			t.Errorf("from %v it was allowed to pause: %d", from, v.status)
		}
		if v := send(browser, "POST", w.http.URL+"/logout", "application/x-www-form-urlencoded", "", from...); v.status != 403 {
			t.Errorf("from %v it was allowed to sign out: %d", from, v.status)
		}
	}
	for _, from := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", w.http.URL}} {
		if v := send(browser, "POST", w.http.URL+"/api/v1/deployments/"+d.ID+"/pause", "application/json", "{}", from...); v.status != 403 { // ann may not, but it is ann who asks
			t.Errorf("from %v it was not allowed: %d", from, v.status)
		}
	}

	if v := send(browser, "GET", w.http.URL+"/logout", "", ""); v.status != 200 || !strings.Contains(v.text, `action="/logout"`) {
		t.Errorf("the page to sign out: %d\n%s", v.status, v.text)
	}
	if v := send(browser, "POST", w.http.URL+"/logout", "application/x-www-form-urlencoded", "", "Sec-Fetch-Site", "same-origin"); v.status != 200 || !strings.HasSuffix(v.at, "/login") {
		t.Errorf("after signing out: %d at %s", v.status, v.at)
	}
	if v := send(browser, "GET", page, "", ""); !strings.Contains(v.at, "/login?next=") {
		t.Errorf("after signing out the page is still shown, at %s", v.at)
	}

	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, next := range []string{"//evil.example.com", "https://evil.example.com/", "/\\evil.example.com"} {
		form.Set("next", next)
		if v := signIn(); v.status != 303 || v.header.Get("Location") != "/" {
			t.Errorf("next=%s leads to %q", next, v.header.Get("Location"))
		}
	}
}

// visit is what a browser saw.
type visit struct {
	status int
	at     string
	header http.Header
	text   string
}
