package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// dozen is a tree with something of everything that a first sync can meet.
func dozen() files {
	tree := files{
		"profiles/base.yaml":      base("y: 1"),
		"profiles/rests.yaml":     doc("rests", "x: 1", "extends: [base.yaml]"),
		"profiles/twin-1.yaml":    doc("twin", "x: 1"),
		"profiles/twin-2.yaml":    doc("twin", "x: 2"),
		"profiles/bad.yaml":       strings.Replace(broken, "name: a", "name: p1", 1), // a name that a sound file bears
		"profiles/worse.yaml":     "kind: ConfigProfile\nname: [\n",
		"profiles/number.yaml":    doc("number", "x: 1", "version: 1.2"),
		"profiles/undeployed.yml": strings.Replace(doc("undeployed", "x: 1", "schema: s", "strategy: {type: Direct}"), "Staging", "Production", 1),
		"schemas/s.yaml":          "properties: {x: {maximum: 9}}\n",
	}
	for i := range 7 {
		tree[fmt.Sprintf("profiles/p%d.yaml", i)] = doc(fmt.Sprintf("p%d", i), fmt.Sprintf("x: %d", i))
	}
	return tree
}

// allOf is all that a store says, in an order that does not depend on who wrote it when.
func allOf(s *fakeStore) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for name, r := range s.data.profiles {
		add("profile %s %+v", name, r)
	}
	for name, versions := range s.data.versions {
		for _, v := range versions {
			add("version %s %s %s of %s superseded %v: %v", name, v.Number, v.Hash, v.Commit, v.Superseded, v.Data)
		}
	}
	for _, d := range s.data.deployments {
		add("deployment %s %s of %s %s %s", d.Profile, d.Version, d.Commit, d.State, d.Guard)
	}
	for path, p := range s.data.problems {
		add("problem %s %+v", path, p)
	}
	for _, st := range s.data.statuses {
		add("status %s %s %s %s", st.Commit, st.Context, st.State, st.Description)
	}
	for _, f := range s.data.facts {
		if f.EntityType == "deployment" {
			f.EntityID = fmt.Sprint(f.Details["profile"])
		}
		add("fact %s %s %s %v", f.Type, f.EntityID, f.Actor, f.Details)
	}
	add("heads %v, parts %v", s.data.heads, s.data.parts)
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// inParts is a reconciler that stores first syncs in parts of so many profiles.
func inParts(t failer, git reconciler.Git, store reconciler.Store, size int, fail func(point string)) *reconciler.Reconciler {
	t.Helper()
	r, err := reconciler.New(reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles", Sources: []string{"configs"}}, Git: git, Store: store, Fail: fail,
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	r.InPartsOf(size)
	return r
}

// atOnce is what a store says of a tree that one transaction brought.
func atOnce(t failer, git *modelGit) string {
	t.Helper()
	store := newFakeStore()
	if _, err := inParts(t, git, store, 1000, nil).Sync(context.Background()); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	if store.commits != 1 {
		t.Fatalf("%d transactions, want one", store.commits)
	}
	return allOf(store)
}

func same(t failer, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("in parts\n%s\nat once\n%s", got, want)
	}
}

func TestAFirstSyncInPartsSaysWhatOneTransactionDoes(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(dozen())
	want := atOnce(t, git)
	for size, commits := range map[int]int{1: 10, 2: 6, 4: 4, 8: 3, 9: 1} {
		store := newFakeStore()
		res, err := inParts(t, git, store, size, nil).Sync(t.Context())
		if err != nil || res.Versions != 9 || res.Deployments != 8 || !res.Changed || !res.Whole {
			t.Fatalf("parts of %d: %+v, %v", size, res, err)
		}
		same(t, allOf(store), want)
		if store.commits != commits {
			t.Errorf("parts of %d: %d transactions, want %d", size, store.commits, commits)
		}
		if last := store.data.facts[len(store.data.facts)-1]; commits > 1 && last.Type == reconciler.FactVersionCreated {
			t.Errorf("parts of %d: the last transaction has a version in it", size)
		}
	}
}

// A pass that is killed between two parts leaves whole profiles; the next one goes on and
// makes nothing twice.
func TestAKillBetweenParts(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(dozen())
	want := atOnce(t, git)
	for _, point := range []string{"K13", "K4"} {
		for after := range 5 {
			store, passed := newFakeStore(), 0
			_, err := inParts(t, git, store, 2, func(p string) {
				if p != point {
					return
				}
				if passed++; passed > after {
					panic(crash{point})
				}
			}).Sync(t.Context())
			if !errors.Is(err, reconciler.ErrPanic) {
				t.Fatalf("Sync: %v, want the crash at %s", err, point)
			}
			for name := range store.data.profiles {
				if len(store.data.versions[name]) != 1 {
					t.Fatalf("%s is stored by half", name)
				}
			}
			if head := store.data.heads["configs"]; head != "" {
				t.Fatalf("the source is at %s before the last part", head)
			}
			if _, err := inParts(t, git, store, 2, nil).Sync(t.Context()); err != nil { // another process
				t.Fatalf("Sync: %v", err)
			}
			store.data.failures = map[string]string{}
			same(t, allOf(store), want)
		}
	}
}

// Whatever was stored of a first sync before it was killed, and whatever was pushed then,
// the pass that goes on says of the head what a new store reads there.
func TestAFirstSyncThatWasKilledGoesOnAtAnotherHead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		git := &modelGit{commits: map[string]modelCommit{}}
		tree := files{}
		for range rapid.IntRange(4, 12).Draw(rt, "files") {
			edit(rt, tree)
		}
		git.commit(tree)
		store := newFakeStore()
		size := rapid.IntRange(1, 2).Draw(rt, "size")
		for range rapid.IntRange(1, 3).Draw(rt, "kills") {
			left := rapid.IntRange(0, 2).Draw(rt, "parts")
			_, err := inParts(rt, git, store, size, func(p string) {
				if p == "K13" {
					if left--; left < 0 {
						panic(crash{p})
					}
				}
			}).Sync(context.Background())
			if err != nil && !errors.Is(err, reconciler.ErrPanic) {
				rt.Fatalf("Sync: %v", err)
			}
			meanwhile(rt, store)
			next := maps.Clone(tree)
			for range rapid.IntRange(0, 3).Draw(rt, "edits") {
				edit(rt, next)
			}
			git.commit(next)
			tree = next
		}
		if _, err := inParts(rt, git, store, size, nil).Sync(context.Background()); err != nil {
			rt.Fatalf("Sync: %v", err)
		}
		checkVersions(rt, store)
		fresh := newFakeStore()
		if _, err := inParts(rt, git, fresh, 1000, nil).Sync(context.Background()); err != nil {
			rt.Fatalf("Sync: %v", err)
		}
		compare(rt, readingOf(store), readingOf(fresh))
	})
}

// Of two replicas at one first sync, without a lock, either may store the next part; the
// other one notices and leaves it to it.
func TestTwoReplicasAtOneFirstSync(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(dozen())
	want := atOnce(t, git)
	for at := range 6 { // transactions of the first one before the second comes
		store, transactions := newFakeStore(), 0
		second := inParts(t, git, store, 3, nil)
		var between func(*fakeStore)
		between = func(s *fakeStore) {
			if transactions++; transactions <= at {
				s.beforeTx = between
				return
			}
			if res, err := second.Sync(t.Context()); err != nil || !res.Changed && transactions < 5 {
				t.Errorf("the other's Sync: %+v, %v", res, err)
			}
		}
		store.beforeTx = between
		res, err := inParts(t, git, store, 2, nil).Sync(t.Context())
		if err != nil || transactions > at && res.Changed {
			t.Fatalf("Sync: %+v, %v; want nothing left to do", res, err)
		}
		same(t, allOf(store), want)
	}
	for range 20 {
		store := newFakeStore()
		var both sync.WaitGroup
		for size := range 2 {
			r := inParts(t, git, store, size+1, nil)
			both.Go(func() {
				if _, err := r.Sync(t.Context()); err != nil {
					t.Errorf("Sync: %v", err)
				}
			})
		}
		both.Wait()
		if _, err := inParts(t, git, store, 2, nil).Sync(t.Context()); err != nil { // the next poll, if each left it to the other
			t.Fatalf("Sync: %v", err)
		}
		same(t, allOf(store), want)
	}
}

// What was planned before a part was stored must not be stored after it: the plan may be
// of another head, where the part's files are gone.
func TestAPlanOfBeforeAPartIsStale(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(dozen())
	store := newFakeStore()
	other := inParts(t, git, store, 2, crashAt("K13"))
	late := &modelGit{commits: git.commits, head: git.head}
	late.commit(files{"profiles/only.yaml": doc("only", "x: 1")})
	store.beforeTx = func(*fakeStore) {
		if _, err := other.Sync(t.Context()); !errors.Is(err, reconciler.ErrPanic) {
			t.Errorf("the other's Sync: %v", err)
		}
	}
	r := inParts(t, late, store, 2, nil)
	if res, err := r.Sync(t.Context()); err != nil || !res.Skipped {
		t.Fatalf("Sync: %+v, %v; want it left to who is at it", res, err)
	}
	if res, err := r.Sync(t.Context()); err != nil || !res.Changed {
		t.Fatalf("Sync: %+v, %v", res, err)
	}
	for name, rec := range store.data.profiles {
		i := store.data.active(name)
		leaving := rec.Retired || i >= 0 && store.data.deployments[i].Kind == rollout.Retirement
		if leaving == (name == "only") {
			t.Errorf("%s leaves: %v", name, leaving)
		}
	}
}

// A file whose name was changed while its old one was stored by a part: the old profile's
// file is gone, whoever stores the new one.
func TestAStoredFileIsGivenAnotherNameBeforeTheEnd(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	tree := files{}
	for i := range 6 {
		tree[fmt.Sprintf("profiles/p%d.yaml", i)] = doc(fmt.Sprintf("p%d", i), "x: 1")
	}
	git.commit(tree)
	store := newFakeStore()
	passed := 0
	_, err := inParts(t, git, store, 2, func(p string) {
		if p == "K13" {
			if passed++; passed == 2 {
				panic(crash{p})
			}
		}
	}).Sync(t.Context())
	if !errors.Is(err, reconciler.ErrPanic) || len(store.data.profiles) != 4 {
		t.Fatalf("Sync: %v; %d profiles", err, len(store.data.profiles))
	}
	tree = maps.Clone(tree)
	tree["profiles/p0.yaml"] = doc("renamed", "x: 1")
	tree["profiles/moved.yaml"] = tree["profiles/p1.yaml"]
	delete(tree, "profiles/p1.yaml")
	for i := range 4 {
		tree[fmt.Sprintf("profiles/q%d.yaml", i)] = doc(fmt.Sprintf("q%d", i), "x: 1")
	}
	git.commit(tree)
	if _, err := inParts(t, git, store, 2, nil).Sync(t.Context()); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	if r := store.data.profiles["p0"]; !r.Retired {
		t.Errorf("p0 has no file and is %+v", r)
	}
	if r := store.data.profiles["p1"]; r.Retired || r.Path != "profiles/moved.yaml" {
		t.Errorf("p1, which was moved, is %+v", r)
	}
	if r := store.data.profiles["renamed"]; r.Path != "profiles/p0.yaml" || len(store.data.versions["renamed"]) != 1 {
		t.Errorf("renamed is %+v", r)
	}
}

// lateOwners lets something happen between the lists of a source's profiles and of who has
// the names.
type lateOwners struct {
	*fakeStore
	meanwhile func()
}

func (s lateOwners) ProfileOwners(ctx context.Context, names []string) (map[string]profile.Owner, error) {
	s.meanwhile()
	return s.fakeStore.ProfileOwners(ctx, names)
}

func TestAProfileOfTheSourceItselfIsNoForeignOne(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(dozen())
	store, once := newFakeStore(), sync.Once{}
	other := inParts(t, git, store, 2, crashAt("K13"))
	r := inParts(t, git, lateOwners{store, func() {
		once.Do(func() {
			if _, err := other.Sync(t.Context()); !errors.Is(err, reconciler.ErrPanic) {
				t.Errorf("the other's Sync: %v", err)
			}
		})
	}}, 2, nil)
	if res, err := r.Sync(t.Context()); err != nil || !res.Skipped {
		t.Fatalf("Sync: %+v, %v; want it left to who is at it", res, err)
	}
	if _, err := r.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.data.failures = map[string]string{}
	same(t, allOf(store), atOnce(t, git))
}

func TestASourceUnderAnotherNameHasItsProfilesInParts(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(dozen())
	store := newFakeStore()
	if _, err := inParts(t, git, store, 2, nil).Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	// As it was before somebody gave the source another id, and added a profile.
	versions := len(store.data.versions)
	for name, r := range store.data.profiles {
		r.Source = "before"
		store.data.profiles[name] = r
	}
	store.data.heads, store.data.problems = map[string]string{}, map[string]profile.SourceProblem{}
	tree := dozen()
	tree["profiles/p0.yaml"], tree["profiles/new.yaml"] = doc("p0", "x: 9"), doc("new", "x: 1")
	git.commit(tree)
	if res, err := inParts(t, git, store, 2, nil).Sync(t.Context()); err != nil || res.Versions != 2 {
		t.Fatalf("Sync: %+v, %v; want a version of what is new and of what changed", res, err)
	}
	if got := len(store.data.versions); got != versions+1 {
		t.Errorf("%d profiles have versions, want %d", got, versions+1)
	}
	if v := store.data.versions["p0"]; len(v) != 2 || v[1].Number != "1.0.1" {
		t.Errorf("versions of p0: %+v, want the second to be a patch", v)
	}
	for name, r := range store.data.profiles {
		if r.Source != "configs" || r.Retired {
			t.Errorf("%s is of source %s, retired %v", name, r.Source, r.Retired)
		}
	}
}
