package testenv_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
)

const soon = 20 * time.Second

// site serves a page under a policy like that of the dashboard.
func site(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, "document.querySelector('output').textContent = 'a script ran'")
		case "/again.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, `const loaded = sessionStorage.loaded = 1 + Number(sessionStorage.loaded || 0);
				if (loaded < 30) setTimeout(() => location.reload(), 100 * Math.random());`)
		case "/page":
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; img-src 'self'; style-src 'self'; form-action 'self'")
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<!doctype html><html lang=en><meta charset=utf-8><title>A page</title><main><h1>A page</h1>%s</main></html>", body)
		case "/favicon.ico": // which browsers ask for by themselves
			w.WriteHeader(http.StatusNoContent)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const form = `<form action="/page"><label>Name <input name=name value=nobody></label> <button>Go on</button></form>
<output></output><script src="/page.js"></script>`

func TestTabIsUsedAsPeopleDo(t *testing.T) {
	t.Parallel()
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprintf("script=%v", script), func(t *testing.T) {
			t.Parallel()
			tab := testenv.SharedBrowser(t).Tab(t, testenv.TabOptions{Site: site(t, form), NoScript: !script})
			tab.Open("/page")
			if ran := tab.Text("output") == "a script ran"; ran != script {
				t.Errorf("the page's script ran: %v", ran)
			}
			tab.Fill("Name", "Ann Author")
			tab.Click("button", "Go on")
			tab.Wait("the form to be sent", soon, func() bool { return tab.Path() == "/page?name=Ann+Author" })
			tab.TabTo("button", "go on")
			tab.Press("Enter")
			tab.Wait("the form to be sent again", soon, func() bool { return tab.Path() == "/page?name=nobody" })
			if tab.Has("button", "Go back") || !tab.Has("heading", "A page") {
				t.Errorf("it finds %v and %v", tab.Controls("button"), tab.Controls("heading"))
			}
		})
	}
}

// A page that another takes the place of, whenever that is, is seen and used all the same.
func TestTabOfAPageThatIsLoadedAgainAndAgain(t *testing.T) {
	t.Parallel()
	restless := site(t, `<button type=button>Go on</button><script src="/again.js"></script>`)
	for what, do := range map[string]func(tab *testenv.Tab){
		"HTML":    func(tab *testenv.Tab) { tab.HTML() },
		"path":    func(tab *testenv.Tab) { tab.Path() },
		"text":    func(tab *testenv.Tab) { tab.Text("h1") },
		"control": func(tab *testenv.Tab) { tab.Has("button", "Go on") },
		"focus":   func(tab *testenv.Tab) { tab.Focused() },
		"click":   func(tab *testenv.Tab) { tab.Click("button", "Go on") },
		"promise": func(tab *testenv.Tab) { tab.Eval("new Promise(done => setTimeout(done, 5))", nil) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tab := testenv.SharedBrowser(t).Tab(t, testenv.TabOptions{Site: restless})
			tab.Open("/page")
			for rests := false; !rests; tab.Eval("sessionStorage.loaded >= 30", &rests) {
				do(tab)
			}
		})
	}
}

func TestTabHearsWhatAPageShouldNotDo(t *testing.T) {
	t.Parallel()
	for what, body := range map[string]string{
		"Content Security Policy": `<script>alert(1)</script>`,
		"asked another host":      `<a href="http://192.0.2.1/">away</a>`,
		"404":                     `<img src="/none.png" alt="nothing">`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tab := testenv.SharedBrowser(t).Tab(t, testenv.TabOptions{Site: site(t, body)})
			tab.Open("/page")
			if tab.Has("link", "away") {
				tab.Click("link", "away")
			}
			tab.Wait("the problem", soon, func() bool { return len(tab.Problems()) > 0 })
			for _, problem := range tab.Problems() {
				t.Log(problem)
				if !strings.Contains(problem, what) && !strings.Contains(problem, "ERR_") {
					t.Errorf("another problem: %s", problem)
				}
			}
			tab.Forgive("")
		})
	}
	for what, script := range map[string]string{
		"threw: Error: oh no": `setTimeout(() => { throw new Error("oh no") })`,
		"console.error":       `console.error("oh", "no")`,
		"dialog: oh no":       `setTimeout(() => alert("oh no"))`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tab := testenv.SharedBrowser(t).Tab(t, testenv.TabOptions{Site: site(t, "")})
			tab.Open("/page")
			tab.Eval(script, nil)
			tab.Wait("the problem", soon, func() bool { return len(tab.Problems()) > 0 })
			if got := tab.Problems(); len(got) != 1 || !strings.Contains(got[0], what) {
				t.Errorf("it heard %q", got)
			}
			tab.Forgive(what)
		})
	}
}

func TestTabsAreStrangers(t *testing.T) {
	t.Parallel()
	here := site(t, "")
	one := testenv.SharedBrowser(t).Tab(t, testenv.TabOptions{Site: here, Dark: true, Width: 375, Height: 812, Scale: 2})
	two := testenv.SharedBrowser(t).Tab(t, testenv.TabOptions{Site: here, ReducedMotion: true})
	var cookies [2]string
	var dark, still [2]bool
	one.SetCookie("who", "one")
	for i, tab := range []*testenv.Tab{one, two} {
		tab.Open("/page")
		tab.Eval("document.cookie", &cookies[i])
		tab.Eval("matchMedia('(prefers-color-scheme: dark)').matches", &dark[i])
		tab.Eval("matchMedia('(prefers-reduced-motion: reduce)').matches", &still[i])
	}
	if cookies != [2]string{"who=one", ""} || dark != [2]bool{true, false} || still != [2]bool{false, true} {
		t.Errorf("cookies %q, dark %v, still %v", cookies, dark, still)
	}
	picture, err := png.Decode(bytes.NewReader(one.Picture()))
	if err != nil || picture.Bounds().Dx() != 750 || picture.Bounds().Dy() != 1624 {
		t.Errorf("the picture is %v, %v", picture.Bounds(), err)
	}
	if asked := two.Requests(); !slices.Contains(asked, here+"/page") {
		t.Errorf("it asked for %q", asked)
	}
}

func TestAxe(t *testing.T) {
	t.Parallel()
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprintf("script=%v", script), func(t *testing.T) {
			t.Parallel()
			tab := testenv.SharedBrowser(t).Tab(t, testenv.TabOptions{Site: site(t, `<img src="/favicon.ico"><output></output><script src="/page.js"></script>`), NoScript: !script})
			tab.Open("/page")
			if found := tab.Axe("image-alt"); len(found) != 0 {
				t.Errorf("it found %v", found)
			}
			if ran := tab.Text("output") != ""; ran != script {
				t.Errorf("the page's script ran: %v", ran)
			}
			found := tab.Violations()
			if len(found) != 1 || found[0].Rule != "image-alt" || found[0].Impact != "critical" || !strings.Contains(found[0].String(), "favicon") {
				t.Errorf("it found %v", found)
			}
		})
	}
}
