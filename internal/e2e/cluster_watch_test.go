package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/balancer"
	"github.com/sluicehq/sluice/internal/testenv"
)

// apart is a cluster whose instances are served by replicas of the role watch,
// behind a balancer of their own; one replica decides.
type apart struct {
	*cluster
	watching []*replica
	doors    *balancer.Balancer // of the instances
}

// control is the replica that decides.
func (a *apart) control() *replica { return a.replicas[0] }

// newApart prepares n replicas that serve instances beside one that decides.
func newApart(t *testing.T, n int) *apart {
	t.Helper()
	a := &apart{cluster: newCluster(t, testenv.Binary(t), 1)}
	for range n {
		a.watching = append(a.watching, a.replica(testenv.Binary(t), "--role", "watch"))
	}
	a.doors = before(t, a.watching)
	return a
}

// streams is how many watch streams a replica has open.
func (r *replica) streams() int { return int(r.metric("sluice_watch_streams")) }

// ended is how many watch streams have come to an end at a replica.
func (r *replica) endedStreams() float64 {
	return max(0, r.metric(`sluice_http_request_duration_seconds_count{method="GET",route="/api/v1/instances/:id/watch",status="200"}`))
}

// beats is how many heartbeats a replica has stored.
func (r *replica) beats() float64 { return r.metric("sluice_heartbeat_batch_size_sum") }

// serving waits until the replicas of the role watch that run have a stream of every instance.
func (a *apart) serving() {
	a.t.Helper()
	eventually(a.t, "every instance to have a stream", func() bool {
		n := 0
		for _, r := range a.watching {
			if r.running() {
				n += r.streams()
			}
		}
		return n == members
	})
}

// Instances that speak to replicas of the role watch alone take part in all that
// is decided elsewhere: a canary, with a watch replica that is killed in it; one
// in which the replica that decides is killed; one without Redis.
func TestClusterWatchReplicas(t *testing.T) {
	t.Parallel()
	a := newApart(t, 2)
	one, two := a.watching[0], a.watching[1]

	// It is nobody's part but of those who decide to make the schema.
	one.launch()
	if status := one.ended(); status.ExitStatus() == 0 || !strings.Contains(one.logs(), "sluice migrate up") {
		t.Fatalf("without a schema it ended with %v: %s", status, tail(one.logs(), 3))
	}
	a.first = a.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	a.startAll()
	one.start()
	two.start()
	eventually(t, "both to be in use", func() bool { return a.doors.Ready() == 2 })
	a.api = signIn(t, a.balancer.URL())
	a.fleet = join(t, a.doors.URL(), "shop", members)
	a.everywhere("1.0.0")
	a.concludes(a.first, "Completed")
	a.serving()
	if n := a.control().streams(); n != 0 || one.streams() == 0 || two.streams() == 0 {
		t.Errorf("the streams are not at the watch replicas: %d, %d, and %d at the one that decides", one.streams(), two.streams(), n)
	}

	a.watchReplicaIsKilled(one, two)
	a.controlIsKilled(one, two)

	// Neither knows of the other but by PostgreSQL.
	for _, r := range append(a.watching, a.control()) {
		r.partition(toRedis)
	}
	d := a.concludes(a.change(automatic, "moin"), "Completed")
	a.everywhere(d.ConfigVersion)
	for _, r := range append(a.watching, a.control()) {
		r.heal(toRedis)
	}
	for _, r := range a.watching {
		for _, never := range []string{"deployment moved", "claims handed back", "panic", shopFile} {
			if strings.Contains(r.logs(), never) {
				t.Errorf("the log of a watch replica has %q", never)
			}
		}
	}
	for _, m := range a.fleet.members {
		m.mu.Lock()
		if m.lost != nil {
			t.Errorf("%s lost its server: %v", m.name, m.lost)
		}
		m.mu.Unlock()
	}
	a.holds()
}

// watchReplicaIsKilled has a canary under way meanwhile: the instances go to the
// other replica, and nothing is told twice or lost.
func (a *apart) watchReplicaIsKilled(victim, other *replica) {
	a.t.Helper()
	commit := a.change(byHand, "servus")
	a.awaitsPromotion(commit, 1)
	victim.kill()
	eventually(a.t, "the other to have every stream", func() bool { return other.streams() == members })
	d := a.promoteAll(commit, 1)
	a.everywhere(d.ConfigVersion)
	a.once(d.ConfigVersion)
	victim.start()
	eventually(a.t, "both to be in use again", func() bool { return a.doors.Ready() == 2 })
}

// controlIsKilled has a canary under way too: while nobody decides, streams
// stand and heartbeats are stored, and it goes on where it was.
func (a *apart) controlIsKilled(watching ...*replica) {
	a.t.Helper()
	commit := a.change(byHand, "ciao")
	a.awaitsPromotion(commit, 1)
	a.serving()
	before := map[*replica]float64{}
	beats := 0.0
	for _, r := range watching {
		before[r] = r.endedStreams()
		beats += r.beats()
	}
	a.control().kill()
	eventually(a.t, "heartbeats of every instance to be stored", func() bool {
		now := 0.0
		for _, r := range watching {
			now += r.beats()
		}
		return now >= beats+2*members
	})
	for i, r := range watching {
		if status, degraded := r.readiness(); status != http.StatusOK || len(degraded) > 0 {
			a.t.Errorf("watch replica %d is %d, %v, while nobody decides", i, status, degraded)
		}
		if now := r.endedStreams(); now != before[r] {
			a.t.Errorf("%v streams of watch replica %d ended when the replica that decides did", now-before[r], i)
		}
		r.refersElsewhere()
	}
	a.serving()
	a.startAll()
	d := a.promoteAll(commit, 1)
	a.everywhere(d.ConfigVersion)
	a.once(d.ConfigVersion)
}

// refersElsewhere checks that the replica has no door of people.
func (r *replica) refersElsewhere() {
	r.t.Helper()
	for _, path := range []string{"/", "/api/v1/configs", "/api/v1/deployments"} {
		resp, err := http.Get(r.url() + path)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			r.t.Error(err)
		}
		if resp.StatusCode != http.StatusMisdirectedRequest {
			r.t.Errorf("%s of a watch replica answers %d", path, resp.StatusCode)
		}
	}
}
