package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// state is what the store says about the source, and about every profile that
// the observations can concern.
type state struct {
	Source    string
	Policy    HoldPolicy
	Approvals int // that a deployment to Production waits for
	Reach     rollout.Reach
	Head      string                           // the synced commit, "" before the first sync
	Files     map[string]profile.Placed        // of all profiles of the source, by name
	Records   map[string]profile.Record        // of those that the observations can concern
	Foreign   map[string]profile.Owner         // names that others manage
	Sources   []string                         // that there are, nil when that is not known
	Latest    map[string]profile.Version       // newest version
	Current   map[string]profile.Version       // stable version, what a deployment goes back to
	Holds     map[string]rollout.Hold          // in force
	Active    map[string]rollout.Deployment    // not final
	Proven    map[content]bool                 // content that completed before
	Broken    map[edition]string               // how a schema breaks what it declared, where it does
	Problems  map[string]profile.SourceProblem // by path
	// Unapproved are the registered schemas, that nobody approved, of latest versions for Production; by profile, where they
	// are not what checks the profile now.
	Unapproved map[string]profile.SchemaEdition
}

// content is one profile's data, told by its hash.
type content struct{ profile, hash string }

// newState knows nothing yet.
func newState(source SourceOptions, head string, reach rollout.Reach) state {
	return state{
		Source: source.ID, Head: head, Policy: source.HoldPolicy, Approvals: source.RequiredApprovals, Reach: reach,
		Files:    make(map[string]profile.Placed),
		Records:  make(map[string]profile.Record),
		Foreign:  make(map[string]profile.Owner),
		Sources:  source.Sources,
		Latest:   make(map[string]profile.Version),
		Current:  make(map[string]profile.Version),
		Holds:    make(map[string]rollout.Hold),
		Active:   make(map[string]rollout.Deployment),
		Proven:   make(map[content]bool),
		Broken:   make(map[edition]string),
		Problems: make(map[string]profile.SourceProblem),

		Unapproved: make(map[string]profile.SchemaEdition),
	}
}

// loadSource reads the part of the state that says which files to look at.
func loadSource(ctx context.Context, store Reads, source SourceOptions, head string, reach rollout.Reach) (state, error) {
	st := newState(source, head, reach)
	placed, err := store.SourceProfiles(ctx, source.ID)
	if err != nil {
		return state{}, fmt.Errorf("profiles of source %s: %w", source.ID, err)
	}
	for _, p := range placed {
		st.Files[p.Name] = p
	}
	return st, st.loadProblems(ctx, store)
}

func (st *state) loadProblems(ctx context.Context, store Reads) error {
	problems, err := store.Problems(ctx, st.Source)
	if err != nil {
		return fmt.Errorf("problems of source %s: %w", st.Source, err)
	}
	for _, p := range problems {
		st.Problems[p.Path] = p
	}
	return nil
}

// loadProfiles reads what the store says about every profile that the
// observations name, and about those whose file they saw.
func (st *state) loadProfiles(ctx context.Context, store Reads, observations []observation) error {
	owners := st.owners()
	names := make(map[string]struct{})
	hashes := make(map[content]struct{})
	for _, obs := range observations {
		for _, s := range obs.Sightings {
			for _, owner := range owners[s.Path] {
				names[owner] = struct{}{}
			}
			if s.Profile.Name != "" {
				names[s.Profile.Name] = struct{}{}
			}
			if _, stored := st.Files[s.Profile.Name]; stored && s.Hash != "" {
				hashes[content{s.Profile.Name, s.Hash}] = struct{}{}
			}
		}
	}
	if err := st.loadNamed(ctx, store, slices.Sorted(maps.Keys(names))); err != nil {
		return err
	}
	for c := range hashes {
		if _, known := st.Records[c.profile]; !known {
			continue // nothing of it ever completed
		}
		proven, err := store.Proven(ctx, c.profile, c.hash)
		if err != nil {
			return fmt.Errorf("profile %s: proven %s: %w", c.profile, c.hash, err)
		}
		st.Proven[c] = proven
	}
	return nil
}

// loadNamed reads what is known of the profiles of these names, if anything is.
func (st *state) loadNamed(ctx context.Context, store Reads, names []string) error {
	var mine, others []string
	for _, name := range names {
		if _, ok := st.Files[name]; ok {
			mine = append(mine, name)
		} else {
			others = append(others, name)
		}
	}
	if len(mine) > 0 {
		records, err := store.NamedProfiles(ctx, mine)
		if err != nil {
			return fmt.Errorf("%d profiles: %w", len(mine), err)
		}
		for _, r := range records {
			st.Records[r.Name], st.Files[r.Name] = r, r.Placed() // as it is by now
		}
	}
	for _, name := range mine {
		if err := st.loadProfile(ctx, store, name); err != nil {
			return fmt.Errorf("profile %s: %w", name, err)
		}
	}
	if len(others) > 0 {
		foreign, err := store.ProfileOwners(ctx, others)
		if err != nil {
			return fmt.Errorf("owners of %d profiles: %w", len(others), err)
		}
		maps.Copy(st.Foreign, foreign)
	}
	return nil
}

func (st *state) loadProfile(ctx context.Context, store Reads, name string) error {
	rec := st.Records[name]
	latest, ok, err := store.LatestVersion(ctx, name)
	if err != nil {
		return err
	}
	if ok {
		st.Latest[name] = latest
	}
	switch rec.CurrentVersion {
	case "":
	case latest.Number:
		st.Current[name] = latest
	default:
		if st.Current[name], err = store.Version(ctx, name, rec.CurrentVersion); err != nil {
			return fmt.Errorf("current version %s: %w", rec.CurrentVersion, err)
		}
	}
	hold, held, err := store.ActiveHold(ctx, name)
	if err != nil {
		return err
	}
	if held {
		st.Holds[name] = hold
	}
	active, err := store.ActiveDeployment(ctx, name)
	switch {
	case err == nil:
		st.Active[name] = active
	case !errors.Is(err, rollout.ErrNotFound):
		return err
	}
	return nil
}

// owners says which profiles' files lie where. Two can share a path: one left
// its last good version there, or awaits its retirement, the other moved in.
func (st *state) owners() map[string][]string {
	out := make(map[string][]string, len(st.Files))
	for name, p := range st.Files {
		if !p.Retired {
			out[p.Path] = append(out[p.Path], name)
		}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}
