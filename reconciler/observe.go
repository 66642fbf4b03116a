package reconciler

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
)

// observation is what one commit's tree says about the files that the commit
// can have changed.
type observation struct {
	Commit    gitsource.Commit
	Again     bool       // nothing changed in Git: registered schemas did
	Whole     bool       // every file was looked at: what the commit itself changed is not known
	Sightings []sighting // ordered by path
}

// empty says that no file that was looked at is a profile, not even a broken one.
func (obs observation) empty() bool {
	return !slices.ContainsFunc(obs.Sightings, func(s sighting) bool { return !s.Gone })
}

// concern is a file that a commit can have to do with.
type concern struct {
	Path    string
	Touched bool   // the commit changed the file itself
	Rests   bool   // the commit changed something that the file rests on
	refused string // why the tree's entry must not be used at all, "" when it may
}

// sighting is one profile file as one commit has it.
type sighting struct {
	concern
	Gone       bool   // there is no profile at the path any more
	instead    string // what a slip left where a profile lay, "" for nothing
	NewSchema  bool   // the commit changed the schema that the file names
	Profile    profile.Profile
	Problems   profile.Problems       // when not empty, Profile holds only what could be read
	Text       []byte                 // the effective data as canonical JSON; Profile.Data may be nil then
	Hash       string                 // of it
	SchemaHash string                 // of the schema file, "" without one
	Edition    *profile.SchemaEdition // the registered schema that checked it; nil: a file of the commit did, or none
	VersionAt  profile.Problem        // the place of an explicit version
}

// observer looks at commits, oldest first, and keeps what is known of each
// file up to date, so that the next commit's dependents are found.
type observer struct {
	git    Git
	root   string
	limits profile.Limits
	keeper profile.Keeper // may be nil
	timed  func(ctx context.Context, took time.Duration)
	log    *slog.Logger
	store  SchemaStore
	stored map[string]profile.Placed // the source's profiles, by name
	lean   bool                      // whether the data of profiles that are not stored is kept as text only
	intake *intake                   // of a first sync, else nil

	loaders chan *profile.Loader // idle ones, which remember the schemas that they compiled

	files      map[string]*known
	bearers    map[string][]string // name -> the sound files that may bear it
	dependents map[string][]string // path -> the profile files that rested on it: see restingOn
}

// observer looks at the source's commits.
func (r *Reconciler) observer(git Git, st state) *observer {
	o := newObserver(git, r.source.Path, r.log, st, r.store)
	o.keeper, o.timed = r.keeper, r.metrics.Validated
	return o
}

func newObserver(git Git, root string, log *slog.Logger, st state, store SchemaStore) *observer {
	n := len(st.Files)
	o := &observer{
		git: git, root: root, limits: profile.DefaultLimits(), log: log, store: store, stored: st.Files,
		timed:      func(context.Context, time.Duration) {},
		loaders:    make(chan *profile.Loader, maxSeeing),
		files:      make(map[string]*known, n),
		bearers:    make(map[string][]string, n),
		dependents: make(map[string][]string),
	}
	for file, owners := range st.owners() {
		var deps []string
		for _, name := range owners {
			deps = append(deps, st.Files[name].Dependencies...)
		}
		o.remember(file, deps, false)
		o.files[file].was = owners
		for _, name := range owners {
			o.bear(file, name)
		}
	}
	for _, p := range st.Problems {
		o.remember(p.Path, nil, true)
		o.bear(p.Path, "") // said anew with every commit
	}
	return o
}

// commit looks at the files that c can have changed against its first parent.
func (o *observer) commit(ctx context.Context, parent string, c gitsource.Commit) (observation, error) {
	changes, err := o.git.Changes(ctx, parent, c.SHA)
	if err != nil {
		return observation{}, fmt.Errorf("changes of %s: %w", c.SHA, err)
	}
	affected := make(map[string]concern)
	for file, k := range o.files {
		if k.broken {
			affected[file] = concern{}
		}
	}
	for _, ch := range changes {
		if o.mayBeProfile(ch.Path, ch.Reason) {
			c := affected[ch.Path]
			c.Touched, c.refused = true, ch.Reason
			affected[ch.Path] = c
		}
		for file := range o.restingOn(ch.Path) {
			c := affected[file]
			c.Rests = true
			affected[file] = c
		}
	}
	obs, err := o.look(ctx, observation{Commit: c}, affected)
	markSchemas(obs.Sightings, changes, o.root)
	return obs, err
}

// markSchemas notes whose schema is among the changes.
func markSchemas(sightings []sighting, changes []gitsource.Change, root string) {
	changed := make(map[string]bool, len(changes))
	for _, ch := range changes {
		changed[ch.Path] = true
	}
	for i := range sightings {
		if id := sightings[i].Profile.Schema; id != "" {
			sightings[i].NewSchema = slices.ContainsFunc(profile.SchemaPaths(root, id), func(file string) bool { return changed[file] })
		}
	}
}

// whole looks at every file of c's tree, and at every file that is known.
func (o *observer) whole(ctx context.Context, c gitsource.Commit) (observation, error) {
	entries, err := o.git.List(ctx, c.SHA)
	if err != nil {
		return observation{}, fmt.Errorf("list %s: %w", c.SHA, err)
	}
	affected := make(map[string]concern, max(len(entries), len(o.files)))
	for file := range o.files {
		affected[file] = concern{}
	}
	for _, e := range entries {
		if o.mayBeProfile(e.Path, e.Reason) {
			affected[e.Path] = concern{refused: e.Reason}
		}
	}
	return o.look(ctx, observation{Commit: c, Whole: true}, affected)
}

func (o *observer) look(ctx context.Context, obs observation, affected map[string]concern) (observation, error) {
	files := newCommitFiles(ctx, o.git, o.store, obs.Commit.SHA)
	concerns := make([]concern, 0, len(affected))
	for _, file := range slices.Sorted(maps.Keys(affected)) {
		c := affected[file]
		c.Path = file
		if c.Touched || obs.Whole || profile.ValidPath(file) == nil {
			concerns = append(concerns, c)
		} // a name that cannot be asked for stays as broken as it was until the tree tells of a change
	}
	seen, err := o.seeAll(files, concerns)
	if err != nil {
		return observation{}, err
	}
	obs.Sightings = seen[:0] // a whole tree's are held once
	var slips []sighting
	for _, s := range seen {
		if s.instead != "" {
			slips = append(slips, s)
			continue
		}
		o.note(&obs, s)
	}
	for _, s := range slips { // now that it is known where every profile lies
		o.noteSlip(&obs, s)
	}
	clear(seen[len(obs.Sightings):])
	if err := o.lookAtTwins(files, &obs); err != nil {
		return observation{}, err
	}
	slices.SortFunc(obs.Sightings, func(a, b sighting) int { return strings.Compare(a.Path, b.Path) })
	return obs, nil
}

// note adds what there is to say of a file that was looked at.
func (o *observer) note(obs *observation, s sighting) {
	_, isKnown := o.files[s.Path]
	switch {
	case !s.Gone:
		o.remember(s.Path, s.Profile.Dependencies, len(s.Problems) > 0)
	case !isKnown:
		return // never was a profile
	default:
		o.forget(s.Path)
	}
	if !s.Gone {
		o.bear(s.Path, "")
		if len(s.Problems) == 0 {
			o.bear(s.Path, s.Profile.Name)
			o.files[s.Path].was = []string{s.Profile.Name}
		}
	}
	obs.Sightings = append(obs.Sightings, s)
}

// lookAtTwins also looks at the files that bear a name which the commit gave
// to another one: the commit concerns them, though it left them alone.
func (o *observer) lookAtTwins(files *commitFiles, obs *observation) error {
	seen := make(map[string]bool)
	for _, s := range obs.Sightings {
		seen[s.Path] = true
	}
	for _, s := range obs.Sightings { // as they are now: a twin bears a name that is looked at already
		if len(o.bearers[s.Profile.Name]) < 2 {
			continue
		}
		twins := slices.Sorted(slices.Values(o.bearers[s.Profile.Name]))
		for _, file := range twins {
			if !seen[file] {
				seen[file] = true
				s := sighting{concern: concern{Path: file}}
				if !obs.Whole && profile.ValidPath(file) != nil {
					continue
				}
				if err := o.seeOne(files, &s); err != nil {
					return err
				}
				o.note(obs, s)
			}
			if k, there := o.files[file]; there {
				k.broken = true
			}
		}
	}
	return nil
}
