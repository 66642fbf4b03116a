package reconciler

import (
	"maps"
	"slices"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// division is how a pass is stored: its plan, and before that, in a large first sync,
// the profiles that are new, in parts.
type division struct {
	plan      plan // of all else; it moves the head
	planner   *planner
	seen      observation // of the newcomers
	newcomers []sighting
	size      int // of a part
}

// newcomersInPart bounds what is planned, and held by one transaction, at once.
const newcomersInPart = 500

// divide plans what was seen and is not stored. What rests on other files is decided
// here, on all of them: the newcomers are what is left when that is settled. Of what
// is stored by then something was said on the commit.
func divide(st state, observations []observation, size, stored int) division {
	p := newPlanner(st)
	d := division{planner: p, size: size}
	if st.Head == "" && len(observations) == 1 {
		d.newcomers, observations[0].Sightings = p.newcomers(observations[0], size)
		d.seen = observations[0]
		p.spoken[d.seen.Commit.SHA] = len(d.newcomers)+stored > 0
	}
	for _, obs := range observations {
		p.observe(obs)
	}
	p.finish(observations)
	d.plan = p.plan
	return d
}

// newcomers takes out of a whole tree the profiles that nothing else depends on: sound
// files that alone bear a name nobody has had, where no other profile's file lay. They
// make the same whichever transaction stores them. None are taken when they are few.
func (p *planner) newcomers(obs observation, few int) (newcomers, others []sighting) {
	p.claim(obs)
	isNew := func(s sighting) bool {
		return s.sound() && len(p.claims.sound(s.Profile.Name)) == 1 && p.st.isFree(s, p.owners)
	}
	for _, s := range obs.Sightings {
		if !isNew(s) {
			others = append(others, s)
		}
	}
	if len(obs.Sightings)-len(others) <= few {
		return nil, obs.Sightings
	}
	return slices.DeleteFunc(obs.Sightings, func(s sighting) bool { return !isNew(s) }), others
}

// isFree says that nothing that is stored has to do with a sighting: nobody of the source
// has had its name, no other profile's file lay there, and it was not broken.
func (st *state) isFree(s sighting, owners map[string][]string) bool {
	_, stored := st.Files[s.Profile.Name]
	_, broken := st.Problems[s.Path]
	return !stored && !broken && len(owners[s.Path]) == 0
}

// part plans the next newcomers, and lets go of what was read of them; ok is false when
// there are no more.
func (d *division) part() (p plan, ok bool) {
	if len(d.newcomers) == 0 {
		return plan{}, false
	}
	some := d.newcomers[:min(d.size, len(d.newcomers))]
	d.newcomers = d.newcomers[len(some):]
	p = d.planner.part(d.seen, some)
	clear(some)
	return p, true
}

// part plans some newcomers: all that there is to say of them, and nothing else.
func (p *planner) part(obs observation, some []sighting) plan {
	p.plan = plan{
		Source: p.st.Source, Versions: make([]profile.Version, 0, len(some)),
		Facts: make([]rollout.Fact, 0, 2*len(some)), // a profile and its version are new
	}
	p.works, p.statuses = make(map[string]*work, len(some)), make(map[statusKey]int)
	clear(p.owners) // nobody asks any more who lay where
	for _, s := range some {
		p.accept(obs, s)
	}
	names := slices.Sorted(maps.Keys(p.works))
	p.settleAll(names)
	p.put(names)
	for _, s := range some {
		if problem, refused := p.problems[s.Path]; refused {
			p.plan.Problems = append(p.plan.Problems, problem)
		}
	}
	made := p.plan
	p.plan, p.works = plan{}, nil // who stores it needs the memory
	return made
}

// worksThat counts works.
func (p *planner) worksThat(are func(w *work) bool) (n int) {
	for _, w := range p.works {
		if are(w) {
			n++
		}
	}
	return n
}

// settleAll settles the works of these names.
func (p *planner) settleAll(names []string) {
	p.plan.Deployments = make([]rollout.Decision, 0, p.worksThat(func(w *work) bool { return w.candidate }))
	p.plan.Profiles = make([]profile.Record, 0, p.worksThat(func(w *work) bool { return w.put }))
	for _, name := range names {
		p.settle(p.works[name])
	}
}
