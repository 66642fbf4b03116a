package rollout_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// throng is a fleet too large to look at every instance, in the middle of a canary.
type throng struct {
	d    rollout.Deployment
	snap rollout.Snapshot
	now  time.Time
	errs map[string]uint64 // of a hundred requests in each heartbeat, by instance
}

// newThrong is of n instances, of which a canary is about to begin.
func newThrong(n int) *throng {
	g := &throng{now: dawn, errs: map[string]uint64{}}
	g.d = rollout.Deployment{
		ID: "deployment", Profile: "web.production", Kind: rollout.Forward, State: rollout.Pending, CreatedAt: dawn, Selector: selector(),
		Version: "1.1.0", Hash: "h1.1.0", Previous: "1.0.0", PreviousHash: "h1.0.0",
		Strategy: profile.DefaultStrategy(profile.Canary), Health: profile.DefaultHealth(profile.Production),
	}
	for i := range n {
		id := fmt.Sprintf("web-%d", i+1)
		g.snap.Targets = append(g.snap.Targets, rollout.Target{
			Instance: fleet.Instance{ID: id, Hostname: id, Service: "web", Environment: profile.Production, LastHeartbeat: dawn},
			Assignment: fleet.Assignment{
				InstanceID: id, Version: "1.0.0", Hash: "h1.0.0", Generation: 1, Applied: "1.0.0", AppliedGeneration: 1, AppliedAt: dawn.Add(-time.Hour),
			},
		})
	}
	return g
}

// pass lets time go by, in which everybody beats.
func (g *throng) pass(d time.Duration) *throng {
	const every = 15 * time.Second
	for end := g.now.Add(d); g.now.Before(end); {
		g.now = g.now.Add(every)
		for i := range g.snap.Targets {
			t := &g.snap.Targets[i]
			t.Instance.LastHeartbeat = g.now
			t.Samples = append(t.Samples, fleet.Sample{
				InstanceID: t.Instance.ID, Since: g.now.Add(-every), At: g.now, Status: fleet.StatusHealthy, Counted: true, Requests: 100, Errors: g.errs[t.Instance.ID],
			})
		}
	}
	return g
}

// asked are the instances of which a step reads samples, and how many of them run the version.
func (g *throng) asked() (ids []string, updated int) {
	for _, r := range rollout.Readings(g.d, g.now)(g.snap) {
		ids = append(ids, r.Instances...)
	}
	slices.Sort(ids)
	for _, t := range g.snap.Targets {
		if _, ok := slices.BinarySearch(ids, t.Instance.ID); ok && t.Assignment.Version == g.d.Version {
			updated++
		}
	}
	return ids, updated
}

// step decides, which with the samples that are asked for is the same as with all.
func (g *throng) step(t *testing.T) rollout.Decision {
	t.Helper()
	dec := rollout.Decide(g.d, read(g.snap, rollout.Readings(g.d, g.now)), g.now)
	if all := rollout.Decide(g.d, g.snap, g.now); !reflect.DeepEqual(dec, all) {
		t.Errorf("with the samples that it asks for it decides\n%+v, with all\n%+v", dec.Next.Verdict, all.Next.Verdict)
	}
	g.d = dec.Next
	for _, a := range dec.Assign {
		i := slices.IndexFunc(g.snap.Targets, func(t rollout.Target) bool { return t.Instance.ID == a.InstanceID })
		g.snap.Targets[i].Assignment = fleet.Assignment{
			InstanceID: a.InstanceID, DeploymentID: g.d.ID, Version: a.Version, Hash: a.Hash, Generation: 2,
			Applied: a.Version, AppliedHash: a.Hash, AppliedGeneration: 2, AppliedAt: g.now,
		}
	}
	return dec
}

// reach brings the version to a share of the fleet, in one phase, and lets it run for two minutes.
func (g *throng) reach(t *testing.T, percent int) *throng {
	t.Helper()
	g.d.Strategy.Steps = []int{percent, 100}
	g.step(t)
	g.pass(2 * time.Minute)
	g.d.CheckedAt = time.Time{}
	return g
}

// updated are the instances that run the version.
func (g *throng) updated() (ids []string) {
	for _, t := range g.snap.Targets {
		if t.Assignment.Applied == g.d.Version {
			ids = append(ids, t.Instance.ID)
		}
	}
	return ids
}

// Of a large fleet a step reads what some hundred instances said, the same ones
// through a phase; of one that is not large, what all of them did.
func TestAPartOfALargeFleetIsLookedAt(t *testing.T) {
	t.Parallel()
	g := newThrong(3000).pass(time.Minute)
	if ids, _ := g.asked(); len(ids) > 2000 || len(ids) < 1000 {
		t.Errorf("the beginning looks at %d instances", len(ids))
	}
	g.reach(t, 50)
	first, updated := g.asked()
	if updated < 400 || updated > 700 || len(first)-updated < 100 || len(first)-updated > 300 {
		t.Errorf("a check looks at %d instances that run it and %d others", updated, len(first)-updated)
	}
	for _, r := range rollout.Readings(g.d, g.now)(g.snap) {
		if ago := g.now.Sub(r.From); ago > 7*time.Minute {
			t.Errorf("it looks back %s", ago)
		}
	}
	g.step(t)
	if ids, _ := g.asked(); ids != nil {
		t.Errorf("a step without a check looks at %d instances", len(ids))
	}
	g.pass(time.Minute)
	if again, _ := g.asked(); !slices.Equal(again, first) {
		t.Error("the next check looks at others")
	}
	small := newThrong(500).pass(time.Minute)
	if ids, _ := small.asked(); len(ids) != 500 {
		t.Errorf("of 500 instances it looks at %d", len(ids))
	}
	small.reach(t, 50)
	if ids, _ := small.asked(); len(ids) != 500 {
		t.Errorf("of 500 instances a check looks at %d", len(ids))
	}
}

// Whoever is looked at once it runs the version was looked at before: it is known
// whether it was ill.
func TestWhoIsLookedAtWasLookedAtBefore(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{1, 10, 30, 60, 100} {
		g := newThrong(3000).pass(time.Minute)
		before, _ := g.asked()
		g.reach(t, percent)
		ids, updated := g.asked()
		if updated == 0 {
			t.Errorf("at %d %% nobody is looked at", percent)
		}
		for _, id := range ids {
			if slices.Contains(g.updated(), id) && !slices.Contains(before, id) {
				t.Errorf("at %d %% %s is looked at, which was not before", percent, id)
				break
			}
		}
	}
}

func TestALargeFleetIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		percent   int
		threshold float64 // of failed checks
		ill       int     // of the instances that run it
		errs      uint64
		want      rollout.Outcome
		says      string
	}{
		"well":                          {50, 10, 0, 0, rollout.Pass, " of 1500 instances)"},
		"all are ill":                   {50, 10, 1500, 9, rollout.Fail, " of 1500 instances)"},
		"two in ten are ill":            {50, 10, 300, 15, rollout.Fail, " instances looked at, web-"},
		"one in twenty is ill":          {50, 10, 75, 15, rollout.Pass, " instances looked at, web-"},
		"of a few one is ill":           {1, 10, 1, 15, rollout.Pass, "on 1 of 30 instances, web-"},
		"of a few some are ill":         {1, 10, 4, 15, rollout.Fail, "on 4 of 30 instances, web-"},
		"of many none may be ill":       {50, 0, 1, 60, rollout.Fail, "on 1 of 1500 instances, web-"},
		"of many hardly any may be ill": {50, 1, 30, 60, rollout.Fail, "on 30 of 1500 instances, web-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newThrong(3000).pass(time.Minute)
			g.d.Health.FailedCheckThreshold = c.threshold
			g.d.Strategy.Steps = []int{c.percent, 100}
			g.step(t)
			for _, id := range g.updated()[:c.ill] {
				g.errs[id] = c.errs
			}
			g.pass(2 * time.Minute)
			g.d.CheckedAt = time.Time{}
			g.step(t)
			if v := g.d.Verdict; v.Outcome != c.want || !strings.Contains(v.Reason, c.says) {
				t.Errorf("%s: %s; want %s: %q", v.Outcome, v.Reason, c.want, c.says)
			}
		})
	}
}

// Those that were ill before are no evidence, also where only some were looked at.
func TestALargeFleetWithIllInstances(t *testing.T) {
	t.Parallel()
	g := newThrong(3000)
	for i := range 300 {
		g.errs[fmt.Sprintf("web-%d", 1+10*i)] = 60
	}
	g.pass(time.Minute).reach(t, 50)
	g.step(t)
	if n := len(g.d.Ill); n < 80 || n > 250 {
		t.Errorf("%d are known to have been ill", n)
	}
	if v := g.d.Verdict; v.Outcome != rollout.Pass || *v.Metrics[3].Value > 1 {
		t.Errorf("%s: %s", v.Outcome, v.Reason)
	}
}

// After a rollback a part of a large fleet shows whether health returned, and
// what is told of those that had the version is what they counted.
func TestALargeFleetGoesBack(t *testing.T) {
	t.Parallel()
	g := newThrong(3000).pass(time.Minute).reach(t, 10)
	for _, id := range g.updated() {
		g.errs[id] = 20
	}
	g.pass(2 * time.Minute)
	g.step(t)
	if g.d.State != rollout.RollingBack || g.d.Exposed != 300 || len(g.d.Exposures) != 100 {
		t.Fatalf("it is %s with %d exposed", g.d.State, g.d.Exposed)
	}
	for _, e := range g.d.Exposures {
		if e.Requests != 1600 || e.Errors != 160 {
			t.Fatalf("%+v", e)
		}
	}
	clear(g.errs)
	for tries := 0; g.d.State == rollout.RollingBack && tries < 10; tries++ {
		if ids, _ := g.asked(); len(ids) > 700 {
			t.Errorf("it looks at %d instances", len(ids))
		}
		g.step(t)
		g.pass(15 * time.Second)
	}
	if g.d.State != rollout.RolledBack || g.d.HealthRestored != rollout.HealthReturned {
		t.Errorf("it is %s, health %s", g.d.State, g.d.HealthRestored)
	}
}

// Where nobody judges health, no sample is read to begin: nothing is compared with it.
func TestWithoutHealthNoSampleIsRead(t *testing.T) {
	t.Parallel()
	for _, enabled := range []bool{true, false} {
		g := newThrong(30).pass(time.Minute)
		g.d.Health.Enabled = enabled
		if ids, _ := g.asked(); len(ids) > 0 != enabled {
			t.Errorf("health %v: the first step reads the samples of %d instances", enabled, len(ids))
		}
	}
}
