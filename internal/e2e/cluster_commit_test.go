package e2e_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/faultproxy"
	"github.com/sluicehq/sluice/internal/testenv"
)

// wireCommit is COMMIT as the driver sends it: a simple query, its length and text.
const wireCommit = "Q\x00\x00\x00\x0bcommit\x00"

// One replica loses its connection around COMMIT again and again, now before
// the server hears of it, now while it is at it, now when it is done. Rollouts
// and rollbacks go on, nothing is done twice and nothing is told that is not so.
func TestClusterConnectionCutAtCommit(t *testing.T) {
	t.Parallel()
	c := performOn(t, testenv.Binary(t), 2)
	people := c.employ()
	cuts := cutAgainAndAgain(t, c.replicas[0].links[toPostgres])
	for round := range 3 {
		c.change(byHand, fmt.Sprintf("good-%d", round))
		people.arePromised()
		bad := c.commit("Greet badly", shopWith(automatic, fmt.Sprintf("greeting: bad-%d, failing: 60", round)))
		c.isRolledBack(bad)
	}
	people.goHome()
	cuts.end()
	c.inUse(2)
	d := c.concludes(c.change(automatic, "the-end"), "Completed")
	c.everywhere(d.ConfigVersion)
	people.gotWhatTheyWerePromised()
	c.holds()
}

// cutting cuts connections at COMMITs until it ends.
type cutting struct {
	t     *testing.T
	proxy *faultproxy.Proxy
	stop  chan struct{}
	done  sync.WaitGroup
	once  sync.Once
	made  map[faultproxy.Place]int
}

// cutAgainAndAgain lets ever another number of COMMITs pass between two cuts, so
// that each kind of transaction is met sooner or later.
func cutAgainAndAgain(t *testing.T, proxy *faultproxy.Proxy) *cutting {
	c := &cutting{t: t, proxy: proxy, stop: make(chan struct{}), made: map[faultproxy.Place]int{}}
	t.Cleanup(c.end)
	c.done.Go(func() {
		for n := 0; ; n++ {
			where := faultproxy.Place(n % 3)
			select {
			case <-proxy.Cut(where, wireCommit, 2+n%7):
				c.made[where]++
			case <-c.stop:
				return
			}
		}
	})
	return c
}

// end ends it, and says how often each place was cut at.
func (c *cutting) end() {
	c.once.Do(func() {
		close(c.stop)
		c.done.Wait()
		c.proxy.Pass()
		if c.t.Logf("cut: %v", c.made); len(c.made) < 3 {
			c.t.Errorf("a place around COMMIT was never cut at: %v", c.made)
		}
	})
}

// isRolledBack waits until the gate took a commit back. What the API cannot
// answer meanwhile it is asked again.
func (c *cluster) isRolledBack(commit string) {
	c.t.Helper()
	eventually(c.t, "the rollback of "+commit, func() bool {
		page, err := c.api.Deployments(c.t.Context(), client.DeploymentFilter{ConfigName: shop, Commit: commit})
		return err == nil && len(page.Items) == 1 && page.Items[0].Status == "RolledBack"
	})
}
