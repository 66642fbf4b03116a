package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Preview is what a pull request with some files would be told.
type Preview struct {
	Passed   bool
	Problems profile.Problems
	Warnings profile.Problems
	Profiles []PreviewProfile // by name
}

// PreviewProfile is what would become of one profile, and of its file.
type PreviewProfile struct {
	Name, Path  string
	Environment profile.Environment
	Valid       bool
	Was, Next   string // versions; Next is "" when its data stays as it is
	Bump        profile.Bump
	Breaking    bool   // a key is removed, or a type changes
	Retires     bool   // its file is not there any more
	Guard       string // why a person would be asked first
}

// PreviewOptions are what files are looked at against.
type PreviewOptions struct {
	Store  Reads
	Source SourceOptions
	Git    Git // the source's mirror; nil: there is no source, and the files are all there is
	Reach  rollout.Reach
	Keeper profile.Keeper // may be nil
	Logger *slog.Logger
	// Validated is told of each file that was checked; it may be nil.
	Validated func(ctx context.Context, took time.Duration)
	// Partial lays the files over those of the source's synced commit; otherwise
	// they are all there are, and whatever is missing leaves Git.
	Partial bool
}

// What a preview cannot be made for.
var (
	// ErrUnknownSource is returned for a source that there is not.
	ErrUnknownSource = errors.New("there is no such source")
	// ErrWhichSource is returned when there are several and none was named.
	ErrWhichSource = errors.New("there are several sources")
)

// noSource is what files without a source are seen as coming from: an ID that
// none can have.
const noSource = "(none)"

// previewCommit is the commit that the files go by.
const previewCommit = "0000000000000000000000000000000000000000"

// PreviewFiles looks at files as a sync looks at a merged commit, and tells what
// a pull request would be told. Nothing is written. Its error says that this
// could not be found out; what is wrong with the files is in the preview.
func PreviewFiles(ctx context.Context, o PreviewOptions, files map[string][]byte) (p Preview, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if v := recover(); v != nil {
			o.Logger.ErrorContext(ctx, "preview panicked", "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", ErrPanic, v)
		}
	}()
	head := ""
	if o.Git == nil {
		o.Git, o.Source.ID, o.Partial = nothing{}, noSource, false
	} else {
		if head, err = o.Store.SourceHead(ctx, o.Source.ID); err != nil {
			return p, fmt.Errorf("synced commit of %s: %w", o.Source.ID, err)
		}
	}
	o.Source.Path = strings.Trim(path.Clean("/"+o.Source.Path), "/")
	st, err := loadSource(ctx, o.Store, o.Source, head, o.Reach)
	if err != nil {
		return p, err
	}
	tree := previewGit{Git: o.Git, files: files, base: head}
	if !o.Partial || head == "" { // before the first sync the files are all there are
		tree.base, o.Partial = "", false
	}
	seeing := newObserver(tree, o.Source.Path, o.Logger, st, o.Store)
	seeing.keeper = o.Keeper
	if o.Validated != nil {
		seeing.timed = o.Validated
	}
	obs, err := tree.observe(ctx, seeing, o.Partial)
	if err != nil {
		return p, err
	}
	seen := []observation{obs}
	if err := st.loadAround(ctx, o.Store, tree, o.Source.Path, seen); err != nil {
		return p, err
	}
	p = previewed(foresee(st, obs, nil, makePlan(st, seen)), obs, st)
	return p, p.parts(newCommitFiles(ctx, tree, o.Store, previewCommit), o.Source.Path, files)
}

// Preview looks at files as at a pull request of this source.
func (r *Reconciler) Preview(ctx context.Context, files map[string][]byte, partial bool) (Preview, error) {
	o := PreviewOptions{Store: r.store, Source: r.source, Git: r.git, Reach: r.reach, Keeper: r.keeper, Logger: r.log, Partial: partial, Validated: r.metrics.Validated}
	return fetched(ctx, r.git, func() (Preview, error) { return PreviewFiles(ctx, o, files) })
}

// previewGit is Git with one commit more, of files that nobody committed.
type previewGit struct {
	Git
	files map[string][]byte
	base  string // the commit that they lie over, "" for none
}

func (g previewGit) observe(ctx context.Context, o *observer, partial bool) (obs observation, err error) {
	c := gitsource.Commit{SHA: previewCommit, Message: "preview"}
	if partial {
		obs, err = o.commit(ctx, g.base, c)
	} else {
		obs, err = o.whole(ctx, c)
	}
	for i := range obs.Sightings {
		if _, given := g.files[obs.Sightings[i].Path]; given {
			obs.Sightings[i].Touched = true // it is asked about
		}
	}
	return obs, err
}

// Changes lists the files: each may differ from the commit that they lie over.
func (g previewGit) Changes(context.Context, string, string) ([]gitsource.Change, error) {
	var out []gitsource.Change
	for _, file := range slices.Sorted(maps.Keys(g.files)) {
		out = append(out, gitsource.Change{Path: file})
	}
	return out, nil
}

// List lists the files.
func (g previewGit) List(context.Context, string) ([]gitsource.Entry, error) {
	var out []gitsource.Entry
	for _, file := range slices.Sorted(maps.Keys(g.files)) {
		out = append(out, gitsource.Entry{Path: file})
	}
	return out, nil
}

// Read reads one of the files, or of those that they lie over.
func (g previewGit) Read(ctx context.Context, commit, file string) ([]byte, error) {
	if commit != previewCommit {
		return g.Git.Read(ctx, commit, file)
	}
	if src, ok := g.files[file]; ok {
		return src, nil
	}
	if g.base == "" {
		return nil, fs.ErrNotExist
	}
	return g.Git.Read(ctx, g.base, file)
}

// nothing is the mirror of no source.
type nothing struct{ Git }

// Read reads nothing: there is no commit.
func (nothing) Read(context.Context, string, string) ([]byte, error) {
	return nil, fmt.Errorf("no source: %w", gitsource.ErrNotFetched)
}

// previewed is what a forecast says, in the words of a preview.
func previewed(f forecast, obs observation, st state) Preview {
	environments := map[string]profile.Environment{}
	for _, s := range obs.Sightings {
		environments[s.Path] = s.Profile.Environment
	}
	p := Preview{Passed: f.Passed()}
	for _, one := range f.Profiles {
		bump, _ := one.Bump()
		if one.Was == "" {
			bump = profile.BumpNone // the first version is no rise
		}
		out := PreviewProfile{
			Name: one.Name, Path: one.Path, Environment: cmp.Or(environments[one.Path], st.Files[one.Name].Environment), Valid: !one.fails(),
			Was: one.Was, Next: one.Next, Bump: bump, Breaking: one.Diff.Breaking(), Retires: one.Leaves, Guard: one.Guard,
		}
		p.Profiles = append(p.Profiles, out)
		p.Problems = append(p.Problems, one.Problems...)
		p.Warnings = append(p.Warnings, one.Warnings...)
		if one.Word.State == rollout.StatusFailure {
			p.Problems = append(p.Problems, placed(one.Path, one.Word.Description))
		}
		if one.BreaksOff != "" {
			p.Warnings = append(p.Warnings, profile.Problem{Path: one.Path, Field: "$.schema", Message: one.BreaksOff, Severity: profile.Warning})
		}
	}
	slices.SortStableFunc(p.Profiles, func(a, b PreviewProfile) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Path, b.Path))
	})
	return p
}

// parts adds what is wrong with bases and schemas that no profile names.
func (p *Preview) parts(all *commitFiles, root string, files map[string][]byte) error {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		err := profile.CheckPart(all, root, file, files[file])
		problems, wrong := errors.AsType[profile.Problems](err)
		if err != nil && !wrong {
			return err
		}
		for _, one := range problems {
			p.Passed = false
			if !slices.Contains(p.Problems, one) {
				p.Problems = append(p.Problems, one)
			}
		}
	}
	return nil
}
