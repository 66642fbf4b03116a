package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// SchemaStore reads the schemas that were registered by API. A profile is
// checked by one when its repository has no file for the schema that it names.
type SchemaStore interface {
	// RegisteredSchema reads the edition that a schema's ID means; ok is false for one that was not registered.
	RegisteredSchema(ctx context.Context, id string) (e profile.SchemaEdition, ok bool, err error)
	// RegisteredEdition reads the edition of that content; ok is false when there is none.
	RegisteredEdition(ctx context.Context, id, hash string) (e profile.SchemaEdition, ok bool, err error)
	// ChangedSchemas lists the registered schemas that changed since the source's
	// profiles were last looked at for that, and up to which change that is.
	ChangedSchemas(ctx context.Context, source string) (ids []string, through int64, err error)
}

// SchemaTx remembers what was looked at.
type SchemaTx interface {
	// SeeSchemas keeps up to which change of registered schemas the source's profiles were looked at.
	SeeSchemas(ctx context.Context, source string, through int64) error
}

// registeredID is the schema that a path asks for where a registered one
// answers: the last place that a schema is looked for.
func registeredID(path string) (id string, ok bool) {
	name, ok := strings.CutPrefix(path, "schemas/")
	if !ok || strings.Contains(name, "/") {
		return "", false
	}
	id, ok = strings.CutSuffix(name, ".json")
	return id, ok && id != ""
}

// registered answers for a file that the repository has not.
func (f *commitFiles) registered(path string) ([]byte, error) {
	id, ok := registeredID(path)
	if !ok || f.schemas == nil {
		return nil, fs.ErrNotExist
	}
	e, ok, err := f.schemas.RegisteredSchema(f.ctx, id)
	if err != nil {
		return nil, fmt.Errorf("registered schema %s: %w", id, err)
	}
	if !ok {
		return nil, fs.ErrNotExist
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.editions[id] = e
	return e.Definition, nil
}

// edition is the registered one that checked a profile which names the schema;
// nil when a file of the repository did.
func (f *commitFiles) edition(id string) *profile.SchemaEdition {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.editions[id]; ok {
		return &e
	}
	return nil
}

// schemaWarning says what is odd about the schema of a sound profile, "" when
// nothing is.
func (f *commitFiles) schemaWarning(id string, used *profile.SchemaEdition) (string, error) {
	if id == "" || f.schemas == nil {
		return "", nil
	}
	if used != nil {
		if used.Status == profile.SchemaDeprecated {
			return fmt.Sprintf("schema %s %s is Deprecated: %s", id, used.Version, used.Deprecation), nil
		}
		return "", nil
	}
	both, err := f.registeredToo(id)
	if err != nil {
		return "", err
	}
	if both {
		return fmt.Sprintf("schema %s is registered by API too: the file of the repository is the one that counts", id), nil
	}
	return "", nil
}

// registeredToo says whether a schema that the commit has is registered as well.
func (f *commitFiles) registeredToo(id string) (both bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	both, known := f.both[id]
	if !known {
		if _, both, err = f.schemas.RegisteredSchema(f.ctx, id); err != nil {
			return false, fmt.Errorf("registered schema %s: %w", id, err)
		}
		f.both[id] = both
	}
	return both, nil
}

// loadApprovals finds out which versions that are there already were checked by
// a registered schema that nobody approved, for Production.
func (st *state) loadApprovals(ctx context.Context, store SchemaStore, observations []observation) error {
	for _, obs := range observations {
		for _, s := range obs.Sightings {
			v, ok := st.Latest[s.Profile.Name]
			if !ok || s.Edition != nil || len(s.Problems) > 0 || s.Profile.Environment != profile.Production || v.SchemaHash == "" || v.SchemaHash == s.SchemaHash {
				continue
			}
			if _, ok, err := store.RegisteredEdition(ctx, v.SchemaID, v.SchemaHash); err != nil || !ok {
				if err != nil {
					return fmt.Errorf("schema %s of %s: %w", v.SchemaID, v.Profile, err)
				}
				continue
			}
			use, ok, err := store.RegisteredSchema(ctx, v.SchemaID)
			if err != nil {
				return fmt.Errorf("schema %s of %s: %w", v.SchemaID, v.Profile, err)
			}
			if ok && use.Status != profile.SchemaApproved {
				st.Unapproved[v.Profile] = use
			}
		}
	}
	return nil
}

// errNotApproved is why Production is not deployed to under a schema.
type errNotApproved struct{ profile.SchemaEdition }

// Error says so, and the way out.
func (e errNotApproved) Error() string { return profile.NotApproved(e.SchemaEdition) }

// approved says why the profile's latest version may not be deployed, nil when
// it may: Production runs only what an Approved schema checked. Git's own
// schemas are approved by their merge.
func (p *planner) approved(w *work) error {
	if w.rec.Environment != profile.Production {
		return nil
	}
	if w.edition != nil && w.edition.Status != profile.SchemaApproved {
		return errNotApproved{*w.edition}
	}
	if e, not := p.st.Unapproved[w.rec.Name]; not && len(w.made) == 0 {
		return errNotApproved{e}
	}
	return nil
}

// FactSchemasSeen is the audit event of a source whose profiles were looked at
// again because registered schemas changed.
const FactSchemasSeen = "source.schemas-seen"

// lookAgain looks at the profiles that registered schemas concern which changed,
// and at those that are broken. Nothing that runs is touched: a profile that its
// schema does not let pass any more becomes a problem, and what waited for an
// approval goes on its way.
func (r *Reconciler) lookAgain(ctx context.Context, head string) (Result, error) {
	ids, through, err := r.store.ChangedSchemas(ctx, r.source.ID)
	if err != nil {
		return Result{}, fmt.Errorf("changed schemas: %w", err)
	}
	if len(ids) == 0 {
		return Result{Head: head}, nil
	}
	r.placed = remembered{} // what is written here does not move the head
	st, err := loadSource(ctx, r.store, r.source, head, r.reach)
	if err != nil {
		return Result{}, err
	}
	commits, err := fetched(ctx, r.git, func() ([]gitsource.Commit, error) { return r.git.Walk(ctx, "", head) })
	if err != nil {
		return Result{}, err
	}
	if len(commits) != 1 {
		return Result{}, fmt.Errorf("commit %s: the walk gave %d commits, want 1", head, len(commits))
	}
	obs, err := r.observer(r.git, st).again(ctx, commits[0], st.under(ids))
	if err != nil {
		return Result{}, err
	}
	seen := []observation{obs}
	if err := st.loadAround(ctx, r.store, r.git, r.source.Path, seen); err != nil {
		return Result{}, err
	}
	p := makePlan(st, seen)
	p.SchemasSeen = through
	if len(obs.Sightings) > 0 {
		p.Facts = append([]rollout.Fact{{
			Type: FactSchemasSeen, EntityType: "source", EntityID: r.source.ID, Actor: actor,
			Details: map[string]any{"at": head, "schemas": ids, "files": len(obs.Sightings)},
		}}, p.Facts...)
	}
	if err := r.apply(ctx, stride{from: head, to: head, all: true}, p); err != nil {
		return Result{}, err
	}
	r.metrics.VersionsMade(r.source.ID, len(p.Versions))
	if len(p.Deployments) > 0 {
		r.rouse()
	}
	return Result{Head: head, Versions: len(p.Versions), Deployments: len(p.Deployments), Problems: len(p.Problems)}, nil
}

// under lists the files of the profiles that name one of the schemas.
func (st *state) under(ids []string) []string {
	files := map[string]bool{}
	for _, p := range st.Files {
		if !p.Retired && slices.Contains(ids, p.SchemaID) {
			files[p.Path] = true
		}
	}
	return slices.Sorted(maps.Keys(files))
}

// again looks at files of a commit that was looked at before, and at those that
// were broken there.
func (o *observer) again(ctx context.Context, c gitsource.Commit, files []string) (observation, error) {
	affected := make(map[string]concern)
	for file, k := range o.files {
		if k.broken {
			affected[file] = concern{}
		}
	}
	for _, file := range files {
		affected[file] = concern{}
	}
	return o.look(ctx, observation{Commit: c, Again: true}, affected)
}

// loadAround reads all that a plan needs to know about what was seen.
func (st *state) loadAround(ctx context.Context, store Reads, git Git, root string, seen []observation) error {
	if err := st.loadProfiles(ctx, store, seen); err != nil {
		return err
	}
	if err := st.loadEditions(ctx, git, store, root, seen); err != nil {
		return err
	}
	return st.loadApprovals(ctx, store, seen)
}

// registeredBefore reads the edition of a registered schema that a version was
// checked by; nil when it is none.
func (l *editions) registeredBefore(ctx context.Context, id, hash string) (*profile.Schema, error) {
	e, ok, err := l.store.RegisteredEdition(ctx, id, hash)
	if err != nil || !ok {
		return nil, err
	}
	s, err := e.Compile()
	if errors.Is(err, profile.ErrSchema) {
		return nil, nil
	}
	return s, err
}
