package reconciler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// A server of a forge that lags shows the head of a moment ago: that takes nothing
// back. A branch that stays there was moved, and is followed without another word.
func TestALaggingForgeTakesNothingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		git := &modelGit{commits: map[string]modelCommit{}}
		git.commit(files{"profiles/a.yaml": doc("a", "x: 1")})
		older := git.head
		store := newFakeStore()
		r, err := reconciler.New(reconciler.Options{
			Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles", PollInterval: time.Hour}, Git: git, Store: store,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		look := func(head string) { // as a webhook has it
			synctest.Wait()
			git.head = head
			r.Wake()
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		rewritten := func() bool {
			return slices.ContainsFunc(store.data.facts, func(f rollout.Fact) bool { return f.Type == reconciler.FactSourceRewritten })
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		git.commit(files{"profiles/a.yaml": doc("a", "x: 2")})
		newer := git.head
		look(newer)
		if got := store.data.heads["configs"]; got != newer {
			t.Fatalf("synced to %s, want %s", got, newer)
		}

		for range 10 { // it lags again and again, and is never long at it
			look(older)
			look(newer)
		}
		if rewritten() || store.data.heads["configs"] != newer {
			t.Errorf("a head that was seen for two seconds took the source back to %s", store.data.heads["configs"])
		}

		look(older)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if !rewritten() || store.data.heads["configs"] != older {
			t.Errorf("the branch was moved back 11 s ago, and the source is at %s", store.data.heads["configs"])
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
