package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicehq/sluice/internal/testenv"
)

// Redis loses what it holds, dies and comes back empty, and hangs, while good
// and bad versions are rolled out and one is taken back. It only saves work: no
// rollout stops, and every replica stays ready and says what it goes without.
func TestClusterWithRedisInTrouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		trouble func(c *cluster)
	}{
		{"it forgets", (*cluster).redisForgets},
		{"it dies", (*cluster).redisDies},
		{"it hangs", (*cluster).redisHangs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := performOn(t, testenv.Binary(t), 3)
			tt.trouble(c)
			c.redisIsMissed(false)
			d := c.concludes(c.change(automatic, "the-end"), "Completed")
			c.everywhere(d.ConfigVersion)
			c.once(d.ConfigVersion)
			c.holds()
		})
	}
}

// rollsOut carries out three rollouts: a good one, a bad one that the gate takes
// back, and a good one that a person takes back when it is done. Something
// happens in the middle of each.
func (c *cluster) rollsOut(middle func()) {
	c.t.Helper()
	good := c.change(automatic, "servus")
	c.deployed(good)
	middle()
	first := c.concludes(good, "Completed")
	c.everywhere(first.ConfigVersion)

	bad := c.commit("Greet badly", shopWith(automatic, "greeting: bad, failing: 60"))
	c.deployed(bad)
	middle()
	c.concludes(bad, "RolledBack")
	c.everywhere(first.ConfigVersion)

	regretted := c.change(automatic, "moin")
	c.deployed(regretted)
	middle()
	d := c.concludes(regretted, "Completed")
	if _, err := c.api.RollbackDeployment(c.t.Context(), d.ID, "it hurts"); err != nil {
		c.t.Fatal(err)
	}
	c.everywhere(first.ConfigVersion)
}

// redisForgets takes everything from Redis ten times a second: locks that are
// held, the cache, what was counted.
func (c *cluster) redisForgets() {
	c.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: c.redis.Addr()})
	stop, stopped := make(chan struct{}), make(chan struct{})
	forgot := 0
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if client.FlushAll(c.t.Context()).Err() == nil {
					forgot++
				}
			}
		}
	}()
	c.rollsOut(func() {})
	close(stop)
	<-stopped
	if err := client.Close(); err != nil || forgot == 0 {
		c.t.Errorf("Redis forgot %d times, %v", forgot, err)
	}
}

// redisDies kills Redis in the middle of each rollout and starts it empty.
func (c *cluster) redisDies() {
	c.t.Helper()
	c.rollsOut(func() {
		c.redis.Kill(c.t)
		c.redisIsMissed(true)
		c.redis.Start(c.t)
		c.redisIsMissed(false)
	})
}

// redisHangs lets connections to Redis stand and nothing through them, from
// before the first rollout to the end of the last.
func (c *cluster) redisHangs() {
	c.t.Helper()
	for _, r := range c.replicas {
		r.partition(toRedis)
	}
	c.rollsOut(func() { c.redisIsMissed(true) })
	for _, r := range c.replicas {
		r.heal(toRedis)
	}
}

// redisIsMissed waits until every replica says that it goes without Redis, or
// that it has it. All the while each is ready.
func (c *cluster) redisIsMissed(missed bool) {
	c.t.Helper()
	for i, r := range c.replicas {
		eventually(c.t, fmt.Sprintf("replica %d to miss Redis: %t", i, missed), func() bool {
			status, degraded := r.readiness()
			if status != http.StatusOK {
				c.t.Fatalf("replica %d is not ready (%d) for want of Redis", i, status)
			}
			return (degraded["redis"] != "") == missed
		})
	}
}

// readiness is what the daemon says of itself to load balancers and people.
func (d *daemon) readiness() (status int, degraded map[string]string) {
	d.t.Helper()
	resp, err := http.Get(d.url() + "/readyz")
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct{ Degraded map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, body.Degraded
}
