package api_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

// preview asks what a rollback would do.
func (w *world) preview(path string) wire.RollbackPreview {
	w.t.Helper()
	var out wire.RollbackPreview
	w.want(w.call(w.tokens[api.Operator], "GET", path, nil), 200).into(w.t, &out)
	return out
}

// keeps says whether a rollback did what its preview said.
func (w *world) keeps(said wire.RollbackPreview, d wire.Deployment) {
	w.t.Helper()
	var c wire.Config
	w.want(w.admin("GET", "/configs/"+name, nil), 200).into(w.t, &c)
	if said.Hold == nil || c.Hold == nil || c.Hold.PinnedVersion != said.Hold.PinnedVersion || c.Hold.RefusedVersion != said.Hold.RefusedVersion ||
		c.Hold.RefusedHash != said.Hold.RefusedHash || c.Hold.Actor != said.Hold.Actor {
		w.t.Errorf("the hold is %+v, the preview said %+v", c.Hold, said.Hold)
	}
	given := 0
	w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(w.t, &d)
	for _, i := range d.InstanceStatus {
		if i.DesiredVersion == said.ToVersion && i.AppliedVersion != said.ToVersion {
			given++
		}
	}
	if given != said.Instances {
		w.t.Errorf("%d instances go back, the preview said %d", given, said.Instances)
	}
}

func TestPreviewOfAProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one, two := w.register("one"), w.register("two")
	for number, key := range map[string]string{"1.0.0": "first", "1.0.1": "second"} {
		w.version(number, profile.Data{"timeout": number, "apiKey": key})
	}
	w.complete("1.0.0", one, two)
	w.complete("1.0.1", one, two)
	said := w.preview("/configs/" + name + "/rollback")
	if said.Kind != "NewDeployment" || said.FromVersion != "1.0.1" || said.ToVersion != "1.0.0" || said.Instances != 2 {
		t.Errorf("the preview says %+v", said)
	}
	if len(said.Changes.Diff.Modified) == 0 || strings.Contains(string(w.admin("GET", "/configs/"+name+"/rollback", nil).body), "first") {
		t.Errorf("the preview shows the changes as %+v", said.Changes)
	}
	var d wire.Deployment
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "slow"}), 200).into(t, &d)
	w.keeps(said, d)
	if again := w.preview("/configs/" + name + "/rollback"); again.Kind != "UnderWay" || again.DeploymentID != d.ID || again.ToVersion != "1.0.0" {
		t.Errorf("while it works the preview says %+v", again)
	}
	one.apply()
	two.apply()
	w.reaches(d.ID, "Completed")
	// What is refused by the door is refused by the preview, in the same words.
	for _, body := range []wire.ReasonRequest{{}, {ToVersion: "1.0.0"}, {ToVersion: "9.9.9"}} {
		dry := w.want(w.admin("GET", "/configs/"+name+"/rollback?toVersion="+body.ToVersion, nil), 409)
		body.Reason = "again"
		wet := w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", body), 409)
		var a, b wire.Error
		dry.into(t, &a)
		wet.into(t, &b)
		if a.Error.Message != b.Error.Message {
			t.Errorf("the preview says %q, the door %q", a.Error.Message, b.Error.Message)
		}
	}
}

func TestPreviewOfACanary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one, two := w.register("one"), w.register("two")
	w.version("1.0.0", data("1"))
	w.version("1.0.1", data("2"))
	w.version("1.0.2", data("3"))
	w.complete("1.0.0", one, two)
	w.complete("1.0.1", one, two)
	canary := w.deploy("1.0.2")
	w.until("the canary to reach an instance", func() bool {
		for _, i := range []instance{one, two} {
			if i.assigned().Assignments[0].Version == "1.0.2" {
				return true
			}
		}
		return false
	})
	byID, byName := w.preview("/deployments/"+canary.ID+"/rollback"), w.preview("/configs/"+name+"/rollback")
	if byID.Kind != "TurnRound" || byID.ToVersion != "1.0.1" || byID.Instances != 1 || byName.Kind != byID.Kind || byName.DeploymentID != canary.ID {
		t.Errorf("the previews say %+v and %+v", byID, byName)
	}
	further := w.preview("/configs/" + name + "/rollback?toVersion=1.0.0")
	if further.Kind != "NewDeployment" || further.Supersedes != canary.ID || further.FromVersion != "1.0.2" || further.Instances != 2 {
		t.Errorf("two versions back the preview says %+v", further)
	}
	var d wire.Deployment
	w.want(w.call(w.tokens[api.Operator], "POST", "/deployments/"+canary.ID+"/rollback", wire.ReasonRequest{Reason: "slow"}), 200).into(t, &d)
	if d.Status != "RollingBack" {
		t.Errorf("it is %s", d.Status)
	}
	if on := w.preview("/deployments/" + canary.ID + "/rollback"); on.Kind != "UnderWay" || on.FromVersion != "1.0.2" || on.ToVersion != "1.0.1" {
		t.Errorf("on its way back the preview says %+v", on)
	}
}
