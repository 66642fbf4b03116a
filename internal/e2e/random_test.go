package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// TestDaemonKilledAtRandom kills the daemon twenty times at random moments of
// rollouts, good and bad ones. Then the faults stop and everything converges.
func TestDaemonKilledAtRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := perform(t, testenv.Binary(t))
	for round := range 20 {
		switch random.IntN(4) {
		case 0:
			s.commit("Greet badly", shopWith(automatic, fmt.Sprintf("greeting: bad-%d, failing: 60", round)))
		case 1:
			s.commit("Greet refused", shopWith(automatic, fmt.Sprintf("greeting: bad-%d, refused: true", round)))
		case 2:
			s.change(automatic, fmt.Sprintf("good-%d", round))
		default: // nothing new: the present rollout goes on
		}
		s.strike(time.Duration(random.Int64N(int64(1500 * time.Millisecond))))
		s.kill()
		s.start()
	}
	last := s.change(automatic, "the-end")
	d := s.concludes(last, "Completed")
	s.everywhere(d.ConfigVersion)
	for _, d := range s.deployments(client.DeploymentFilter{}) {
		if !final(d.Status) {
			t.Errorf("deployment %s of %s is still %s", d.ID, d.ConfigVersion, d.Status)
		}
	}
	s.holds()
}

// strike waits for the moment of a fault, which nothing but the seed decides.
func (d *daemon) strike(after time.Duration) {
	d.t.Helper()
	select {
	case <-time.After(after):
	case <-d.done:
		d.t.Fatalf("the daemon ended by itself: %v", d.cmd.ProcessState)
	}
}
