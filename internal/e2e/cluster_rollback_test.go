package e2e_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// A version that completed is taken back while Redis is down and the repository
// is gone: a rollback needs the database and the instances, and nothing else.
func TestClusterRollsBackWithoutRedisAndGit(t *testing.T) {
	t.Parallel()
	c := performOn(t, testenv.Binary(t), 3)
	d := c.concludes(c.change(automatic, "servus"), "Completed")
	c.everywhere("1.0.1")
	c.redis.Kill(t)
	away := c.repo.Bare + ".away"
	if err := os.Rename(c.repo.Bare, away); err != nil {
		t.Fatal(err)
	}
	c.sourceSays("configs")

	began := time.Now()
	if _, err := c.api.RollbackDeployment(t.Context(), d.ID, "it hurts"); err != nil {
		t.Fatal(err)
	}
	c.everywhere("1.0.0")
	took := time.Since(began)
	t.Logf("every instance was back after %s", took.Round(time.Millisecond))
	if took > 10*time.Second {
		t.Errorf("it took %s until every instance was back, want 10 s at most", took)
	}

	if err := os.Rename(away, c.repo.Bare); err != nil {
		t.Fatal(err)
	}
	c.redis.Start(t)
	c.sourceSays("")
	c.holds()
}

// Twenty promotions and two rollbacks of one deployment arrive at three replicas
// at the same time. The rollback wins, whatever comes before or after it.
func TestClusterRollbackWinsOverPromotions(t *testing.T) {
	t.Parallel()
	c := performOn(t, testenv.Binary(t), 3)
	var doors []*client.Client
	for _, r := range c.replicas {
		doors = append(doors, r.signIn())
	}
	for round := range 3 {
		commit := c.change(byHand, fmt.Sprintf("servus-%d", round))
		d := c.awaitsPromotion(commit, 1)
		var racing sync.WaitGroup
		start := make(chan struct{})
		for i := range 20 {
			racing.Go(func() {
				<-start
				doors[i%3].PromoteDeployment(t.Context(), d.ID, "looks good") //nolint:errcheck // most come too late
			})
		}
		rolledBack := make([]error, 2)
		for i := range rolledBack {
			racing.Go(func() {
				<-start
				_, rolledBack[i] = doors[(round+i)%3].RollbackDeployment(t.Context(), d.ID, "it hurts")
			})
		}
		close(start)
		racing.Wait()
		for _, err := range rolledBack {
			if err != nil {
				t.Errorf("round %d: a rollback was refused: %v", round, err)
			}
		}
		c.concludes(commit, "RolledBack")
		c.everywhere("1.0.0")
	}
	c.holds()
}
