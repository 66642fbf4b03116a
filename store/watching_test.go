package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
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
			name string
			seen map[string]int64
			want []string // instances
			now  map[string]int64
		}{
			{"its own", map[string]int64{payments: before[payments]}, []string{"i-2"}, map[string]int64{payments: after[payments]}},
			{"seen already", map[string]int64{payments: after[payments]}, nil, map[string]int64{payments: after[payments]}},
			{"another's", map[string]int64{"other.production": 0}, nil, map[string]int64{"other.production": 0}},
			{"nobody's", nil, nil, nil},
			{"one that is not there", map[string]int64{"no-such": 0, payments: 0}, []string{"i-2"}, map[string]int64{payments: after[payments]}},
		} {
			since, now, err := w.GivenSince(t.Context(), c.seen, 1<<10)
			w.must(err)
			var got []string
			for _, one := range since {
				got = append(got, one.Instances...)
				if one.Profile != payments || one.Version != "1.1.0" || one.Hash != d.Hash || one.Generation != after[payments] || one.DeploymentID != d.ID {
					t.Errorf("%s: given was %+v", c.name, one)
				}
			}
			if !slices.Equal(got, c.want) || !maps.Equal(now, c.now) {
				t.Errorf("%s: %v at %v, want %v at %v", c.name, got, now, c.want, c.now)
			}
		}
		ids, err := w.InstanceIDs(t.Context())
		w.must(err)
		if len(ids) != 2 || !ids["i-1"] || !ids["i-2"] {
			t.Errorf("registered are %v", ids)
		}
	})
}

// What a fleet was given together is one row, by version.
func TestGivenTogether(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.deployment("1.1.0")
		old, err := w.Version(t.Context(), payments, "1.0.0")
		w.must(err)
		var assigns []rollout.Assign
		for i := range 20 {
			id := fmt.Sprintf("i-%02d", i)
			w.register(id)
			one := rollout.Assign{InstanceID: id, Version: d.Version, Hash: d.Hash}
			if i%4 == 0 {
				one.Version, one.Hash = old.Number, old.Hash
			}
			assigns = append(assigns, one)
		}
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true, Assign: assigns}))
		since, _, err := w.GivenSince(t.Context(), map[string]int64{payments: 0}, 1<<10)
		w.must(err)
		got := map[string]int{}
		for _, one := range since {
			got[one.Version] += len(one.Instances)
		}
		if len(since) != 2 || got["1.1.0"] != 15 || got["1.0.0"] != 5 {
			t.Errorf("%d rows of %v", len(since), got)
		}
	})
}

// Small data comes along with what was given, and of many profiles no more than of one.
func TestSmallDataComesAlong(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		d := w.deployment("1.1.0")
		v, err := w.Version(t.Context(), payments, d.Version)
		w.must(err)
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true,
			Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}}))
		data := profile.Canonical(v.Data)
		for _, c := range []struct {
			name  string
			seen  map[string]int64
			bytes int
			want  string
		}{
			{"as much as is asked for", map[string]int64{payments: 0}, len(data), string(data)},
			{"more than is asked for", map[string]int64{payments: 0}, len(data) - 1, ""},
			{"more than its part", map[string]int64{payments: 0, "other.production": 0}, 2*len(data) - 1, ""},
		} {
			since, _, err := w.GivenSince(t.Context(), c.seen, c.bytes)
			w.must(err)
			if len(since) != 1 || string(since[0].Data) != c.want {
				t.Errorf("%s: given was %+v, want the data %s", c.name, since, c.want)
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
