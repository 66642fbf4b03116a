package e2e_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// A valid value that hurts is caught at the first step, whoever looks or not.
func TestBadValueReachesOneInstance(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.Binary(t))
	bad := s.commit("Greet badly", shopWith(automatic, "greeting: hello, failing: 60"))
	d := s.concludes(bad, "RolledBack")
	s.everywhere("1.0.0")
	touched := 0
	for _, m := range s.fleet.members {
		for _, e := range m.history() {
			if e.version == d.ConfigVersion {
				touched++
			}
		}
	}
	if touched != 1 {
		t.Errorf("%d instances ran the bad version, want 1 of 10", touched)
	}
	if c := s.status(bad, "sluice/"+shop); c.State != "failure" || !strings.Contains(c.Description, "error rate") {
		t.Errorf("the commit says %s: %s", c.State, c.Description)
	}
	s.holds()
}
