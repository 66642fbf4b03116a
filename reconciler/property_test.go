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

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// modelGit is a reconciler.Git of plain maps, so that thousands of histories
// can be tried.
type modelGit struct {
	head    string
	commits map[string]modelCommit
}

type modelCommit struct {
	parent string
	tree   files
}

func (g *modelGit) commit(tree files) {
	sha := fmt.Sprintf("%040x", len(g.commits)+1)
	g.commits[sha] = modelCommit{parent: g.head, tree: tree}
	g.head = sha
}

func (g *modelGit) Head(context.Context) (string, error)  { return g.head, nil }
func (g *modelGit) Fetch(context.Context) (string, error) { return g.head, nil }

func (g *modelGit) Walk(_ context.Context, from, to string) ([]gitsource.Commit, error) {
	var out []gitsource.Commit
	for sha := to; sha != from; sha = g.commits[sha].parent {
		if sha == "" {
			return nil, gitsource.ErrRewritten
		}
		out = append(out, gitsource.Commit{SHA: sha, AuthorName: "Ada", Message: "change " + sha})
		if from == "" {
			break
		}
	}
	slices.Reverse(out)
	return out, nil
}

func (g *modelGit) Changes(_ context.Context, from, to string) ([]gitsource.Change, error) {
	old, now := g.commits[from].tree, g.commits[to].tree
	var out []gitsource.Change
	for path := range now {
		if was, ok := old[path]; !ok {
			out = append(out, gitsource.Change{Path: path, Kind: gitsource.Added})
		} else if was != now[path] {
			out = append(out, gitsource.Change{Path: path, Kind: gitsource.Modified})
		}
	}
	for path := range old {
		if _, ok := now[path]; !ok {
			out = append(out, gitsource.Change{Path: path, Kind: gitsource.Deleted})
		}
	}
	return out, nil
}

func (g *modelGit) List(_ context.Context, commit string) ([]gitsource.Entry, error) {
	var out []gitsource.Entry
	for _, path := range sortedKeys(g.commits[commit].tree) {
		out = append(out, gitsource.Entry{Path: path, Kind: gitsource.Regular})
	}
	return out, nil
}

func (g *modelGit) Read(_ context.Context, commit, path string) ([]byte, error) {
	if src, ok := g.commits[commit].tree[path]; ok {
		return []byte(src), nil
	}
	return nil, fs.ErrNotExist
}

// edit makes one random change to a tree.
func edit(rt *rapid.T, tree files) {
	path := rapid.SampledFrom([]string{"profiles/a.yaml", "profiles/b.yaml", "profiles/c.yaml", "profiles/d/d.yaml", "profiles/e.yaml"})
	name := rapid.SampledFrom([]string{"one", "two", "three", "four"})
	small := rapid.IntRange(1, 3)
	switch p := path.Draw(rt, "path"); rapid.IntRange(0, 9).Draw(rt, "edit") {
	case 0, 1, 2: // a sound profile, perhaps of a name that another has
		tree[p] = doc(name.Draw(rt, "name"), fmt.Sprintf("x: %d", small.Draw(rt, "x")))
	case 3: // one that rests on a base and a schema
		tree[p] = doc(name.Draw(rt, "name"), fmt.Sprintf("x: %d", small.Draw(rt, "x")), "extends: [base.yaml]", "schema: s")
	case 4: // broken, with a name
		tree[p] = strings.Replace(broken, "name: a", "name: "+name.Draw(rt, "name"), 1)
	case 5: // broken beyond its name
		tree[p] = "kind: ConfigProfile\nname: [\n"
	case 6:
		delete(tree, p)
	case 7: // a rename
		if src, ok := tree[p]; ok {
			delete(tree, p)
			tree[path.Draw(rt, "to")] = src
		}
	case 8:
		tree["profiles/base.yaml"] = base(fmt.Sprintf("y: %d", small.Draw(rt, "y")))
		if rapid.Bool().Draw(rt, "no base") {
			delete(tree, "profiles/base.yaml")
		}
	case 9:
		tree["schemas/s.yaml"] = fmt.Sprintf("properties: {x: {maximum: %d}}\n", small.Draw(rt, "maximum"))
	}
}

// reading is what a store says of the head: content and problems.
type reading struct {
	hashes   map[string]string // by profile: of its latest version
	paths    map[string]string // by profile
	problems map[string]string // by path
}

func readingOf(s *fakeStore) reading {
	r := reading{map[string]string{}, map[string]string{}, map[string]string{}}
	for name, rec := range s.data.profiles {
		if i := s.data.active(name); rec.Retired || i >= 0 && s.data.deployments[i].Kind == rollout.Retirement {
			continue
		}
		vs := s.data.versions[name]
		r.hashes[name], r.paths[name] = vs[len(vs)-1].Hash, rec.Path
	}
	for path, p := range s.data.problems {
		r.problems[path] = p.Message
	}
	return r
}

// TestStepByStepIsTheSameAsAtOnce: whatever the history, the store that
// followed it says of the head what a new store reads there, except that the
// last good version of a file that is broken now stays.
func TestStepByStepIsTheSameAsAtOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		git := &modelGit{commits: map[string]modelCommit{}}
		store := newFakeStore()
		sync := func(s *fakeStore) {
			r, err := reconciler.New(reconciler.Options{
				Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles"}, Git: git, Store: s,
			})
			if err != nil {
				rt.Fatal(err)
			}
			if _, err := r.Sync(context.Background()); err != nil {
				rt.Fatalf("Sync: %v", err)
			}
		}
		git.commit(files{"profiles/a.yaml": doc("one", "x: 1"), "profiles/b.yaml": doc("two", "x: 1"), "profiles/c.yaml": doc("three", "x: 1")})
		sync(store)
		for range rapid.IntRange(1, 6).Draw(rt, "pushes") {
			meanwhile(rt, store)
			rewritten := rapid.IntRange(0, 5).Draw(rt, "rewrite") == 0
			if parent := git.commits[git.head].parent; rewritten && parent != "" {
				git.head = parent
			}
			before := len(git.commits)
			for range rapid.IntRange(1, 3).Draw(rt, "commits") {
				tree := maps.Clone(git.commits[git.head].tree)
				for range rapid.IntRange(1, 3).Draw(rt, "edits") {
					edit(rt, tree)
				}
				git.commit(tree)
			}
			sync(store)
			checkStatuses(rt, git, store, before, rewritten)
			checkVersions(rt, store)

			fresh := newFakeStore()
			sync(fresh)
			compare(rt, readingOf(store), readingOf(fresh))
		}
	})
}

// meanwhile is what the engine may have done since the last push.
func meanwhile(rt *rapid.T, s *fakeStore) {
	for _, name := range sortedKeys(s.data.profiles) {
		i := s.data.active(name)
		if i < 0 {
			continue
		}
		switch rapid.IntRange(0, 2).Draw(rt, "outcome of "+name) {
		case 0:
			s.finish(rt, name, rollout.Completed)
		case 1:
			if d := s.data.deployments[i]; d.Previous != "" && d.Kind == rollout.Forward {
				s.finish(rt, name, rollout.RolledBack)
			}
		}
	}
}

// checkStatuses: every commit of a push hears something, unless the branch was
// rewritten and only trees were compared.
func checkStatuses(rt *rapid.T, git *modelGit, s *fakeStore, before int, rewritten bool) {
	heard := map[string]bool{}
	for key := range s.data.statuses {
		heard[key[0]] = true
	}
	for i := before + 1; i <= len(git.commits); i++ {
		if sha := fmt.Sprintf("%040x", i); !heard[sha] && (!rewritten || sha == git.head) {
			rt.Fatalf("commit %s hears nothing", sha)
		}
	}
}

// checkVersions: numbers only rise, and no refused content is under way.
func checkVersions(rt *rapid.T, s *fakeStore) {
	for name, vs := range s.data.versions {
		for i := 1; i < len(vs); i++ {
			was, err1 := profile.ParseVersion(vs[i-1].Number)
			is, err2 := profile.ParseVersion(vs[i].Number)
			if err1 != nil || err2 != nil || !is.GreaterThan(was) {
				rt.Fatalf("%s: version %s follows %s", name, vs[i].Number, vs[i-1].Number)
			}
		}
		if i := s.data.active(name); i >= 0 {
			if d, h := s.data.deployments[i], s.data.holds[name]; d.Kind == rollout.Forward && d.Hash == h.RefusedHash {
				rt.Fatalf("%s: refused content is deployed as %s", name, d.Version)
			}
		}
	}
}

func compare(rt *rapid.T, followed, fresh reading) {
	if !maps.Equal(followed.problems, fresh.problems) {
		rt.Fatalf("problems\n%v\nat once\n%v", followed.problems, fresh.problems)
	}
	for name, hash := range fresh.hashes {
		if followed.hashes[name] != hash || followed.paths[name] != fresh.paths[name] {
			rt.Fatalf("%s at %s has the content %s, at once %s at %s", name, followed.paths[name], followed.hashes[name], fresh.paths[name], hash)
		}
	}
	for name, path := range followed.paths {
		_, known := fresh.hashes[name]
		if _, broken := fresh.problems[path]; !known && !broken {
			rt.Fatalf("%s at %s is not there at once, and its file is not broken", name, path)
		}
	}
}
