package store_test

import (
	"errors"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A first sync is stored in parts: each counts from where the one before it left, and no
// commit of the source is a success before the last.
func TestAFirstSyncIsStoredInParts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		part := func(before int, commit string, states map[string]rollout.StatusState) error {
			return w.tx(func(tx *store.Tx) error {
				for name, state := range states {
					if err := tx.SetStatus(ctx, rollout.Status{Source: "configs", Commit: commit, Context: rollout.Context(name), State: state, Description: "it is so"}); err != nil {
						return err
					}
				}
				return tx.StorePart(ctx, "configs", before)
			})
		}
		aggregate := func(commit string) store.CommitStatus {
			statuses, err := w.CommitStatuses(ctx, commit)
			w.must(err)
			return statuses[0]
		}
		expect := func(commit string, state rollout.StatusState, description string, revision int64) {
			t.Helper()
			if a := aggregate(commit); a.Context != rollout.AggregateContext || a.State != state || a.Description != description || a.Revision != revision {
				t.Errorf("the aggregate of %s is %+v, want %s: %s", commit, a, state, description)
			}
		}
		const storing = "its profiles are still being stored"
		w.must(part(0, "aaaa", map[string]rollout.StatusState{"a": rollout.StatusSuccess, "b": rollout.StatusSuccess}))
		expect("aaaa", rollout.StatusPending, storing, 1)
		if err := part(0, "aaaa", map[string]rollout.StatusState{"z": rollout.StatusSuccess}); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("a part that another replica stored was stored again: %v", err)
		}
		w.must(part(1, "aaaa", map[string]rollout.StatusState{"c": rollout.StatusPending}))
		expect("aaaa", rollout.StatusPending, storing, 1)
		w.must(part(2, "aaaa", map[string]rollout.StatusState{"c": rollout.StatusFailure}))
		expect("aaaa", rollout.StatusFailure, "1 of 3 profiles: it is so", 2)
		w.must(part(3, "aaaa", map[string]rollout.StatusState{"c": rollout.StatusSuccess}))
		expect("aaaa", rollout.StatusPending, storing, 3)
		w.must(part(4, "bbbb", map[string]rollout.StatusState{"d": rollout.StatusPending, "e": rollout.StatusSuccess})) // the pass died, and the branch moved on
		if parts, err := w.SourceParts(ctx, "configs"); err != nil || parts != 5 {
			t.Errorf("%d parts are stored, %v; want 5", parts, err)
		}
		w.must(w.tx(func(tx *store.Tx) error { return tx.MoveHead(ctx, "configs", "", "bbbb", "") }))
		expect("aaaa", rollout.StatusSuccess, "all 3 profiles are done", 4)
		expect("bbbb", rollout.StatusPending, "1 of 2 profiles are done", 2)
		if parts, err := w.SourceParts(ctx, "configs"); err != nil || parts != 0 {
			t.Errorf("%d parts are left, %v; want none", parts, err)
		}
		if err := part(0, "bbbb", nil); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("a part was stored after the end: %v", err)
		}
	})
}

// A version may come as text. What it holds counts as if it came as data.
func TestAVersionThatComesAsText(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		insert := func(number string, data profile.Data) error {
			v := w.version(number, "1s")
			v.Data, v.Text, v.Hash = nil, profile.Canonical(data), profile.Hash(data)
			return w.InsertVersion(t.Context(), v)
		}
		data := profile.Data{"timeout": "3s", "hosts": []any{"a", "ü\n"}}
		w.must(insert("2.0.0", data))
		v, err := w.Version(t.Context(), payments, "2.0.0")
		if err != nil || profile.Hash(v.Data) != profile.Hash(data) || v.SizeBytes != len(profile.Canonical(data)) {
			t.Errorf("it is read as %+v, %v", v, err)
		}
		sealed := profile.Data{"password": map[string]any{profile.SealedKey: "nobody-sealed-this"}}
		if err := insert("2.1.0", sealed); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a sealed value that is not there was taken: %v", err)
		}
	})
}
