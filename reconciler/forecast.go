package reconciler

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// forecast is what the merge of a pull request would do, in plain values.
type forecast struct {
	Head, Base string // commits
	Branch     string // that it goes into
	Fork       bool   // from a stranger's repository: nothing is told but what its own files say
	Trouble    string // why nothing can be said of it, "" when it could be looked at
	Conflicts  []string

	Profiles  []prospect
	Unrelated []string // files that it changes and that touch no profile
	BrokenToo int      // files that were broken before and that it leaves alone
}

// prospect is what becomes of one file, and of the profile in it.
type prospect struct {
	Name string // "" when the file is too broken to tell
	Path string

	Problems profile.Problems // for which the file makes no version
	Warnings profile.Problems

	Known     bool   // the profile is there already
	Leaves    bool   // its file leaves Git
	Returns   bool   // its file comes back
	MovedFrom string // path
	Redefined bool   // its definition changes

	Was, Next string // versions; Next is "" when its data stays as it is
	Explicit  bool   // the file names the version
	Diff      profile.Diff
	Schema    string
	BreaksOff string // how the schema breaks what it declared, "" when it does not
	Guard     string // why a person is asked before anything happens

	Running    string             // the version that runs, "" when none does
	Hold       *rollout.Hold      // in force
	EndsHold   bool               // by the merge
	Supersedes rollout.Deployment // under way; its ID is "" when nothing is
	Word       rollout.Status     // what the commit hears at once, where no deployment speaks; State is "" when it hears nothing
	Course     *course            // how it is rolled out; nil when it is not, or that is not told

	deployment *rollout.Deployment // that the merge makes
}

// Bump says which part of the version rises, and for which fields.
func (p prospect) Bump() (bump profile.Bump, fields []string) {
	bump = p.Diff.Bump()
	list := p.Diff.Modified
	switch bump {
	case profile.Major:
		list = slices.Clone(p.Diff.Removed)
		for _, c := range p.Diff.Modified {
			if c.TypeChanged {
				list = append(list, c)
			}
		}
	case profile.Minor:
		list = p.Diff.Added
	}
	for _, c := range list {
		fields = append(fields, c.Field)
	}
	return bump, fields
}

// fails says that the merge commit would hear of a failure.
func (p prospect) fails() bool {
	return len(p.Problems) > 0 || p.Word.State == rollout.StatusFailure
}

// Passed says that nothing is wrong with the pull request.
func (f forecast) Passed() bool {
	return f.Trouble == "" && len(f.Conflicts) == 0 && !slices.ContainsFunc(f.Profiles, prospect.fails)
}

// foreteller reads from the plan of a merge what it would do.
type foreteller struct {
	st       state
	obs      observation
	plan     plan
	owners   map[string][]string
	versions map[string]profile.Version
	deploys  map[string]rollout.Deployment
	words    map[string]rollout.Status // by context
	problems map[string]string         // by path, as after the merge
	facts    map[[2]string]rollout.Fact
}

// foresee tells what the plan of a merge, that changes those files, would do.
func foresee(st state, obs observation, changes []gitsource.Change, p plan) forecast {
	t := &foreteller{
		st: st, obs: obs, plan: p, owners: st.owners(),
		versions: make(map[string]profile.Version), deploys: make(map[string]rollout.Deployment),
		words: make(map[string]rollout.Status), problems: make(map[string]string), facts: make(map[[2]string]rollout.Fact),
	}
	for _, v := range p.Versions {
		t.versions[v.Profile] = v
	}
	for _, dec := range p.Deployments {
		t.deploys[dec.Next.Profile] = dec.Next
	}
	for _, s := range p.Statuses {
		t.words[s.Context] = s
	}
	for _, f := range p.Facts {
		t.facts[[2]string{f.Type, f.EntityID}] = f
	}
	for file, problem := range st.Problems {
		t.problems[file] = problem.Message
	}
	for _, file := range p.Mended {
		delete(t.problems, file)
	}
	for _, problem := range p.Problems {
		t.problems[problem.Path] = problem.Message
	}
	return t.forecast(changes)
}

func (t *foreteller) forecast(changes []gitsource.Change) forecast {
	f := forecast{Head: t.obs.Commit.SHA, Base: t.st.Head}
	touched := make(map[string]bool)
	for _, s := range t.obs.Sightings {
		touched[s.Path] = true
		for _, d := range s.Profile.Dependencies {
			touched[d] = true
		}
		for _, owner := range t.owners[s.Path] {
			for _, d := range t.st.Files[owner].Dependencies {
				touched[d] = true
			}
		}
		switch {
		case s.Gone:
			f.Profiles = append(f.Profiles, t.leaving(s)...)
		case t.refused(s.Path):
			if t.news(s) {
				f.Profiles = append(f.Profiles, t.broken(s))
			} else {
				f.BrokenToo++
			}
		default:
			if p := t.sound(s); t.tells(s, p) {
				f.Profiles = append(f.Profiles, p)
			}
		}
	}
	for _, ch := range changes {
		if !touched[ch.Path] {
			f.Unrelated = append(f.Unrelated, ch.Path)
		}
	}
	slices.SortStableFunc(f.Profiles, func(a, b prospect) int {
		return cmp.Or(sooner(a.fails(), b.fails()), strings.Compare(a.Name, b.Name), strings.Compare(a.Path, b.Path))
	})
	return f
}

// sooner puts what holds for a before b when it holds for a alone.
func sooner(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// refused says that the file makes no version after the merge.
func (t *foreteller) refused(file string) bool {
	message, bad := t.problems[file]
	return bad && !isNotDeployed(profile.SourceProblem{Path: file, Message: message})
}

// news says that the merge has to do with what is wrong with the file: the
// merge commit hears of it then.
func (t *foreteller) news(s sighting) bool {
	return s.Touched || s.Rests || t.st.Problems[s.Path].Message != t.problems[s.Path]
}

// tells says that there is something to say of a sound file: others are only
// looked at because they were broken before.
func (t *foreteller) tells(s sighting, p prospect) bool {
	return s.Touched || s.Rests || p.Next != "" || p.Word.State != "" || p.deployment != nil
}

func (t *foreteller) broken(s sighting) prospect {
	p := prospect{Path: s.Path, Problems: s.Problems, Schema: s.Profile.Schema, Name: s.Profile.Name}
	if owners := t.owners[s.Path]; p.Name == "" && len(owners) > 0 {
		p.Name = owners[0]
	}
	if len(p.Problems) == 0 {
		p.Problems = profile.Problems{placed(s.Path, t.problems[s.Path])}
	}
	t.known(&p)
	return p
}

// placed takes a problem's words apart again: path:line:column: message.
func placed(file, message string) profile.Problem {
	p := profile.Problem{Path: file, Message: message, Severity: profile.Error}
	rest, ok := strings.CutPrefix(message, printable(file)+":")
	if !ok {
		return p
	}
	p.Message = strings.TrimSpace(rest)
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) < 3 {
		return p
	}
	line, err1 := strconv.Atoi(parts[0])
	column, err2 := strconv.Atoi(parts[1])
	if err1 == nil && err2 == nil {
		p.Line, p.Column, p.Message = line, column, strings.TrimSpace(parts[2])
	}
	return p
}

// leaving lists what becomes of the profiles whose file is not there any more.
// Those that moved are told of where they are now.
func (t *foreteller) leaving(s sighting) []prospect {
	var out []prospect
	for _, name := range t.owners[s.Path] {
		p := prospect{Name: name, Path: s.Path, Leaves: true}
		t.known(&p)
		d, guarded := t.deploys[name]
		if guarded && d.Kind == rollout.Retirement {
			p.Guard = d.Guard
		} else if !slices.Contains(t.plan.Retired, name) {
			continue
		}
		out = append(out, p)
	}
	return out
}

func (t *foreteller) sound(s sighting) prospect {
	p := prospect{Name: s.Profile.Name, Path: s.Path, Warnings: s.Profile.Warnings, Schema: s.Profile.Schema}
	t.known(&p)
	_, p.Redefined = t.facts[[2]string{FactProfileDefined, p.Name}]
	_, p.Returns = t.facts[[2]string{FactProfileReturned, p.Name}]
	if moved, ok := t.facts[[2]string{FactProfileMoved, p.Name}]; ok {
		p.MovedFrom, _ = moved.Details["from"].(string)
	}
	if v, ok := t.versions[p.Name]; ok {
		p.Next, p.Explicit = v.Number, s.Profile.Version != ""
		p.Diff = profile.Compare(t.st.Latest[p.Name].Data, v.Data).Masked()
	}
	p.BreaksOff = t.st.Broken[edition{p.Name, s.SchemaHash}]
	d, deployed := t.deploys[p.Name]
	if !deployed {
		p.Word = t.words[rollout.Context(p.Name)]
		if whole, notDeployed := t.problems[s.Path]; notDeployed && p.Word.State != "" {
			p.Word.Description = whole // the status had to be cut
		}
		return p
	}
	p.deployment, p.Guard = &d, d.Guard
	p.Supersedes = t.st.Active[p.Name]
	p.EndsHold = slices.ContainsFunc(t.plan.Releases, func(e ending) bool { return e.Profile == p.Name })
	return p
}

// known fills in what the store says of the profile as it is.
func (t *foreteller) known(p *prospect) {
	if _, p.Known = t.st.Files[p.Name]; !p.Known {
		return
	}
	p.Was, p.Running = t.st.Latest[p.Name].Number, t.st.Current[p.Name].Number
	if hold, held := t.st.Holds[p.Name]; held {
		p.Hold = &hold
	}
}

// strangers is what may be told of a pull request from a fork: what its files
// say, and nothing of what runs here.
func (f forecast) strangers() forecast {
	f.Profiles = slices.Clone(f.Profiles)
	for i, p := range f.Profiles {
		p.Running, p.Hold, p.EndsHold, p.Supersedes, p.deployment = "", nil, false, rollout.Deployment{}, nil
		p.Diff, p.Word = fieldsOnly(p.Diff), rollout.Status{}
		f.Profiles[i] = p
	}
	return f
}

// fieldsOnly is a difference without values.
func fieldsOnly(d profile.Diff) profile.Diff {
	bare := func(list []profile.Change) (out []profile.Change) {
		for _, c := range list {
			out = append(out, profile.Change{Field: c.Field, TypeChanged: c.TypeChanged})
		}
		return out
	}
	return profile.Diff{Added: bare(d.Added), Removed: bare(d.Removed), Modified: bare(d.Modified)}
}

// clone returns a state that more can be loaded into without changing st.
func (st state) clone() state {
	st.Foreign, st.Latest, st.Current = maps.Clone(st.Foreign), maps.Clone(st.Latest), maps.Clone(st.Current)
	st.Holds, st.Active, st.Proven, st.Broken = maps.Clone(st.Holds), maps.Clone(st.Active), maps.Clone(st.Proven), maps.Clone(st.Broken)
	st.Unapproved = maps.Clone(st.Unapproved)
	return st
}
