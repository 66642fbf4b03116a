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
		{"/", shop}, {"/deployments", shop}, {"/deployments/" + d.ID, hostileName}, {"/deployments/" + d.ID + "/report", hostileName},
		{"/deployments/" + d.ID + "/retry", shop}, {"/deployments/" + d.ID + "/rollback", shop},
	}
	for look, opts := range looks() {
		t.Run(look, func(t *testing.T) {
			t.Parallel()
			tab := s.signedIn(t, "/", opts)
			var without []string
			if opts.NoScript {
				without = append(without, "meta-refresh") // how an open page changes then (docs/dashboard.md)
			}
			for _, page := range pages {
				tab.Open(page.path)
				tab.WaitText("main", page.words, patience)
				if n := len(tab.Controls("heading")); n == 0 {
					t.Errorf("%s has no heading", page.path)
				}
				tab.Axe(without...)
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

// fits wants no page to be wider than the screen.
func fits(t *testing.T, tab *testenv.Tab) {
	t.Helper()
	var over int
	tab.Eval("document.documentElement.scrollWidth - innerWidth", &over)
	if over > 0 {
		t.Errorf("%s is %d pixels wider than the screen", tab.Path(), over)
	}
}
