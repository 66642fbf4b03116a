package simulation_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// many is how many profiles a first sync stores in three transactions.
const many = 1100

// manyProfiles is a repository of so many, and one file that is broken.
func manyProfiles() *repository {
	files := map[string]*string{}
	for i := range many {
		src := fmt.Sprintf("apiVersion: sluice/v1\nkind: ConfigProfile\nname: service-%04d\nservice: service-%04d\nenvironment: Staging\ndata: {value: %d}\n", i, i, i)
		files[fmt.Sprintf("service-%04d.yaml", i)] = &src
	}
	broken := "apiVersion: sluice/v1\nkind: ConfigProfile\nname: broken\n"
	files["broken.yaml"] = &broken
	r := newRepository()
	r.commit(files)
	return r
}

func emptyStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: filepath.Join(t.TempDir(), "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func syncing(t *testing.T, git reconciler.Git, db *store.Store, fail func(string)) *reconciler.Reconciler {
	t.Helper()
	r, err := reconciler.New(reconciler.Options{
		Source: reconciler.SourceOptions{ID: source, Branch: "main"}, Git: git, Store: reconcilerStore{db}, Fail: fail,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// workOff lets an engine do what is due, until nothing is.
func workOff(t *testing.T, db *store.Store) {
	t.Helper()
	engine := rollout.NewEngine(db, nobody{}, rollout.EngineOptions{Owner: "engine"})
	for {
		claims, err := db.ClaimDue(t.Context(), "engine", time.Minute, 64)
		if err != nil {
			t.Fatal(err)
		}
		if len(claims) == 0 {
			return
		}
		for _, claim := range claims {
			if err := engine.Step(t.Context(), claim); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// page is how many the store lists at the most.
const page = 1000

// every is a list of several pages.
func every[T any](t *testing.T, list func(from int) ([]T, int, error)) (all []T) {
	t.Helper()
	for {
		some, total, err := list(len(all))
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, some...); len(all) >= total || len(some) == 0 {
			return all
		}
	}
}

// recorded is all that a store says of a first sync, in an order that does not depend on
// who wrote it when.
func recorded(t *testing.T, db *store.Store, commit string) string {
	t.Helper()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	ctx := t.Context()
	for _, p := range every(t, func(from int) ([]profile.Record, int, error) {
		return db.Profiles(ctx, store.ProfileFilter{Limit: page, Offset: from})
	}) {
		v, _, err := db.LatestVersion(ctx, p.Name)
		if err != nil {
			t.Fatal(err)
		}
		add("%s at %s: %s %s of %s, %d versions, %d deployments", p.Name, p.Path, v.Number, v.Hash, v.Commit, p.VersionCount, p.DeploymentCount)
	}
	for _, d := range every(t, func(from int) ([]rollout.Deployment, int, error) {
		return db.Deployments(ctx, store.DeploymentFilter{Limit: page, Offset: from})
	}) {
		add("%s %s is %s", d.Profile, d.Version, d.State)
	}
	statuses, err := db.CommitStatuses(ctx, commit)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statuses {
		add("%s %s: %s", s.Context, s.State, s.Description)
	}
	problems, err := db.Problems(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		add("%s: %s", p.Path, p.Message)
	}
	events := every(t, func(from int) ([]store.AuditEvent, int, error) {
		return db.Audit(ctx, store.AuditFilter{Limit: page, Offset: from})
	})
	for _, e := range events {
		if e.Fact.EntityType == "deployment" {
			e.Fact.EntityID = fmt.Sprint(e.Fact.Details["profile"])
		}
		add("%s %s", e.Fact.Type, e.Fact.EntityID)
	}
	if n, broken, err := db.VerifyAudit(ctx); err != nil || broken != nil || n != len(events) {
		t.Errorf("%d of %d links of the audit log hold: %+v, %v", n, len(events), broken, err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func alike(t *testing.T, got, want string) {
	t.Helper()
	if a, b, same := firstDifference(got, want); !same {
		t.Errorf("it says\n%s\nwhere one that was left alone says\n%s", a, b)
	}
}

// TestAFirstSyncIsKilledBetweenItsParts kills two processes at it. What was stored is
// deployed meanwhile, and its commit is no success before all is stored.
func TestAFirstSyncIsKilledBetweenItsParts(t *testing.T) {
	t.Parallel()
	git := manyProfiles()
	alone := emptyStore(t)
	if res, err := syncing(t, git, alone, nil).Sync(t.Context()); err != nil || res.Versions != many || res.Problems != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	workOff(t, alone)

	db := emptyStore(t)
	for range 2 {
		r := syncing(t, git, db, func(point string) {
			if point == "K13" {
				panic(point)
			}
		})
		if _, err := r.Sync(t.Context()); !errors.Is(err, reconciler.ErrPanic) {
			t.Fatalf("Sync: %v, want it killed", err)
		}
		workOff(t, db)
		statuses, err := db.CommitStatuses(t.Context(), git.head)
		if err != nil {
			t.Fatal(err)
		}
		if a := statuses[0]; a.Context != rollout.AggregateContext || a.State != rollout.StatusPending {
			t.Errorf("after a part the commit is %+v", a)
		}
		if head, err := db.SourceHead(t.Context(), source); err != nil || head != "" {
			t.Errorf("after a part the source is at %q, %v", head, err)
		}
	}
	if res, err := syncing(t, git, db, nil).Sync(t.Context()); err != nil || !res.Changed || res.Versions != many-1000 {
		t.Fatalf("%+v, %v", res, err)
	}
	workOff(t, db)
	alike(t, recorded(t, db, git.head), recorded(t, alone, git.head))
}

// TestTwoReplicasAtOneFirstSync have no lock between them.
func TestTwoReplicasAtOneFirstSync(t *testing.T) {
	t.Parallel()
	git := manyProfiles()
	alone, db := emptyStore(t), emptyStore(t)
	if _, err := syncing(t, git, alone, nil).Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for range 2 {
		r := syncing(t, git, db, nil)
		both.Go(func() {
			if _, err := r.Sync(t.Context()); err != nil {
				t.Errorf("Sync: %v", err)
			}
		})
	}
	both.Wait()
	if _, err := syncing(t, git, db, nil).Sync(t.Context()); err != nil { // the next poll, if each left it to the other
		t.Fatal(err)
	}
	alike(t, recorded(t, db, git.head), recorded(t, alone, git.head))
}
