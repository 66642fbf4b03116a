package browsertest_test

import (
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
)

// looks are the ways in which people look at a page.
func looks() map[string]testenv.TabOptions {
	phone := testenv.TabOptions{Width: 375, Height: 812, Scale: 2}
	dark, noScript := phone, phone
	dark.Dark, noScript.NoScript = true, true
	return map[string]testenv.TabOptions{"desk": {}, "dark phone": dark, "phone without scripts": noScript}
}

// TestPages holds that every page shows what it is about, to whoever looks at it
// in whatever way, and keeps nobody out. What people wrote is shown and never run.
func TestPages(t *testing.T) {
	t.Parallel()
	s := perform(t)
	d := s.deployed(s.commit(hostileWords, automatic, `failing: 100, greeting: "`+hostileWords+`"`))
	s.reaches(d.ID, "RolledBack", func(d wire.Deployment) bool { return d.Status == "RolledBack" })
	pages := []struct{ path, words string }{
		{"/", shop},
		{"/deployments", shop}, {"/deployments/" + d.ID, hostileName}, {"/deployments/" + d.ID + "/report", hostileName},
		{"/deployments/" + d.ID + "/retry", shop}, {"/deployments/" + d.ID + "/rollback", shop},
		{"/profiles", shop}, {"/profiles/" + shop, "1.1.0"}, {"/profiles/" + shop + "/versions", hostileWords},
		{"/profiles/" + shop + "/versions/1.1.0", "onerror=alert(1)"}, {"/profiles/" + shop + "/diff?from=1.0.0&to=1.1.0", "onerror=alert(1)"},
		{"/profiles/" + shop + "/rollback", shop}, {"/profiles/" + shop + "/release", shop}, {"/freeze", "Freeze"},
		{"/instances", hostileName}, {"/sources", "configs"}, {"/sources/configs", hostileWords}, {"/schemas", "Schemas"},
		{"/audit", shop}, {"/tokens", "token"}, {"/account", "admin"},
	}
	for look, opts := range looks() {
		t.Run(look, func(t *testing.T) {
			t.Parallel()
			tab := s.signedIn(t, "/", opts)
			for _, page := range pages {
				tab.Open(page.path)
				tab.WaitText("main", page.words, patience)
				if n := len(tab.Controls("heading")); n == 0 {
					t.Errorf("%s has no heading", page.path)
				}
				tab.Axe()
				fits(t, tab)
			}
		})
	}
}

// A page that there is not says so, and leads on.
func TestNoSuchPage(t *testing.T) {
	t.Parallel()
	s := &stage{Daemon: testenv.NewDaemon(t), t: t}
	tab := s.signedIn(t, "/", testenv.TabOptions{})
	tab.Forgive("404")
	tab.Open("/deployments/none")
	tab.WaitText("h1", "There is nothing here", patience)
	tab.Axe()
	tab.Click("link", "Overview")
	tab.WaitPath("/", patience)
}

// The description of the API is one long page: once is enough for each colour.
func TestPageOfTheAPI(t *testing.T) {
	t.Parallel()
	s := &stage{Daemon: testenv.NewDaemon(t), t: t}
	for look, opts := range map[string]testenv.TabOptions{"light": {}, "dark": {Dark: true}} {
		t.Run(look, func(t *testing.T) {
			t.Parallel()
			tab := s.tab(t, opts)
			tab.Open("/docs")
			tab.Open("/docs") // which it has by now
			tab.Axe()
			fits(t, tab)
		})
	}
}

// fits wants no page to be wider than the screen. Tables may be, which scroll by
// themselves.
func fits(t *testing.T, tab *testenv.Tab) {
	t.Helper()
	var over struct {
		By    int      `json:"by"`
		Whose []string `json:"whose"`
	}
	tab.Eval(`(() => {
		const around = e => getComputedStyle(e).position === 'absolute' ? e.offsetParent : e.parentElement;
		const scrolls = e => e && (getComputedStyle(e).overflowX !== 'visible' || scrolls(around(e)));
		const wide = Array.from(document.querySelectorAll('body *'))
			.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(around(e)));
		return {by: document.documentElement.scrollWidth - innerWidth, whose: wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120))};
	})()`, &over)
	if over.By > 0 {
		t.Errorf("%s is %d pixels wider than the screen: %q", tab.Path(), over.By, over.Whose)
	}
}
