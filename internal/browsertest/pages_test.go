package browsertest_test

import (
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
)

// looks are the ways in which people look at a page.
func looks() map[string]testenv.TabOptions {
	return map[string]testenv.TabOptions{
		"light": {}, "dark": {Dark: true}, "no script": {NoScript: true}, "phone": {Width: 375, Height: 812, Scale: 2},
	}
}

// Every page shows what it is about, to whoever looks at it in whatever way, and
// keeps nobody out. What people wrote is shown and never run.
func TestPages(t *testing.T) {
	t.Parallel()
	s := perform(t)
	d := s.deployed(s.commit(hostileWords, automatic, `failing: 100, greeting: "`+hostileWords+`"`))
	s.reaches(d.ID, "RolledBack", func(d wire.Deployment) bool { return d.Status == "RolledBack" })
	for look, opts := range looks() {
		t.Run(look, func(t *testing.T) {
			t.Parallel()
			tab := s.signedIn(t, "/deployments/"+d.ID, opts)
			tab.WaitText("h1", shop, patience)
			for _, inert := range []string{"onerror=alert(1)", hostileName} {
				tab.WaitText("body", inert, patience)
			}
			tab.Axe()
			fits(t, tab)
		})
	}
}

// The description of the API is one long page: once is enough for each colour.
func TestPageOfTheAPI(t *testing.T) {
	t.Parallel()
	s := &stage{Daemon: testenv.NewDaemon(t), t: t}
	for _, look := range []string{"light", "dark"} {
		t.Run(look, func(t *testing.T) {
			t.Parallel()
			tab := s.tab(t, looks()[look])
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
