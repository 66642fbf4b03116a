package reconciler

import (
	"maps"
	"slices"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// plan is everything that one sync wants written. Times, IDs and the trace are
// filled in when it is applied.
type plan struct {
	Source      string
	TakenOver   map[string]profile.Owner // profiles that become the source's first, and their owners
	Profiles    []profile.Record
	Versions    []profile.Version
	Releases    []ending           // holds to end
	Deployments []rollout.Decision // each begins one
	Superseded  []ending           // active deployments to end without a successor
	Retired     []string
	Problems    []profile.SourceProblem // new or changed
	Mended      []string                // paths
	Statuses    []rollout.Status
	Facts       []rollout.Fact
	Rests       []premise
	SchemasSeen int64 // up to which change of registered schemas the profiles were looked at; 0: not for that
}

// ending says of which profile something ends, and why.
type ending struct{ Profile, Actor, Reason string }

// premise is what the plan took for granted about a profile that a rollback, a
// promotion or a person can change at any time.
type premise struct {
	Profile string
	Hold    rollout.Hold // zero: none in force
	Active  string       // ID of the active deployment, "" without one
}

// planner turns observations into a plan. It reads nothing but its state.
type planner struct {
	st       state
	plan     plan
	works    map[string]*work
	claims   claims
	owners   map[string][]string // path -> the profiles whose records have that path
	problems map[string]profile.SourceProblem
	spoken   map[string]bool // commits that something is said about
	statuses map[statusKey]int
}

type statusKey struct{ commit, context string }

// work is one profile's way through a push.
type work struct {
	rec    profile.Record
	stored bool // it was known before the push
	put    bool // its record changed

	baseline  *profile.Version // what a guard compares with: what runs, or else the last version before the push
	latest    *profile.Version
	made      []int                  // its new versions in plan.Versions, oldest first
	deployed  bool                   // and a deployment was made
	candidate bool                   // its latest version is to be deployed
	commit    gitsource.Commit       // that asks for the deployment
	newSchema bool                   // and changed the schema with it
	edition   *profile.SchemaEdition // the registered schema that checked its file last; nil: none did
	blame     bool                   // that commit hears of it when nothing comes of it
	returned  bool                   // its file is back
	gone      bool                   // its file left Git
	goneBy    gitsource.Commit
}

// makePlan is the reconciler's rule book: what the store should say after the
// observed commits, oldest first.
func makePlan(st state, observations []observation) plan {
	p := newPlanner(st)
	for _, obs := range observations {
		p.observe(obs)
	}
	p.finish(observations)
	return p.plan
}

// newPlanner has seen nothing yet.
func newPlanner(st state) *planner {
	p := &planner{
		st:       st,
		plan:     plan{Source: st.Source},
		works:    make(map[string]*work),
		claims:   newClaims(len(st.Files)),
		owners:   st.owners(),
		problems: maps.Clone(st.Problems),
		spoken:   make(map[string]bool),
		statuses: make(map[statusKey]int),
	}
	for file, owners := range p.owners {
		if _, broken := st.Problems[file]; broken {
			continue // it says its name anew with every commit
		}
		for _, name := range owners {
			if !p.awaitsRetirement(name) {
				p.claims.set(file, name, true)
			}
		}
	}
	return p
}

// awaitsRetirement says whether an earlier push asked to retire the profile
// and nobody has answered yet: its file is not there.
func (p *planner) awaitsRetirement(name string) bool {
	return p.st.Active[name].Kind == rollout.Retirement
}

// work returns the profile's work, begun from what is stored.
func (p *planner) work(name string) *work {
	if w, ok := p.works[name]; ok {
		return w
	}
	w := &work{}
	w.rec, w.stored = p.st.Records[name]
	if v, ok := p.st.Latest[name]; ok {
		w.latest, w.baseline = &v, &v
	}
	if v, ok := p.st.Current[name]; ok {
		w.baseline = &v
	}
	p.works[name] = w
	return w
}

// observe takes in one commit: names first, then each file by itself, then
// what is missing.
func (p *planner) observe(obs observation) {
	owners := make(map[string][]string)
	for _, s := range obs.Sightings {
		owners[s.Path] = slices.Clone(p.owners[s.Path])
	}
	p.claim(obs)
	for _, s := range obs.Sightings {
		if s.Gone {
			delete(p.problems, s.Path)
		} else if len(s.Problems) > 0 {
			p.refuse(obs, s, s.Problems[0].Error())
		} else if twins := p.claims.sound(s.Profile.Name); len(twins) > 1 {
			p.refuse(obs, s, twinMessage(s.Path, s.Profile.Name, twins))
		} else {
			p.accept(obs, s)
		}
	}
	for _, s := range obs.Sightings {
		for _, owner := range owners[s.Path] {
			p.leave(obs, s, owner)
		}
	}
}

// claim takes in what names the files of a commit say.
func (p *planner) claim(obs observation) {
	for _, s := range obs.Sightings {
		p.claims.set(s.Path, s.Profile.Name, len(s.Problems) == 0)
	}
}

// settleAt makes path the place of the profile's file.
func (p *planner) settleAt(w *work, path string) {
	p.vacate(w)
	w.rec.Path = path
	p.owners[path] = append(p.owners[path], w.rec.Name)
}

// vacate makes the profile's file lie nowhere.
func (p *planner) vacate(w *work) {
	p.owners[w.rec.Path] = slices.DeleteFunc(p.owners[w.rec.Path], func(name string) bool { return name == w.rec.Name })
}

// ownerOf names the profile whose file lies at path, "" when there is none.
func (p *planner) ownerOf(path string) string {
	if names := p.owners[path]; len(names) > 0 {
		return names[0]
	}
	return ""
}

// finish decides what can only be decided at the end of the push.
func (p *planner) finish(observations []observation) {
	names := slices.Sorted(maps.Keys(p.works))
	p.settleAll(names)
	p.retire(names)
	p.put(names)
	p.finishProblems()
	for _, obs := range observations {
		if !p.spoken[obs.Commit.SHA] && !obs.Again {
			p.say(obs.Commit.SHA, rollout.AggregateContext, rollout.StatusSuccess, "no profile changed")
		}
	}
}

// put has the profiles of these names written that changed, if what that rests on
// still holds.
func (p *planner) put(names []string) {
	for _, name := range names {
		w := p.works[name]
		if w.put {
			p.plan.Profiles = append(p.plan.Profiles, w.rec)
		}
		if w.stored && (w.candidate || w.gone || w.returned) {
			p.plan.Rests = append(p.plan.Rests, premise{
				Profile: name, Hold: p.st.Holds[name], Active: p.st.Active[name].ID,
			})
		}
	}
}

// finishProblems compares the problems at the new head with those stored.
func (p *planner) finishProblems() {
	for _, file := range slices.Sorted(maps.Keys(p.problems)) {
		problem := p.problems[file]
		if was, had := p.st.Problems[file]; had {
			if was.Message == problem.Message {
				continue
			}
			problem.Since = was.Since
		}
		p.plan.Problems = append(p.plan.Problems, problem)
	}
	for _, file := range slices.Sorted(maps.Keys(p.st.Problems)) {
		if _, still := p.problems[file]; !still {
			p.plan.Mended = append(p.plan.Mended, file)
		}
	}
}
