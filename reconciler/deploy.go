package reconciler

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// makeVersion adds the version that a commit makes of a profile.
func (p *planner) makeVersion(w *work, c gitsource.Commit, s sighting, number string) {
	by := author(c)
	v := profile.Version{
		Profile: w.rec.Name, Number: number,
		Data: s.Profile.Data, Text: s.Text, Hash: s.Hash, SizeBytes: len(s.Text),
		SchemaID: s.Profile.Schema, SchemaHash: s.SchemaHash,
		Source: p.st.Source, Commit: c.SHA, Author: by, Message: firstLine(c.Message), PullRequest: c.PullRequest,
		CreatedBy: by,
	}
	p.plan.Versions = append(p.plan.Versions, v)
	p.spoken[c.SHA] = true // at the end of the push
	w.made = append(w.made, len(p.plan.Versions)-1)
	w.latest = &v
	w.rec.DesiredVersion, w.put = number, true
	w.candidate, w.commit, w.newSchema, w.blame = true, c, s.NewSchema, true
	p.record(FactVersionCreated, "version", w.rec.Name+"@"+number, by, map[string]any{
		"profile": w.rec.Name, "version": number, "hash": v.Hash, "commit": c.SHA, "pullRequest": c.PullRequest,
	})
}

// settle ends a profile's way through the push: the newest of its versions is
// deployed, the others are superseded by it.
func (p *planner) settle(w *work) {
	switch {
	case w.gone:
		p.supersedeVersions(w.made, w.rec.Name, "superseded: the file left Git in the same push")
		return
	case w.candidate:
		if n := len(w.made); n > 1 {
			p.supersedeVersions(w.made[:n-1], w.rec.Name, fmt.Sprintf("superseded by %s in the same push", w.latest.Number))
		}
		p.deploy(w)
	}
	if active := p.st.Active[w.rec.Name]; w.returned && active.Kind == rollout.Retirement && !w.deployed {
		p.plan.Superseded = append(p.plan.Superseded, ending{
			Profile: w.rec.Name, Actor: actor, Reason: "the file is back in Git",
		})
	}
}

func (p *planner) supersedeVersions(indexes []int, name, text string) {
	for _, i := range indexes {
		p.plan.Versions[i].Superseded = true
		p.say(p.plan.Versions[i].Commit, rollout.Context(name), rollout.StatusSuccess, text)
	}
}

// deploy starts the rollout of the profile's latest version, unless a hold or
// a rule is against it.
func (p *planner) deploy(w *work) {
	context := rollout.Context(w.rec.Name)
	hold, held := p.st.Holds[w.rec.Name]
	if held {
		if state, text, stays := p.heldBack(hold, w.latest); stays {
			p.say(w.commit.SHA, context, state, text)
			p.record(FactDeploymentRefused, "profile", w.rec.Name, author(w.commit), map[string]any{
				"version": w.latest.Number, "commit": w.commit.SHA, "reason": text,
			})
			return
		}
	}
	d := p.deployment(w)
	err := p.approved(w)
	if err == nil {
		err = rollout.ValidateNew(d, p.st.Reach)
	}
	if err != nil {
		p.refuseDeployment(w, context, err)
		return
	}
	if held {
		p.plan.Releases = append(p.plan.Releases, ending{
			Profile: w.rec.Name, Actor: author(w.commit),
			Reason: fmt.Sprintf("commit %s brought other content, version %s", short(w.commit.SHA), w.latest.Number),
		})
	}
	p.plan.Deployments = append(p.plan.Deployments, rollout.Decision{Next: d})
	w.deployed = true
	p.spoken[w.commit.SHA] = true
}

// heldBack says whether a hold keeps a version from being deployed, and how
// the commit hears of it.
func (p *planner) heldBack(hold rollout.Hold, v *profile.Version) (state rollout.StatusState, text string, stays bool) {
	switch {
	case v.Hash == hold.RefusedHash && v.Number == hold.RefusedVersion:
		return rollout.StatusFailure, fmt.Sprintf("refused: %s was rolled back to %s: %s", v.Number, hold.PinnedVersion, hold.Reason), true
	case v.Hash == hold.RefusedHash:
		return rollout.StatusFailure, fmt.Sprintf("refused: %s is the content of %s, which was rolled back before: %s",
			v.Number, hold.RefusedVersion, hold.Reason), true
	case v.Hash == p.st.Current[hold.Profile].Hash && p.st.Current[hold.Profile].Number == hold.PinnedVersion:
		return "", "", false // Git says again what runs: there is nothing left to hold
	case p.st.Policy == ReleaseOnly:
		return rollout.StatusPending, fmt.Sprintf("on hold at %s, release it to deploy %s: %s", hold.PinnedVersion, v.Number, hold.Reason), true
	}
	return "", "", false
}

// deployment is the rollout of the profile's latest version.
func (p *planner) deployment(w *work) rollout.Deployment {
	v, current := w.latest, p.st.Current[w.rec.Name]
	proven := p.st.Proven[content{w.rec.Name, v.Hash}]
	d := rollout.Deployment{
		Profile: w.rec.Name, Kind: rollout.Forward,
		Selector: fleet.Selector{Service: w.rec.Service, Environment: w.rec.Environment, Labels: w.rec.Targets.Labels},
		Version:  v.Number, Hash: v.Hash, Previous: current.Number, PreviousHash: current.Hash, Proven: proven,
		Strategy: w.rec.Strategy, Health: w.rec.Health, Windows: w.rec.Windows,
		Source: p.st.Source, Commit: w.commit.SHA, CommittedAt: w.commit.CommittedAt, PullRequest: w.commit.PullRequest,
		InitiatedBy: author(w.commit), Cause: firstLine(w.commit.Message),
		State: rollout.Pending,
	}
	if !proven && w.baseline != nil {
		if reason, tripped := profile.GrowthGuard(w.baseline.Data, v.Data); tripped {
			d = guarded(d, reason)
		}
		if reason := p.st.Broken[edition{w.rec.Name, v.SchemaHash}]; reason != "" {
			d = p.underBrokenSchema(d, reason, w.newSchema)
		}
	}
	return p.reviewed(d)
}

// underBrokenSchema makes a deployment wait for the approval of its schema. The
// review of the pull request is as good as a person's word when it brought the
// schema and its data needs no look of its own: who reviewed another one did not
// see what it breaks.
func (p *planner) underBrokenSchema(d rollout.Deployment, reason string, brought bool) rollout.Deployment {
	if d.Guard != "" {
		return guarded(d, d.Guard+"; "+reason)
	}
	if brought {
		d.Approvals = max(1, p.st.Approvals)
	}
	return guarded(d, reason)
}

// reviewed makes a deployment to Production wait for the review approvals that
// the source requires. What needs a person anyway is not let go by reviews.
func (p *planner) reviewed(d rollout.Deployment) rollout.Deployment {
	n := p.st.Approvals
	if n == 0 || d.Selector.Environment != profile.Production || d.Guard != "" {
		return d
	}
	d.Approvals = n
	return guarded(d, "needs "+counted(n, "review approval")+" of its pull request")
}

// guarded makes a deployment wait for a person, and say so from the start.
func guarded(d rollout.Deployment, reason string) rollout.Deployment {
	d.Guard, d.Awaiting = reason, rollout.AwaitingApproval
	d.Explanation = "waits for a person to promote it: " + reason // in Decide's words, so that no commit is told twice
	return d
}

// notDeployed begins, after the path, the problem of a version that was made
// but that no deployment may bring. As a problem it is tried again with every
// later commit, which may have changed the strategy that was refused.
const notDeployed = ": not deployed: "

func (p *planner) refuseDeployment(w *work, context string, reason error) {
	message := printable(fmt.Sprintf("%s%s%s: %v", w.rec.Path, notDeployed, w.latest.Number, reason))
	was, had := p.st.Problems[w.rec.Path]
	p.problems[w.rec.Path] = profile.SourceProblem{
		Source: p.st.Source, Path: w.rec.Path, Profile: w.rec.Name, Commit: w.commit.SHA, Message: message,
	}
	if had && was.Message == message && !w.blame {
		return
	}
	p.say(w.commit.SHA, context, rollout.StatusFailure, message)
	p.record(FactDeploymentRefused, "profile", w.rec.Name, author(w.commit), map[string]any{
		"version": w.latest.Number, "commit": w.commit.SHA, "reason": reason.Error(),
	})
}

func isNotDeployed(problem profile.SourceProblem) bool {
	return strings.HasPrefix(problem.Message, printable(problem.Path)+notDeployed)
}

// sayUnchanged tells a commit that it made no version of a sound file, unless
// a hold has more to say.
func (p *planner) sayUnchanged(w *work, c gitsource.Commit, changed change) {
	text := "no change in effective data"
	switch {
	case changed.returned:
		text = "the file is back, nothing to deploy"
	case changed.movedFrom != "":
		text = "moved from " + printable(changed.movedFrom)
	case changed.definition:
		text = "definition updated"
	}
	state := rollout.StatusSuccess
	if hold, held := p.st.Holds[w.rec.Name]; held {
		if s, why, stays := p.heldBack(hold, w.latest); stays {
			state, text = s, why
		}
	}
	p.say(c.SHA, rollout.Context(w.rec.Name), state, text)
}
