package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// several makes profiles with a deployment each, claims them, and decides that
// every deployment ends.
func (w *world) several(n int) (steps []rollout.Step) {
	w.t.Helper()
	for i := range n {
		name := fmt.Sprintf("several-%d.production", i)
		w.putProfile(name)
		v := w.version("1.0.0", "100ms")
		v.Profile = name
		w.must(w.InsertVersion(w.t.Context(), v))
		d := w.deployment("1.0.0")
		d.Profile, d.Hash, d.Source, d.Commit = name, v.Hash, "configs", commit
		w.must(w.Create(w.t.Context(), rollout.Decision{Next: d, Changed: true}))
	}
	for _, claim := range w.claim("many") {
		d := w.read(claim.DeploymentID)
		d.State, d.FinishedAt = rollout.Completed, w.clock()
		status, _ := rollout.StatusOf(d)
		steps = append(steps, rollout.Step{Claim: claim, Decision: rollout.Decision{
			Next: d, Changed: true, Current: d.Version, Status: []rollout.Status{status},
			Facts: []rollout.Fact{{Type: rollout.FactCompleted, EntityType: "deployment", EntityID: d.ID, Actor: rollout.Daemon}},
		}})
	}
	if len(steps) != n {
		w.t.Fatalf("%d of %d are due", len(steps), n)
	}
	return steps
}

// One that is stale and one that cannot be stored are in nobody's way, and each
// hears of itself alone.
func TestStepsTogetherEndEachByItself(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-0")
		steps := w.several(4)
		steps[1].Claim.Epoch--
		steps[2].Decision.Assign = []rollout.Assign{{InstanceID: "i-0", Version: "9.9.9", Hash: "none"}}
		errs := w.Steps(t.Context(), steps)
		if errs[0] != nil || !errors.Is(errs[1], rollout.ErrStale) || !errors.Is(errs[2], store.ErrHashMismatch) || errs[3] != nil {
			t.Fatalf("got %v", errs)
		}
		for i, want := range []rollout.State{rollout.Completed, rollout.Pending, rollout.Pending, rollout.Completed} {
			if d := w.read(steps[i].Claim.DeploymentID); d.State != want {
				t.Errorf("deployment %d is %s, want %s", i, d.State, want)
			}
		}
		w.verified()
	})
}

// The statuses of many deployments of one commit and its aggregate are right
// after a transaction that ends several, and only once in the outbox.
func TestStepsTogetherTellTheirCommitOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		steps := w.several(5)
		w.must(errors.Join(w.Steps(t.Context(), steps[:4])...))
		list, err := w.CommitStatuses(t.Context(), commit)
		w.must(err)
		if len(list) != 5 || list[0].Context != rollout.AggregateContext || list[0].Description != "all 4 profiles are done" || list[0].Revision != 1 {
			t.Fatalf("got %+v", list)
		}
		steps[4].Decision.Status[0].State, steps[4].Decision.Status[0].Description = rollout.StatusFailure, "it hurt"
		w.must(errors.Join(w.Steps(t.Context(), steps[4:])...))
		if list, err = w.CommitStatuses(t.Context(), commit); err != nil || list[0].Description != "1 of 5 profiles: it hurt" || list[0].State != rollout.StatusFailure {
			t.Fatalf("got %+v, %v", list[0], err)
		}
		w.must(w.raw(`UPDATE commit_statuses SET tally = ''`)) // not counted, as after some were removed
		w.must(w.tx(func(tx *store.Tx) error {
			return tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: commit, Context: list[5].Context, State: rollout.StatusPending, Description: "again"})
		}))
		if list, err = w.CommitStatuses(t.Context(), commit); err != nil || list[0].Description != "4 of 5 profiles are done" && list[0].State != rollout.StatusFailure {
			t.Fatalf("got %+v, %v", list[0], err)
		}
	})
}

// Who has a deployment's profile locked delays that one, and nobody waits for
// him while holding what he wants next.
func TestStepsTogetherDoNotWaitForALockedProfile(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		if w.sqlite() {
			return // one writer: nothing is locked
		}
		steps := w.several(3)
		other := w.connect()
		defer func() { w.must(other.Close()) }()
		held, err := other.BeginTx(t.Context(), &sql.TxOptions{})
		w.must(err)
		_, err = held.ExecContext(t.Context(), fmt.Sprintf(`SELECT 1 FROM config_profiles WHERE name = '%s' FOR UPDATE`, steps[0].Decision.Next.Profile))
		w.must(err)
		done := make(chan []error, 1)
		go func() { done <- w.Steps(t.Context(), steps) }()
		w.until("the others to be stored", func() bool { return w.read(steps[2].Claim.DeploymentID).State == rollout.Completed })
		if _, err := held.ExecContext(t.Context(), fmt.Sprintf(`SELECT 1 FROM config_profiles WHERE name = '%s' FOR UPDATE`, steps[2].Decision.Next.Profile)); err != nil {
			t.Errorf("the profile of one that is stored is still locked: %v", err)
		}
		w.must(held.Commit())
		select {
		case errs := <-done:
			w.must(errors.Join(errs...))
		case <-time.After(10 * time.Second):
			t.Fatal("the one that was locked is not stored")
		}
		w.verified()
	})
}

// verified holds when the audit chain does.
func (w *world) verified() {
	w.t.Helper()
	if n, broken, err := w.VerifyAudit(w.t.Context()); err != nil || broken != nil || n == 0 {
		w.t.Errorf("%d events hold, broken %+v, %v", n, broken, err)
	}
}
