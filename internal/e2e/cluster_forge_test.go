package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/fakeforge"
	"github.com/sluicehq/sluice/internal/testenv"
)

// TestClusterTheWholeWay goes from a pull request to its last status on two
// replicas, with the deliveries spread over both and some of them twice; one is
// killed between the merge and the end.
func TestClusterTheWholeWay(t *testing.T) {
	t.Parallel()
	f := fakeforge.New(t, fakeforge.GitHub, fakeforge.Options{})
	f.Allow("ann", "write")
	f.Allow("max", "maintain")
	sc := scene{t: t, repo: f.Repo, fleet: &fleet{}}
	sc.first = sc.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	sc.settings = forgeSettings(t, fakeforge.GitHub, f, "https://sluice.example.com")
	c := newClusterIn(sc, testenv.Binary(t), 2, testenv.NewPostgres(t))
	traces := testenv.StartCollector(t)
	for _, r := range c.replicas {
		r.env = append(r.env, traces.Env()...)
	}
	c.startAll()
	c.open()
	w := &workshop{stage: &stage{daemon: c.replicas[0].daemon, scene: c.scene, t: t}, t: t, forge: f, kind: fakeforge.GitHub, doors: c.balancer.URL}

	n := w.proposes("ann", "worse", "Greet badly", shopWith(automatic, "greeting: hello, failing: 60"))
	w.tell(fakeforge.Event{Kind: fakeforge.PullChanged, Number: n})
	w.shown(f.Pull(n).Head, "sluice/check", "success")
	w.told(n, "1.1.0")
	commit := w.merges(n)
	w.tell(fakeforge.Event{Kind: fakeforge.Pushed, Ref: "refs/heads/main", Before: sc.first, After: commit})
	w.deployed(commit)
	c.replicas[1].kill()
	d := w.concludes(commit, "RolledBack")
	w.shown(commit, "sluice/"+shop, "failure")
	w.shown(commit, "sluice", "failure")
	w.told(n, "makes Git say what runs")
	if got := w.own(n); got != 2 {
		t.Errorf("%d comments of ours, want the check's and the rollback's", got)
	}
	if pulls := f.Pulls(); len(pulls) != 2 {
		t.Errorf("%d pull requests, want the change and one revert", len(pulls))
	}
	last := map[string]string{}
	for _, s := range f.Statuses(commit) {
		if was := last[s.Context]; was == "failure" && string(s.State) != was {
			t.Errorf("%s went from %s to %s", s.Context, was, s.State)
		}
		last[s.Context] = string(s.State)
	}
	oneTrace(t, traces, d)
}

// oneTrace checks that a deployment that went back is one trace, whichever
// replica told which of its spans and though one of them was killed.
func oneTrace(t *testing.T, traces *testenv.Collector, d wire.Deployment) {
	t.Helper()
	var deploy testenv.Span
	under := map[string]int{}
	all := traces.Wait(t, "whole deployment with its rollback, statuses and revert", func(all []testenv.Span) bool {
		deploy, under = testenv.Span{}, map[string]int{}
		for _, s := range all {
			if s.Trace == d.TraceID && s.Name == "config.deploy" && s.Attributes["sluice.deployment"] == d.ID {
				deploy = s
			}
		}
		for _, s := range all {
			if s.Trace == d.TraceID && s.Parent == deploy.ID {
				under[s.Name]++
			}
		}
		return deploy.ID != "" && under["config.rollback"] == 1 && under["config.complete"] == 1 && under["config.deploy.instance"] > 0 &&
			under["config.health.check"] > 0 && under["outbox.commit_status"] > 0 && under["outbox.revert_pull_request"] == 1
	})
	if deploy.Error == "" || deploy.Attributes["sluice.state"] != "RolledBack" || deploy.Attributes["sluice.commit"] != d.Commit {
		t.Errorf("config.deploy failed with %q, attributes %v", deploy.Error, deploy.Attributes)
	}
	names := map[string]string{}
	for _, s := range all {
		names[s.ID] = s.Name
	}
	asked := slices.ContainsFunc(all, func(s testenv.Span) bool {
		return s.Trace == d.TraceID && strings.HasPrefix(s.Name, "POST 127.0.0.1:") && names[s.Parent] == "outbox.commit_status"
	})
	pushed := slices.ContainsFunc(all, func(s testenv.Span) bool {
		return s.Trace == d.TraceID && s.Name == "config.push" && names[s.Parent] == "config.deploy.instance"
	})
	if !asked || !pushed {
		t.Errorf("the forge was asked: %t, instances were told: %t\n%s", asked, pushed, testenv.Tree(all))
	}
}
