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

// divide plans what was seen. What rests on other files is decided here, on all of
// them: the newcomers are what is left when that is settled.
func divide(st state, observations []observation, size int) division {
	p := newPlanner(st)
	d := division{planner: p, size: size}
	if st.Head == "" && len(observations) == 1 {
		d.newcomers, observations[0].Sightings = p.newcomers(observations[0], size)
		d.seen = observations[0]
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
	for _, s := range obs.Sightings {
		if !p.isNew(s) {
			others = append(others, s)
		}
	}
	if len(obs.Sightings)-len(others) <= few {
		return nil, obs.Sightings
	}
	p.spoken[obs.Commit.SHA] = true
	return slices.DeleteFunc(obs.Sightings, func(s sighting) bool { return !p.isNew(s) }), others
}

func (p *planner) isNew(s sighting) bool {
	if s.Gone || len(s.Problems) > 0 || len(p.owners[s.Path]) > 0 || len(p.claims.sound(s.Profile.Name)) != 1 {
		return false
	}
	_, stored := p.st.Files[s.Profile.Name]
	_, foreign := p.st.Foreign[s.Profile.Name]
	_, broken := p.st.Problems[s.Path]
	return !stored && !foreign && !broken
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
	p.plan, p.works, p.statuses = plan{Source: p.st.Source}, make(map[string]*work, len(some)), make(map[statusKey]int)
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
	return p.plan
}

// settleAll settles the works of these names.
func (p *planner) settleAll(names []string) {
	p.plan.Deployments = make([]rollout.Deployment, 0, len(names))
	p.plan.Profiles = make([]profile.Record, 0, len(names))
	for _, name := range names {
		p.settle(p.works[name])
	}
}
