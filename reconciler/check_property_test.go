package reconciler_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// modelPulls merges the trees of a modelGit file by file. Pull request N is the
// commit refs[N].
type modelPulls struct {
	git  *modelGit
	refs map[string]string
}

func (p *modelPulls) FetchRef(_ context.Context, ref string) (string, error) { return p.refs[ref], nil }

func (p *modelPulls) Queued() map[string]string { return nil }

func (p *modelPulls) Merge(_ context.Context, into, from string) (reconciler.Merge, error) {
	base, a, b := p.base(into, from), p.git.commits[into].tree, p.git.commits[from].tree
	merged, conflicts := maps.Clone(a), []string(nil)
	paths := maps.Clone(b)
	maps.Copy(paths, base)
	for _, path := range sortedKeys(paths) {
		switch {
		case b[path] == base[path] || a[path] == b[path]:
		case a[path] != base[path]:
			conflicts = append(conflicts, path)
		case b[path] == "":
			delete(merged, path)
		default:
			merged[path] = b[path]
		}
	}
	if conflicts != nil {
		return reconciler.Merge{Conflicts: conflicts}, nil
	}
	return reconciler.Merge{Tree: modelTree{p.git, into, merged}}, nil
}

// base is the tree of the nearest common ancestor.
func (p *modelPulls) base(a, b string) files {
	ours := map[string]bool{}
	for ; a != ""; a = p.git.commits[a].parent {
		ours[a] = true
	}
	for !ours[b] {
		b = p.git.commits[b].parent
	}
	return p.git.commits[b].tree
}

type modelTree struct {
	git  *modelGit
	into string
	tree files
}

func (m modelTree) Changes(ctx context.Context) ([]gitsource.Change, error) {
	tmp := &modelGit{commits: map[string]modelCommit{"a": m.git.commits[m.into], "b": {tree: m.tree}}}
	out, err := tmp.Changes(ctx, "a", "b")
	slices.SortFunc(out, func(a, b gitsource.Change) int { return strings.Compare(a.Path, b.Path) })
	return out, err
}

func (m modelTree) List(context.Context) ([]gitsource.Entry, error) {
	return nil, fmt.Errorf("nobody lists a merge")
}

func (m modelTree) Read(_ context.Context, path string) ([]byte, error) {
	if src, ok := m.tree[path]; ok {
		return []byte(src), nil
	}
	return nil, fs.ErrNotExist
}

// TestTheCheckSaysWhatTheMergeDoes: whatever the history and the pull request,
// the versions and the problems of the check are those of the sync after the
// merge, and the check passes exactly when the merge commit hears of no failure.
func TestTheCheckSaysWhatTheMergeDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		git := &modelGit{commits: map[string]modelCommit{}}
		store, host, pulls := newFakeStore(), &board{}, &modelPulls{git, map[string]string{}}
		r, err := reconciler.New(reconciler.Options{
			Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles"}, Git: git, Store: store,
			Host: host, PullGit: pulls, PullRequestChecks: true,
		})
		if err != nil {
			rt.Fatal(err)
		}
		push := func(tree files) {
			git.commit(tree)
			if _, err := r.Sync(context.Background()); err != nil {
				rt.Fatalf("Sync: %v", err)
			}
			meanwhile(rt, store)
		}
		edited := func(tree files) files {
			tree = maps.Clone(tree)
			for range rapid.IntRange(1, 3).Draw(rt, "edits") {
				edit(rt, tree)
			}
			return tree
		}
		push(files{"profiles/a.yaml": doc("one", "x: 1"), "profiles/b.yaml": doc("two", "x: 1"), "profiles/c.yaml": doc("three", "x: 1")})
		for number := range rapid.IntRange(1, 4).Draw(rt, "pull requests") {
			off := git.head
			for range rapid.IntRange(0, 2).Draw(rt, "pushes") {
				push(edited(git.commits[git.head].tree))
			}
			main := git.head
			git.head = off
			git.commit(edited(git.commits[off].tree))
			head := git.head
			git.head = main
			pulls.refs[host.PullRef(number+1)] = head
			host.open = []forge.PullRequest{{Number: number + 1, Head: head, Branch: "main"}}
			if res, err := r.CheckPulls(context.Background()); err != nil || res.Checked != 1 {
				rt.Fatalf("CheckPulls: %+v, %v", res, err)
			}
			said, status := store.data.comments[number+1].Body, store.data.statuses[[2]string{head, rollout.CheckContext}]
			merge, _ := pulls.Merge(context.Background(), main, head)
			if merge.Conflicts != nil {
				if status.State != rollout.StatusFailure {
					rt.Fatalf("a conflict is %s: %s", status.State, status.Description)
				}
				continue
			}
			before := store.data.clone()
			git.commit(merge.Tree.(modelTree).tree)
			if _, err := r.Sync(context.Background()); err != nil {
				rt.Fatalf("Sync: %v", err)
			}
			borneOut(rt, before, store.data, git.head, status, said)
			meanwhile(rt, store)
		}
	})
}

// borneOut compares what a check said with what the sync of the merge did.
func borneOut(rt *rapid.T, before, after tables, merge string, status rollout.Status, said string) {
	failed := false
	for key, s := range after.statuses {
		failed = failed || key[0] == merge && s.State == rollout.StatusFailure
	}
	if failed == (status.State == rollout.StatusSuccess) {
		rt.Fatalf("the check is %s: %s; the merge commit failed: %v\n%s", status.State, status.Description, failed, said)
	}
	foretold, made := map[string]bool{}, map[string]bool{}
	for row := range strings.Lines(said) {
		if cells := strings.Split(row, " | "); len(cells) == 6 {
			if _, next, ok := strings.Cut(cells[2], "**"); ok {
				foretold[strings.Trim(cells[0], "| `")+" "+strings.Trim(next, "*")] = true
			}
		}
	}
	for name, vs := range after.versions {
		for _, v := range vs[len(before.versions[name]):] {
			made[name+" "+v.Number] = true
		}
	}
	if !maps.Equal(foretold, made) {
		rt.Fatalf("the check foretold %v, the merge made %v\n%s", foretold, made, said)
	}
	for path, problem := range after.problems {
		if before.problems[path].Message != problem.Message && !strings.Contains(said, problem.Message) {
			rt.Fatalf("the check does not say %q\n%s", problem.Message, said)
		}
	}
}
