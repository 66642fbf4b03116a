package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const day = 24 * time.Hour

// short is a policy under which histories of a few months lose much.
var short = store.Retention{Versions: 4, Age: 20 * day, AuditAge: 45 * day}

// annals is a world in which a profile has a long history.
type annals struct {
	*world
	rand      *rand.Rand
	minor     int
	instances []string
}

// everything is what there is of the profile, as anybody can read it.
type everything struct {
	profile     profile.Record
	versions    []profile.Version
	deployments []rollout.Deployment
	assignments []fleet.Assignment
	holds       []rollout.Hold
	completed   []string
	proven      map[string]bool // by hash
}

func (a *annals) everything() (e everything) {
	a.t.Helper()
	ctx := a.t.Context()
	var err error
	e.profile, err = a.Profile(ctx, payments)
	a.must(err)
	e.versions, _, err = a.Versions(ctx, payments, store.VersionFilter{Limit: 1000})
	a.must(err)
	e.deployments, _, err = a.Deployments(ctx, store.DeploymentFilter{Profile: payments, Limit: 1000})
	a.must(err)
	e.assignments, err = a.AssignmentsOf(ctx, a.instances...)
	a.must(err)
	e.holds, err = a.Holds(ctx)
	a.must(err)
	e.completed = a.completions()
	e.proven = map[string]bool{}
	for _, v := range e.versions {
		e.proven[v.Hash], err = a.Proven(ctx, payments, v.Hash)
		a.must(err)
	}
	return e
}

func (w *world) completions() []string {
	w.t.Helper()
	completed, err := w.CompletedVersions(w.t.Context(), payments)
	w.must(err)
	numbers := make([]string, len(completed))
	for i, v := range completed {
		numbers[i] = v.Number
	}
	return numbers
}

// reasons says, of each version, why it must stay.
func (e everything) reasons(policy store.Retention, now time.Time) map[string]string {
	why := map[string]string{
		e.profile.CurrentVersion: "the profile is on it", e.profile.DesiredVersion: "the profile wants it",
	}
	for i, v := range e.versions {
		switch {
		case i < policy.Versions:
			why[v.Number] = "one of the newest"
		case v.CreatedAt.After(now.Add(-policy.Age)):
			why[v.Number] = "young"
		case slices.Contains(v.Tags, "stable"):
			why[v.Number] = "tagged stable"
		}
	}
	for _, asg := range e.assignments {
		why[asg.Version], why[asg.Applied] = "assigned", "applied"
	}
	for _, h := range e.holds {
		why[h.PinnedVersion], why[h.RefusedVersion] = "pinned", "refused"
	}
	for _, number := range e.completed[:min(5, len(e.completed))] {
		why[number] = "a rollback can go there"
	}
	for i, d := range e.deployments {
		if i == 0 || !d.State.Final() {
			why[d.Version], why[d.Previous] = "of the latest deployment", "before the latest deployment"
		}
	}
	return why
}

// retain removes what the policy does not keep, and checks that it was right to.
func (a *annals) retain(policy store.Retention) store.Retained {
	a.t.Helper()
	before := a.everything()
	removed, err := a.Retain(a.t.Context(), policy)
	a.must(err)
	after := a.everything()
	why := before.reasons(policy, a.clock())
	for _, v := range before.versions {
		stays := slices.ContainsFunc(after.versions, func(o profile.Version) bool { return o.Number == v.Number })
		if reason := why[v.Number]; reason != "" && !stays {
			a.t.Errorf("version %s was removed: %s", v.Number, reason)
		} else if reason == "" && stays && !slices.ContainsFunc(after.deployments, func(d rollout.Deployment) bool { return d.Version == v.Number }) {
			a.t.Errorf("version %s stayed without a reason", v.Number)
		}
		if stays && after.proven[v.Hash] != before.proven[v.Hash] {
			a.t.Errorf("whether the content of %s is proven was %t and is %t", v.Number, before.proven[v.Hash], after.proven[v.Hash])
		}
	}
	gone := len(before.versions) - len(after.versions)
	if removed["config_versions"] != gone || after.profile.VersionCount != len(after.versions) {
		a.t.Errorf("%d versions went, it says %d, and that there are %d of %d", gone, removed["config_versions"],
			after.profile.VersionCount, len(after.versions))
	}
	a.keptDeployments(policy, before, after)
	if n := min(5, len(before.completed)); !slices.Equal(before.completed[:n], after.completed[:min(n, len(after.completed))]) {
		a.t.Errorf("a rollback could go to %v and now to %v", before.completed[:n], after.completed)
	}
	a.auditHolds(policy)
	if again, err := a.Retain(a.t.Context(), policy); err != nil || again.Total() != 0 {
		a.t.Errorf("done at once again it removed %v, %v", again, err)
	}
	return removed
}

func (a *annals) keptDeployments(policy store.Retention, before, after everything) {
	a.t.Helper()
	if after.profile.DeploymentCount != len(after.deployments) {
		a.t.Errorf("the profile has %d deployments, not %d", len(after.deployments), after.profile.DeploymentCount)
	}
	assigned := map[string]bool{}
	for _, asg := range after.assignments {
		assigned[asg.DeploymentID] = true
	}
	for i, d := range before.deployments {
		stays := slices.ContainsFunc(after.deployments, func(o rollout.Deployment) bool { return o.ID == d.ID })
		must := i < policy.Versions || !d.State.Final() || d.FinishedAt.After(a.clock().Add(-policy.Age)) || assigned[d.ID]
		if must && !stays {
			a.t.Errorf("deployment %d, of %s, was removed in state %s, ended at %s", i, d.Version, d.State, d.FinishedAt)
		}
	}
}

// auditHolds checks the chain, and that it begins where the policy says.
func (a *annals) auditHolds(policy store.Retention) {
	a.t.Helper()
	n, broken, err := a.VerifyAudit(a.t.Context())
	if err != nil || broken != nil {
		a.t.Fatalf("the audit log does not hold after %d rows: %+v, %v", n, broken, err)
	}
	_, total, err := a.Audit(a.t.Context(), store.AuditFilter{})
	a.must(err)
	old, _, err := a.Audit(a.t.Context(), store.AuditFilter{Until: a.clock().Add(-policy.AuditAge)})
	a.must(err)
	if total != n || len(old) != 0 {
		a.t.Errorf("%d events, %d of them verified, %d that should be gone", total, n, len(old))
	}
}

// happen is one random thing in the life of a profile.
func (a *annals) happen() {
	a.t.Helper()
	switch a.rand.IntN(10) {
	case 0, 1, 2, 3:
		a.minor++
		v := a.version(fmt.Sprintf("2.%d.0", a.minor), fmt.Sprintf("%dms", a.rand.IntN(40))) // contents come back
		if a.rand.IntN(12) == 0 {
			v.Tags = []string{"stable", "x"}
		} else if a.rand.IntN(4) == 0 {
			v.Tags = []string{"unstable"}
		}
		a.must(a.InsertVersion(a.t.Context(), v))
		if a.rand.IntN(3) > 0 { // some are superseded before anything comes of them
			a.begin(v.Number, rollout.Forward)
		}
	case 4, 5, 6:
		a.end()
	case 7:
		if completed := a.completions(); len(completed) > 0 {
			a.begin(completed[a.rand.IntN(min(3, len(completed)))], rollout.Rollback)
			a.end()
		}
	case 8:
		id := fmt.Sprintf("i-%d", len(a.instances))
		if len(a.instances) < 6 {
			a.register(id)
			a.instances = append(a.instances, id)
		} else if err := a.ReleaseHold(a.t.Context(), payments, "ada", "enough"); !errors.Is(err, store.ErrNotFound) {
			a.must(err)
		}
	}
	a.advance(time.Duration(a.rand.IntN(60)) * time.Hour)
}

// begin deploys a version, at first to some of the instances.
func (a *annals) begin(number string, kind rollout.Kind) {
	a.t.Helper()
	r, err := a.Profile(a.t.Context(), payments)
	a.must(err)
	d := a.deployment(number)
	d.Kind, d.Previous, d.State = kind, r.CurrentVersion, rollout.InProgress
	if completed := a.completions(); len(completed) > 5 && a.rand.IntN(4) == 0 {
		d.Previous = completed[5] // it may be any
	}
	dec := rollout.Decision{Next: d, Changed: true, Facts: []rollout.Fact{{Type: rollout.FactCreated, EntityType: "deployment", EntityID: d.ID}},
		Checks: []rollout.Check{{DeploymentID: d.ID, At: a.clock()}}}
	for _, id := range a.instances {
		if a.rand.IntN(2) == 0 {
			dec.Assign = append(dec.Assign, rollout.Assign{InstanceID: id, Version: d.Version, Hash: d.Hash})
		}
	}
	if err := a.Create(a.t.Context(), dec); !errors.Is(err, store.ErrRefused) {
		a.must(err)
	}
	for _, one := range dec.Assign {
		if a.rand.IntN(3) > 0 {
			_, _, err := a.Acknowledge(a.t.Context(), fleet.Ack{InstanceID: one.InstanceID, Profile: payments, Version: one.Version,
				Hash: one.Hash, Generation: 1 << 40, OK: true})
			a.must(err)
		}
	}
}

// end brings the active deployment to one of its ends.
func (a *annals) end() {
	a.t.Helper()
	d, err := a.ActiveDeployment(a.t.Context(), payments)
	if errors.Is(err, rollout.ErrNotFound) {
		return
	}
	a.must(err)
	n := a.rand.IntN(6)
	completes := n < 3 || d.Kind == rollout.Rollback
	targets := a.instances[:min(n, len(a.instances))]
	if completes {
		for _, id := range targets {
			a.acknowledge(ack(a.assign(id, d.Version)))
		}
		d = a.read(d.ID)
	}
	dec := rollout.Decision{Next: d, Changed: true}
	dec.Next.FinishedAt = a.clock()
	switch {
	case completes:
		dec.Next.State, dec.Current = rollout.Completed, d.Version
		dec.Next.Progress = rollout.Progress{Targets: len(targets), Applied: len(targets)}
	case n == 3:
		dec.Next.State = rollout.Failed
	default:
		dec.Next.State = rollout.RolledBack
		if d.Previous != "" {
			dec.Hold = &rollout.Hold{Profile: payments, PinnedVersion: d.Previous, RefusedVersion: d.Version, RefusedHash: d.Hash,
				Reason: "errors", Actor: "gate", CreatedAt: a.clock()}
			if a.rand.IntN(2) == 0 {
				dec.Hold.DeploymentID = d.ID
			}
		}
	}
	a.must(a.Order(a.t.Context(), dec))
}

// Whatever happened, and whenever it is looked at: nothing goes that anything
// refers to or leads back to, and all else goes.
func TestRetentionKeepsWhatIsReferredTo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				a := &annals{world: w, rand: rand.New(rand.NewPCG(seed, 1))}
				total := 0
				for i := range 100 {
					a.happen()
					if i%20 == 19 {
						total += a.retain(short)["config_versions"]
					}
				}
				if total < 5 {
					t.Errorf("only %d versions were ever removed: this history tests nothing", total)
				}
				for _, number := range a.completions() {
					a.begin(number, rollout.Rollback)
					a.end()
					if r, err := a.Profile(t.Context(), payments); err != nil || r.CurrentVersion != number {
						t.Errorf("rolled back to %s the profile is on %s, %v", number, r.CurrentVersion, err)
					}
				}
			})
		})
	}
}
