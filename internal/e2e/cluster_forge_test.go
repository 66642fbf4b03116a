package e2e_test

import (
	"testing"

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
	w.concludes(commit, "RolledBack")
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
}
