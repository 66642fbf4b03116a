package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// TestStore is what every engine must do.
func TestStore(t *testing.T) {
	t.Parallel()
	rules := map[string]func(t *testing.T, w *world){
		"sources":                       sources,
		"a source's problems":           problems,
		"profiles":                      profiles,
		"the owner of a profile":        owners,
		"versions":                      versions,
		"what completed":                completed,
		"holds":                         holds,
		"lists of deployments":          lists,
		"gate checks":                   checks,
		"a deployment comes back whole": wholeDeployment,
		"setting a deployment aside":    quarantine,
		"instances":                     instances,
		"a deployment's instances":      involved,
		"audit events":                  audit,
		"users":                         users,
		"tokens":                        tokens,
		"posted statuses":               postedStatuses,
		"the stock":                     stock,
	}
	for engine, open := range engines {
		for rule, holds := range rules {
			t.Run(engine+"/"+rule, func(t *testing.T) {
				t.Parallel()
				holds(t, open(t))
			})
		}
	}
}

func (w *world) tx(fn func(tx *store.Tx) error) error {
	w.t.Helper()
	return w.InTx(w.t.Context(), fn)
}

func sources(t *testing.T, w *world) {
	ctx := t.Context()
	w.must(w.RegisterSource(ctx, store.Source{ID: "configs", URL: "https://example.com/a.git", Branch: "main", Path: "p/"}))
	move := func(from, to string) error {
		return w.tx(func(tx *store.Tx) error { return tx.MoveHead(ctx, "configs", from, to, "p") })
	}
	w.must(w.RecordSourceFailure(ctx, "configs", "no route to host"))
	w.advance(time.Minute)
	w.must(w.RecordSourceFailure(ctx, "configs", "connection refused"))
	list, err := w.Sources(ctx)
	w.must(err)
	if s := list[0]; s.LastError != "connection refused" || !s.ErrorSince.Equal(w.clock().Add(-time.Minute)) {
		t.Errorf("while syncs fail it is %+v, want the latest reason since the first", s)
	}
	w.must(move("", "c1"))
	if err := move("", "c2"); !errors.Is(err, rollout.ErrStale) {
		t.Errorf("moving it from where it is not gave %v, want ErrStale", err)
	}
	w.must(move("c1", "c2"))
	w.must(w.RegisterSource(ctx, store.Source{ID: "configs", URL: "https://example.com/b.git", Branch: "main"}))
	list, err = w.Sources(ctx)
	w.must(err)
	want := store.Source{ID: "configs", URL: "https://example.com/b.git", Branch: "main", Head: "c2", SyncedAt: w.clock()}
	if len(list) != 1 || list[0] != want {
		t.Errorf("sources are %+v, want %+v", list, want)
	}
	// It was read in p, and its path is empty by now: to a replica with older settings it has not moved.
	for folder, want := range map[string]bool{"": true, "p": false, "q": false} {
		if moved, err := w.SourceMoved(ctx, "configs", folder); moved != want || err != nil {
			t.Errorf("moved to %q: %v, %v, want %v", folder, moved, err, want)
		}
	}
	w.must(w.RegisterSource(ctx, store.Source{ID: "configs", URL: "https://example.com/b.git", Branch: "main", Path: "./p/"}))
	for id := range map[string]bool{"configs": true, "unknown": true} {
		if moved, err := w.SourceMoved(ctx, id, "p"); moved || err != nil {
			t.Errorf("%s moved to where it was read: %v, %v", id, moved, err)
		}
	}
	for id, want := range map[string]string{"configs": "c2", "unknown": ""} {
		if head, err := w.SourceHead(ctx, id); head != want || err != nil {
			t.Errorf("head of %s is %q, %v", id, head, err)
		}
	}
}

func problems(t *testing.T, w *world) {
	ctx := t.Context()
	put := func(commit, message string) {
		w.must(w.tx(func(tx *store.Tx) error {
			return tx.PutProblem(ctx, profile.SourceProblem{Source: "configs", Path: "a.yaml", Profile: "a", Commit: commit, Message: message})
		}))
	}
	first := w.clock()
	put("c1", "1:1: first")
	w.advance(time.Hour)
	put("c2", "1:1: second")
	list, err := w.Problems(ctx, "configs")
	w.must(err)
	want := profile.SourceProblem{Source: "configs", Path: "a.yaml", Profile: "a", Commit: "c2", Message: "1:1: second", Since: first}
	if len(list) != 1 || list[0] != want {
		t.Errorf("problems are %+v, want %+v", list, want)
	}
	w.must(w.tx(func(tx *store.Tx) error {
		return tx.PutProblem(ctx, profile.SourceProblem{Source: "configs", Path: "nobodys.yaml", Commit: "c2", Message: "YAML syntax"})
	}))
	for scope, want := range map[string]int{"": 2, "a*": 1, "b*": 0} {
		var within profile.Scope
		if scope != "" {
			within.Profiles = []string{scope}
		}
		if counts, err := w.ProblemCounts(ctx, within); err != nil || counts["configs"] != want {
			t.Errorf("within %q there are %v, %v, want %d", scope, counts, err, want)
		}
	}
	w.must(w.tx(func(tx *store.Tx) error { return tx.ClearProblem(ctx, "configs", "nobodys.yaml") }))
	w.must(w.tx(func(tx *store.Tx) error { return tx.ClearProblem(ctx, "configs", "a.yaml") }))
	if list, err := w.Problems(ctx, "configs"); len(list) != 0 || err != nil {
		t.Errorf("afterwards they are %+v, %v", list, err)
	}
}

func profiles(t *testing.T, w *world) {
	ctx := t.Context()
	window, err := profile.ParseWindow("Fri 16:00-Mon 06:00 Europe/Berlin")
	w.must(err)
	r := profile.Record{
		Name: "search.staging", Description: "search", Service: "search", Environment: profile.Staging, ServiceType: profile.Worker,
		SchemaID: "search.v1", Targets: profile.Targets{Labels: map[string]string{"region": "eu"}},
		Strategy: profile.DefaultStrategy(profile.Rolling), Health: profile.DefaultHealth(profile.Staging),
		Windows: profile.Windows{Deny: []profile.Window{window}}, Settings: map[string]any{"slackChannel": "#d"},
		Origin: profile.OriginGit, Source: "configs", Path: "s.yaml", Dependencies: []string{"base.yaml"},
		DesiredVersion: "1.0.0", CreatedBy: "ada",
	}
	w.must(w.PutProfile(ctx, r))
	got, err := w.Profile(ctx, r.Name)
	w.must(err)
	r.CreatedAt, r.UpdatedAt = w.clock(), w.clock()
	same(t, got, r)
	if _, _, denied := got.Windows.Denies(time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)); !denied {
		t.Error("its deny window was lost")
	}

	w.advance(time.Minute)
	r.Description, r.CurrentVersion = "changed", "9.9.9"
	w.must(w.PutProfile(ctx, r))
	got, err = w.Profile(ctx, r.Name)
	w.must(err)
	if got.Description != "changed" || got.CurrentVersion != "" || !got.CreatedAt.Equal(r.CreatedAt) || !got.UpdatedAt.Equal(w.clock()) {
		t.Errorf("after an update it is %+v", got)
	}

	for name, c := range map[string]struct {
		filter store.ProfileFilter
		want   []string
	}{
		"all":         {store.ProfileFilter{}, []string{payments, "search.staging"}},
		"environment": {store.ProfileFilter{Environment: "Staging"}, []string{"search.staging"}},
		"type":        {store.ProfileFilter{ServiceType: "Worker"}, []string{"search.staging"}},
		"source":      {store.ProfileFilter{Source: "other"}, nil},
		"held":        {store.ProfileFilter{Held: new(true)}, nil},
		"not held":    {store.ProfileFilter{Held: new(false)}, []string{payments, "search.staging"}},
		"a page":      {store.ProfileFilter{Limit: 1, Offset: 1}, []string{"search.staging"}},
	} {
		list, _, err := w.Profiles(ctx, c.filter)
		w.must(err)
		var names []string
		for _, r := range list {
			names = append(names, r.Name)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: got %v, want %v", name, names, c.want)
		}
	}

	w.must(w.tx(func(tx *store.Tx) error { return tx.RetireProfile(ctx, r.Name) }))
	records, err := w.SourceProfiles(ctx, "configs")
	w.must(err)
	if len(records) != 2 || !slices.ContainsFunc(records, func(p profile.Placed) bool { return p.Name == r.Name && p.Retired }) {
		t.Errorf("the source's profiles are %+v, want the retired one too", records)
	}
	if _, err := w.Profile(ctx, "unknown"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown profile gave %v", err)
	}
}

func owners(t *testing.T, w *world) {
	ctx := t.Context()
	got, err := w.ProfileOwners(ctx, []string{payments, "free"})
	if want := map[string]profile.Owner{payments: {Source: "configs"}}; err != nil || !maps.Equal(got, want) {
		t.Errorf("owners %v (%v), want %v", got, err, want)
	}
	r, err := w.Profile(ctx, payments)
	w.must(err)
	r.Source = "other"
	if err := w.PutProfile(ctx, r); !errors.Is(err, store.ErrConflict) {
		t.Errorf("another source took the profile: %v", err)
	}
	take := func(from profile.Owner) error {
		return w.tx(func(tx *store.Tx) error { return tx.TakeOver(ctx, payments, from, "other") })
	}
	for _, from := range []profile.Owner{{Source: "configs", Retired: true}, {Source: "another"}, {}} {
		if err := take(from); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("it was taken over from %+v: %v, want ErrStale", from, err)
		}
	}
	w.must(take(profile.Owner{Source: "configs"}))
	w.must(w.PutProfile(ctx, r))
	got, err = w.ProfileOwners(ctx, []string{payments})
	if want := map[string]profile.Owner{payments: {Source: "other"}}; err != nil || !maps.Equal(got, want) {
		t.Errorf("owners %v (%v) afterwards, want %v", got, err, want)
	}
}

func versions(t *testing.T, w *world) {
	ctx := t.Context()
	v := w.version("2.0.0", "1s")
	v.SchemaID, v.SchemaHash, v.Description, v.Tags, v.Metadata = "s", "h", "d", []string{"stable"}, map[string]string{"k": "v"}
	v.Commit, v.Author, v.Message, v.PullRequest, v.Superseded, v.CreatedBy = "c1", "ada", "m", 7, true, "ada"
	w.must(w.InsertVersion(ctx, v))
	v.SizeBytes, v.CreatedAt = len(profile.Canonical(v.Data)), w.clock()
	got, err := w.Version(ctx, payments, "2.0.0")
	w.must(err)
	same(t, got, v)
	latest, ok, err := w.LatestVersion(ctx, payments)
	w.must(err)
	if !ok || latest.Number != "2.0.0" || latest.Data == nil {
		t.Errorf("the latest is %+v, %t", latest, ok)
	}
	if _, ok, err := w.LatestVersion(ctx, "unknown"); ok || err != nil {
		t.Errorf("an unknown profile has a version (%v)", err)
	}
	list, total, err := w.Versions(ctx, payments, store.VersionFilter{Limit: 2})
	w.must(err)
	if total != 3 || len(list) != 2 || list[0].Number != "2.0.0" || list[1].Number != "1.1.0" || list[0].Data != nil {
		t.Errorf("versions are %+v of %d", list, total)
	}
	if list, _, err := w.Versions(ctx, payments, store.VersionFilter{Tags: []string{"stable"}}); len(list) != 1 || err != nil {
		t.Errorf("tagged are %+v, %v", list, err)
	}
	if _, err := w.Version(ctx, payments, "7.7.7"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown version gave %v", err)
	}
	if r, err := w.Profile(ctx, payments); err != nil || r.VersionCount != 3 {
		t.Errorf("the profile counts %d (%v)", r.VersionCount, err)
	}
	orphan := w.version("1.0.0", "1s")
	orphan.Profile = "unknown"
	if err := w.InsertVersion(ctx, orphan); err == nil {
		t.Error("a version without a profile was stored")
	}
}

// finish ends a deployment of the version as completed on so many instances.
func (w *world) finish(number string, instances int) {
	w.t.Helper()
	w.create(number)
	for i := range instances {
		id := fmt.Sprintf("i-%d", i)
		if _, err := w.Instance(w.t.Context(), id); errors.Is(err, store.ErrNotFound) {
			w.register(id)
		}
		w.acknowledge(ack(w.assign(id, number)))
	}
	d, err := w.ActiveDeployment(w.t.Context(), payments)
	w.must(err)
	w.advance(time.Second)
	d.State, d.FinishedAt = rollout.Completed, w.clock()
	d.Progress = rollout.Progress{Targets: instances, Applied: instances}
	w.must(w.Order(w.t.Context(), rollout.Decision{Next: d, Changed: true, Current: number}))
}

func completed(t *testing.T, w *world) {
	ctx := t.Context()
	nobody := w.addVersion("1.2.0", "7s")
	w.finish("1.2.0", 0)
	w.finish("1.0.0", 3)
	w.finish("1.1.0", 3)
	w.finish("1.0.0", 3)
	some := w.addVersion("1.3.0", "8s")
	d := w.deployment("1.3.0") // says nothing of the profile
	d.Selector.Instances, d.State, d.FinishedAt, d.Progress = []string{"i-1"}, rollout.Completed, w.clock(), rollout.Progress{Targets: 1, Applied: 1}
	w.must(w.Create(ctx, rollout.Decision{Next: d, Changed: true}))
	got := w.completions()
	if !slices.Equal(got, []string{"1.0.0", "1.1.0", "1.2.0"}) {
		t.Errorf("completed are %v, want the latest completion first", got)
	}
	for hash, want := range map[string]bool{w.version("", "100ms").Hash: true, nobody.Hash: false, some.Hash: false, "other": false} {
		if proven, err := w.Proven(ctx, payments, hash); proven != want || err != nil {
			t.Errorf("proven is %t, %v, want %t", proven, err, want)
		}
	}
	if r, err := w.Profile(ctx, payments); err != nil || r.CurrentVersion != "1.0.0" || r.DeploymentCount != 5 {
		t.Errorf("the profile is %+v, %v", r, err)
	}
}

func holds(t *testing.T, w *world) {
	ctx := t.Context()
	begin := func(number string, expires time.Time) rollout.Hold {
		d := w.create(number)
		h := rollout.Hold{Profile: payments, PinnedVersion: "1.0.0", RefusedVersion: number, RefusedHash: d.Hash, Reason: "errors",
			Actor: "gate", DeploymentID: d.ID, CreatedAt: w.clock(), ExpiresAt: expires}
		d.State, d.FinishedAt = rollout.RolledBack, w.clock()
		w.must(w.Order(ctx, rollout.Decision{Next: d, Changed: true, Hold: &h}))
		return h
	}
	begin("1.0.0", time.Time{})
	h := begin("1.1.0", w.clock().Add(time.Hour))
	got, ok, err := w.ActiveHold(ctx, payments)
	w.must(err)
	if !ok {
		t.Fatal("no hold is in force")
	}
	same(t, got, h)
	if list, err := w.Holds(ctx); err != nil || len(list) != 1 {
		t.Errorf("in force are %+v, %v, want the newer one", list, err)
	}
	if list, _, err := w.Profiles(ctx, store.ProfileFilter{Held: new(true)}); err != nil || len(list) != 1 {
		t.Errorf("held are %+v, %v", list, err)
	}
	w.advance(time.Hour)
	if _, ok, err := w.ActiveHold(ctx, payments); ok || err != nil {
		t.Errorf("it is in force after its end (%v)", err)
	}
	if list, _, err := w.Profiles(ctx, store.ProfileFilter{Held: new(true)}); err != nil || len(list) != 0 {
		t.Errorf("held after its end are %+v, %v", list, err)
	}
	if err := w.ReleaseHold(ctx, payments, "ada", "done"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("releasing none gave %v, want ErrNotFound", err)
	}
	begin("1.1.0", time.Time{})
	w.must(w.ReleaseHold(ctx, payments, "ada", "done"))
	if events, _, err := w.Audit(ctx, store.AuditFilter{EventType: rollout.FactHoldEnded, User: "ada"}); err != nil || len(events) != 1 {
		t.Errorf("the release left %+v, %v", events, err)
	}
}

func lists(t *testing.T, w *world) {
	first, second := w.create("1.0.0"), w.create("1.1.0")
	for name, c := range map[string]struct {
		filter store.DeploymentFilter
		want   []string
	}{
		"newest first":   {store.DeploymentFilter{}, []string{second.ID, first.ID}},
		"a page":         {store.DeploymentFilter{Limit: 1, Offset: 1}, []string{first.ID}},
		"by state":       {store.DeploymentFilter{Status: "Superseded"}, []string{first.ID}},
		"by profile":     {store.DeploymentFilter{Profile: "unknown"}, nil},
		"by commit":      {store.DeploymentFilter{Commit: commit}, []string{second.ID, first.ID}},
		"by environment": {store.DeploymentFilter{Environment: "Staging"}, nil},
	} {
		list, total, err := w.Deployments(t.Context(), c.filter)
		w.must(err)
		var ids []string
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		if !slices.Equal(ids, c.want) || total < len(ids) {
			t.Errorf("%s: got %v of %d, want %v", name, ids, total, c.want)
		}
	}
	got := w.read(first.ID)
	if !strings.Contains(got.Explanation, "1.1.0") || got.FinishedAt.IsZero() || got.Epoch <= first.Epoch {
		t.Errorf("the superseded one is %+v", got)
	}
	if _, err := w.ActiveDeployment(t.Context(), "unknown"); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("a profile without one gave %v, want rollout.ErrNotFound", err)
	}
	if _, err := w.Deployment(t.Context(), "unknown"); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("an unknown one gave %v, want rollout.ErrNotFound", err)
	}
}

func checks(t *testing.T, w *world) {
	d := w.create("1.1.0")
	for i := range 105 {
		d = w.read(d.ID)
		w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Checks: []rollout.Check{{DeploymentID: d.ID, At: w.clock(),
			Phase: i, Verdict: rollout.Verdict{Outcome: rollout.Pass, Reason: "fine", Metrics: []rollout.MetricCheck{{Name: "errorRate", Value: new(0.5)}}}}}}))
	}
	list, err := w.Checks(t.Context(), d.ID)
	w.must(err)
	if len(list) != 100 || list[0].Phase != 104 || list[99].Phase != 5 {
		t.Fatalf("%d checks are kept", len(list))
	}
	same(t, list[0], rollout.Check{DeploymentID: d.ID, At: w.clock(), Phase: 104, Verdict: rollout.Verdict{Outcome: rollout.Pass, Reason: "fine",
		Metrics: []rollout.MetricCheck{{Name: "errorRate", Value: new(0.5)}}}})
}

// Whatever field a deployment has, or gets, comes back as it went in.
func wholeDeployment(t *testing.T, w *world) {
	window, err := profile.ParseWindow("22:00-06:00 UTC")
	w.must(err)
	d := w.create("1.1.0")
	keep := d
	fill(&d)
	d.Windows = profile.Windows{Deny: []profile.Window{window}}
	d.ID, d.Profile, d.Kind, d.Version, d.Hash, d.State = keep.ID, keep.Profile, keep.Kind, keep.Version, keep.Hash, rollout.InProgress
	d.Revision, d.Epoch, d.FinishedAt = keep.Revision, keep.Epoch, time.Time{}
	w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true}))
	got := w.read(d.ID)
	d.Revision, d.Epoch = got.Revision, got.Epoch
	same(t, got, d)
}

func quarantine(t *testing.T, w *world) {
	ctx := t.Context()
	d := w.create("1.1.0")
	w.must(w.Quarantine(ctx, w.claimOne("a"), "panicked five times"))
	w.must(w.WakeDeployment(ctx, payments))
	w.advance(time.Hour)
	if claims := w.claim("a"); len(claims) != 0 {
		t.Errorf("it was claimed: %+v", claims)
	}
	if _, due, err := w.NextDue(ctx); due || err != nil {
		t.Errorf("it is due (%v)", err)
	}
	got := w.read(d.ID)
	if got.Explanation != "panicked five times" {
		t.Errorf("it says %q", got.Explanation)
	}
	w.must(w.Order(ctx, rollout.Decision{Next: got, Changed: true}))
	if claim := w.claimOne("a"); claim.Attempts != 1 {
		t.Errorf("after a person acted the claim is %+v", claim)
	}
	w.must(w.ReleaseClaims(ctx, "a"))
	if claim := w.claimOne("b"); claim.Attempts != 2 {
		t.Errorf("after the one before was stopped, which may have failed, the claim is %+v", claim)
	}
}

func instances(t *testing.T, w *world) {
	ctx := t.Context()
	hash := sha256.Sum256([]byte("secret"))
	i := fleet.Instance{ID: "i-1", Service: "payment-service", Hostname: "h", Port: 8080, Environment: profile.Production,
		ServiceVersion: "3.1", Labels: map[string]string{"region": "eu"}, Metadata: map[string]string{"group": "blue"}}
	w.must(w.RegisterInstance(ctx, i, hash[:]))
	i.Status, i.RegisteredAt, i.LastHeartbeat = fleet.StatusUnknown, w.clock(), w.clock()
	got, err := w.InstanceByToken(ctx, hash[:])
	w.must(err)
	same(t, got, i)
	if err := w.RegisterInstance(ctx, i, hash[:]); !errors.Is(err, store.ErrExists) {
		t.Errorf("registering it twice gave %v, want ErrExists", err)
	}
	w.beat("i-1", fleet.StatusDegraded)
	w.create("1.1.0")
	w.acknowledge(ack(w.assign("i-1", "1.1.0")))
	for name, c := range map[string]struct {
		filter store.InstanceFilter
		want   int
	}{
		"all":         {store.InstanceFilter{}, 1},
		"service":     {store.InstanceFilter{Service: "payment-service"}, 1},
		"another":     {store.InstanceFilter{Service: "other"}, 0},
		"environment": {store.InstanceFilter{Environment: "Staging"}, 0},
		"health":      {store.InstanceFilter{Health: "Degraded"}, 1},
		"version":     {store.InstanceFilter{ConfigVersion: "1.1.0"}, 1},
		"not version": {store.InstanceFilter{ConfigVersion: "1.0.0"}, 0},
	} {
		if list, total, err := w.Instances(ctx, c.filter); len(list) != c.want || total != c.want || err != nil {
			t.Errorf("%s: got %+v, %v", name, list, err)
		}
	}
	before, err := w.GenerationMark(ctx)
	w.must(err)
	w.assign("i-1", "1.0.0")
	if after, err := w.GenerationMark(ctx); after <= before || err != nil {
		t.Errorf("the mark went from %d to %d (%v)", before, after, err)
	}
	w.must(w.DeregisterInstance(ctx, "i-1", "ada"))
	if err := w.DeregisterInstance(ctx, "i-1", "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deregistering it twice gave %v, want ErrNotFound", err)
	}
	if n := w.rows("config_assignments") + w.rows("health_samples"); n != 0 {
		t.Errorf("%d rows of it are left", n)
	}
	long := ack(fleet.Assignment{InstanceID: "i-2", Profile: payments, Version: "1.0.0"})
	w.register("i-2")
	a := w.assign("i-2", "1.0.0")
	long.Generation, long.OK, long.Error = a.Generation, false, strings.Repeat("é", 3000)
	w.acknowledge(long)
	if got := w.assignment("i-2").ApplyError; len(got) > 2048 || strings.ContainsRune(got, '�') || got == "" {
		t.Errorf("%d bytes of its reason are kept", len(got))
	}
}

func involved(t *testing.T, w *world) {
	ctx := t.Context()
	w.register("i-1")
	w.register("i-2")
	d := w.deployment("1.1.0")
	d.Selector.Instances = []string{"i-1"}
	d.Health.CheckInterval = profile.Duration(2 * time.Second)
	w.must(w.Create(ctx, rollout.Decision{Next: d, Changed: true}))
	d = w.read(d.ID)
	d.State = rollout.InProgress
	w.must(w.Order(ctx, rollout.Decision{Next: d, Changed: true}))
	for id, want := range map[string]bool{"i-1": true, "i-2": false} {
		i, err := w.Instance(ctx, id)
		w.must(err)
		heard, err := w.Heard(ctx, i)
		if got := heard[id]; got.Active != want || err != nil || want && got.CheckInterval != 2*time.Second {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	targets, err := w.DeploymentTargets(ctx, d.ID)
	w.must(err)
	if len(targets) != 1 || targets[0].Instance.ID != "i-1" {
		t.Errorf("targets are %+v", targets)
	}
	if _, err := w.Instance(ctx, "unknown"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown instance gave %v", err)
	}
}

func audit(t *testing.T, w *world) {
	ctx := t.Context()
	for i, actor := range []string{"ada", "bob", "ada"} {
		w.advance(time.Minute)
		w.must(w.Record(ctx, rollout.Fact{Type: "test.happened", EntityType: "thing", EntityID: string(rune('a' + i)), Actor: actor,
			TraceID: "t", Details: map[string]any{"i": float64(i)}}))
	}
	now := w.clock()
	for name, c := range map[string]struct {
		filter store.AuditFilter
		want   string
	}{
		"newest first": {store.AuditFilter{EntityType: "thing"}, "cba"},
		"one entity":   {store.AuditFilter{EntityType: "thing", EntityID: "b"}, "b"},
		"a user":       {store.AuditFilter{User: "ada"}, "ca"},
		"an event":     {store.AuditFilter{EventType: "other"}, ""},
		"since":        {store.AuditFilter{Since: now}, "c"},
		"until":        {store.AuditFilter{EntityType: "thing", Until: now}, "ba"},
		"a page":       {store.AuditFilter{EntityType: "thing", Limit: 1, Offset: 2}, "a"},
	} {
		list, _, err := w.Audit(ctx, c.filter)
		w.must(err)
		got := ""
		for _, e := range list {
			got += e.Fact.EntityID
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	list, total, err := w.Audit(ctx, store.AuditFilter{EntityID: "c"})
	w.must(err)
	if total != 1 || list[0].Fact.Details["i"] != 2.0 || list[0].Fact.TraceID != "t" || !list[0].At.Equal(now) || len(list[0].Hash) != 64 {
		t.Errorf("the event is %+v", list)
	}
}

func users(t *testing.T, w *world) {
	ctx := t.Context()
	u := store.User{Name: "ada", Role: "Admin", PasswordHash: "argon"}
	w.must(w.CreateUser(ctx, u))
	if err := w.CreateUser(ctx, u); !errors.Is(err, store.ErrExists) {
		t.Errorf("creating her twice gave %v, want ErrExists", err)
	}
	w.must(w.SetPassword(ctx, "ada", "argon2"))
	got, err := w.User(ctx, "ada")
	w.must(err)
	same(t, got, store.User{Name: "ada", Role: "Admin", PasswordHash: "argon2", CreatedAt: w.clock()})
	if _, err := w.User(ctx, "bob"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown user gave %v", err)
	}
	if err := w.SetPassword(ctx, "bob", "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown user's password gave %v", err)
	}
	if err := w.CreateUser(ctx, store.User{Name: "eve", Role: "Root"}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an unknown role gave %v, want ErrConflict", err)
	}
	if n, err := w.CountUsers(ctx); n != 1 || err != nil {
		t.Errorf("%d users, %v", n, err)
	}
}

func tokens(t *testing.T, w *world) {
	ctx := t.Context()
	create := func(id string, kind store.TokenKind, expires time.Time) []byte {
		hash := sha256.Sum256([]byte(id))
		w.must(w.CreateToken(ctx, store.Token{ID: id, Name: id, Kind: kind, Role: "Viewer", Hash: hash[:], CreatedBy: "ada", ExpiresAt: expires}))
		return hash[:]
	}
	forever := create("forever", store.TokenAPI, time.Time{})
	soon := create("soon", store.TokenAPI, w.clock().Add(time.Hour))
	got, err := w.TokenByHash(ctx, soon)
	w.must(err)
	same(t, got, store.Token{ID: "soon", Name: "soon", Kind: store.TokenAPI, Role: "Viewer", Hash: soon,
		CreatedAt: w.clock(), CreatedBy: "ada", ExpiresAt: w.clock().Add(time.Hour)})
	if list, err := w.Tokens(ctx); len(list) != 2 || err != nil {
		t.Errorf("tokens are %+v, %v", list, err)
	}
	w.advance(time.Hour)
	if _, err := w.TokenByHash(ctx, soon); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a token that is over gave %v, want ErrNotFound", err)
	}
	w.must(w.RevokeToken(ctx, "forever", "ada"))
	if _, err := w.TokenByHash(ctx, forever); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a revoked token gave %v, want ErrNotFound", err)
	}
	if err := w.RevokeToken(ctx, "forever", "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking it twice gave %v, want ErrNotFound", err)
	}
}

func postedStatuses(t *testing.T, w *world) {
	ctx := t.Context()
	var want []rollout.Status
	for _, text := range []string{"waits", "canary 30%", "done"} {
		s := rollout.Status{Source: "configs", Commit: commit, Context: "sluice/a", State: rollout.StatusPending, Description: text}
		want = append(want, s)
		w.must(w.RecordPostedStatus(ctx, s))
	}
	got, err := w.PostedStatuses(ctx, commit)
	w.must(err)
	same(t, got, want)

	w.set("sluice/a", rollout.StatusPending, "waits")
	other := rollout.Status{Source: "configs", Commit: "c0ffee1", Context: "sluice/a", State: rollout.StatusPending}
	w.must(w.tx(func(tx *store.Tx) error { return tx.SetStatus(ctx, other) }))
	if _, err := w.CommitStatuses(ctx, "c0ffee"); !errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("a prefix of two commits gave %v, want ErrAmbiguous", err)
	}
	if _, err := w.CommitStatuses(ctx, "dead"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown commit gave %v, want ErrNotFound", err)
	}
}

func stock(t *testing.T, w *world) {
	ctx := t.Context()
	w.register("i-1")
	w.create("1.1.0")
	w.must(w.RecordSourceFailure(ctx, "configs", "gone"))
	w.set("sluice/a", rollout.StatusPending, "waits")
	got, err := w.Stock(ctx)
	w.must(err)
	jobs := got.Jobs["commit_status"]
	if jobs.Pending != 2 || len(got.Jobs) != 1 {
		t.Errorf("the outbox has %+v", got.Jobs)
	}
	got.Jobs = nil
	want := store.Stock{
		Profiles: 1, Outbox: 2, Instances: map[string]int{"Unknown": 1}, SourceFailed: map[string]bool{"configs": true},
		Deployments: store.ActiveDeployments{Total: 1, States: map[string]int{"Pending": 1}, Awaiting: map[string]int{}},
	}
	same(t, got, want)
	w.advance(5 * time.Minute)
	got, err = w.Stock(ctx)
	w.must(err)
	got.Jobs, want.Silent, want.Deployments.Overdue = nil, 1, 5*time.Minute
	same(t, got, want)
	w.must(w.Ping(ctx))
	if now, err := w.Now(ctx); !now.Equal(w.clock()) || err != nil {
		t.Errorf("it is %v, %v", now, err)
	}
}
