package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// The clocks of the replicas are an hour behind the database's, or an hour
// ahead of it. Phases are neither skipped nor stuck, a claim is taken over when its
// lease ends, a bad version is taken back, and every status is posted: nothing
// goes by a replica's own clock.
func TestClusterClocksAreWrong(t *testing.T) {
	t.Parallel()
	for interval, ahead := range map[string]time.Duration{"1 hour": time.Hour, "-1 hour": -time.Hour} {
		t.Run(interval, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, testenv.CrashingBinary(t), 2)
			c.shiftClock(interval, ahead)
			c.first = c.commit("Open the shop", shopWith(automatic, "greeting: hello"))
			c.startAll()
			c.open()
			good := c.change(automatic, "servus")
			d := c.concludes(good, "Completed")
			c.everywhere("1.0.1")
			c.once("1.0.1")
			c.bakedAll(d)
			c.concludes(c.commit("Greet badly", shopWith(automatic, "greeting: hello, failing: 60")), "RolledBack")
			c.everywhere("1.0.1")

			holder := c.replicas[0]
			holder.terminate()
			holder.start("SLUICE_FAILPOINT=K11:4")
			c.inUse(2)
			var last string
			c.alone(holder, func() {
				last = c.change(automatic, "moin")
				holder.killedItself()
			})
			d = c.concludes(last, "Completed")
			c.everywhere(d.ConfigVersion)
			c.bakedAll(d)
			holder.start()
			c.inUse(2)
			c.aliveEverywhere()
			c.holds()
		})
	}
}

// shiftClock makes the database's clock another than this machine's. It comes
// before the first start.
func (c *cluster) shiftClock(interval string, ahead time.Duration) {
	c.t.Helper()
	c.ahead = ahead
	shifted := testenv.ShiftClock(c.t, c.database, interval)
	_, options, _ := strings.Cut(shifted, "?")
	for _, r := range c.replicas {
		i := slices.Index(r.args, "--database-url") + 1
		address, _, _ := strings.Cut(r.args[i], "?")
		r.args[i] = address + "?" + options
	}
}

// aliveEverywhere checks that every replica takes every instance for what it is.
func (c *cluster) aliveEverywhere() {
	c.t.Helper()
	for _, r := range c.replicas {
		page, err := r.signIn().Instances(c.t.Context(), client.InstanceFilter{})
		if err != nil {
			c.t.Fatal(err)
		}
		for _, i := range page.Items {
			if i.Liveness != "Live" {
				c.t.Errorf("the replica at %s takes instance %s for %s", r.addr, i.Hostname, i.Liveness)
			}
		}
		if len(page.Items) != members {
			c.t.Errorf("the replica at %s knows %d instances", r.addr, len(page.Items))
		}
	}
}
