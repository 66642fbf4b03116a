package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A profile stands where its last completed version is, and nowhere before the first and when it is
// retired. When that becomes another, the profile was written later.
func TestStandings(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.putProfile("other.production")
		if _, err := w.StandingOf(t.Context(), payments); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("before the first version completed: %v", err)
		}
		before, err := w.ProfilesChangedAt(t.Context())
		w.must(err)
		w.advance(time.Millisecond)
		d := w.deployment("1.1.0")
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true, Current: d.Version}))
		got, err := w.StandingOf(t.Context(), payments)
		w.must(err)
		if got.Version != "1.1.0" || got.Hash != d.Hash || got.Service == "" || got.Environment != profile.Production || !got.ChangedAt.After(before) {
			t.Errorf("the stable version is %+v", got)
		}
		last, err := w.ProfilesChangedAt(t.Context())
		w.must(err)
		if !last.Equal(got.ChangedAt) {
			t.Errorf("written last at %s, not %s", last, got.ChangedAt)
		}
		for _, c := range []struct {
			scope       profile.Scope
			service     string
			environment profile.Environment
			want        int
		}{
			{want: 1},
			{service: got.Service, environment: profile.Production, want: 1},
			{service: got.Service, environment: profile.Staging},
			{service: "nobody"},
			{scope: profile.Scope{Profiles: []string{"other.*"}}},
		} {
			all, err := w.StandingsWithin(t.Context(), c.scope, c.service, c.environment)
			w.must(err)
			if len(all) != c.want {
				t.Errorf("%+v: %+v", c, all)
			}
		}
		standings, err := w.Standings(t.Context())
		w.must(err)
		if len(standings) != 2 || standings[0].Profile != "other.production" || standings[0].Version != "" || standings[1].Version != "1.1.0" {
			t.Errorf("standings %+v", standings)
		}
		w.must(w.InTx(t.Context(), func(tx *store.Tx) error { return tx.RetireProfile(t.Context(), payments) }))
		if _, err := w.StandingOf(t.Context(), payments); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("retired: %v", err)
		}
		if _, err := w.StandingOf(t.Context(), uuid.NewString()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no profile: %v", err)
		}
	})
}
