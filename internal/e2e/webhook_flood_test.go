package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// floodEnv makes the flood of webhooks a benchmark: how long it lasts, at a
// thousand a second (make bench/webhooks).
const floodEnv = "SLUICE_WEBHOOK_FLOOD"

// flood is how hard the replicas are pressed.
type flood struct {
	perSecond int
	lasts     time.Duration
	rollbacks int           // meanwhile
	within    time.Duration // what 99 of 100 of those may take
}

func floodOf(t *testing.T) flood {
	t.Helper()
	text := os.Getenv(floodEnv)
	if text == "" { // with the race detector, beside other tests
		return flood{perSecond: 300, lasts: 2 * time.Second, rollbacks: 8, within: 5 * time.Second}
	}
	lasts, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", floodEnv, err)
	}
	return flood{perSecond: 1000, lasts: lasts, rollbacks: 100, within: time.Second}
}

// Webhooks at three replicas: one that comes fifty times acts once, in whatever
// order they come the branch in Git decides, and a flood of them makes a few looks
// at the repository and holds up no rollback.
func TestClusterUnderAFloodOfWebhooks(t *testing.T) {
	t.Parallel()
	f := floodOf(t)
	sc := newScene(t)
	greet := func(greeting string) string {
		for i := range f.rollbacks {
			name := fmt.Sprintf("service-%03d.staging", i)
			sc.repo.Write(strings.ReplaceAll(name, ".", "/")+".yaml", strings.Replace(named(name), "hello", greeting, 1))
		}
		sha := sc.repo.Commit("Greet with " + greeting)
		sc.repo.Push()
		return sha
	}
	before := greet("hello")

	other := testenv.NewRepo(t)
	commit := func(greeting string) string {
		other.Write("cart.yaml", strings.Replace(named("cart.staging"), "hello", greeting, 1))
		return other.Commit("Greet with " + greeting)
	}
	push := func(sha string) string {
		other.Push()
		return sha
	}
	first := push(commit("hello"))
	var asked atomic.Int64 // for what the branch is at
	remote := serveGit(t, other, func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info/refs") {
			asked.Add(1)
		}
	})
	c := newClusterIn(sc, testenv.Binary(t), 3, testenv.NewPostgres(t), hooked(t, remote, "1h", ""))
	c.startAll()
	c.api = signIn(t, c.balancer.URL())
	deployed := func(what string, filter client.DeploymentFilter, n int) []string {
		var ids []string
		filter.Limit = 200
		eventually(t, what, func() bool {
			page, err := c.api.Deployments(t.Context(), filter)
			if err != nil || page.Total < n {
				return false
			}
			ids = nil
			for _, d := range page.Items {
				if !final(d.Status) {
					return false
				}
				ids = append(ids, d.ID)
			}
			return true
		})
		if len(ids) != n {
			t.Errorf("%s: %d, want %d", what, len(ids), n)
		}
		return ids
	}
	deployed("what is rolled back to", client.DeploymentFilter{Commit: before}, f.rollbacks)
	after := greet("servus")
	deployed("the first commit", client.DeploymentFilter{Commit: first}, 1)

	// Out of order, many times, with the same id and with others. Both are pushed at
	// once: a replica may still look for what the others found first, and is right to
	// act on a branch that is at the first of them.
	one, two := commit("moin"), push(commit("ahoi"))
	var group sync.WaitGroup
	for i := range 50 {
		for k, head := range []string{two, one} {
			group.Go(func() {
				server, body := c.replicas[(i+k)%3].url(), pushBody("acme/configs", "refs/heads/main", head)
				for _, id := range []string{"same-" + head, fmt.Sprintf("other-%d-%s", i, head)} {
					if status := deliver(t, server, "push", id, body, forgeSecret); status != http.StatusAccepted {
						t.Errorf("one of many is answered %d", status)
					}
				}
			})
		}
	}
	group.Wait()
	deployed("the head of the branch", client.DeploymentFilter{Commit: two}, 1)
	deployed("the commit before it", client.DeploymentFilter{Commit: one}, 0)
	if n := hookRows(t, "pgx", c.database, "delivery_id LIKE 'same-%'"); n != 2 {
		t.Errorf("of two webhooks that came fifty times %d are kept", n)
	}

	later := deployed("what is to be rolled back", client.DeploymentFilter{Commit: after}, f.rollbacks)
	c.underFlood(f, later, &asked, func() string { return push(commit("gruezi")) }, deployed)
	for _, r := range c.replicas {
		r.terminate()
	}
}

// underFlood presses the replicas and rolls back meanwhile; in the middle of it
// there is a commit to be found.
func (c *cluster) underFlood(f flood, later []string, asked *atomic.Int64, commit func() string, deployed func(string, client.DeploymentFilter, int) []string) {
	t := c.t
	t.Helper()
	kept := hookRows(t, "pgx", c.database, "true")
	asked.Store(0)
	began := time.Now()
	statuses := map[int]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	turn := make(chan int)
	for range 64 {
		group.Go(func() {
			for i := range turn {
				body := pushBody("acme/configs", "refs/heads/main", fmt.Sprintf("%040x", i))
				status := deliver(t, c.replicas[i%3].url(), "push", fmt.Sprint("flood-", i), body, forgeSecret)
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	var took []time.Duration
	var back sync.WaitGroup
	back.Go(func() {
		pace := time.NewTicker(f.lasts / time.Duration(len(later)+1))
		defer pace.Stop()
		for _, id := range later {
			<-pace.C
			start := time.Now()
			if _, err := c.api.RollbackDeployment(t.Context(), id, "it hurts"); err != nil {
				t.Errorf("a rollback: %v", err)
			}
			took = append(took, time.Since(start))
		}
	})
	sha := ""
	total := int(f.lasts.Seconds() * float64(f.perSecond))
	pace := time.NewTicker(time.Second / 100)
	for sent := 0; sent < total; { // in hundredths of a second, as many as are due by now
		<-pace.C
		for due := min(total, int(time.Since(began).Seconds()*float64(f.perSecond))); sent < due; sent++ {
			turn <- sent
			if sent == total/2 {
				back.Go(func() { sha = commit() })
			}
		}
	}
	pace.Stop()
	close(turn)
	group.Wait()
	lasted := time.Since(began)
	looks := asked.Load()
	back.Wait()
	deployed("the commit in the middle of the flood", client.DeploymentFilter{Commit: sha}, 1)

	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[(len(took)-1)*99/100]
	t.Logf("%d webhooks in %s (%.0f/s): %d accepted, %d limited; the Git server was asked %.1f times a second; %d rollbacks: p50 %s, p99 %s",
		total, lasted.Round(time.Millisecond), float64(total)/lasted.Seconds(), statuses[202], statuses[429],
		float64(looks)/lasted.Seconds(), len(took), p50.Round(time.Millisecond), p99.Round(time.Millisecond))
	if statuses[202]+statuses[429] != total || statuses[202] == 0 {
		t.Errorf("answers: %v", statuses)
	}
	if n := hookRows(t, "pgx", c.database, "true") - kept; n != statuses[202] {
		t.Errorf("%d were accepted and %d are kept", statuses[202], n)
	}
	// Each replica looks once a second, and what it finds it fetches, which asks once more.
	if most := int64(3*(lasted.Seconds()+2)) + 2; looks > most {
		t.Errorf("the Git server was asked %d times in %s, want at most %d", looks, lasted, most)
	}
	if p99 > f.within {
		t.Errorf("rollbacks took up to %s, want less than %s", p99, f.within)
	}
}
