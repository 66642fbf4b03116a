package e2e_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
)

// One replica becomes three and one again while a deployment is under way. Each
// that goes hands back what it had: whoever is left goes on at once.
func TestClusterScales(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.Binary(t), 3)
	c.first = c.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	c.replicas[0].start()
	c.inUse(1)
	c.open()

	commit := c.change(byHand, "servus")
	c.awaitsPromotion(commit, 1)
	c.startAll()
	c.promotes(commit, 1)
	c.awaitsPromotion(commit, 2)
	for i, r := range c.replicas[:2] { // the first and the second go, the third stays
		phase := 2 + i
		c.promotes(commit, phase)
		took := r.terminate()
		began := time.Now()
		if phase < len(steps)-1 {
			c.awaitsPromotion(commit, phase+1)
		}
		t.Logf("a replica stopped in %s, the others were a phase further %s later",
			took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		c.inUse(len(c.replicas) - 1 - i)
	}
	c.concludes(commit, "Completed")
	c.everywhere("1.0.1")
	c.once("1.0.1")

	moin := c.change(automatic, "moin") // one replica alone does everything again
	c.concludes(moin, "Completed")
	c.everywhere("1.0.2")
	c.holds()
}
