package forgetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

func read(t *testing.T, b *bench, n int) forge.PullRequest {
	t.Helper()
	pr, err := b.host.PullRequest(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

// pullRequests: each is told as it is, open, from a fork, closed and merged.
func pullRequests(t *testing.T, k Kind) {
	b := k.setup(t)
	n := b.open("feature")
	pr := read(t, b, n)
	want := forge.PullRequest{
		Number: n, URL: pr.URL, Title: "Change feature", Author: "alice", Head: b.f.Pull(n).Head,
		HeadBranch: "feature", Branch: "main", Open: true, UpdatedAt: pr.UpdatedAt,
	}
	if pr != want || !strings.Contains(pr.URL, fmt.Sprintf("/%d", n)) || pr.UpdatedAt.IsZero() {
		t.Errorf("open: %+v, want %+v", pr, want)
	}
	if got := b.f.Repo.Git("ls-remote", b.f.Repo.Bare, b.host.PullRef(n)); !strings.HasPrefix(got, pr.Head+"\t") {
		t.Errorf("%s is %q, want the head %s", b.host.PullRef(n), got, pr.Head)
	}
	pushed := b.f.Change(n, "alice", files("feature.yaml", "more: true\n"))
	if got := read(t, b, n); got.Head != pushed {
		t.Errorf("after a push the head is %s, want %s", got.Head, pushed)
	}

	fork := b.f.OpenFork("patch", "From a stranger", "mallory", files("patch.yaml", "a: 1\n"))
	if got := read(t, b, fork); !got.Fork || got.Author != "mallory" || got.HeadBranch != "patch" || !got.Open {
		t.Errorf("of a fork: %+v", got)
	}
	b.f.Close(fork)
	if got := read(t, b, fork); got.Open || got.Merged || got.MergeCommit != "" {
		t.Errorf("closed: %+v", got)
	}
	merged := b.f.Merge(n)
	if got := read(t, b, n); got.Open || !got.Merged || got.MergeCommit != merged || got.Head != pushed {
		t.Errorf("merged: %+v, want commit %s", got, merged)
	}
	if _, err := b.host.PullRequest(t.Context(), 99); !errors.Is(err, forge.ErrNotFound) || !errors.Is(err, forge.ErrTerminal) {
		t.Errorf("none: error %v, want ErrNotFound", err)
	}
}

// manyPullRequests: a list is read to its end, oldest first, open ones into the branch alone.
func manyPullRequests(t *testing.T, k Kind) {
	b := k.setup(t, func(f *fakeforge.Options, _ *forge.GatewayOptions) { f.PageSize = 2 })
	for i := range 5 {
		b.open(fmt.Sprintf("branch-%d", i))
	}
	b.f.Close(2)
	open, err := b.host.OpenPullRequests(t.Context(), "main")
	var numbers []int
	for _, pr := range open {
		numbers = append(numbers, pr.Number)
	}
	if err != nil || !slices.Equal(numbers, []int{1, 3, 4, 5}) {
		t.Errorf("open: %v, %v, want 1 3 4 5", numbers, err)
	}
	if none, err := b.host.OpenPullRequests(t.Context(), "release"); err != nil || len(none) != 0 {
		t.Errorf("into another branch: %+v, %v", none, err)
	}
}

// mergedBy: a merge commit and a squashed one know their pull request, and what
// was pushed straight to the branch has none.
func mergedBy(t *testing.T, k Kind) {
	b := k.setup(t)
	straight := b.f.Repo.Head()
	first, second, third := b.open("first"), b.open("second"), b.open("third")
	for n, commit := range map[int]string{first: b.f.Merge(first), second: b.f.Squash(second)} {
		pr, ok, err := b.host.MergedBy(t.Context(), commit)
		if err != nil || !ok || pr.Number != n || !pr.Merged || pr.MergeCommit != commit || pr.Author != "alice" {
			t.Errorf("commit of %d: %+v, %t, %v", n, pr, ok, err)
		}
	}
	if pr, ok, err := b.host.MergedBy(t.Context(), straight); err != nil || ok {
		t.Errorf("pushed straight: %+v, %t, %v", pr, ok, err)
	}
	if pr, ok, err := b.host.MergedBy(t.Context(), b.f.Pull(third).Head); err != nil || ok {
		t.Errorf("of an open one: %+v, %t, %v", pr, ok, err)
	}
}

// approvals: what counts is each writer's last word on the head.
func approvals(t *testing.T, k Kind) {
	b := k.setup(t)
	n := b.open("feature")
	expect := func(when string, want ...string) {
		t.Helper()
		got, err := b.host.Approvals(t.Context(), n)
		var users []string
		for _, a := range got {
			users = append(users, a.User)
			if a.At.IsZero() || a.Commit != "" && a.Commit != b.f.Pull(n).Head {
				t.Errorf("%s: %+v", when, a)
			}
		}
		slices.Sort(users)
		if err != nil || !slices.Equal(users, want) {
			t.Errorf("%s: %v, %v, want %v", when, users, err, want)
		}
		b.clock.Advance(1e9)
	}
	expect("before anybody looked")
	b.f.Approve(n, "alice")
	expect("the author's own is none")
	b.f.Approve(n, "mallory")
	b.f.Approve(n, "rita")
	expect("of who may not write it is none")
	b.f.Approve(n, "bob")
	b.clock.Advance(1e9)
	b.f.Approve(n, "carol")
	expect("two", "bob", "carol")
	b.f.Remark(n, "carol")
	expect("a remark takes nothing back", "bob", "carol")
	b.f.RequestChanges(n, "carol")
	expect("a request for changes does", "bob")
	b.clock.Advance(1e9)
	b.f.Approve(n, "carol")
	b.f.Dismiss(n, "bob")
	expect("dismissed", "carol")
	b.clock.Advance(1e9)
	b.f.Change(n, "alice", files("feature.yaml", "other: true\n"))
	expect("of an earlier head")
	b.clock.Advance(1e9)
	b.f.Approve(n, "bob")
	expect("of the new head", "bob")
	b.f.Merge(n)
	expect("once merged", "bob")
}

// permissions: each user's, and none of somebody unknown.
func permissions(t *testing.T, k Kind) {
	b := k.setup(t)
	want := map[string]forge.Permission{
		"carol": forge.Admin, "alice": forge.Write, "rita": forge.Read, "mallory": forge.NoPermission, "nobody": forge.NoPermission,
		"../../etc": forge.NoPermission, "": forge.NoPermission,
	}
	if k.Maintain {
		b.f.Allow("mia", "maintain")
		want["mia"] = forge.Maintain
	}
	for user, may := range want {
		if got, err := b.host.Permission(t.Context(), user); err != nil || got != may {
			t.Errorf("%q: %v, %v, want %v", user, got, err, may)
		}
	}
}
