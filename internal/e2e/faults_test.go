package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// Settings of TestFaults. The short form is part of every test run; make
// test/faults and make soak make it longer.
const (
	faultTimeEnv  = "SLUICE_FAULT_TIME" // how long faults are injected: 5m
	faultSeedEnv  = "SLUICE_FAULT_SEED" // replays the choices of an earlier run
	faultTime     = 15 * time.Second
	replicasOfAll = 3
)

// TestFaults lets everything that can fail do so at random, while changes, good
// and bad ones, are rolled out, paused, promoted and taken back: processes are
// killed, paused and stopped, connections cut, swallowed and slowed, Redis is
// emptied and killed, PostgreSQL is killed. Then the faults stop. Everything must
// come to its end, and the invariants of every history must hold.
func TestFaults(t *testing.T) {
	t.Parallel()
	length := faultTime
	if text := os.Getenv(faultTimeEnv); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", faultTimeEnv, err)
		}
	}
	seed := rand.Uint64()
	if text := os.Getenv(faultSeedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", faultSeedEnv, err)
		}
	}
	t.Logf("seed %d for %s", seed, length)
	s := &storm{cluster: performOn(t, testenv.Binary(t), replicasOfAll), rand: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
	for end := time.Now().Add(length); time.Now().Before(end); {
		s.mend(false)
		s.restart()
		if s.rand.IntN(3) == 0 {
			s.strikeOnce()
		} else {
			s.driveOnce()
		}
		time.Sleep(time.Duration(s.rand.Int64N(int64(300 * time.Millisecond)))) // the pace of the storm: nothing is waited for
	}
	s.mend(true)
	s.restart()
	s.inUse(replicasOfAll)
	d := s.concludes(s.change(automatic, "the-end"), "Completed")
	s.everywhere(d.ConfigVersion)
	s.steady()
	s.counts["deployments"] = len(s.deployments(client.DeploymentFilter{}))
	s.holds()
	t.Log(s)
}

// storm is a cluster in which faults are injected.
type storm struct {
	*cluster
	rand   *rand.Rand
	counts map[string]int // what was done, by name
	faults []fault        // that are in force
	number int            // of commits
}

// fault is one that lasts for a while.
type fault struct {
	until time.Time
	on    any // what it is in force on: a replica, a server
	end   func()
}

// String lists the counts.
func (s *storm) String() string {
	violations := 0
	if s.t.Failed() {
		violations = 1
	}
	var parts []string
	for name, n := range s.counts {
		parts = append(parts, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%s, violations: %d", strings.Join(parts, ", "), violations)
}

// mend ends the faults whose time is over, or all.
func (s *storm) mend(all bool) {
	s.faults = slices.DeleteFunc(s.faults, func(f fault) bool {
		if !all && time.Now().Before(f.until) {
			return false
		}
		f.end()
		return true
	})
}

// during puts a fault in force for a while, unless there is one on the same thing.
func (s *storm) during(name string, on any, longest time.Duration, begin, end func()) {
	if slices.ContainsFunc(s.faults, func(f fault) bool { return f.on == on }) {
		return
	}
	s.counts[name]++
	begin()
	s.faults = append(s.faults, fault{time.Now().Add(time.Duration(s.rand.Int64N(int64(longest)))), on, end})
}

// restart starts the replicas that ended, as an orchestrator does.
func (s *storm) restart() {
	for _, r := range s.replicas {
		down := slices.ContainsFunc(s.faults, func(f fault) bool { return f.on == r })
		if !down && !r.running() {
			r.launch()
		}
	}
}

// strikeOnce injects one fault. A pause may be longer than a claim's lease.
func (s *storm) strikeOnce() {
	r := s.replicas[s.rand.IntN(len(s.replicas))]
	way := []link{toPostgres, toRedis, toClients}[s.rand.IntN(3)]
	proxy := r.links[way]
	pass := func() { proxy.Pass() }
	switch s.rand.IntN(12) {
	case 0:
		s.during("kills", r, time.Second, func() { s.end(r, syscall.SIGKILL) }, func() {})
	case 1:
		s.during("stops", r, time.Second, func() { s.end(r, syscall.SIGTERM) }, func() {})
	case 2, 3:
		if r.running() {
			s.during("pauses", r, 20*time.Second, func() { r.signal(syscall.SIGSTOP) }, func() { r.signal(syscall.SIGCONT) })
		}
	case 4:
		s.during("cuts", proxy, 2*time.Second, proxy.Down, pass)
	case 5:
		s.during("partitions", proxy, 10*time.Second, proxy.Blackhole, pass)
	case 6:
		s.during("delays", proxy, 3*time.Second, func() { proxy.Latency(50 * time.Millisecond) }, pass)
	case 7:
		s.counts["cuts"]++
		proxy.Reset()
	case 8:
		s.during("cuts", proxy, 3*time.Second, func() { proxy.CutAfter(s.rand.IntN(20_000)) }, pass)
	case 9:
		s.during("commits cut", r.links[toPostgres], 3*time.Second, func() { r.links[toPostgres].CutAnswer("commit\x00") }, r.links[toPostgres].Pass)
	case 10:
		s.during("kills of Redis", s.redis, 2*time.Second, func() { s.redis.Kill(s.t) }, func() { s.redis.Start(s.t) })
	case 11:
		s.during("kills of PostgreSQL", s.postgres, 2*time.Second, func() { s.postgres.Kill(s.t) }, func() { s.postgres.Start(s.t) })
	}
}

// end ends a replica, if it has not ended by itself: it does when it starts
// while the database is away.
func (s *storm) end(r *replica, sig syscall.Signal) {
	if r.running() {
		r.cmd.Process.Signal(sig) //nolint:errcheck // it may end at this moment
	}
	eventually(s.t, "the replica to end", func() bool { return !r.running() })
}

// driveOnce does what people do. Who asks a replica that is cut off asks again
// some other time.
func (s *storm) driveOnce() {
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Second)
	defer cancel()
	s.number++
	switch s.rand.IntN(8) {
	case 0:
		s.counts["bad commits"]++
		s.commit("Greet badly", shopWith(automatic, fmt.Sprintf("greeting: bad-%d, failing: 60", s.number)))
	case 1:
		s.counts["good commits"]++
		s.change(automatic, fmt.Sprintf("good-%d", s.number))
	case 2:
		if _, err := s.api.RollbackConfig(ctx, shop, "", "a drill"); err == nil {
			s.counts["rollbacks of the profile"]++
		}
	case 3:
		if !slices.ContainsFunc(s.faults, func(f fault) bool { return f.on == s.redis }) {
			s.counts["flushes"]++ // while locks are held
			s.redis.Command(s.t, "FLUSHALL")
		}
	default:
		s.orderOnce(ctx)
	}
}

// orderOnce gives an order to the newest deployment, if there is one that runs.
func (s *storm) orderOnce(ctx context.Context) {
	page, err := s.api.Deployments(ctx, client.DeploymentFilter{ConfigName: shop, List: client.List{Limit: 1}})
	if err != nil || len(page.Items) == 0 || final(page.Items[0].Status) {
		return
	}
	id := page.Items[0].ID
	orders := map[string]func() error{
		"pauses by hand": func() error { _, err := s.api.PauseDeployment(ctx, id, "a drill"); return err },
		"resumptions":    func() error { _, err := s.api.ResumeDeployment(ctx, id, "a drill"); return err },
		"promotions":     func() error { _, err := s.api.PromoteDeployment(ctx, id, "a drill"); return err },
		"rollbacks":      func() error { _, err := s.api.RollbackDeployment(ctx, id, "a drill"); return err },
	}
	name := []string{"pauses by hand", "resumptions", "resumptions", "promotions", "promotions", "rollbacks"}[s.rand.IntN(6)]
	if orders[name]() == nil {
		s.counts[name]++
	}
}

// steady checks that what the faults cost is given back: no replica keeps the
// goroutines of connections that are gone.
func (s *storm) steady() {
	for i, r := range s.replicas {
		eventually(s.t, fmt.Sprintf("replica %d to let go of what it does not need", i), func() bool {
			return r.metric("go_goroutines") < 400
		})
		s.t.Logf("replica %d: %.0f goroutines, %.0f MB", i, r.metric("go_goroutines"), r.metric("process_resident_memory_bytes")/1e6)
	}
}
