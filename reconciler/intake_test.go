package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// score is a tree of profiles of which each can be stored before the others are read.
func score() files {
	tree := files{}
	for i := range 20 {
		tree[fmt.Sprintf("profiles/p%02d.yaml", i)] = doc(fmt.Sprintf("p%02d", i), fmt.Sprintf("x: %d", i))
	}
	return tree
}

// watchedGit is a Git that has something happen before a file is read.
type watchedGit struct {
	*modelGit
	before func(path string) error
}

func (g watchedGit) Read(ctx context.Context, commit, path string) ([]byte, error) {
	if err := g.before(path); err != nil {
		return nil, err
	}
	return g.modelGit.Read(ctx, commit, path)
}

// second has something happen when a file is read for the second time: for its words it
// is read before.
func second(file string, happens func() error) func(path string) error {
	times := 0
	return func(path string) error {
		if path != file {
			return nil
		}
		if times++; times == 2 {
			return happens()
		}
		return nil
	}
}

func TestNewcomersAreStoredWhileOthersAreRead(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(score())
	store, stored := newFakeStore(), make(chan struct{}, 20)
	waits := watchedGit{git, second("profiles/p19.yaml", func() error {
		for range 6 {
			select {
			case <-stored:
			case <-t.Context().Done():
				return t.Context().Err()
			}
		}
		return nil
	})}
	r := inParts(t, waits, store, 3, func(point string) {
		if point == "K13" {
			stored <- struct{}{}
		}
	})
	if res, err := r.Sync(t.Context()); err != nil || res.Versions != 20 || res.Deployments != 20 {
		t.Fatalf("Sync: %+v, %v", res, err)
	}
	same(t, allOf(store), atOnce(t, git))
}

// A tree that cannot be read to its end leaves whole profiles, and the next pass goes on.
func TestAFileThatCannotBeReadWhileOthersAreStored(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(score())
	store, away := newFakeStore(), errors.New("the disk is away")
	broken := watchedGit{git, second("profiles/p15.yaml", func() error { return away })}
	if _, err := inParts(t, broken, store, 3, nil).Sync(t.Context()); !errors.Is(err, away) || !strings.Contains(err.Error(), "profiles/p15.yaml") {
		t.Fatalf("Sync: %v, want it to name the file", err)
	}
	if head := store.data.heads["configs"]; head != "" {
		t.Errorf("the source is at %s, which was not read", head)
	}
	if _, err := inParts(t, git, store, 3, nil).Sync(t.Context()); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	store.data.failures = map[string]string{}
	same(t, allOf(store), atOnce(t, git))
}

// However the second of two files writes its name, neither is taken for the only one.
func TestATwinIsFoundHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"name: p00", "name: 'p00'", `name: "p00"`, `name: "p\x300"`, "name: >-\n  p00", "name: &n p00", "<<: {name: p00}", "? name\n: p00",
	} {
		git := &modelGit{commits: map[string]modelCommit{}}
		tree := score()
		tree["profiles/z.yaml"] = strings.Replace(doc("p00", "x: 99"), "name: p00", name, 1)
		git.commit(tree)
		want := atOnce(t, git)
		if !strings.Contains(want, "profile p00 is also defined in profiles/z.yaml") && !strings.Contains(want, "problem profiles/z.yaml") {
			t.Fatalf("%s: the twin is no problem:\n%s", name, want)
		}
		store := newFakeStore()
		if _, err := inParts(t, git, store, 3, nil).Sync(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if store.commits < 7 {
			t.Errorf("%s: %d transactions", name, store.commits)
		}
		same(t, allOf(store), want)
	}
}

// What a part said is wrong with a file is withdrawn by who finds it mended, after a kill.
func TestAProblemOfAPartIsMendedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	tree := score()
	git.commit(tree)
	store := newFakeStore()
	store.data.profiles["p00"] = profile.Record{Name: "p00", Origin: profile.OriginAPI}
	_, err := inParts(t, git, store, 3, crashAt("K13")).Sync(t.Context())
	if !errors.Is(err, reconciler.ErrPanic) || len(store.data.problems) != 1 {
		t.Fatalf("Sync: %v; problems %v, want the one of p00", err, store.data.problems)
	}
	tree = maps.Clone(tree)
	tree["profiles/p00.yaml"] = doc("other", "x: 0")
	git.commit(tree)
	if _, err := inParts(t, git, store, 3, nil).Sync(t.Context()); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	if len(store.data.problems) != 0 || len(store.data.versions["other"]) != 1 || len(store.data.versions["p00"]) != 0 {
		t.Errorf("problems %v, versions %v", store.data.problems, store.data.versions)
	}
}

// A profile that a person retired while the first sync was away is no newcomer: what ran before is known
// to be well when it comes back.
func TestARetiredProfileIsNoNewcomer(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(score())
	store := newFakeStore()
	store.data.profiles["p00"] = profile.Record{
		Name: "p00", Service: "pay", Environment: profile.Staging, Origin: profile.OriginGit, Source: "configs",
		Path: "profiles/p00.yaml", Retired: true, CurrentVersion: "1.0.1",
	}
	for number, data := range map[string]string{"1.0.0": `{"x":0}`, "1.0.1": `{"x":1}`} {
		store.data.versions["p00"] = append(store.data.versions["p00"], profile.Version{
			Profile: "p00", Number: number, Text: []byte(data), Hash: profile.HashCanonical([]byte(data)),
		})
	}
	slices.SortFunc(store.data.versions["p00"], func(a, b profile.Version) int { return strings.Compare(a.Number, b.Number) })
	store.data.deployments = []rollout.Deployment{{
		ID: "before", Profile: "p00", Version: "1.0.0", Hash: profile.HashCanonical([]byte(`{"x":0}`)), Kind: rollout.Forward, State: rollout.Completed,
	}}
	if _, err := inParts(t, git, store, 3, nil).Sync(t.Context()); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	i := store.data.active("p00")
	if i < 0 || !store.data.deployments[i].Proven {
		t.Errorf("deployments of p00: %+v, want one of what is proven", store.data.deployments[max(i, 0)])
	}
}

// A panic of who stores is one of the pass.
func TestAPanicWhileOthersAreReadIsContained(t *testing.T) {
	t.Parallel()
	git := &modelGit{commits: map[string]modelCommit{}}
	git.commit(score())
	store := newFakeStore()
	r := inParts(t, git, store, 3, crashAt("K4"))
	if _, err := r.Sync(t.Context()); !errors.Is(err, reconciler.ErrPanic) {
		t.Fatalf("Sync: %v", err)
	}
	if len(store.data.profiles) != 0 {
		t.Errorf("%d profiles are stored", len(store.data.profiles))
	}
}
