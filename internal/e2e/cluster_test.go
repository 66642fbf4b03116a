package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/balancer"
	"github.com/sluicehq/sluice/internal/faultproxy"
	"github.com/sluicehq/sluice/internal/testenv"
)

// cluster is some replicas on one PostgreSQL and one Redis server, a balancer
// before them, one repository that all watch, and one fleet behind the balancer.
type cluster struct {
	scene
	replicas []*replica
	balancer *balancer.Balancer
	postgres *testenv.Postgres
	redis    *testenv.Redis
}

// replica is one daemon with a link of its own to everything around it.
type replica struct {
	*daemon
	links map[link]*faultproxy.Proxy
}

// link is a way that a replica can be cut off from.
type link string

const (
	toPostgres link = "PostgreSQL"
	toRedis    link = "Redis"
	toClients  link = "the clients" // instances and people, who come through the balancer
)

// newCluster prepares n replicas and starts none.
func newCluster(t *testing.T, program string, n int) *cluster {
	t.Helper()
	return newClusterOn(t, program, n, testenv.NewPostgres(t))
}

// newClusterOn prepares one on a given server.
func newClusterOn(t *testing.T, program string, n int, postgres *testenv.Postgres) *cluster {
	t.Helper()
	return newClusterIn(newScene(t), program, n, postgres)
}

// newClusterIn prepares one in a scene that is set already; its daemons get some
// more arguments.
func newClusterIn(sc scene, program string, n int, postgres *testenv.Postgres, args ...string) *cluster {
	t := sc.t
	t.Helper()
	c := &cluster{scene: sc, postgres: postgres, redis: testenv.NewRedis(t)}
	c.database = c.postgres.CreateDatabase(t, "")
	for range n {
		c.replicas = append(c.replicas, c.replica(program, append(c.sourceArgs(), args...)...))
	}
	c.balancer = before(t, c.replicas)
	return c
}

// replica prepares one more daemon on the cluster's servers.
func (c *cluster) replica(program string, args ...string) *replica {
	c.t.Helper()
	r := &replica{links: map[link]*faultproxy.Proxy{
		toPostgres: faultproxy.New(c.t, c.postgres.Addr()), toRedis: faultproxy.New(c.t, c.redis.Addr()),
	}}
	r.daemon = newDaemon(c.t, program, append(args,
		"--migrate=true", "--database-url", testenv.URLVia(r.links[toPostgres].Addr(), c.databaseName()),
		"--redis-url", "redis://"+r.links[toRedis].Addr()+"/0")...)
	r.links[toClients] = faultproxy.New(c.t, r.addr)
	return r
}

// before starts a balancer before some replicas.
func before(t *testing.T, replicas []*replica) *balancer.Balancer {
	t.Helper()
	var doors []string
	for _, r := range replicas {
		doors = append(doors, r.links[toClients].Addr())
	}
	b, err := balancer.New(doors...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// performOn sets a cluster on which version 1.0.0 completed on ten instances,
// with all replicas up.
func performOn(t *testing.T, program string, n int) *cluster {
	t.Helper()
	c := newCluster(t, program, n)
	c.first = c.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	c.startAll()
	c.open()
	return c
}

// open signs in, lets the instances join and waits for the first version.
func (c *cluster) open() {
	c.t.Helper()
	c.api = signIn(c.t, c.balancer.URL())
	c.fleet = join(c.t, c.balancer.URL(), "shop", members)
	c.everywhere("1.0.0")
	c.concludes(c.first, "Completed")
}

// startAll starts the replicas that do not run, all at once, and waits until the
// balancer uses every one.
func (c *cluster) startAll(env ...string) {
	c.t.Helper()
	for _, r := range c.replicas {
		if !r.running() {
			r.launch(env...)
		}
	}
	c.inUse(len(c.replicas))
}

// exitAway is how a daemon ends whose database does not answer when it starts.
const exitAway = 3

// inUse waits until the balancer uses n replicas.
func (c *cluster) inUse(n int) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%d replicas to be in use", n), func() bool {
		for i, r := range c.replicas {
			if r.cmd == nil || r.running() || n != len(c.replicas) {
				continue
			}
			if r.cmd.ProcessState.ExitCode() != exitAway {
				c.t.Fatalf("replica %d ended: %v", i, r.cmd.ProcessState)
			}
			r.launch() // as whatever watches over it would
		}
		return c.balancer.Ready() == n
	})
}

// partition cuts a replica off: nothing is refused, nothing arrives.
func (r *replica) partition(from link) { r.links[from].Blackhole() }

// heal ends a partition; what was sent meanwhile arrives now.
func (r *replica) heal(from link) { r.links[from].Pass() }

// freeze stops the process where it is, as a paused virtual machine does.
func (r *replica) freeze() {
	r.t.Helper()
	r.signal(syscall.SIGSTOP)
	r.frozen()
}

// thaw lets a frozen process go on.
func (r *replica) thaw() {
	r.t.Helper()
	r.signal(syscall.SIGCONT)
}

func (r *replica) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// frozen waits until the process is stopped.
func (r *replica) frozen() {
	r.t.Helper()
	eventually(r.t, "the daemon to be frozen", func() bool {
		if !r.running() {
			r.t.Fatalf("the daemon ended: %v", r.cmd.ProcessState)
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
		if err != nil {
			return false
		}
		_, state, _ := strings.Cut(string(stat), ") ")
		return strings.HasPrefix(state, "T")
	})
}

// terminate asks the process to end, as an orchestrator does, and returns how
// long that took.
func (r *replica) terminate() time.Duration {
	r.t.Helper()
	began := time.Now()
	r.stop()
	took := time.Since(began)
	if took > 10*time.Second {
		r.t.Errorf("the daemon took %s to stop", took)
	}
	return took
}

// alone runs do while only one replica works; the others are frozen and then
// go on. Nothing may be under way when it begins.
func (c *cluster) alone(r *replica, do func()) {
	c.t.Helper()
	for _, other := range c.replicas {
		if other != r {
			other.freeze()
		}
	}
	do()
	for _, other := range c.replicas {
		if other != r {
			other.thaw()
		}
	}
}

// promoteAll carries a deployment that waits for a person to its end.
func (c *cluster) promoteAll(commit string, from int) wire.Deployment {
	c.t.Helper()
	for phase := from; phase < len(steps); phase++ {
		c.promotes(commit, phase)
	}
	return c.concludes(commit, "Completed")
}

// promotes waits until a deployment stands before its next phase and lets it go
// on. What a replica that was cut off holds in the database may keep it waiting:
// then it is asked again, for that phase and no other.
func (c *cluster) promotes(commit string, phase int) {
	c.t.Helper()
	d := c.awaitsPromotion(commit, phase)
	eventually(c.t, "the promotion to be taken", func() bool {
		_, err := c.api.Promote(c.t.Context(), d.ID, wire.PromoteRequest{Reason: "go on", Phase: phase})
		switch {
		case err == nil:
			return true
		case client.IsStatus(err, http.StatusServiceUnavailable):
			return false
		case client.IsStatus(err, http.StatusConflict):
			return true // it was taken, and the answer lost
		}
		c.t.Fatal(err)
		return false
	})
}

// holds checks, at the end of a history, what must be true after every one. The
// faults are over. It stops the replicas.
func (c *cluster) holds() {
	c.t.Helper()
	c.settles()
	deployments := c.heldUp()
	for _, r := range c.replicas {
		if r.running() {
			r.terminate()
		}
		if strings.Contains(r.logs(), "panic") {
			c.t.Errorf("the daemon at %s panicked", r.addr)
		}
	}
	c.verifies()
	c.keptUp(deployments)
}

// settles is I10: the faults are over, every deployment comes to its end, and the
// outside is told.
func (c *cluster) settles() {
	c.t.Helper()
	eventually(c.t, "every deployment to end (I10)", func() bool {
		return !slices.ContainsFunc(c.deployments(client.DeploymentFilter{}), func(d wire.Deployment) bool { return !final(d.Status) })
	})
	witness := c.replicas[slices.IndexFunc(c.replicas, func(r *replica) bool { return r.running() })]
	eventually(c.t, "the outbox to be empty (I10)", func() bool { return witness.metric("sluice_outbox_pending") == 0 })
}

// verifies is I5 as a person checks it.
func (c *cluster) verifies() {
	c.t.Helper()
	out, err := exec.CommandContext(c.t.Context(), c.replicas[0].program, "audit", "verify", "--database-url", c.database).CombinedOutput()
	if err != nil {
		c.t.Errorf("I5: audit verify: %v: %s", err, out)
	}
}
