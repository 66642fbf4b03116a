package e2e_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// One replica loses one of the things around it in the middle of a deployment.
// The others go on, what it does meanwhile splits nothing, and it comes back.
func TestClusterPartition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from  link
		inUse int // replicas that the balancer goes on to use
	}{
		{toPostgres, 2}, // without the database a replica is not ready
		{toRedis, 3},
		{toClients, 2},
	} {
		t.Run(string(tt.from), func(t *testing.T) {
			t.Parallel()
			c := performOn(t, testenv.Binary(t), 3)
			commit := c.change(byHand, "servus")
			c.awaitsPromotion(commit, 1)
			c.replicas[0].partition(tt.from)
			c.inUse(tt.inUse)
			c.promoteAll(commit, 1)
			c.everywhere("1.0.1")
			c.once("1.0.1")

			c.replicas[0].heal(tt.from)
			c.inUse(3)
			c.concludes(c.change(automatic, "moin"), "Completed")
			c.everywhere("1.0.2")
			c.once("1.0.2")
			c.holds()
		})
	}
}
