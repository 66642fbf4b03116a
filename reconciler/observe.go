package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
)

// observation is what one commit's tree says about the files that the commit
// can have changed.
type observation struct {
	Commit    gitsource.Commit
	Whole     bool       // every file was looked at: what the commit itself changed is not known
	Sightings []sighting // ordered by path
}

// sighting is one profile file as one commit has it.
type sighting struct {
	Path       string
	Gone       bool // there is no profile at the path any more
	Touched    bool // the commit changed the file itself
	Rests      bool // the commit changed something that the file rests on
	Profile    profile.Profile
	Problems   profile.Problems // when not empty, Profile holds only what could be read
	Hash       string           // of the effective data
	SchemaHash string           // of the schema file, "" without one
	VersionAt  profile.Problem  // the place of an explicit version
	refused    string           // why the tree's entry must not be used at all, "" when it may
}

// observer looks at commits, oldest first, and keeps what is known of each
// file up to date, so that the next commit's dependents are found.
type observer struct {
	git    Git
	root   string
	limits profile.Limits
	log    *slog.Logger

	files      map[string]*known
	bearers    map[string]map[string]struct{} // name -> the sound files that may bear it
	dependents map[string]map[string]struct{} // path -> the profile files that rest on it
}

// known is what the observer remembers of one profile file.
type known struct {
	names  []string // that it may bear, being sound
	deps   []string
	broken bool // or refused for its name: looked at again with every commit until it is mended
}

func newObserver(git Git, root string, log *slog.Logger, st state) *observer {
	o := &observer{
		git: git, root: root, limits: profile.DefaultLimits(), log: log,
		files:      make(map[string]*known),
		bearers:    make(map[string]map[string]struct{}),
		dependents: make(map[string]map[string]struct{}),
	}
	for file, owners := range st.owners() {
		var deps []string
		for _, name := range owners {
			deps = append(deps, st.Records[name].Dependencies...)
		}
		o.remember(file, deps, false)
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
	affected := make(map[string]sighting)
	for file, k := range o.files {
		if k.broken {
			affected[file] = sighting{}
		}
	}
	for _, ch := range changes {
		if o.mayBeProfile(ch.Path, ch.Reason) {
			s := affected[ch.Path]
			s.Touched, s.refused = true, ch.Reason
			affected[ch.Path] = s
		}
		for file := range o.dependents[ch.Path] {
			s := affected[file]
			s.Rests = true
			affected[file] = s
		}
	}
	return o.look(ctx, observation{Commit: c}, affected)
}

// whole looks at every file of c's tree, and at every file that is known.
func (o *observer) whole(ctx context.Context, c gitsource.Commit) (observation, error) {
	entries, err := o.git.List(ctx, c.SHA)
	if err != nil {
		return observation{}, fmt.Errorf("list %s: %w", c.SHA, err)
	}
	affected := make(map[string]sighting)
	for file := range o.files {
		affected[file] = sighting{}
	}
	for _, e := range entries {
		if o.mayBeProfile(e.Path, e.Reason) {
			affected[e.Path] = sighting{refused: e.Reason}
		}
	}
	return o.look(ctx, observation{Commit: c, Whole: true}, affected)
}

func (o *observer) look(ctx context.Context, obs observation, affected map[string]sighting) (observation, error) {
	files := newCommitFiles(ctx, o.git, obs.Commit.SHA)
	for _, file := range slices.Sorted(maps.Keys(affected)) {
		s := affected[file]
		s.Path = file
		if err := o.take(files, &obs, s); err != nil {
			return observation{}, err
		}
	}
	if err := o.lookAtTwins(files, &obs); err != nil {
		return observation{}, err
	}
	slices.SortFunc(obs.Sightings, func(a, b sighting) int { return strings.Compare(a.Path, b.Path) })
	return obs, nil
}

// take looks at one file and adds what there is to say of it.
func (o *observer) take(files *commitFiles, obs *observation, s sighting) error {
	if !s.Touched && !obs.Whole && profile.ValidPath(s.Path) != nil {
		return nil // a name that cannot be asked for stays as broken as it was until the tree tells of a change
	}
	if err := o.see(files, &s); err != nil {
		return fmt.Errorf("read %s at %s: %w", s.Path, obs.Commit.SHA, err)
	}
	_, isKnown := o.files[s.Path]
	switch {
	case !s.Gone:
		o.remember(s.Path, s.Profile.Dependencies, len(s.Problems) > 0)
	case !isKnown:
		return nil // never was a profile
	default:
		o.forget(s.Path)
	}
	if !s.Gone {
		o.bear(s.Path, "")
		if len(s.Problems) == 0 {
			o.bear(s.Path, s.Profile.Name)
		}
	}
	obs.Sightings = append(obs.Sightings, s)
	return nil
}

// lookAtTwins also looks at the files that bear a name which the commit gave
// to another one: the commit concerns them, though it left them alone.
func (o *observer) lookAtTwins(files *commitFiles, obs *observation) error {
	seen := make(map[string]bool)
	for _, s := range obs.Sightings {
		seen[s.Path] = true
	}
	for _, s := range slices.Clone(obs.Sightings) {
		twins := slices.Sorted(maps.Keys(o.bearers[s.Profile.Name]))
		if len(twins) < 2 {
			continue
		}
		for _, file := range twins {
			if !seen[file] {
				seen[file] = true
				if err := o.take(files, obs, sighting{Path: file}); err != nil {
					return err
				}
			}
			if k, there := o.files[file]; there {
				k.broken = true
			}
		}
	}
	return nil
}

// see fills in what the commit's tree has at s.Path. Its error says that Git
// could not be read; what is wrong with the file itself becomes s.Problems.
func (o *observer) see(files *commitFiles, s *sighting) error {
	if s.refused != "" && profile.ValidPath(s.Path) != nil { // any other is asked for by its name, and says the same each time
		s.refuse(s.refused)
		return nil
	}
	src, err := files.ReadFile(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Gone = true
		return nil
	case errors.Is(err, profile.ErrRefused):
		s.refuse(err.Error())
		return nil
	case err != nil:
		return err
	}
	if kind := profile.Kind(src); kind == profile.KindNone || kind == profile.KindBase {
		s.Gone = true
		return nil
	}
	p, err := o.load(files, s.Path)
	s.Profile = p
	if problems, ok := errors.AsType[profile.Problems](err); ok {
		s.Problems = problems
		return nil
	} else if err != nil {
		return err
	}
	s.Hash = profile.Hash(p.Data)
	s.SchemaHash, err = schemaHash(files, o.root, p.Schema)
	s.VersionAt = versionPlace(s.Path, src)
	return err
}

func (s *sighting) refuse(why string) {
	s.Problems = profile.Problems{{Path: s.Path, Message: why, Severity: profile.Error}}
}

// load is profile.Load with a panic turned into a problem of the file: one
// file must never stop the others.
func (o *observer) load(files *commitFiles, file string) (p profile.Profile, err error) {
	defer func() {
		if v := recover(); v != nil {
			o.log.Error("reading a profile panicked", "path", file, "commit", files.commit, "panic", v)
			p = profile.Profile{Path: file}
			err = profile.Problems{{Path: file, Message: "internal error: reading this file panicked", Severity: profile.Error}}
		}
	}()
	return profile.Load(files, o.root, file, o.limits)
}

// mayBeProfile says whether a path is worth a look: a YAML file below the
// root, one that was a profile, or an entry that must not be used and looks
// like a folder, which can hide profiles.
func (o *observer) mayBeProfile(file, refused string) bool {
	if _, ok := o.files[file]; ok {
		return true
	}
	if o.root != "" && !strings.HasPrefix(file, o.root+"/") {
		return false
	}
	switch path.Ext(file) {
	case ".yaml", ".yml":
		return true
	case "":
		return refused != ""
	}
	return false
}

func (o *observer) remember(file string, deps []string, broken bool) {
	k, ok := o.files[file]
	if !ok {
		k = &known{}
		o.files[file] = k
	}
	k.broken = broken
	if broken && len(deps) == 0 {
		return // too broken to say on what it rests: what was known still holds
	}
	o.unlink(file, k.deps)
	k.deps = deps
	for _, d := range deps {
		if o.dependents[d] == nil {
			o.dependents[d] = make(map[string]struct{})
		}
		o.dependents[d][file] = struct{}{}
	}
}

// bear adds a name that the file may bear; the empty one withdraws all.
func (o *observer) bear(file, name string) {
	k := o.files[file]
	if name == "" {
		for _, n := range k.names {
			delete(o.bearers[n], file)
		}
		k.names = nil
		return
	}
	k.names = append(k.names, name)
	if o.bearers[name] == nil {
		o.bearers[name] = make(map[string]struct{})
	}
	o.bearers[name][file] = struct{}{}
}

func (o *observer) forget(file string) {
	o.bear(file, "")
	o.unlink(file, o.files[file].deps)
	delete(o.files, file)
}

func (o *observer) unlink(file string, deps []string) {
	for _, d := range deps {
		delete(o.dependents[d], file)
	}
}

// schemaHash is the SHA-256 of the schema file that Load used for id.
func schemaHash(files *commitFiles, root, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	for _, file := range profile.SchemaPaths(root, id) {
		src, err := files.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(src)
		return hex.EncodeToString(sum[:]), nil
	}
	return "", nil
}

var versionKey = regexp.MustCompile(`(?m)^["']?version["']?[ \t]*:[ \t]*`)

// versionPlace finds where a file sets its explicit version.
func versionPlace(file string, src []byte) profile.Problem {
	at := profile.Problem{Path: file, Field: "$.version", Severity: profile.Error}
	if m := versionKey.FindIndex(src); m != nil {
		at.Line = 1 + strings.Count(string(src[:m[0]]), "\n")
		at.Column = 1 + m[1] - m[0]
	}
	return at
}
