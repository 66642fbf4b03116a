package browsertest_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// A daemon that cannot read its database still answers: its open pages do not pass
// what is old off as live, and go on by themselves once it can.
func TestTheDatabaseIsAwayBehindAnOpenPage(t *testing.T) {
	t.Parallel()
	postgres := testenv.NewPostgres(t)
	s := &stage{Daemon: testenv.NewDaemon(t, "--database-url", postgres.CreateDatabase(t, ""), "--migrate=true"), t: t}
	tab := s.signedIn(t, "/", testenv.TabOptions{})
	tab.WaitText("footer", "live", patience)
	stays := keep(tab)
	tab.Forgive("503") // while it is away, should the stream be opened anew

	postgres.Stop(t)
	tab.WaitText("[role=status]", "Sluice cannot read its database. What you see is from", patience)
	tab.WaitText("[role=status]", "UTC", patience)
	tab.WaitNoText("footer", "live", patience)
	tab.Axe()
	postgres.Start(t)
	tab.WaitText("footer", "live", patience)
	tab.WaitNoText("[role=status]", "cannot read", patience)
	stays(t)
}
