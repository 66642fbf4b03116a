package store_test

import (
	"reflect"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Stable is what completed last: no version before its first completion, not the one that is
// under way, and the retired profile's is told as such.
func TestStableVersions(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		stable := func(want ...profile.Stable) {
			t.Helper()
			got, err := w.StableVersions(t.Context())
			w.must(err)
			if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("stable are %+v, want %+v", got, want)
			}
		}
		w.putProfile("another.production") // without any version
		stable()
		d := w.create("1.0.0")
		stable()
		d.State, d.FinishedAt = rollout.Completed, w.clock()
		w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Current: "1.0.0"}))
		first := profile.Stable{Profile: payments, Service: "payment-service", Environment: profile.Production, Version: "1.0.0", Hash: d.Hash}
		stable(first)
		w.create("1.1.0")
		stable(first)
		w.must(w.raw(`UPDATE config_profiles SET target_labels = '{"region":"eu"}', retired = true WHERE name = '` + payments + `'`))
		first.Targets.Labels, first.Retired = map[string]string{"region": "eu"}, true
		stable(first)
		w.must(w.raw(`UPDATE config_profiles SET target_labels = '["region"]' WHERE name = '` + payments + `'`))
		stable() // whom it is for cannot be read: nobody is told
	})
}
