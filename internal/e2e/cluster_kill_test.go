package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
)

// A replica dies in the middle of a canary with the claim in its hand. Another
// one takes over when the lease ends, and the deployment completes.
func TestClusterClaimHolderIsKilled(t *testing.T) {
	t.Parallel()
	c := performOn(t, testenv.CrashingBinary(t), 3)
	holder := c.replicas[0]
	holder.terminate()
	holder.start("SLUICE_FAILPOINT=K11:4")
	c.inUse(3)
	var commit string
	c.alone(holder, func() {
		commit = c.change(automatic, "servus")
		holder.killedItself()
	})
	began := time.Now()
	before := c.deployed(commit)
	c.reaches(commit, "another replica to take over", func(d wire.Deployment) bool { return d.Phase > before.Phase || final(d.Status) })
	t.Logf("taken over %s after the holder died", time.Since(began).Round(time.Millisecond))
	d := c.concludes(commit, "Completed")
	c.everywhere(d.ConfigVersion)
	c.once(d.ConfigVersion)
	holder.start()
	c.holds()
}

// A replica dies in mid-sync with the source's lock in its hand. Another one
// syncs when the lock ends.
func TestClusterSyncerIsKilled(t *testing.T) {
	t.Parallel()
	c := performOn(t, testenv.CrashingBinary(t), 2)
	syncer := c.replicas[0]
	syncer.terminate()
	syncer.start("SLUICE_FAILPOINT=K1")
	c.inUse(2)
	var commit string
	c.alone(syncer, func() {
		commit = c.change(automatic, "servus")
		syncer.killedItself()
	})
	began := time.Now()
	c.deployed(commit)
	t.Logf("synced by another %s after the syncer died", time.Since(began).Round(time.Millisecond))
	d := c.concludes(commit, "Completed")
	c.everywhere(d.ConfigVersion)
	syncer.start()
	c.inUse(2)
	c.holds()
}

// Replicas are killed at random moments of rollouts, good and bad ones, and
// come back. Then the faults stop and everything converges.
func TestClusterKilledAtRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := performOn(t, testenv.Binary(t), 3)
	for round := range 6 {
		switch random.IntN(3) {
		case 0:
			c.commit("Greet badly", shopWith(automatic, fmt.Sprintf("greeting: bad-%d, failing: 60", round)))
		case 1:
			c.change(automatic, fmt.Sprintf("good-%d", round))
		default: // nothing new: the present rollout goes on
		}
		victim := c.replicas[random.IntN(len(c.replicas))]
		victim.strike(time.Duration(random.Int64N(int64(time.Second))))
		victim.kill()
		victim.start()
	}
	c.inUse(len(c.replicas))
	d := c.concludes(c.change(automatic, "the-end"), "Completed")
	c.everywhere(d.ConfigVersion)
	c.holds()
}
