package browsertest_test

import (
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
)

// Somebody watches a change go live, from the merge to the end, on a page that
// they opened before, and need not touch.
func TestACanaryIsWatched(t *testing.T) {
	t.Parallel()
	s := perform(t)
	tab := s.signedIn(t, "/", testenv.TabOptions{})
	tab.WaitText("main", "Nothing is being rolled out", patience)
	stays := keep(tab)

	d := s.deployed(s.commit("Greet with moin", byHand, "greeting: moin"))
	tab.WaitText("article", shop, patience)
	for phase, instances := range []string{"1 of 4", "2 of 4"} {
		tab.WaitText("article", instances+" instances run it", patience)
		s.promote(d.ID, phase+1)
	}
	tab.WaitText("main", "Nothing is being rolled out", patience)
	s.completes(d.ID)
	stays(t)

	d = s.deployed(s.commit("Fail always", automatic, "greeting: oh, failing: 100"))
	tab.WaitText("main", "1.1.0 is refused", patience)
	s.reaches(d.ID, "RolledBack", func(d wire.Deployment) bool { return d.Status == "RolledBack" })
	tab.Axe()
	stays(t)
}

// A page that was open while the daemon was away says so, and since when, and is
// up to date again when it is back, without being touched.
func TestTheDaemonIsRestartedBehindAnOpenPage(t *testing.T) {
	t.Parallel()
	s := perform(t)
	tab := s.signedIn(t, "/", testenv.TabOptions{})
	tab.WaitText("footer", "live", patience)
	stays := keep(tab)
	tab.Forgive("net::ERR_") // who asks a daemon that is killed hears of it in a dozen ways, by when in its asking that was

	s.Kill(t)
	tab.WaitText("[role=status]", "Connection lost since", patience)
	if tab.Has("link", "Sign in again") {
		t.Error("it asks to sign in")
	}
	tab.Axe()
	sha := s.commit("Greet with moin", byHand, "greeting: moin") // lands while nobody looks
	s.Start(t)
	tab.WaitText("article", shop, patience)
	tab.WaitNoText("[role=status]", "Connection lost", patience)
	stays(t)
	s.promote(s.deployed(sha).ID, 1)
	tab.WaitText("article", "2 of 4 instances run it", patience)
}

// Whose session ends while a page is open is told so, and comes back to it.
func TestTheSessionEndsBehindAnOpenPage(t *testing.T) {
	t.Parallel()
	s := perform(t)
	const password = "ann-of-the-browser-test-52c0"
	if _, err := s.api.CreateUser(t.Context(), wire.UserRequest{Username: "ann", Password: password, Role: "Operator"}); err != nil {
		t.Fatal(err)
	}
	tab := s.tab(t, testenv.TabOptions{})
	tab.Open("/?from=a+link")
	enter(tab, "ann", password)
	tab.WaitText("footer", "live", patience)

	viewer := "Viewer" // ends the sessions of before
	if _, err := s.api.ChangeUser(t.Context(), "ann", wire.UserChange{Role: &viewer}); err != nil {
		t.Fatal(err)
	}
	tab.WaitText("[role=status]", "You are signed out", patience)
	tab.Axe()
	tab.Click("link", "Sign in again")
	enter(tab, "ann", password)
	tab.WaitText("footer", "live", patience)
	if got := tab.Path(); got != "/?from=a+link" {
		t.Errorf("it is back at %s", got)
	}
	tab.WaitText("header", "ann Viewer", patience)
}

// keep marks the page: the function it returns wants it not to have been loaded
// again since.
func keep(tab *testenv.Tab) (stays func(t *testing.T)) {
	tab.Eval("window.kept = true", nil)
	return func(t *testing.T) {
		t.Helper()
		var kept bool
		tab.Eval("window.kept === true", &kept)
		if !kept {
			t.Error("the page was loaded again")
		}
	}
}

// What a change puts under the pointer in the moment of a click is not clicked.
func TestAChangeUnderThePointerIsNotClicked(t *testing.T) {
	t.Parallel()
	s := perform(t)
	tab := s.signedIn(t, "/deployments", testenv.TabOptions{})
	tab.WaitText("footer", "live", patience)
	// A person points at the first row. Another one comes in its place, and they click in that moment.
	tab.Eval(`(() => {
		const rows = () => document.querySelectorAll('main .rows > li').length, before = rows();
		const at = document.querySelector('main .rows .main-link').getBoundingClientRect();
		const spot = {clientX: at.left + 5, clientY: at.top + 5, bubbles: true, cancelable: true, detail: 1};
		window.click = () => document.elementFromPoint(spot.clientX, spot.clientY).dispatchEvent(new MouseEvent('click', spot));
		window.addEventListener('click', (e) => { window.clicked = true; e.preventDefault(); });
		document.dispatchEvent(new PointerEvent('pointermove', spot));
		new MutationObserver((_, seen) => {
			if (rows() === before) return;
			seen.disconnect();
			window.click();
			window.atOnce = window.clicked === true;
		}).observe(document.getElementById('main'), {childList: true, subtree: true});
	})()`, nil)
	s.commit("Greet with moin", byHand, "greeting: moin")
	is := func(expression string) func() bool {
		return func() (yes bool) {
			tab.Eval(expression, &yes)
			return yes
		}
	}
	tab.Wait("the row", patience, is("window.atOnce !== undefined"))
	if is("window.atOnce")() {
		t.Error("the row that came there was clicked")
	}
	tab.Wait("a click that counts: they have seen it by now", patience, is("window.click(), window.clicked === true"))
}
