package reconciler

import (
	"fmt"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// leave notices that the profile whose file lay at s.Path has none any more.
func (p *planner) leave(obs observation, s sighting, owner string) {
	w := p.work(owner)
	if w.rec.Path != s.Path || w.gone || p.claims.files[s.Path] == owner {
		return // moved, known to be gone, or still there
	}
	if len(s.Problems) > 0 {
		return // there, but broken: the last good version stays
	}
	if files := p.claims.of(owner); len(files) > 0 {
		p.settleAt(w, files[0]) // moved, and broken on the way or not alone there
		w.put = true
		return
	}
	p.vacate(w)
	if p.awaitsRetirement(owner) && !w.returned {
		return // a person has been asked already
	}
	w.gone, w.goneBy = true, obs.Commit // what is said of it is known at the end of the push
}

// retire ends the profiles whose files left Git. When they are more than half
// of the source's, nobody is retired before a person says so: a wrong path or a
// bad merge looks just like that.
func (p *planner) retire(names []string) {
	var leaving []string
	for _, name := range names {
		w := p.works[name]
		switch {
		case !w.gone:
		case p.awaitsRetirement(name): // came back and went in one push
			p.say(w.goneBy.SHA, rollout.Context(name), rollout.StatusPending, "gone again: its retirement still waits for approval")
		case !w.stored || p.st.Records[name].Retired: // came and went in one push
			w.rec.Retired, w.put = true, true
			p.say(w.goneBy.SHA, rollout.Context(name), rollout.StatusSuccess, retiredText)
		default:
			leaving = append(leaving, name)
		}
	}
	total := 0
	for _, placed := range p.st.Files {
		if !placed.Retired {
			total++
		}
	}
	if len(leaving) > 1 && 2*len(leaving) > total {
		guard := fmt.Sprintf("would retire %d of %d profiles", len(leaving), total)
		for _, name := range leaving {
			p.plan.Deployments = append(p.plan.Deployments, rollout.Decision{Next: p.retirement(p.works[name], guard)})
			p.spoken[p.works[name].goneBy.SHA] = true
		}
		p.record(FactRetirementGuarded, "source", p.st.Source, actor, map[string]any{"reason": guard, "profiles": leaving})
		return
	}
	for _, name := range leaving {
		p.retireNow(p.works[name])
	}
}

const retiredText = "retired: the file left Git, what runs stays"

func (p *planner) retireNow(w *work) {
	name := w.rec.Name
	p.plan.Retired = append(p.plan.Retired, name)
	// A way back that is under way ends by itself, and soon.
	if active, ok := p.st.Active[name]; ok && active.Kind != rollout.Rollback && active.State != rollout.RollingBack {
		p.plan.Superseded = append(p.plan.Superseded, ending{
			Profile: name, Actor: author(w.goneBy), Reason: "the file left Git",
		})
	}
	p.say(w.goneBy.SHA, rollout.Context(name), rollout.StatusSuccess, retiredText)
	p.record(FactProfileRetired, "profile", name, author(w.goneBy), map[string]any{
		"path": w.rec.Path, "commit": w.goneBy.SHA,
	})
}

// retirement is the deployment that retires a profile once a person promotes it.
func (p *planner) retirement(w *work, guard string) rollout.Deployment {
	current, ok := p.st.Current[w.rec.Name]
	running := w.latest
	if ok {
		running = &current
	}
	return guarded(rollout.Deployment{
		Profile: w.rec.Name, Kind: rollout.Retirement,
		Selector: fleet.Selector{Service: w.rec.Service, Environment: w.rec.Environment, Labels: w.rec.Targets.Labels},
		Version:  running.Number, Hash: running.Hash, Previous: current.Number, PreviousHash: current.Hash, Proven: true,
		Strategy: w.rec.Strategy, Health: w.rec.Health, Windows: w.rec.Windows,
		Source: p.st.Source, Commit: w.goneBy.SHA, PullRequest: w.goneBy.PullRequest,
		InitiatedBy: author(w.goneBy), Cause: firstLine(w.goneBy.Message),
		State: rollout.Pending,
	}, guard)
}
