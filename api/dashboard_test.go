package api_test

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
)

// asBrowser asks for a page the way a browser does, as whoever has the token.
func (w *world) asBrowser(token, method, path string, form url.Values) visit {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.http.URL+path, strings.NewReader(form.Encode()))
	w.must(err)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := once.Do(req)
	w.must(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	w.must(err)
	return visit{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(raw)}
}

// opened opens a page that is there.
func (w *world) opened(token, path string) string {
	w.t.Helper()
	v := w.asBrowser(token, "GET", path, nil)
	if v.status != 200 {
		w.t.Fatalf("%s: %d\n%s", path, v.status, v.text)
	}
	if strings.Contains(v.text, "<script>") || strings.Contains(v.text, "<img") || strings.Contains(v.text, " style=") {
		w.t.Errorf("%s has something in it that is not Sluice's:\n%s", path, v.text)
	}
	return v.text
}

// has fails unless a page has all of the texts.
func (w *world) has(page string, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			w.t.Errorf("the page has no %q:\n%s", text, page)
		}
	}
}

// lacks fails if a page has one of the texts.
func (w *world) lacks(page string, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			w.t.Errorf("the page has %q:\n%s", text, page)
		}
	}
}

func TestPagesAndWhoMayRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	v := w.asBrowser(viewer, "GET", "/", nil)
	if v.status != 200 || !strings.Contains(v.text, "<h1") || !strings.Contains(v.text, `data-live="/"`) {
		t.Errorf("the first page: %d\n%s", v.status, v.text)
	}
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if policy := v.header.Get("Content-Security-Policy"); !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q without %q", policy, want)
		}
	}
	if v := w.asBrowser("", "GET", "/?a=b", nil); v.status != 303 || v.at != "/login?next=%2F%3Fa%3Db" {
		t.Errorf("a stranger: %d to %s", v.status, v.at)
	}
	if v := w.asBrowser(viewer, "GET", "/deployments/no-such", nil); v.status != 404 || !strings.Contains(v.text, "There is nothing here") {
		t.Errorf("no such page: %d\n%s", v.status, v.text)
	}
	if v := w.asBrowser(viewer, "GET", "/profiles?environment=Nope", nil); v.status != 400 || strings.Count(strings.ToLower(v.text), "environment is one of development") != 1 {
		t.Errorf("a filter that there is not: %d\n%s", v.status, v.text)
	}
	for _, asset := range []string{"sluice.css", "sluice.js", "idiomorph.js", "icon.svg"} {
		v := w.asBrowser("", "GET", "/assets/"+asset, nil)
		if v.status != 200 || len(v.text) == 0 || !strings.Contains(v.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", asset, v.status, v.header)
		}
	}
	if v := w.asBrowser("", "GET", "/assets/no-such.js", nil); v.status != 404 {
		t.Errorf("no such asset: %d", v.status)
	}
}

// An open page is told what it shows when that changes, and nothing before.
func TestAnOpenPageIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.register("a") // before: what comes second is the deployment, and no page in between that has the instance alone
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.http.URL+"/live?page="+url.QueryEscape("/?x=1"), nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+w.tokens[api.Viewer])
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	next := func(event string) string {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "event: "+event && lines.Scan() {
				return lines.Text()
			}
		}
		t.Fatalf("the stream ended before %q: %v", event, lines.Err())
		return ""
	}
	next("here")
	if first := next("page"); strings.Contains(first, name) {
		t.Errorf("nothing is under way yet: %s", first)
	}
	w.deploy("1.0.0")
	if second := next("page"); !strings.Contains(second, name) || !strings.Contains(second, `"mark":`) {
		t.Errorf("the deployment is not told: %s", second)
	}
	// Pages that are of one person are told to nobody by a stream that many share.
	if own := w.call(w.tokens[api.Admin], "GET", "//live?page=/account", nil); strings.Contains(string(own.body), "event: page") {
		t.Errorf("the account is told: %s", own.body)
	}
	for page, want := range map[string]int{"/no-such": 404, "https://elsewhere/": 400, "": 400, "/api/v1/configs": 404} {
		if got := w.call(w.tokens[api.Viewer], "GET", "//live?page="+url.QueryEscape(page), nil); got.status != want {
			t.Errorf("%q: %d, want %d", page, got.status, want)
		}
	}
}
