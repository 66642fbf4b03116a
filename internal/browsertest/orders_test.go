package browsertest_test

import (
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
)

// Somebody sends a canary on from a phone, sees that it was a mistake, and takes
// it back, whether or not the phone runs scripts.
func TestPromoteAndRollBackOnAPhone(t *testing.T) {
	t.Parallel()
	for look, opts := range map[string]testenv.TabOptions{
		"with scripts": {Width: 375, Height: 812, Scale: 2}, "without scripts": {Width: 375, Height: 812, Scale: 2, NoScript: true},
	} {
		t.Run(look, func(t *testing.T) {
			t.Parallel()
			s := perform(t)
			d := s.deployed(s.commit("Greet with moin", byHand, "greeting: moin"))
			s.awaits(d.ID, 1)
			tab := s.signedIn(t, "/deployments/"+d.ID, opts)
			tab.Click("button", "Promote phase")
			s.awaits(d.ID, 2)
			lookAgain := func() {
				if opts.NoScript { // the page stays as it was
					tab.Click("link", "Look again")
				}
			}
			lookAgain()
			tab.WaitText("main", "2 of 4", patience)

			tab.Click("link", "Roll back…")
			tab.WaitPath("/deployments/"+d.ID+"/rollback", patience)
			tab.WaitText("main", "1.0.0", patience)
			fits(t, tab)
			tab.Fill("Reason", "customers complain")
			tab.Click("button", "Roll back")
			tab.WaitPath("/deployments/"+d.ID, patience)
			s.everywhere("1.0.0")
			s.reaches(d.ID, "RolledBack", func(d wire.Deployment) bool { return d.Status == "RolledBack" })
			lookAgain()
			tab.WaitText("h1", "Rolled back", patience)
			tab.WaitText("main", "customers complain", patience)
			if tab.Has("link", "Roll back…") || tab.Has("button", "Promote phase") {
				t.Error("it can be rolled back or promoted again")
			}
		})
	}
}

// A pause is one touch, and so is going on.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := perform(t)
	d := s.deployed(s.commit("Greet with moin", byHand, "greeting: moin"))
	s.awaits(d.ID, 1)
	tab := s.signedIn(t, "/deployments/"+d.ID, testenv.TabOptions{})
	tab.Click("button", "Pause")
	tab.WaitText("h1", "Paused", patience)
	if tab.Has("button", "Pause") {
		t.Error("it can be paused again")
	}
	tab.Axe()
	tab.Click("button", "Resume")
	tab.WaitText("h1", "In progress", patience)
	tab.Click("button", "Promote through every phase")
	tab.WaitText("h1", "Completed", patience)
	s.everywhere("1.0.1")
}

// Who promotes a phase that somebody else has just promoted does not promote the
// next one by it, and is told so.
func TestAPhaseIsPromotedOnce(t *testing.T) {
	t.Parallel()
	s := perform(t)
	d := s.deployed(s.commit("Greet with moin", byHand, "greeting: moin"))
	s.awaits(d.ID, 1)
	tab := s.signedIn(t, "/deployments/"+d.ID, testenv.TabOptions{})
	tab.Look(testenv.TabOptions{NoScript: true}) // from now on it hears of nothing
	s.promote(d.ID, 1)
	s.awaits(d.ID, 2)
	tab.Forgive("409")
	tab.Click("button", "Promote phase 1")
	tab.WaitText("[role=alert]", "phase", patience)
	if now := s.awaits(d.ID, 2); now.Progress.Applied != 2 {
		t.Errorf("%d instances run it", now.Progress.Applied)
	}
}

// Whoever has no mouse comes to the rollback, and through it.
func TestRollBackByKeyboard(t *testing.T) {
	t.Parallel()
	s := perform(t)
	d := s.deployed(s.commit("Greet with moin", byHand, "greeting: moin"))
	s.awaits(d.ID, 1)
	tab := s.signedIn(t, "/deployments/"+d.ID, testenv.TabOptions{ReducedMotion: true})
	tab.WaitText("h1", "1.0.1", patience)
	tab.TabTo("link", "Skip to the content")
	tab.Press("Enter")
	tab.TabTo("link", "Roll back…")
	s.promote(d.ID, 1) // by somebody else
	tab.WaitText("main", "2 of 4", patience)
	if at := tab.Focused(); at.Name != "Roll back…" {
		t.Errorf("the page took the focus to %+v", at)
	}
	tab.Press("Enter")
	tab.WaitPath("/deployments/"+d.ID+"/rollback", patience)
	tab.TabTo("textbox", "Reason")
	tab.Press("o", "h", "Enter")
	tab.WaitPath("/deployments/"+d.ID, patience)
	tab.WaitText("h1", "Rolled back", patience)
	s.everywhere("1.0.0")
}

// Who may only look is offered nothing else, and refused what they send all the
// same.
func TestAViewerLooksOn(t *testing.T) {
	t.Parallel()
	s := perform(t)
	const password = "vera-of-the-browser-test-8e21"
	if _, err := s.api.CreateUser(t.Context(), wire.UserRequest{Username: "vera", Password: password, Role: "Viewer"}); err != nil {
		t.Fatal(err)
	}
	d := s.deployed(s.commit("Greet with moin", byHand, "greeting: moin"))
	s.awaits(d.ID, 1)
	page := "/deployments/" + d.ID
	tab := s.tab(t, testenv.TabOptions{})
	tab.Open(page)
	enter(tab, "vera", password)
	tab.WaitText("h1", "1.0.1", patience)
	for _, c := range append(tab.Controls("button"), tab.Controls("link")...) {
		switch c.Name {
		case "Pause", "Resume", "Cancel…", "Roll back…", "Promote phase 1", "Promote phase 2", "Promote through every phase":
			t.Errorf("there is a %s %q", c.Role, c.Name)
		}
	}
	tab.Forgive("403")
	for _, order := range []string{"pause", "promote", "cancel", "rollback"} {
		var status int
		tab.Eval("fetch('"+page+"/"+order+"', {method: 'POST', body: new URLSearchParams({reason: 'none'})}).then(r => r.status)", &status)
		if status != 403 {
			t.Errorf("%s is answered with %d", order, status)
		}
	}
	tab.Open(page + "/rollback")
	tab.WaitText("main", "Your role may look at this", patience)
	if tab.Has("button", "Roll back") {
		t.Error("the rollback is offered")
	}
	if now := s.awaits(d.ID, 1); now.Status != "InProgress" {
		t.Errorf("the deployment is %s", now.Status)
	}
}
