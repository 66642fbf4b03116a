package store_test

import (
	"slices"
	"testing"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// target changes the profile's targets.
func (w *world) target(labels map[string]string) {
	w.t.Helper()
	r, err := w.Profile(w.t.Context(), payments)
	w.must(err)
	r.Targets, r.Retired = profile.Targets{Labels: labels}, false
	w.must(w.PutProfile(w.t.Context(), r))
}

// givesStable gives stable versions and fails unless it is of so many profiles.
func (w *world) givesStable(n int) {
	w.t.Helper()
	names, err := w.GiveStable(w.t.Context())
	if len(names) != n || err != nil {
		w.t.Errorf("given of %v, %v, want of %d", names, err, n)
	}
}

// desired are the versions that the instances should run, "" for none.
func (w *world) desired(ids ...string) (versions []string) {
	w.t.Helper()
	for _, id := range ids {
		assignments, err := w.AssignmentsOf(w.t.Context(), id)
		w.must(err)
		version := ""
		if len(assignments) > 0 {
			version = assignments[0].Version
		}
		versions = append(versions, version)
	}
	return versions
}

func (w *world) wantDesired(ids, want []string) {
	w.t.Helper()
	if got := w.desired(ids...); !slices.Equal(got, want) {
		w.t.Errorf("%v should run %q, want %q", ids, got, want)
	}
}

// An instance that becomes a target when the profile's targets change has registered
// long ago: it gets the stable version all the same.
func TestWhoBecomesATargetGetsTheStableVersion(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 1)
		w.target(map[string]string{"region": "eu"})
		w.register("i-9")
		w.givesStable(0)
		w.wantDesired([]string{"i-0", "i-9"}, []string{"1.0.0", ""})
		before := w.assignment("i-0")
		w.target(nil)
		w.givesStable(1)
		w.wantDesired([]string{"i-0", "i-9"}, []string{"1.0.0", "1.0.0"})
		if after := w.assignment("i-0"); after != before {
			t.Errorf("who had it has %+v, had %+v", after, before)
		}
		w.givesStable(0)
		if events, _, err := w.Audit(t.Context(), store.AuditFilter{EventType: store.FactStableGiven}); err != nil || len(events) != 1 || events[0].Fact.Details["instances"] != float64(1) {
			t.Errorf("the audit log says %+v, %v", events, err)
		}
	})
}

// A deployment keeps the targets that it began with: who became one meanwhile gets what
// it brought when it has ended, and nobody whom a deployment went to is touched.
func TestWhoBecomesATargetDuringADeploymentFollowsIt(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 1)
		w.target(map[string]string{"region": "eu"})
		w.register("i-9")
		w.target(nil)
		w.givesStable(1)
		d := w.create("1.1.0") // over the targets as they were
		w.assign("i-0", "1.1.0")
		w.givesStable(0)
		w.wantDesired([]string{"i-0", "i-9"}, []string{"1.1.0", "1.0.0"})
		d = w.read(d.ID)
		d.State, d.FinishedAt = rollout.Failed, w.clock()
		w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true}))
		w.givesStable(0) // it stays where people stopped it
		w.wantDesired([]string{"i-0", "i-9"}, []string{"1.1.0", "1.0.0"})
		w.finish("1.1.0", 1)
		w.givesStable(1)
		w.wantDesired([]string{"i-0", "i-9"}, []string{"1.1.0", "1.1.0"})
	})
}

// What is stable on the service's instances of one environment has proved nothing in another.
func TestWhatIsStableElsewhereIsGivenToNobody(t *testing.T) {
	t.Parallel()
	for what, move := range map[string]func(r *profile.Record){
		"another environment": func(r *profile.Record) { r.Environment = profile.Staging },
		"another service":     func(r *profile.Record) { r.Service = "orders" },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.finish("1.0.0", 1)
				r, err := w.Profile(t.Context(), payments)
				w.must(err)
				move(&r)
				w.must(w.RegisterInstance(t.Context(), fleet.Instance{ID: "i-9", Service: r.Service, Environment: r.Environment, Hostname: "i-9"}, []byte("i-9")))
				w.must(w.PutProfile(t.Context(), r))
				w.givesStable(0)
				w.wantDesired([]string{"i-9"}, []string{""})
			})
		})
	}
}

// Who registered while the profile was retired gets its version when it is back.
func TestWhoRegisteredForARetiredProfileGetsItLater(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 1)
		w.must(w.tx(func(tx *store.Tx) error { return tx.RetireProfile(t.Context(), payments) }))
		w.register("i-9")
		w.givesStable(0)
		w.wantDesired([]string{"i-9"}, []string{""})
		w.target(nil)
		w.givesStable(1)
		w.wantDesired([]string{"i-9"}, []string{"1.0.0"})
	})
}
