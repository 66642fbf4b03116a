package store_test

import (
	"errors"
	"testing"

	"github.com/sluicehq/sluice/profile"
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
