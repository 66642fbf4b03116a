package browsertest_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// Who mistypes the password is told so and tries again, and comes to the page
// that he was after.
func TestSignIn(t *testing.T) {
	t.Parallel()
	s := &stage{Daemon: testenv.NewDaemon(t), t: t}
	for look, opts := range looks() {
		t.Run(look, func(t *testing.T) {
			t.Parallel()
			tab := s.tab(t, opts)
			tab.Open("/login?next=/logout")
			tab.Wait("the focus to be in the first field", patience, func() bool { return tab.Focused().Name == "User" })
			tab.Axe()
			tab.Forgive("401")
			enter(tab, "admin", "not the password")
			tab.WaitText("[role=alert]", "password", patience)
			tab.Axe()
			tab.Fill("User", "admin")
			tab.Fill("Password", testenv.AdminPassword)
			tab.Press("Enter")
			tab.WaitPath("/logout", patience)
			tab.Axe()
			fits(t, tab)
			tab.Click("button", "Sign out")
			tab.WaitPath("/login", patience)
			tab.Open("/deployments/none")
			tab.WaitPath("/login", patience)
		})
	}
}
