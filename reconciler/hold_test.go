package reconciler_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// held is a world whose profile a was rolled back from 1.0.1 (x: 2) to 1.0.0 (x: 1).
func held(t *testing.T, policy reconciler.HoldPolicy) *world {
	w := newWorld(t, func(o *reconciler.Options) { o.Source.HoldPolicy = policy })
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")})
	w.commit("bad", files{"profiles/a.yaml": doc("a", "x: 2")})
	w.sync()
	w.store.finish(t, "a", rollout.RolledBack)
	w.report()
	return w
}

func TestHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   string
		policy reconciler.HoldPolicy
		pushes [][]files
		want   string
	}{
		{
			"other content ends the hold and starts afresh",
			reconciler.NewerContent,
			[][]files{{{"profiles/a.yaml": doc("a", "x: 3")}}},
			`version a 1.0.2 by c3
			deployment a 1.0.2 by c3 over 1.0.0
			hold a ended
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.2`,
		},
		{
			"the revert ends it too: Git says what runs",
			reconciler.NewerContent,
			[][]files{{{"profiles/a.yaml": doc("a", "x: 1")}}},
			`version a 1.0.2 by c3
			deployment a 1.0.2 by c3 over 1.0.0 proven
			hold a ended
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.2`,
		},
		{
			"the refused content is never deployed by itself, whatever number it comes with",
			reconciler.NewerContent,
			[][]files{{{"profiles/a.yaml": doc("a", "x: 3")}, {"profiles/a.yaml": doc("a", "x: 2")}}},
			`version a 1.0.2 by c3 superseded
			version a 1.0.3 by c4
			status c3 sluice/a success: superseded by 1.0.3 in the same push
			status c4 sluice/a failure: refused: 1.0.3 is the content of 1.0.1, which was rolled back before: error rate 31.2%
			facts version.created:a@1.0.2 version.created:a@1.0.3 deployment.refused:a`,
		},
		{
			"a commit that leaves the refused content hears that it is refused",
			reconciler.NewerContent,
			[][]files{{{"profiles/a.yaml": doc("a", "x: 2", "description: better words")}}},
			`status c3 sluice/a failure: refused: 1.0.1 was rolled back to 1.0.0: error rate 31.2%
			facts profile.defined:a`,
		},
		{
			"a commit of something else leaves the hold alone",
			reconciler.NewerContent,
			[][]files{{{"profiles/b.yaml": doc("b", "x: 2")}}},
			`version b 1.0.1 by c3
			deployment b 1.0.1 by c3 over 1.0.0
			status c3 sluice/b pending: (deployment)
			facts deployment.created:b version.created:b@1.0.1`,
		},
		{
			"a broken file does not end it",
			reconciler.NewerContent,
			[][]files{{{"profiles/a.yaml": broken}}},
			`problem a: ` + brokenText + `
			status c3 sluice/a failure: ` + brokenText + `
			facts profile.invalid:a`,
		},
		{
			"release-only waits for a person",
			reconciler.ReleaseOnly,
			[][]files{{{"profiles/a.yaml": doc("a", "x: 3")}}},
			`version a 1.0.2 by c3
			status c3 sluice/a pending: on hold at 1.0.0, release it to deploy 1.0.2: error rate 31.2%
			facts version.created:a@1.0.2 deployment.refused:a`,
		},
		{
			"the revert ends a release-only hold too: there is nothing left to release",
			reconciler.ReleaseOnly,
			[][]files{{{"profiles/a.yaml": doc("a", "x: 1")}}},
			`version a 1.0.2 by c3
			deployment a 1.0.2 by c3 over 1.0.0 proven
			hold a ended
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.2`,
		},
		{
			"release-only refuses the refused content",
			reconciler.ReleaseOnly,
			[][]files{{{"profiles/a.yaml": doc("a", "x: 2", "description: words")}}},
			`status c3 sluice/a failure: refused: 1.0.1 was rolled back to 1.0.0: error rate 31.2%
			facts profile.defined:a`,
		},
		{
			"a held profile that left and returns stays held",
			reconciler.NewerContent,
			[][]files{{{"profiles/a.yaml": gone}}, {{"profiles/a.yaml": doc("a", "x: 2")}}},
			`profile a retired false
			status c4 sluice/a failure: refused: 1.0.1 was rolled back to 1.0.0: error rate 31.2%
			facts profile.returned:a deployment.refused:a`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := held(t, c.policy)
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

func TestARewrittenBranchDeploysNoRefusedContent(t *testing.T) {
	t.Parallel()
	w := held(t, reconciler.NewerContent)
	w.run("commit", "-q", "--amend", "-m", "bad, again")
	w.named(w.run("rev-parse", "HEAD"))
	w.sync()
	w.expect(`
		status c3 sluice success: no profile changed
		facts source.rewritten:configs`)
}

// production is a profile that needs a schema and takes a strategy.
func production(data, strategy string) files {
	body := strings.Replace(doc("a", data, "schema: any.v1", "strategy: {type: "+strategy+"}"), "Staging", "Production", 1)
	return files{"profiles/a.yaml": body}
}

func TestNothingSkipsStaging(t *testing.T) {
	t.Parallel()
	const refused = "profiles/a.yaml: not deployed: 1.0.1: "
	start := func(t *testing.T) *world {
		w := newWorld(t)
		fs := production("x: 1", "Canary")
		fs["schemas/any.v1.yaml"] = "type: object\n"
		w.deployed(fs)
		w.commit("hurry", production("x: 2", "Direct"))
		w.sync()
		return w
	}
	latest := func(w *world) rollout.Deployment { return w.store.data.deployments[len(w.store.data.deployments)-1] }

	t.Run("a new version cannot go Direct to Production", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		if d := latest(w); d.Version != "1.0.0" {
			t.Errorf("%s was deployed", d.Version)
		}
		if vs := w.store.data.versions["a"]; len(vs) != 2 {
			t.Errorf("%d versions, want the new one made", len(vs))
		}
		s := w.store.data.statuses[[2]string{w.shas["c2"], "sluice/a"}]
		if s.State != rollout.StatusFailure || !strings.HasPrefix(s.Description, refused) {
			t.Errorf("status %+v", s)
		}
		if p := w.store.data.problems["profiles/a.yaml"]; !strings.HasPrefix(p.Message, refused) {
			t.Errorf("problem %+v", p)
		}
	})
	t.Run("a commit of something else hears nothing of it", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.report()
		w.commit("docs", files{"README.md": "x"})
		w.sync()
		w.expect(`status c3 sluice success: no profile changed`)
	})
	t.Run("the commit that mends the strategy deploys it", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.report()
		w.commit("carefully", production("x: 2", "Canary"))
		w.sync()
		w.expect(`
			deployment a 1.0.1 by c3 over 1.0.0
			mended profiles/a.yaml
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a profile.defined:a`)
	})
	t.Run("what a person deployed meanwhile is not deployed again", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		forced := latest(w)
		forced.ID, forced.Version, forced.Hash, forced.Force = "forced", "1.0.1", hashOf(`"x": 2`), "we must"
		forced.State = rollout.InProgress
		w.store.data.deployments = append(w.store.data.deployments, forced)
		w.report()
		w.commit("carefully", production("x: 2", "Canary"))
		w.sync()
		w.expect(`
			mended profiles/a.yaml
			status c3 sluice/a success: definition updated
			facts profile.defined:a`)
	})
	t.Run("one that does not is refused again", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.report()
		w.commit("words", files{"profiles/a.yaml": production("x: 2", "Direct")["profiles/a.yaml"] + "# please\n"})
		w.sync()
		if s := w.store.data.statuses[[2]string{w.shas["c3"], "sluice/a"}]; s.State != rollout.StatusFailure || !strings.HasPrefix(s.Description, refused) {
			t.Errorf("status %+v", s)
		}
	})
	t.Run("back to what completed before is immediate", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		w.commit("back", production("x: 1", "Direct"))
		w.sync()
		if d := latest(w); d.Version != "1.0.2" || !d.Proven || d.Strategy.Type != profile.Direct {
			t.Errorf("deployment of %s, proven %v, by %s", d.Version, d.Proven, d.Strategy.Type)
		}
	})
}

func TestAProvenReturnNeedsNoApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1, z: "+strings.Repeat("z", 2000))})
	w.commit("shrink", files{"profiles/a.yaml": doc("a", "x: 1")})
	w.sync()
	w.store.finish(t, "a", rollout.Completed)
	w.commit("grow back", files{"profiles/a.yaml": doc("a", "x: 1, z: "+strings.Repeat("z", 2000))})
	w.sync()
	if d := w.store.data.deployments[2]; d.Guard != "" || !d.Proven {
		t.Errorf("guard %q, proven %v; want a proven deployment without a guard", d.Guard, d.Proven)
	}
}
