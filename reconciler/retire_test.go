package reconciler_test

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/rollout"
)

func TestFilesThatLeaveAndReturn(t *testing.T) {
	t.Parallel()
	start := files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1"), "profiles/c.yaml": doc("c", "x: 1")}
	for _, c := range []struct {
		rule   string
		pushes [][]files
		want   string
	}{
		{
			"a deleted file retires its profile",
			[][]files{{{"profiles/a.yaml": gone}}},
			`profile a retired true
			status c2 sluice/a success: retired: the file left Git, what runs stays
			facts profile.retired:a`,
		},
		{
			"and ends what is under way",
			[][]files{{{"profiles/a.yaml": doc("a", "x: 2")}}, {{"profiles/a.yaml": gone}}},
			`profile a retired true
			deployment a 1.0.1 is Superseded: the file left Git
			status c3 sluice/a success: retired: the file left Git, what runs stays
			facts profile.retired:a`,
		},
		{
			"a file that is no profile any more is a deleted one",
			[][]files{{{"profiles/a.yaml": "other: thing\n"}}},
			`profile a retired true
			status c2 sluice/a success: retired: the file left Git, what runs stays
			facts profile.retired:a`,
		},
		{
			"a renamed file is a move",
			[][]files{{{"profiles/a.yaml": gone, "profiles/deep/a.yaml": doc("a", "x: 1")}}},
			`profile a moved to profiles/deep/a.yaml
			status c2 sluice/a success: moved from profiles/a.yaml
			facts profile.moved:a`,
		},
		{
			"and its later deletion a retirement",
			[][]files{{{"profiles/a.yaml": gone, "profiles/deep/a.yaml": doc("a", "x: 1")}}, {{"profiles/deep/a.yaml": gone}}},
			`profile a retired true
			status c3 sluice/a success: retired: the file left Git, what runs stays
			facts profile.retired:a`,
		},
		{
			"a move may change the data",
			[][]files{{{"profiles/a.yaml": gone, "profiles/0.yaml": doc("a", "x: 2")}}},
			`profile a moved to profiles/0.yaml
			version a 1.0.1 by c2
			deployment a 1.0.1 by c2 over 1.0.0
			status c2 sluice/a pending: (deployment)
			facts deployment.created:a profile.moved:a version.created:a@1.0.1`,
		},
		{
			"two files may change places",
			[][]files{{{"profiles/a.yaml": doc("b", "x: 1"), "profiles/b.yaml": doc("a", "x: 1")}}},
			`profile a moved to profiles/b.yaml
			profile b moved to profiles/a.yaml
			status c2 sluice/a success: moved from profiles/a.yaml
			status c2 sluice/b success: moved from profiles/b.yaml
			facts profile.moved:b profile.moved:a`,
		},
		{
			"a move that breaks the file keeps the last good version",
			[][]files{{{"profiles/a.yaml": gone, "profiles/deep/a.yaml": broken}}},
			`profile a moved to profiles/deep/a.yaml
			problem a: profiles/deep/a.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)
			status c2 sluice/a failure: profiles/deep/a.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)
			facts profile.invalid:a`,
		},
		{
			"a renamed profile is a new one, and the old one retires",
			[][]files{{{"profiles/a.yaml": doc("z", "x: 1")}}},
			`profile a retired true
			profile z at profiles/a.yaml
			version z 1.0.0 by c2
			deployment z 1.0.0 by c2
			status c2 sluice/a success: retired: the file left Git, what runs stays
			status c2 sluice/z pending: (deployment)
			facts deployment.created:z profile.created:z version.created:z@1.0.0 profile.retired:a`,
		},
		{
			"a profile that returns is there again",
			[][]files{{{"profiles/a.yaml": gone}}, {{"profiles/a.yaml": doc("a", "x: 1")}}},
			`profile a retired false
			status c3 sluice/a success: the file is back, nothing to deploy
			facts profile.returned:a`,
		},
		{
			"with other data, with the next version",
			[][]files{{{"profiles/a.yaml": gone}}, {{"profiles/new.yaml": doc("a", "x: 2")}}},
			`profile a moved to profiles/new.yaml
			profile a retired false
			version a 1.0.1 by c3
			deployment a 1.0.1 by c3 over 1.0.0
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a profile.moved:a profile.returned:a version.created:a@1.0.1`,
		},
		{
			"what it was deploying when it left is taken up again",
			[][]files{{{"profiles/a.yaml": doc("a", "x: 2")}}, {{"profiles/a.yaml": gone}}, {{"profiles/a.yaml": doc("a", "x: 2")}}},
			`profile a retired false
			deployment a 1.0.1 by c4 over 1.0.0
			status c4 sluice/a pending: (deployment)
			facts deployment.created:a profile.returned:a`,
		},
		{
			"gone and back in one push is no event",
			[][]files{{{"profiles/a.yaml": gone}, {"profiles/a.yaml": doc("a", "x: 1")}}},
			`status c2 sluice/a success: the file left Git and came back in the same push
			status c3 sluice/a success: no change in effective data`,
		},
		{
			"come and gone in one push: a version nobody deploys",
			[][]files{{{"profiles/n.yaml": doc("n", "x: 1")}, {"profiles/n.yaml": gone}}},
			`profile n at profiles/n.yaml
			profile n retired true
			version n 1.0.0 by c2 superseded
			status c2 sluice/n success: superseded: the file left Git in the same push
			status c3 sluice/n success: retired: the file left Git, what runs stays
			facts profile.created:n version.created:n@1.0.0`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(start)
			for _, push := range c.pushes {
				w.report()
				for _, fs := range push {
					w.commit("change", fs)
				}
				w.sync()
			}
			w.expect(c.want)
		})
	}
}

func TestAWayBackIsNotEndedByRetirement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")})
	w.commit("bad", files{"profiles/a.yaml": doc("a", "x: 2")})
	w.sync()
	w.store.finish(t, "a", rollout.RollingBack)
	w.report()
	w.commit("delete", files{"profiles/a.yaml": gone})
	w.sync()
	w.expect(`
		profile a retired true
		status c3 sluice/a success: retired: the file left Git, what runs stays
		facts profile.retired:a`)
}

// many is n sound profiles p0, p1, ...
func many(n int) files {
	fs := files{}
	for i := range n {
		fs[fmt.Sprintf("profiles/p%d.yaml", i)] = doc(fmt.Sprintf("p%d", i), "x: 1")
	}
	return fs
}

// without deletes the first n of many.
func without(n int) files {
	fs := files{}
	for name := range many(n) {
		fs[name] = gone
	}
	return fs
}

func TestMassDeletionWaitsForAPerson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profiles, leave int
		guarded         bool
	}{
		{10, 5, false}, // half is not more than half
		{10, 6, true},
		{10, 10, true},
		{3, 2, true},
		{2, 1, false},
		{1, 1, false}, // one is no mass
		{2, 2, true},
	} {
		t.Run(fmt.Sprintf("%d of %d", c.leave, c.profiles), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(many(c.profiles))
			w.commit("clean up", without(c.leave))
			w.sync()
			retired, asked := 0, 0
			for _, r := range w.store.data.profiles {
				if r.Retired {
					retired++
				}
			}
			for _, d := range w.store.data.deployments {
				if d.Kind == rollout.Retirement {
					asked++
					if want := fmt.Sprintf("would retire %d of %d profiles", c.leave, c.profiles); d.Guard != want || d.Approved {
						t.Errorf("guard %q, approved %v; want %q", d.Guard, d.Approved, want)
					}
				}
			}
			wantRetired, wantAsked := c.leave, 0
			if c.guarded {
				wantRetired, wantAsked = 0, c.leave
			}
			if retired != wantRetired || asked != wantAsked {
				t.Errorf("%d retired and %d asked for, want %d and %d", retired, asked, wantRetired, wantAsked)
			}
		})
	}
}

func TestAGuardedRetirement(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) *world {
		w := newWorld(t)
		w.deployed(many(3))
		w.commit("clean up", without(2))
		w.sync()
		return w
	}
	t.Run("waits on each profile, with the commit that asked", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.expect(`
			deployment p0 1.0.0 by c2 Retirement over 1.0.0 proven, guard: would retire 2 of 3 profiles
			deployment p1 1.0.0 by c2 Retirement over 1.0.0 proven, guard: would retire 2 of 3 profiles
			status c2 sluice/p0 pending: (deployment)
			status c2 sluice/p1 pending: (deployment)
			facts deployment.created:p0 deployment.created:p1 retirement.guarded:configs`)
	})
	t.Run("and says what it waits for", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		const want = "waits for a person to promote it: would retire 2 of 3 profiles"
		if s := w.store.data.statuses[[2]string{w.shas["c2"], "sluice/p0"}]; s.State != rollout.StatusPending || s.Description != want || s.DeploymentID == "" {
			t.Errorf("status %+v, want pending: %s", s, want)
		}
	})
	t.Run("is not asked for twice, not even by a rewritten branch", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.report()
		w.run("commit", "-q", "--amend", "-m", "clean up again")
		w.named(w.run("rev-parse", "HEAD"))
		w.sync()
		w.expect(`
			status c3 sluice success: no profile changed
			facts source.rewritten:configs`)
	})
	t.Run("ends when the file comes back", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.report()
		w.commit("undo", files{"profiles/p0.yaml": doc("p0", "x: 1"), "profiles/moved.yaml": doc("p1", "x: 2")})
		w.sync()
		w.expect(`
			profile p1 moved to profiles/moved.yaml
			version p1 1.0.1 by c3
			deployment p0 1.0.0 is Superseded: the file is back in Git
			deployment p1 1.0.0 is Superseded: superseded by 1.0.1
			deployment p1 1.0.1 by c3 over 1.0.0
			status c3 sluice/p0 success: the file is back, nothing to deploy
			status c3 sluice/p1 pending: (deployment)
			facts deployment.created:p1 profile.moved:p1 profile.returned:p1 version.created:p1@1.0.1 profile.returned:p0`)
	})
	t.Run("and goes on when it comes back and goes again", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.report()
		w.commit("undo", files{"profiles/p0.yaml": doc("p0", "x: 1")})
		w.commit("redo", files{"profiles/p0.yaml": gone})
		w.sync()
		w.expect(`
			status c3 sluice/p0 success: the file is back, nothing to deploy
			status c4 sluice/p0 pending: gone again: its retirement still waits for approval
			facts profile.returned:p0`)
	})
	t.Run("a promoted one is over", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.store.finish(t, "p0", rollout.Completed)
		w.report()
		w.commit("undo", files{"profiles/p0.yaml": doc("p0", "x: 1")})
		w.sync()
		w.expect(`
			profile p0 retired false
			status c3 sluice/p0 success: the file is back, nothing to deploy
			facts profile.returned:p0`)
	})
}
