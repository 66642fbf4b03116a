package store_test

import (
	"errors"
	"testing"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// After a revert, which brings the content of the version before under another number, a
// rollback goes further back: to a version that cannot be removed.
func TestTheWayBackOfARevertStays(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 1)
		w.finish("1.1.0", 1)
		reverted, err := w.Version(t.Context(), payments, "1.1.0")
		w.must(err)
		revert := reverted
		revert.Number = "1.1.1"
		w.must(w.InsertVersion(t.Context(), revert))
		w.finish("1.1.1", 1)
		_, inUse := errors.AsType[*store.InUseError](w.RemoveVersion(t.Context(), payments, "1.0.0", store.By{Actor: "ada"},
			func(store.Kept, profile.Version) error { return nil }))
		if !inUse || !w.has("1.0.0") {
			t.Error("the version that a rollback would go to was removed")
		}
	})
}

// A commit narrows the targets in the middle of a canary, or the profile is rolled back after
// that: whom the canary had reached and who is no target any more goes home with its end.
func TestWhoIsNoTargetAnyMoreIsNotLeftOnACanary(t *testing.T) {
	t.Parallel()
	for _, kind := range []rollout.Kind{rollout.Forward, rollout.Rollback} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.finish("1.0.0", 0)
				for _, region := range []string{"us", "eu", "eu-late"} {
					w.must(w.RegisterInstance(t.Context(), fleet.Instance{
						ID: region, Service: "payment-service", Environment: profile.Production, Hostname: region, Labels: map[string]string{"region": region},
					}, []byte(region)))
				}
				stable := w.deployment("1.0.0")
				canary := w.deployment("1.1.0")
				canary.Previous, canary.PreviousHash = stable.Version, stable.Hash
				w.must(w.Create(t.Context(), rollout.Decision{Next: canary, Changed: true}))
				w.assign("us", "1.1.0")
				w.assign("eu", "1.1.0")
				before := w.assignment("eu-late")
				next := w.deployment("1.0.0")
				next.Kind, next.Selector.Labels = kind, map[string]string{"region": "us"}
				w.must(w.Create(t.Context(), rollout.Decision{Next: next, Changed: true}))
				w.wantDesired([]string{"us", "eu", "eu-late"}, []string{"1.1.0", "1.0.0", "1.0.0"}) // the first is the successor's
				if after := w.assignment("eu-late"); after != before {
					t.Errorf("who was not reached has %+v, had %+v", after, before)
				}
				if d := w.read(canary.ID); d.State != rollout.Superseded {
					t.Errorf("the canary is %s", d.State)
				}
			})
		})
	}
}
