package api_test

import (
	"testing"

	"github.com/sluicehq/sluice/api/wire"
)

// rollBack rolls the profile back.
func (w *world) rollBack(to string) answer {
	w.t.Helper()
	return w.operator("POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "fire", ToVersion: to})
}

// goesBack rolls the profile back and fails unless it goes from one version to the
// other, with a hold on the first.
func (w *world) goesBack(from, to string) wire.Deployment {
	w.t.Helper()
	var preview wire.RollbackPreview
	w.want(w.operator("GET", "/configs/"+name+"/rollback", nil), 200).into(w.t, &preview)
	if preview.FromVersion != from || preview.ToVersion != to {
		w.t.Errorf("it would go from %s to %s, want from %s to %s", preview.FromVersion, preview.ToVersion, from, to)
	}
	var back wire.Deployment
	w.want(w.rollBack(""), 200).into(w.t, &back)
	if back.Kind != "Rollback" || back.PreviousVersion != from || back.ConfigVersion != to {
		w.t.Errorf("it is a %s from %s to %s, want from %s to %s", back.Kind, back.PreviousVersion, back.ConfigVersion, from, to)
	}
	var config wire.Config
	w.want(w.admin("GET", "/configs/"+name, nil), 200).into(w.t, &config)
	if config.CurrentVersion != to || config.Hold == nil || config.Hold.RefusedVersion != from || config.Hold.PinnedVersion != to {
		w.t.Errorf("it runs %s under the hold %+v", config.CurrentVersion, config.Hold)
	}
	return back
}

// runs fails unless the instances are assigned the version.
func (w *world) runs(number string, instances ...instance) {
	w.t.Helper()
	for _, i := range instances {
		if got := i.assigned().Assignments[0].Version; got != number {
			w.t.Errorf("%s is assigned %s, want %s", i.id, got, number)
		}
	}
}

// A deployment that failed with automatic rollback off took nothing back: the emergency
// door of its profile does.
func TestRollBackAfterAFailedDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.profile()
	r.Health.AutoRollback = false
	w.must(w.store.PutProfile(t.Context(), r))
	one := w.register("one")
	for i, number := range []string{"0.9.0", "1.0.0"} {
		w.version(number, data([]string{"0", "1"}[i]))
		w.complete(number, one)
	}
	w.version("1.0.1", data("2"))
	failed := w.deploy("1.0.1")
	w.until("the assignment", func() bool { return one.assigned().Assignments[0].Version == "1.0.1" })
	a := one.assigned().Assignments[0]
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/applied", wire.AppliedRequest{
		ConfigName: name, Version: a.Version, Hash: a.Hash, Generation: a.Generation, Error: "no",
	}), 204)
	w.reaches(failed.ID, "Failed")
	back := w.goesBack("1.0.1", "1.0.0")
	w.runs("1.0.0", one)
	one.apply()
	w.reaches(back.ID, "Completed")
	w.says(w.want(w.rollBack(""), 409, "CONFLICT"), "rolled back from 1.0.1 to 1.0.0 already")
	w.want(w.rollBack("0.9.0"), 200)
	w.runs("0.9.0", one)
}

// A revert brings what ran before under another number: going back to that one changes
// nothing, and a hold would refuse what runs.
func TestRollBackGoesToOtherContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one := w.register("one")
	w.version("1.0.0", data("0"))
	w.complete("1.0.0", one)
	w.version("1.0.1", data("1"))
	w.complete("1.0.1", one)
	w.version("1.0.2", data("hurts")) // and was rolled back before it completed
	w.version("1.0.3", data("1"))
	revert := w.deploy("1.0.3")
	takeBack := func() answer {
		return w.operator("POST", "/deployments/"+revert.ID+"/rollback", wire.ReasonRequest{Reason: "fire"})
	}
	w.until("the revert", func() bool {
		one.apply()
		w.want(w.admin("GET", "/deployments/"+revert.ID, nil), 200).into(t, &revert)
		return revert.Status == "Completed"
	})
	w.says(w.want(takeBack(), 409, "CONFLICT"), "1.0.1, which has the content of 1.0.3")
	w.says(w.want(w.rollBack("1.0.1"), 409, "CONFLICT"), "1.0.1 has the content of 1.0.3")
	w.goesBack("1.0.3", "1.0.0")
	w.runs("1.0.0", one)
}

// What is deployed once more over itself has no way back of its own; the profile has,
// also while that is under way.
func TestRollBackOfWhatWasDeployedAgain(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		w := newWorld(t)
		one := w.slow() // on 1.0.0
		w.version("1.0.1", data("2"))
		d := w.deploy("1.0.1")
		w.reaches(d.ID, "InProgress")
		w.want(w.operator("POST", "/deployments/"+d.ID+"/promote", wire.PromoteRequest{All: true}), 200)
		w.until("the end", func() bool {
			one.apply()
			w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &d)
			return d.Status == "Completed"
		})
		again := w.deploy("1.0.1")
		w.reaches(again.ID, "InProgress")
		if done {
			w.want(w.operator("POST", "/deployments/"+again.ID+"/promote", wire.PromoteRequest{All: true}), 200)
			w.reaches(again.ID, "Completed")
			w.says(w.want(w.operator("POST", "/deployments/"+again.ID+"/rollback", wire.ReasonRequest{Reason: "fire"}), 409, "CONFLICT"), "nothing to take back")
		}
		w.goesBack("1.0.1", "1.0.0")
		w.runs("1.0.0", one)
	}
}

// What completed on chosen instances did not complete on the profile: it is no version
// to go back to, and goes to Production in steps. It is what a rollback takes back first.
func TestChosenInstancesProveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one, two := w.register("one"), w.register("two")
	for i, number := range []string{"1.0.0", "1.0.1"} {
		w.version(number, data([]string{"0", "1"}[i]))
		w.complete(number, one, two)
	}
	w.version("1.0.2", data("2"))
	try := func() (d wire.Deployment) {
		w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.2", TargetInstances: []string{one.id}}), 201).into(t, &d)
		w.until("the trial", func() bool {
			one.apply()
			w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &d)
			return d.Status == "Completed"
		})
		return d
	}
	trial := try()
	w.says(w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.2", Strategy: "Direct"}), 409, "CONFLICT"), "never completed")
	w.says(w.want(w.rollBack("1.0.2"), 409, "CONFLICT"), "1.0.2 never completed")
	w.runs("1.0.2", one)
	back := w.goesBack("1.0.2", "1.0.1")
	w.runs("1.0.1", one, two)
	one.apply()
	two.apply()
	w.reaches(back.ID, "Completed")

	w.want(w.operator("POST", "/configs/"+name+"/release", wire.ReasonRequest{Reason: "mended"}), 200)
	w.says(w.want(w.operator("POST", "/deployments/"+trial.ID+"/rollback", wire.ReasonRequest{Reason: "fire"}), 200), `"Rollback"`) // asked again
	trial = try()
	w.want(w.operator("POST", "/deployments/"+trial.ID+"/rollback", wire.ReasonRequest{Reason: "fire"}), 200)
	w.runs("1.0.1", one, two)
}

// A deployment for chosen instances knows no others: it does not end one that has reached
// some, whom nobody would send back any more.
func TestChosenInstancesEndNoCanary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.slow()
	two := w.register("two")
	w.until("the second one", func() bool { return len(two.assigned().Assignments) == 1 })
	two.apply()
	w.version("1.0.1", data("2"))
	w.version("1.0.2", data("3"))
	canary := w.deploy("1.0.1")
	reached := func() (is, not []instance) {
		for _, i := range []instance{one, two} {
			if i.assigned().Assignments[0].Version == "1.0.1" {
				is = append(is, i)
			} else {
				not = append(not, i)
			}
		}
		return is, not
	}
	w.until("the canary", func() bool { is, _ := reached(); return len(is) == 1 })
	is, not := reached()
	try := func(i instance) answer {
		return w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.2", TargetInstances: []string{i.id}})
	}
	w.says(w.want(try(not[0]), 409, "CONFLICT"), canary.ID, "cancel it first")
	w.want(w.operator("POST", "/deployments/"+canary.ID+"/cancel", wire.ReasonRequest{Reason: "a trial goes first"}), 200)
	w.runs("1.0.0", one, two)
	var trial wire.Deployment
	w.want(try(not[0]), 201).into(t, &trial)
	w.want(try(is[0]), 409, "CONFLICT") // the other one is on trial
	w.version("1.0.3", data("4"))
	w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.3", TargetInstances: []string{one.id, two.id}}), 201)
}
