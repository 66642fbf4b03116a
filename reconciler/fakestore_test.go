package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// fakeStore is a reconciler.Store in memory that keeps the rules a database
// would: transactions are all or nothing, versions are unique and unchanging,
// and one deployment of a profile is active at a time.
type fakeStore struct {
	mu   sync.Mutex
	data tables
	now  time.Time

	failing  func(op string) error // faults of tests; may be nil
	beforeTx func(s *fakeStore)    // what happens between planning and writing; may be nil
	commits  int                   // transactions that were committed

	fleets       map[string]rollout.Snapshot // by profile
	pullsFailure string
}

type tables struct {
	heads       map[string]string
	folders     map[string]string
	parts       map[string]int
	failures    map[string]string
	profiles    map[string]profile.Record
	versions    map[string][]profile.Version
	holds       map[string]rollout.Hold
	deployments []rollout.Deployment
	problems    map[string]profile.SourceProblem
	statuses    map[[2]string]rollout.Status // by commit and context
	facts       []rollout.Fact
	checks      map[int]rollout.PullRequestCheck
	comments    map[int]rollout.Comment // of checks
	commented   []int                   // pull requests, a time each
	schemas     []profile.SchemaEdition // newest first
	changed     map[string]int64        // the last change of each schema
	seen        map[string]int64        // by source
}

// SourceTrace is of no webhook.
func (s *fakeStore) SourceTrace(context.Context, string) (string, error) { return "", nil }

func newFakeStore() *fakeStore {
	return &fakeStore{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), data: tables{
		heads: map[string]string{}, folders: map[string]string{}, parts: map[string]int{}, failures: map[string]string{}, profiles: map[string]profile.Record{},
		versions: map[string][]profile.Version{}, holds: map[string]rollout.Hold{},
		problems: map[string]profile.SourceProblem{}, statuses: map[[2]string]rollout.Status{},
		checks: map[int]rollout.PullRequestCheck{}, comments: map[int]rollout.Comment{},
		changed: map[string]int64{}, seen: map[string]int64{},
	}}
}

func (t tables) clone() tables {
	versions := make(map[string][]profile.Version, len(t.versions))
	for k, v := range t.versions {
		versions[k] = slices.Clone(v)
	}
	return tables{
		heads: maps.Clone(t.heads), folders: maps.Clone(t.folders), parts: maps.Clone(t.parts), failures: maps.Clone(t.failures), profiles: maps.Clone(t.profiles),
		versions: versions, holds: maps.Clone(t.holds), deployments: slices.Clone(t.deployments),
		problems: maps.Clone(t.problems), statuses: maps.Clone(t.statuses), facts: slices.Clone(t.facts),
		checks: maps.Clone(t.checks), comments: maps.Clone(t.comments), commented: slices.Clone(t.commented),
		schemas: slices.Clone(t.schemas), changed: maps.Clone(t.changed), seen: maps.Clone(t.seen),
	}
}

func (t tables) active(name string) int {
	return slices.IndexFunc(t.deployments, func(d rollout.Deployment) bool { return d.Profile == name && !d.State.Final() })
}

// begin locks the store for one operation, or says how it fails.
func (s *fakeStore) begin(op string) error {
	s.mu.Lock()
	if s.failing != nil {
		if err := s.failing(op); err != nil {
			return err
		}
	}
	return nil
}

func (s *fakeStore) SourceHead(_ context.Context, source string) (string, error) {
	err := s.begin("SourceHead")
	defer s.mu.Unlock()
	return s.data.heads[source], err
}

// SourceMoved takes the folder that is asked about for the one in the settings.
func (s *fakeStore) SourceMoved(_ context.Context, source, folder string) (bool, error) {
	err := s.begin("SourceMoved")
	defer s.mu.Unlock()
	return s.data.heads[source] != "" && s.data.folders[source] != folder, err
}

func (s *fakeStore) SourceParts(_ context.Context, source string) (int, error) {
	err := s.begin("SourceParts")
	defer s.mu.Unlock()
	return s.data.parts[source], err
}

func (s *fakeStore) SourceProfiles(_ context.Context, source string) ([]profile.Placed, error) {
	err := s.begin("SourceProfiles")
	defer s.mu.Unlock()
	var out []profile.Placed
	for _, r := range s.data.profiles {
		if r.Origin == profile.OriginGit && r.Source == source {
			out = append(out, r.Placed())
		}
	}
	return out, err
}

func (s *fakeStore) NamedProfiles(_ context.Context, names []string) ([]profile.Record, error) {
	err := s.begin("NamedProfiles")
	defer s.mu.Unlock()
	var out []profile.Record
	for _, name := range names {
		if r, ok := s.data.profiles[name]; ok {
			out = append(out, r)
		}
	}
	return out, err
}

func (s *fakeStore) ProfileOwners(_ context.Context, names []string) (map[string]profile.Owner, error) {
	err := s.begin("ProfileOwners")
	defer s.mu.Unlock()
	owners := map[string]profile.Owner{}
	for _, name := range names {
		if r, ok := s.data.profiles[name]; ok {
			owners[name] = profile.Owner{Source: r.Source, Retired: r.Retired}
		}
	}
	return owners, err
}

func (s *fakeStore) LatestVersion(_ context.Context, name string) (profile.Version, bool, error) {
	err := s.begin("LatestVersion")
	defer s.mu.Unlock()
	if vs := s.data.versions[name]; len(vs) > 0 {
		return vs[len(vs)-1], true, err
	}
	return profile.Version{}, false, err
}

func (s *fakeStore) Version(_ context.Context, name, number string) (profile.Version, error) {
	err := s.begin("Version")
	defer s.mu.Unlock()
	for _, v := range s.data.versions[name] {
		if v.Number == number {
			return v, err
		}
	}
	return profile.Version{}, errors.Join(errors.New("version not found"), err)
}

func (s *fakeStore) Proven(_ context.Context, name, hash string) (bool, error) {
	err := s.begin("Proven")
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.data.deployments, func(d rollout.Deployment) bool {
		return d.Profile == name && d.Hash == hash && d.State == rollout.Completed
	}), err
}

func (s *fakeStore) ActiveHold(_ context.Context, name string) (rollout.Hold, bool, error) {
	err := s.begin("ActiveHold")
	defer s.mu.Unlock()
	h, ok := s.data.holds[name]
	return h, ok, err
}

func (s *fakeStore) ActiveDeployment(_ context.Context, name string) (rollout.Deployment, error) {
	err := s.begin("ActiveDeployment")
	defer s.mu.Unlock()
	if err != nil {
		return rollout.Deployment{}, err
	}
	if i := s.data.active(name); i >= 0 {
		return s.data.deployments[i], nil
	}
	return rollout.Deployment{}, rollout.ErrNotFound
}

func (s *fakeStore) Problems(_ context.Context, source string) ([]profile.SourceProblem, error) {
	err := s.begin("Problems")
	defer s.mu.Unlock()
	var out []profile.SourceProblem
	for _, p := range s.data.problems {
		if p.Source == source {
			out = append(out, p)
		}
	}
	return out, err
}

func (s *fakeStore) RecordSourceFailure(_ context.Context, source, reason string) error {
	err := s.begin("RecordSourceFailure")
	defer s.mu.Unlock()
	s.data.failures[source] = reason
	return err
}

// InTx gives fn a copy of everything and keeps it when fn and the commit succeed.
func (s *fakeStore) InTx(_ context.Context, fn func(tx reconciler.Tx) error) error {
	if hook := s.beforeTx; hook != nil {
		s.beforeTx = nil
		hook(s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &fakeTx{tables: s.data.clone(), store: s}
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.op("Commit"); err != nil {
		return err
	}
	s.data = tx.tables
	s.commits++
	return nil
}

type fakeTx struct {
	tables
	store *fakeStore
}

func (t *fakeTx) op(name string) error {
	if t.store.failing != nil {
		return t.store.failing(name)
	}
	return nil
}

func (t *fakeTx) Now(context.Context) (time.Time, error) { return t.store.now, t.op("Now") }

func (t *fakeTx) StorePart(_ context.Context, source string, before int) error {
	if t.heads[source] != "" || t.parts[source] != before {
		return rollout.ErrStale
	}
	t.parts[source]++
	return t.op("StorePart")
}

func (t *fakeTx) MoveHead(_ context.Context, source, from, to, folder string) error {
	if t.heads[source] != from {
		return rollout.ErrStale
	}
	t.heads[source], t.folders[source] = to, folder
	delete(t.parts, source)
	t.failures[source] = ""
	return t.op("MoveHead")
}

func (t *fakeTx) ActiveHold(_ context.Context, name string) (rollout.Hold, bool, error) {
	h, ok := t.holds[name]
	return h, ok, t.op("Tx.ActiveHold")
}

func (t *fakeTx) ActiveDeployment(_ context.Context, name string) (rollout.Deployment, error) {
	if err := t.op("Tx.ActiveDeployment"); err != nil {
		return rollout.Deployment{}, err
	}
	if i := t.active(name); i >= 0 {
		return t.deployments[i], nil
	}
	return rollout.Deployment{}, rollout.ErrNotFound
}

func (t *fakeTx) PutProfiles(ctx context.Context, records []profile.Record) error {
	return forEach(ctx, records, t.putProfile)
}

func (t *fakeTx) InsertVersions(ctx context.Context, versions []profile.Version) error {
	return forEach(ctx, versions, t.insertVersion)
}

func (t *fakeTx) CreateDeployments(ctx context.Context, decisions []rollout.Decision) error {
	return forEach(ctx, decisions, t.createDeployment)
}

func forEach[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	for _, one := range all {
		if err := do(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

func (t *fakeTx) TakeOver(_ context.Context, name string, from profile.Owner, source string) error {
	r := t.profiles[name]
	if r.Source != from.Source || r.Retired != from.Retired {
		return rollout.ErrStale
	}
	r.Origin, r.Source = profile.OriginGit, source
	t.profiles[name] = r
	return t.op("TakeOver")
}

func (t *fakeTx) putProfile(_ context.Context, r profile.Record) error {
	old, known := t.profiles[r.Name]
	if known && (old.Origin != r.Origin || old.Source != r.Source) {
		return fmt.Errorf("profile %s changes its owner", r.Name)
	}
	if r.Service == "" || r.Path == "" || r.DesiredVersion == "" {
		return fmt.Errorf("profile %s without service, path or desired version: %+v", r.Name, r)
	}
	r.CurrentVersion, r.Generation = old.CurrentVersion, old.Generation
	t.profiles[r.Name] = r
	return t.op("PutProfile")
}

func (t *fakeTx) insertVersion(_ context.Context, v profile.Version) error {
	if _, known := t.profiles[v.Profile]; !known {
		return fmt.Errorf("version %s of the unknown profile %s", v.Number, v.Profile)
	}
	for _, old := range t.versions[v.Profile] {
		if old.Number == v.Number { // a branch that was reset can make the same content of the same commit anew
			return fmt.Errorf("version %s of %s exists", v.Number, v.Profile)
		}
	}
	if v.ValidatedAt.IsZero() || v.CreatedAt.IsZero() || v.Hash != profile.HashCanonical(v.Canonical()) || v.SizeBytes == 0 {
		return fmt.Errorf("version %s of %s is incomplete: %+v", v.Number, v.Profile, v)
	}
	data, err := profile.DecodeData(v.Canonical()) // it is read as it was stored
	if err != nil {
		return err
	}
	v.Data, v.Text = data, nil
	t.versions[v.Profile] = append(t.versions[v.Profile], v)
	return t.op("InsertVersion")
}

func (t *fakeTx) createDeployment(ctx context.Context, dec rollout.Decision) error {
	d := dec.Next
	if d.ID == "" || d.CreatedAt.IsZero() || dec.Wake.IsZero() || !dec.Changed || d.State != rollout.Pending {
		return fmt.Errorf("deployment of %s is incomplete: %+v", d.Profile, dec)
	}
	if !slices.ContainsFunc(t.versions[d.Profile], func(v profile.Version) bool {
		return v.Number == d.Version && v.Hash == d.Hash
	}) {
		return fmt.Errorf("deployment of %s brings the unknown version %s", d.Profile, d.Version)
	}
	if err := t.SupersedeActive(ctx, d.Profile, "superseded by "+d.Version); err != nil {
		return err
	}
	t.deployments = append(t.deployments, d)
	for _, s := range dec.Status {
		if err := t.SetStatus(ctx, s); err != nil {
			return err
		}
	}
	t.facts = append(t.facts, dec.Facts...)
	return t.op("CreateDeployment")
}

func (t *fakeTx) SupersedeActive(_ context.Context, name, reason string) error {
	if i := t.active(name); i >= 0 {
		t.deployments[i].State, t.deployments[i].Explanation = rollout.Superseded, reason
	}
	return t.op("SupersedeActive")
}

func (t *fakeTx) ReleaseHold(_ context.Context, name, by, reason string) error {
	if by == "" || reason == "" {
		return fmt.Errorf("release of %s without actor or reason", name)
	}
	delete(t.holds, name)
	return t.op("ReleaseHold")
}

func (t *fakeTx) RetireProfile(_ context.Context, name string) error {
	r, ok := t.profiles[name]
	if !ok || r.Retired {
		return fmt.Errorf("profile %s cannot be retired", name)
	}
	r.Retired = true
	t.profiles[name] = r
	return t.op("RetireProfile")
}

func (t *fakeTx) SetStatus(_ context.Context, s rollout.Status) error {
	if s.Commit == "" || s.Source == "" || s.Description == "" || utf8.RuneCountInString(s.Description) > 140 || len(s.Context) > 255 {
		return fmt.Errorf("bad status %+v", s)
	}
	t.statuses[[2]string{s.Commit, s.Context}] = s
	return t.op("SetStatus")
}

func (t *fakeTx) Record(_ context.Context, f rollout.Fact) error {
	if f.Type == "" || f.EntityType == "" || f.EntityID == "" || f.Actor == "" {
		return fmt.Errorf("bad fact %+v", f)
	}
	t.facts = append(t.facts, f)
	return t.op("Record")
}

func (t *fakeTx) PutProblem(_ context.Context, p profile.SourceProblem) error {
	if p.Since.IsZero() || p.Source == "" || p.Commit == "" || p.Message == "" {
		return fmt.Errorf("bad problem %+v", p)
	}
	t.problems[p.Path] = p
	return t.op("PutProblem")
}

func (t *fakeTx) ClearProblem(_ context.Context, _, path string) error {
	delete(t.problems, path)
	return t.op("ClearProblem")
}

// What follows is what the engine and people do to a store meanwhile.

// failer is a testing.TB or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// finish ends the profile's active deployment.
func (s *fakeStore) finish(t failer, name string, state rollout.State) rollout.Deployment {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.data.active(name)
	if i < 0 {
		t.Fatalf("profile %s has no active deployment to end as %s", name, state)
	}
	d := &s.data.deployments[i]
	d.State = state
	r := s.data.profiles[name]
	switch {
	case state == rollout.Completed && d.Kind == rollout.Retirement:
		r.Retired = true
	case state == rollout.Completed:
		r.CurrentVersion = d.Version
	case state == rollout.RolledBack:
		s.data.holds[name] = rollout.Hold{
			Profile: name, PinnedVersion: d.Previous, RefusedVersion: d.Version, RefusedHash: d.Hash,
			Reason: "error rate 31.2%", Actor: "gate", DeploymentID: d.ID, CreatedAt: s.now,
		}
	}
	s.data.profiles[name] = r
	return *d
}

func (s *fakeStore) RegisteredSchema(_ context.Context, id string) (profile.SchemaEdition, bool, error) {
	err := s.begin("RegisteredSchema")
	defer s.mu.Unlock()
	e, ok := profile.Usable(slices.DeleteFunc(slices.Clone(s.data.schemas), func(e profile.SchemaEdition) bool { return e.ID != id }))
	return e, ok, err
}

func (s *fakeStore) RegisteredEdition(_ context.Context, id, hash string) (profile.SchemaEdition, bool, error) {
	err := s.begin("RegisteredEdition")
	defer s.mu.Unlock()
	for _, e := range s.data.schemas {
		if e.ID == id && e.Hash == hash {
			return e, true, err
		}
	}
	return profile.SchemaEdition{}, false, err
}

func (s *fakeStore) ChangedSchemas(_ context.Context, source string) (ids []string, through int64, err error) {
	err = s.begin("ChangedSchemas")
	defer s.mu.Unlock()
	for id, at := range s.data.changed {
		if at > s.data.seen[source] {
			ids, through = append(ids, id), max(through, at)
		}
	}
	slices.Sort(ids)
	return ids, through, err
}

func (t *fakeTx) SeeSchemas(_ context.Context, source string, through int64) error {
	t.seen[source] = through
	return t.op("SeeSchemas")
}

// register adds an edition of a schema, with a status.
func (s *fakeStore) register(t failer, id, definition string, status profile.SchemaStatus) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	known := slices.DeleteFunc(slices.Clone(s.data.schemas), func(e profile.SchemaEdition) bool { return e.ID != id })
	e, _, err := profile.NewEdition(profile.Draft{ID: id, Definition: []byte(definition)}, known)
	if err != nil {
		t.Fatalf("register %s: %v", id, err)
	}
	e.Status = status
	s.data.schemas = append([]profile.SchemaEdition{e}, s.data.schemas...)
	s.changeSchema(id)
}

func (s *fakeStore) changeSchema(id string) {
	var last int64
	for _, at := range s.data.changed {
		last = max(last, at)
	}
	s.data.changed[id] = last + 1
}

// judge gives every edition of a schema a status.
func (s *fakeStore) judge(id string, status profile.SchemaStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.data.schemas {
		if s.data.schemas[i].ID == id {
			s.data.schemas[i].Status = status
		}
	}
	s.changeSchema(id)
}
