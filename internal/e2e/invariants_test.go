package e2e_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// holds checks, at the end of a history, what must be true after every one. It
// stops the daemon.
func (s *stage) holds() {
	s.t.Helper()
	deployments := s.heldUp()
	s.stop()
	s.keptUp(deployments)
}

// heldUp checks what the API and the instances can tell. It returns the deployments.
func (s *scene) heldUp() []wire.Deployment {
	s.t.Helper()
	deployments := s.deployments(client.DeploymentFilter{})
	s.statusesAreFinal(deployments)
	s.oneOfEach(deployments)
	for _, d := range deployments {
		s.neverForwardAgain(d)
		if d.Kind == string(rollout.Forward) {
			s.withinItsShare(d)
		}
	}
	s.generationsOnlyRise()
	return deployments
}

// keptUp checks what only the database can tell, once no daemon has it.
func (s *scene) keptUp(deployments []wire.Deployment) {
	s.t.Helper()
	s.offline(func(db *store.Store) {
		n, broken, err := db.VerifyAudit(s.t.Context())
		if err != nil || broken != nil || n == 0 {
			s.t.Errorf("I5: the audit log: %d rows hold, broken %v, %v", n, broken, err)
		}
		for _, d := range deployments {
			s.lastWord(db, d)
		}
	})
}

// generationsOnlyRise is I1: no instance was ever brought back to an older generation.
func (s *scene) generationsOnlyRise() {
	s.t.Helper()
	for _, m := range s.fleet.members {
		m.mu.Lock()
		if m.lost != nil {
			s.t.Errorf("instance %s: %v", m.name, m.lost)
		}
		m.mu.Unlock()
		log := m.history()
		if !slices.IsSortedFunc(log, func(a, b entry) int { return int(a.generation - b.generation) }) {
			s.t.Errorf("I1: instance %s went back to an older generation: %+v", m.name, log)
		}
	}
}

// withinItsShare is I3: while a phase had not settled, no more instances than
// its share had taken the version.
func (s *scene) withinItsShare(d wire.Deployment) {
	s.t.Helper()
	settled := s.eventsOf(d, rollout.FactPhase)
	var taken []time.Time // when each instance first took the version
	for _, m := range s.fleet.members {
		log := m.history()
		if i := slices.IndexFunc(log, func(e entry) bool { return e.deployment == d.ID && e.version == d.ConfigVersion }); i >= 0 {
			taken = append(taken, log[i].at)
		}
	}
	slices.SortFunc(taken, time.Time.Compare)
	for i, at := range taken {
		phase := 0
		for _, e := range settled {
			if e.CreatedAt.Add(-s.ahead).Before(at) {
				phase++
			}
		}
		if limit := share(phase); i+1 > limit {
			s.t.Errorf("I3: %d instances had taken %s when %d phases had settled; %d may", i+1, d.ConfigVersion, phase, limit)
		}
	}
}

// share is how many of the ten instances may have a version in a phase.
func share(phase int) int { return members * steps[min(phase, len(steps)-1)] / 100 }

// neverForwardAgain is I4: once a deployment was rolled back, it gave nobody its
// version any more. What it brings back has one generation, its highest. Strays
// of the deployment before go to the version before, and may go forward after
// that: only who had the version can be brought back from it.
func (s *scene) neverForwardAgain(d wire.Deployment) {
	s.t.Helper()
	var forward, back int64
	for _, m := range s.fleet.members {
		had := false
		for _, e := range m.history() {
			switch {
			case e.deployment != d.ID:
			case e.version == d.ConfigVersion:
				had, forward = true, max(forward, e.generation)
			case had:
				back = max(back, e.generation)
			}
		}
	}
	if back > 0 && forward >= back {
		s.t.Errorf("I4: deployment %s gave %s at generation %d, after it was taken back at %d", d.ID, d.ConfigVersion, forward, back)
	}
}

// statusesAreFinal is I7: each commit's status says how its deployment ended.
func (s *scene) statusesAreFinal(deployments []wire.Deployment) {
	s.t.Helper()
	want := map[string][]string{
		"Completed": {"success"}, "RolledBack": {"failure", "error"}, "Failed": {"failure"}, "Cancelled": {"error"},
		"Superseded": {"success", "error"},
	}
	for _, d := range deployments {
		if d.Commit == "" || !final(d.Status) {
			continue
		}
		states := want[d.Status]
		if takenBack(d, deployments) {
			states = want["RolledBack"]
		}
		s.allPosted(d.Commit)
		if c := s.status(d.Commit, "sluice/"+shop); !slices.Contains(states, c.State) {
			s.t.Errorf("I7: %s of %s is %s, its commit says %s: %s", d.ID, d.ConfigVersion, d.Status, c.State, c.Description)
		}
	}
}

// takenBack says that a deployment had completed, or was superseded by it, when a
// rollback went back from its version.
func takenBack(d wire.Deployment, deployments []wire.Deployment) bool {
	return (d.Status == "Completed" || d.Status == "Superseded") && slices.ContainsFunc(deployments, func(back wire.Deployment) bool {
		return back.Kind == string(rollout.Rollback) && back.PreviousVersion == d.ConfigVersion
	})
}

// lastWord is I7 as the forge sees it: what it was given last is the final state.
func (s *scene) lastWord(db *store.Store, d wire.Deployment) {
	s.t.Helper()
	if d.Commit == "" || !final(d.Status) {
		return
	}
	posted, err := db.PostedStatuses(s.t.Context(), d.Commit)
	if err != nil {
		s.t.Fatal(err)
	}
	should, err := db.CommitStatuses(s.t.Context(), d.Commit)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range should {
		last := rollout.Status{}
		for _, p := range posted {
			if p.Context == c.Context {
				last = p
			}
		}
		if last.State != c.State || last.Description != c.Description {
			s.t.Errorf("I7: commit %s, %s: the last word at the forge is %s %q, it should be %s %q",
				d.Commit, c.Context, last.State, last.Description, c.State, c.Description)
		}
	}
}

// oneOfEach says that no commit made two versions or two deployments, and that
// each deployment began once and ended once.
func (s *scene) oneOfEach(deployments []wire.Deployment) {
	s.t.Helper()
	versions := map[string]int{}
	list := client.List{Limit: 200}
	for more := true; more; list.Offset += list.Limit {
		page, err := s.api.Versions(s.t.Context(), shop, list)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, v := range page.Items {
			if versions[v.Commit]++; versions[v.Commit] > 1 {
				s.t.Errorf("commit %s made more than one version", v.Commit)
			}
		}
		more = page.HasMore
	}
	commits := map[string]int{}
	for _, d := range deployments {
		if commits[d.Commit]++; d.Commit != "" && commits[d.Commit] > 1 {
			s.t.Errorf("commit %s made more than one deployment", d.Commit)
		}
		if n := len(s.eventsOf(d, rollout.FactCreated)); n != 1 {
			s.t.Errorf("deployment %s was created %d times by the audit log", d.ID, n)
		}
		s.phasesOnce(d)
		ends := 0
		for _, kind := range []string{rollout.FactCompleted, rollout.FactFailed, rollout.FactRolledBack, rollout.FactSuperseded, rollout.FactCancelled} {
			ends += len(s.eventsOf(d, kind))
		}
		if final(d.Status) && ends != 1 || !final(d.Status) && ends != 0 {
			s.t.Errorf("deployment %s is %s and ended %d times by the audit log", d.ID, d.Status, ends)
		}
	}
}

// phasesOnce is I6: whoever carried a deployment from phase to phase, each was
// settled by one of them.
func (s *scene) phasesOnce(d wire.Deployment) {
	s.t.Helper()
	settled := map[string]int{}
	for _, e := range s.eventsOf(d, rollout.FactPhase) {
		phase := fmt.Sprint(e.Details["phase"])
		if settled[phase]++; settled[phase] > 1 {
			s.t.Errorf("I6: deployment %s settled phase %s more than once", d.ID, phase)
		}
	}
}

// eventsOf lists a deployment's audit events of one type.
func (s *scene) eventsOf(d wire.Deployment, kind string) []wire.AuditEvent {
	s.t.Helper()
	page, err := s.api.Audit(s.t.Context(), client.AuditFilter{
		EntityType: "deployment", EntityID: d.ID, EventType: kind, List: client.List{Limit: 200},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return page.Items
}
