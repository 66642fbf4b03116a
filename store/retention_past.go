package store

import (
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// keptTargets is how many of the versions that completed last stay, however old
// they are: a rollback goes to one of them.
const keptTargets = 5

// past is what there is of one profile, for a retention to judge.
type past struct {
	versions    []pastVersion    // the newest first
	deployments []pastDeployment // the newest first
	// What something refers to: the profile, an assignment, a hold in force, a
	// deployment that is under way, or the order "take this back".
	usedVersions, usedDeployments map[string]bool
	desired                       string // the version that should run, "" before the first
}

type pastVersion struct {
	number, hash string
	createdAt    time.Time
	stable       bool // tagged so
}

type pastDeployment struct {
	id, version, hash string
	completed         bool // with its version everywhere: not on chosen instances; a retirement brings none
	proven            bool // completed, and on instances
	finishedAt        time.Time
}

// doomed is what a retention removes of a profile.
type doomed struct {
	deployments []string // IDs; they go first, a version has none when it goes
	versions    []string // numbers
}

// judge decides what goes.
//
// A version stays while it is one of the newest, young, tagged stable, referred
// to, one of those that completed last, or while one of its deployments stays. A
// deployment stays while it is one of the newest, young or under way, referred
// to, or the last word on whether a version that stays, or its content, ever
// completed: only such a version may come back without a canary.
func (p past) judge(policy Retention, now time.Time) (out doomed) {
	old := now.Add(-policy.Age)
	kept, content := p.keptVersions(policy, old)
	completed, proven := map[string]bool{}, map[string]bool{}
	deployed := map[string]bool{}
	for i, d := range p.deployments {
		last := d.completed && kept[d.version] && !completed[d.version] || d.proven && content[d.hash] && !proven[d.hash]
		completed[d.version] = completed[d.version] || d.completed
		proven[d.hash] = proven[d.hash] || d.proven
		if i < policy.Versions || d.finishedAt.IsZero() || d.finishedAt.After(old) || p.usedDeployments[d.id] || last {
			deployed[d.version] = true
			continue
		}
		out.deployments = append(out.deployments, d.id)
	}
	for _, v := range p.versions {
		if !kept[v.number] && !deployed[v.number] {
			out.versions = append(out.versions, v.number)
		}
	}
	return out
}

// keptVersions are the versions that stay whatever becomes of the deployments,
// and the hashes of their contents.
func (p past) keptVersions(policy Retention, old time.Time) (kept, content map[string]bool) {
	kept, content = map[string]bool{}, map[string]bool{}
	targets := p.targets()
	for i, v := range p.versions {
		if i < policy.Versions || v.createdAt.After(old) || v.stable || v.number == p.desired || p.usedVersions[v.number] || targets[v.number] {
			kept[v.number], content[v.hash] = true, true
		}
	}
	return kept, content
}

// targets are the versions that completed last.
func (p past) targets() map[string]bool {
	targets := map[string]bool{}
	for _, d := range p.deployments {
		if d.completed && len(targets) < keptTargets {
			targets[d.version] = true
		}
	}
	return targets
}

// scanPastDeployment reads what the columns say; a body may be large.
func scanPastDeployment(row scanner) (d pastDeployment, err error) {
	var kind rollout.Kind
	var status rollout.State
	var targets int
	var chosen bool
	err = row.Scan(&d.id, &d.version, &d.hash, &kind, &chosen, &status, &targets, at(&d.finishedAt))
	d.completed = status == rollout.Completed && kind != rollout.Retirement && !chosen
	d.proven = d.completed && targets > 0
	return d, err
}
