package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// manyNew are profiles with a first version and its deployment each.
func manyNew(n int) (records []profile.Record, versions []profile.Version, decisions []rollout.Decision) {
	for i := range n {
		name := fmt.Sprintf("many-%04d.staging", i)
		r := profile.Record{Name: name, Service: name, Environment: profile.Staging, ServiceType: profile.Microservice,
			Strategy: profile.DefaultStrategy(profile.Rolling), Health: profile.DefaultHealth(profile.Staging),
			Origin: profile.OriginGit, Source: "configs", Path: name + ".yaml", DesiredVersion: "1.0.0"}
		data := profile.Data{"n": fmt.Sprint(i)}
		v := profile.Version{Profile: name, Number: "1.0.0", Data: data, Hash: profile.Hash(data), ValidatedAt: time.Unix(1, 0), Source: "configs", Commit: commit}
		d := rollout.Deployment{ID: uuid.NewString(), Profile: name, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending,
			Selector: fleet.Selector{Service: name, Environment: profile.Staging}, Strategy: r.Strategy, Health: r.Health, Source: "configs", Commit: commit}
		status, _ := rollout.StatusOf(d)
		records, versions = append(records, r), append(versions, v)
		decisions = append(decisions, rollout.Decision{Next: d, Changed: true, Status: []rollout.Status{status},
			Facts: []rollout.Fact{{Type: rollout.FactCreated, EntityType: "deployment", EntityID: d.ID, Actor: rollout.Daemon}}})
	}
	return records, versions, decisions
}

// Many profiles at once take several statements, the last of them a short one; what
// is stored is what one at a time stores.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const n = 99 // of more, no forge is told by themselves
		ctx := t.Context()
		records, versions, decisions := manyNew(n)
		w.must(w.tx(func(tx *store.Tx) error {
			return errors.Join(tx.PutProfiles(ctx, records), tx.InsertVersions(ctx, versions), tx.CreateDeployments(ctx, decisions))
		}))
		for _, i := range []int{0, 31, 32, 64, 97, n - 1} {
			name := records[i].Name
			r, err := w.Profile(ctx, name)
			w.must(err)
			v, err := w.Version(ctx, name, "1.0.0")
			w.must(err)
			d, err := w.ActiveDeployment(ctx, name)
			w.must(err)
			if r.VersionCount != 1 || r.DeploymentCount != 1 || r.Path != records[i].Path || v.Data["n"] != fmt.Sprint(i) || d.ID != decisions[i].Next.ID {
				t.Errorf("%s is stored as %+v, %v, %s", name, r, v.Data, d.ID)
			}
		}
		statuses, err := w.CommitStatuses(ctx, commit)
		w.must(err)
		if len(statuses) != n+1 || statuses[0].Context != rollout.AggregateContext || statuses[n].Revision != 1 {
			t.Errorf("the commit has %d statuses, the first one %s", len(statuses), statuses[0].Context)
		}
		if jobs := w.rows("river_job"); jobs != n+1 {
			t.Errorf("%d jobs post %d statuses", jobs, n+1)
		}
		if _, broken, err := w.VerifyAudit(ctx); broken != nil || err != nil {
			t.Errorf("the audit log: %v, %v", broken, err)
		}

		// The next deployments of some supersede those.
		_, _, next := manyNew(70)
		w.must(w.tx(func(tx *store.Tx) error { return tx.CreateDeployments(ctx, next) }))
		before, err := w.Deployment(ctx, decisions[69].Next.ID)
		w.must(err)
		if r, err := w.Profile(ctx, records[69].Name); err != nil || r.DeploymentCount != 2 || before.State != rollout.Superseded {
			t.Errorf("the one before is %s, and the profile has had %d (%v)", before.State, r.DeploymentCount, err)
		}
	})
}

// What many rows say in common goes in once for those of a statement, and each row has it;
// what only some of them say is only theirs.
func TestManyRowsThatSayTheSame(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const n = 99 // of more, no forge is told by themselves
		ctx := t.Context()
		records, versions, _ := manyNew(n)
		for i := range n {
			records[i].Description = []string{"the same in a statement", "not in the next", ""}[min(i/40, 2)]
			records[i].Retired = i == n-1
			records[i].Health.AutoRollback = i%2 == 0
			versions[i].Message = records[i].Description
			versions[i].PullRequest = i / 40
			if i%3 > 0 {
				versions[i].ValidatedAt = time.Time{}
			}
		}
		w.must(w.tx(func(tx *store.Tx) error {
			return errors.Join(tx.PutProfiles(ctx, records), tx.InsertVersions(ctx, versions))
		}))
		for i, want := range records {
			r, err := w.Profile(ctx, want.Name)
			w.must(err)
			if r.Description != want.Description || r.Retired != want.Retired || r.Health.AutoRollback != want.Health.AutoRollback || r.Service != want.Service {
				t.Errorf("%s is stored as %+v", want.Name, r)
			}
			v, err := w.Version(ctx, want.Name, "1.0.0")
			w.must(err)
			if v.Message != versions[i].Message || v.PullRequest != i/40 || !v.ValidatedAt.Equal(versions[i].ValidatedAt) || v.Hash != versions[i].Hash {
				t.Errorf("the version of %s is stored as %+v", want.Name, v)
			}
		}
	})
}

// One that may not be stored is named, and nothing of the others is stored.
func TestOneOfManyIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		records, versions, decisions := manyNew(100)
		foreign := records[77]
		foreign.Source = "other"
		w.must(w.PutProfile(ctx, foreign))
		err := w.tx(func(tx *store.Tx) error { return tx.PutProfiles(ctx, records) })
		if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), foreign.Name) {
			t.Errorf("a profile of another source gave %v", err)
		}
		if _, err := w.Profile(ctx, records[0].Name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the first one is there all the same: %v", err)
		}
		records, versions, decisions = records[:70], versions[:70], decisions[:70]
		w.must(w.tx(func(tx *store.Tx) error {
			return errors.Join(tx.PutProfiles(ctx, records), tx.InsertVersions(ctx, versions))
		}))

		wrong := versions[69]
		wrong.Hash = "0"
		if err := w.tx(func(tx *store.Tx) error { return tx.InsertVersions(ctx, []profile.Version{wrong, wrong}) }); !errors.Is(err, store.ErrHashMismatch) {
			t.Errorf("a wrong hash gave %v", err)
		}
		if err := w.tx(func(tx *store.Tx) error { return tx.InsertVersions(ctx, versions) }); !errors.Is(err, store.ErrExists) {
			t.Errorf("versions that are there gave %v", err)
		}
		w.must(w.raw(`INSERT INTO config_holds (config_name, pinned_version, refused_version, refused_hash, reason, actor, created_at)
			VALUES ($1, '0.9.0', '1.0.0', $2, 'it was sick', 'gate', `+w.either("1", "now()")+`)`, records[42].Name, versions[42].Hash))
		err = w.tx(func(tx *store.Tx) error { return tx.CreateDeployments(ctx, decisions) })
		if !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), records[42].Name) {
			t.Errorf("content that a hold refuses gave %v", err)
		}
		decisions[42].Release = "a person said so"
		w.must(w.tx(func(tx *store.Tx) error { return tx.CreateDeployments(ctx, decisions) }))
		if _, held, err := w.ActiveHold(ctx, records[42].Name); held || err != nil {
			t.Errorf("the hold is in force: %t, %v", held, err)
		}
	})
}

// The last of several words about one context of one commit stands, and one job posts it.
func TestTheLastStatusOfATransactionStands(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		status := rollout.Status{Source: "configs", Commit: commit, Context: "sluice/a", State: rollout.StatusPending, Description: "waits"}
		done := status
		done.State, done.Description = rollout.StatusSuccess, "done"
		set := func(all ...rollout.Status) {
			w.must(w.tx(func(tx *store.Tx) error {
				for _, s := range all {
					w.must(tx.SetStatus(ctx, s))
				}
				return nil
			}))
		}
		set(status, done, status, done)
		set(status, done) // which it is already
		statuses, err := w.CommitStatuses(ctx, commit)
		w.must(err)
		if len(statuses) != 2 || statuses[1].State != rollout.StatusSuccess || statuses[1].Revision != 1 {
			t.Errorf("the statuses are %+v", statuses)
		}
		if jobs := w.rows("river_job"); jobs != 2 {
			t.Errorf("%d jobs for a status and its aggregate", jobs)
		}
	})
}
