package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
)

// PostgreSQL dies, restarts, hangs, and connections to it break, at random
// moments of rollouts. Replicas live through all of it, what they answered with
// success is there afterwards, and everything converges.
func TestClusterWithPostgresInTrouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		rounds  int // of two rollouts
		trouble func(c *cluster, random *rand.Rand)
	}{
		{"it restarts", 2, (*cluster).postgresRestarts},
		{"connections break", 2, (*cluster).postgresBreaksOff},
		{"it hangs", 1, (*cluster).postgresHangs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			c := performOn(t, testenv.Binary(t), 3)
			people := c.employ()
			random := rand.New(rand.NewPCG(seed, 0))
			for round := range tt.rounds {
				c.change(byHand, fmt.Sprintf("good-%d", round))
				people.arePromised()
				tt.trouble(c, random)
				c.commit("Greet badly", shopWith(automatic, fmt.Sprintf("greeting: bad-%d, failing: 60", round)))
				tt.trouble(c, random)
			}
			c.inUse(len(c.replicas)) // and none has ended
			people.goHome()
			d := c.concludes(c.change(automatic, "the-end"), "Completed")
			c.everywhere(d.ConfigVersion)
			people.gotWhatTheyWerePromised()
			c.holds()
		})
	}
}

// postgresRestarts ends the server at a random moment, one way or the other,
// and starts it again.
func (c *cluster) postgresRestarts(random *rand.Rand) {
	c.t.Helper()
	for _, end := range []func(testing.TB){c.postgres.Kill, c.postgres.Stop} {
		c.strikes(random, 0)
		end(c.t)
		c.postgres.Start(c.t)
	}
}

// postgresBreaksOff resets every connection to the server again and again.
func (c *cluster) postgresBreaksOff(random *rand.Rand) {
	c.t.Helper()
	for range 5 {
		for _, r := range c.replicas {
			c.strikes(random, 0)
			r.links[toPostgres].Reset()
		}
	}
}

// postgresHangs stops the server where it is for longer than anybody waits for
// its answer, which is five seconds.
func (c *cluster) postgresHangs(random *rand.Rand) {
	c.t.Helper()
	c.strikes(random, 0)
	c.postgres.Freeze(c.t)
	c.strikes(random, 6*time.Second)
	c.postgres.Thaw(c.t)
}

// strikes waits for the moment of a fault, which nothing but the seed decides.
func (c *cluster) strikes(random *rand.Rand, least time.Duration) {
	c.t.Helper()
	c.replicas[0].strike(least + time.Duration(random.Int64N(int64(200*time.Millisecond))))
}

// people pause what is under way, let it go on and promote it, and remember what
// was promised to them.
type people struct {
	c       *cluster
	stop    context.CancelFunc
	working sync.WaitGroup

	mu       sync.Mutex
	promised map[string]bool // the reason of each order -> it was answered with success
}

// employ lets people work until they go home.
func (c *cluster) employ() *people {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	p := &people{c: c, stop: stop, promised: map[string]bool{}}
	c.t.Cleanup(p.goHome)
	p.working.Go(func() { p.work(ctx) })
	return p
}

// goHome ends their work.
func (p *people) goHome() {
	p.stop()
	p.working.Wait()
}

// work orders something four times a second. Most of it is refused, or fails
// for want of a database; what was promised counts.
func (p *people) work(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		page, err := p.c.api.Deployments(ctx, client.DeploymentFilter{ConfigName: shop, List: client.List{Limit: 1}})
		if err != nil || len(page.Items) == 0 {
			continue
		}
		d, reason := page.Items[0], fmt.Sprintf("order %d", n)
		if final(d.Status) {
			continue
		}
		_, err = p.fitting(d)(ctx, d.ID, reason)
		p.mu.Lock()
		p.promised[reason] = err == nil
		p.mu.Unlock()
	}
}

// fitting is an order that a deployment can be given.
func (p *people) fitting(d wire.Deployment) func(ctx context.Context, id, reason string) (wire.Deployment, error) {
	switch {
	case d.Status == "Paused":
		return p.c.api.ResumeDeployment
	case d.Awaiting == "Promotion":
		return p.c.api.PromoteDeployment
	default:
		return p.c.api.PauseDeployment
	}
}

// promises counts the orders that were answered with success.
func (p *people) promises() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sure := range p.promised {
		if sure {
			n++
		}
	}
	return n
}

// arePromised waits until one more order is answered with success.
func (p *people) arePromised() {
	p.c.t.Helper()
	before := p.promises()
	eventually(p.c.t, "an order to be promised", func() bool { return p.promises() > before })
}

// gotWhatTheyWerePromised looks for every order in the audit log: one that was
// answered with success is there once, any other at most once.
func (p *people) gotWhatTheyWerePromised() {
	p.c.t.Helper()
	told := map[any]int{}
	for _, d := range p.c.deployments(client.DeploymentFilter{}) {
		for _, kind := range []string{rollout.FactPaused, rollout.FactResumed, rollout.FactPromoted} {
			for _, e := range p.c.eventsOf(d, kind) {
				told[e.Details["reason"]]++
			}
		}
	}
	for reason, sure := range p.promised {
		if n := told[reason]; n > 1 || sure && n == 0 {
			p.c.t.Errorf("%s is %d times in the audit log; promised: %t", reason, n, sure)
		}
	}
	p.c.t.Logf("%d of %d orders were promised", p.promises(), len(p.promised))
}
