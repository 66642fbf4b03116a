package reconciler_test

import (
	"testing"

	"github.com/sluicehq/sluice/rollout"
)

func TestAMergeQueueIsToldOfEachOfItsCommits(t *testing.T) {
	t.Parallel()
	w := newPullWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")})
	main := w.run("rev-parse", "HEAD")
	queue := func(name, off string, fs files) string {
		t.Helper()
		w.run("checkout", "-q", "--detach", off)
		head := w.commit("queued", fs)
		w.run("update-ref", "refs/heads/gh-readonly-queue/main/"+name, head)
		w.run("checkout", "-q", "main")
		return head
	}
	first := queue("pr-7-"+main, main, files{"profiles/a.yaml": doc("a", "x: 2")})
	second := queue("pr-8-"+first, first, files{"profiles/b.yaml": broken})
	other := queue("deeper/pr-9", main, files{"profiles/a.yaml": broken}) // of a branch main/deeper
	status := func(commit string) rollout.Status {
		return w.store.data.statuses[[2]string{commit, rollout.CheckContext}]
	}
	w.sync()
	w.checks()
	if s := status(first); s.State != rollout.StatusSuccess || s.Description != "1 profile: a 1.0.0 → 1.0.1 (patch)" {
		t.Errorf("the first heard %+v", s)
	}
	if s := status(second); s.State != rollout.StatusFailure {
		t.Errorf("the second, which breaks a profile, heard %+v", s)
	}
	if s := status(other); s != (rollout.Status{}) {
		t.Errorf("the queue of another branch heard %+v", s)
	}
	if n := len(w.store.data.comments) + w.checks().Checked; n != 0 {
		t.Errorf("%d comments and checks of pull requests, want none", n)
	}
	commits := w.store.commits
	w.checks()
	if w.store.commits != commits {
		t.Error("a commit that was told is told again")
	}
	// The forge makes the first the branch's head.
	w.run("merge", "-q", "--ff-only", first)
	w.run("update-ref", "-d", "refs/heads/gh-readonly-queue/main/pr-7-"+main)
	w.report()
	w.sync()
	w.checks()
	w.expect(`
		version a 1.0.1 by c2
		deployment a 1.0.1 by c2 over 1.0.0
		status c2 sluice/a pending: (deployment)
		facts deployment.created:a version.created:a@1.0.1`)
}
