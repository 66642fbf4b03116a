package simulation_test

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// check looks at everything that must never be otherwise.
func (s *sim) check() {
	if s.failed != "" {
		return
	}
	deployments, _, err := s.db.Deployments(s.ctx, store.DeploymentFilter{Limit: 1000})
	s.must(err)
	active := 0
	for _, d := range deployments {
		if !d.State.Final() {
			active++
			s.share(d)
		}
		if d.Explanation == "written too late" {
			s.wrong("a late writer was heard")
		}
	}
	if len(deployments) > 0 && deployments[0].State == rollout.RolledBack && s.released.Before(deployments[0].RollbackAt) {
		if _, ok, err := s.db.ActiveHold(s.ctx, name); err != nil || !ok {
			s.wrong("%s was rolled back and there is no hold (%v)", deployments[0].Version, err)
		}
	}
	if active > 1 {
		s.wrong("%d deployments are active at once", active)
	}
	if hold, ok, err := s.db.ActiveHold(s.ctx, name); err != nil {
		s.must(err)
	} else if ok {
		s.refusedStaysAway(hold)
	}
	if _, broken, err := s.db.VerifyAudit(s.ctx); err != nil || broken != nil {
		s.wrong("the audit chain: %+v, %v", broken, err)
	}
}

// share: no more instances than the phase allows have a version that is not the current one.
func (s *sim) share(d rollout.Deployment) {
	if d.Kind != rollout.Forward || d.State != rollout.InProgress || d.Previous == "" || d.Version == d.Previous {
		return
	}
	targets, err := s.db.DeploymentTargets(s.ctx, d.ID)
	s.must(err)
	unproven := 0
	for _, t := range targets {
		if t.Assignment.Version == d.Version && t.Assignment.DeploymentID == d.ID {
			unproven++
		}
	}
	limit := max(1, (len(targets)*d.Strategy.Steps[min(d.Phase, 2)]+99)/100)
	// Instances that left since make the share of those who stayed larger.
	if unproven > limit && unproven > max(1, (s.hosts*d.Strategy.Steps[min(d.Phase, 2)]+99)/100) {
		s.wrong("%d of %d instances have %s in a phase of %d%%", unproven, len(targets), d.Version, d.Strategy.Steps[d.Phase])
	}
}

// refusedStaysAway: what a hold refuses is assigned to nobody by a deployment
// that began after it.
func (s *sim) refusedStaysAway(h rollout.Hold) {
	for _, m := range s.members {
		assigned, err := s.db.AssignmentsOf(s.ctx, m.id)
		s.must(err)
		for _, a := range assigned {
			if a.Hash == h.RefusedHash && a.AssignedAt.After(h.CreatedAt) {
				s.wrong("%s was assigned %s, which the hold of %s refuses", m.host, a.Version, h.CreatedAt)
			}
		}
	}
}

// heal ends all trouble; then everything must come to rest where it should.
func (s *sim) heal() {
	s.outage, s.crash = false, ""
	s.unfreeze()
	for _, m := range s.members {
		m.silent, m.stuck = false, false
	}
	for range 60 {
		s.sync()
		s.pass(time.Minute)
		if s.failed != "" {
			return
		}
		d, err := s.db.ActiveDeployment(s.ctx, name)
		if errors.Is(err, rollout.ErrNotFound) {
			break
		}
		s.must(err)
		switch {
		case d.State == rollout.Paused:
			s.order("resume")
		case d.Awaiting == rollout.AwaitingApproval:
			s.order("promote")
		}
	}
	s.rest()
}

// rest: nothing is under way, every live instance runs the current version, the
// statuses say how their deployments ended, and no secret is anywhere.
func (s *sim) rest() {
	r, err := s.db.Profile(s.ctx, name)
	s.must(err)
	if r.Retired {
		return // what runs goes on, whatever that is
	}
	if d, err := s.db.ActiveDeployment(s.ctx, name); err == nil {
		s.wrong("after an hour of peace %s is still %s: %s", d.Version, d.State, d.Explanation)
		return
	}
	last, _, err := s.db.Deployments(s.ctx, store.DeploymentFilter{Profile: name, Limit: 1})
	s.must(err)
	stopped := len(last) > 0 && last[0].State == rollout.Failed // it stays where people stopped it
	for _, m := range s.members {
		assigned, err := s.db.AssignmentsOf(s.ctx, m.id)
		s.must(err)
		if len(assigned) == 0 && r.CurrentVersion == "" {
			continue
		}
		if len(assigned) != 1 || !stopped && (assigned[0].Version != r.CurrentVersion || !assigned[0].Acknowledged()) {
			s.wrong("%s should run %s, it has %+v", m.host, r.CurrentVersion, assigned)
		}
	}
	all, _, err := s.db.Deployments(s.ctx, store.DeploymentFilter{Limit: 1000})
	s.must(err)
	newest := map[string]bool{}
	for _, d := range all {
		want, ok := rollout.StatusOf(d)
		if !ok || newest[d.Commit] {
			continue
		}
		newest[d.Commit] = true
		statuses, err := s.db.CommitStatuses(s.ctx, d.Commit)
		s.must(err)
		for _, got := range statuses {
			if got.Context == want.Context && got.State == rollout.StatusPending {
				s.wrong("the commit of %s, which is %s, still says %s: %s", d.Version, d.State, got.State, got.Description)
			}
		}
	}
	s.noSecret()
}

func (s *sim) noSecret() {
	events, _, err := s.db.Audit(s.ctx, store.AuditFilter{Limit: 1000})
	s.must(err)
	deployments, _, err := s.db.Deployments(s.ctx, store.DeploymentFilter{Limit: 1000})
	s.must(err)
	told, err := json.Marshal([]any{events, deployments})
	s.must(err)
	for where, said := range map[string]string{"the audit log or a deployment": string(told), "the log": s.logs.String()} {
		if strings.Contains(said, canary) {
			s.wrong("a secret is in %s", where)
		}
	}
}
