package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// Whoever kept the last generations sees which profile changed, and finds the
// instances that it concerns and no others.
func TestWhoseAssignmentsChanged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.putProfile("other.production")
		w.register("i-1")
		w.register("i-2")
		before, err := w.Generations(t.Context())
		w.must(err)
		d := w.deployment("1.1.0")
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true,
			Assign: []rollout.Assign{{InstanceID: "i-2", Version: d.Version, Hash: d.Hash}}}))
		after, err := w.Generations(t.Context())
		w.must(err)
		if after[payments] <= before[payments] || after["other.production"] != before["other.production"] || len(after) != 2 {
			t.Errorf("generations went from %v to %v", before, after)
		}
		for _, c := range []struct {
			profiles, want []string
		}{
			{[]string{payments}, []string{"i-2"}}, {[]string{"other.production"}, nil}, {nil, nil}, {[]string{"other.production", payments, "no-such"}, []string{"i-2"}},
		} {
			got, err := w.InstancesOf(t.Context(), c.profiles...)
			w.must(err)
			if !slices.Equal(got, c.want) {
				t.Errorf("instances of %v: %v, want %v", c.profiles, got, c.want)
			}
		}
	})
}

// Propagation counts from when the commit was seen or, without one, from the
// deployment that brought the version, and only
// once the instance runs it.
func TestPropagation(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		propagation := func() (time.Duration, bool) {
			took, ok, err := w.Propagation(t.Context(), "i-1", payments)
			w.must(err)
			return took, ok
		}
		if _, ok := propagation(); ok {
			t.Error("measured before anything was assigned")
		}
		d := w.deployment("1.1.0")
		d.ID, d.CreatedAt = uuid.NewString(), w.clock()
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true,
			Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}}))
		w.advance(7 * time.Second)
		if _, ok := propagation(); ok {
			t.Error("measured before it was applied")
		}
		a, err := w.AssignmentsOf(t.Context(), "i-1")
		w.must(err)
		_, _, err = w.Acknowledge(t.Context(), fleet.Ack{InstanceID: "i-1", Profile: payments, Version: d.Version, Hash: d.Hash, Generation: a[0].Generation, OK: true})
		w.must(err)
		if took, ok := propagation(); !ok || took != 7*time.Second {
			t.Errorf("took %s, %t", took, ok)
		}
		w.must(w.InsertVersion(t.Context(), w.version("1.2.0", "3s")))
		d = w.deployment("1.2.0")
		d.ID, d.CreatedAt, d.SeenAt = uuid.NewString(), w.clock(), w.clock().Add(-3*time.Second)
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true,
			Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}}))
		w.advance(time.Second)
		a, err = w.AssignmentsOf(t.Context(), "i-1")
		w.must(err)
		_, _, err = w.Acknowledge(t.Context(), fleet.Ack{InstanceID: "i-1", Profile: payments, Version: d.Version, Hash: d.Hash, Generation: a[0].Generation, OK: true})
		w.must(err)
		if took, ok := propagation(); !ok || took != 4*time.Second {
			t.Errorf("took %s since the commit was seen, %t", took, ok)
		}
	})
}
