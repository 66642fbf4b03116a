package api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

func data(timeout string) profile.Data { return profile.Data{"timeout": timeout, "apiKey": "hunter22"} }

func TestDeployThenRollBackByTheEmergencyDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one, two := w.register("one"), w.register("two")
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	w.complete("1.0.0", one, two)
	done := w.complete("1.0.1", one, two)
	if done.PreviousVersion != "1.0.0" || len(done.InstanceStatus) != 2 || done.Progress.Applied != 2 || done.InstanceStatus[0].AppliedVersion != "1.0.1" {
		t.Errorf("completed as %+v", done)
	}

	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{}), 400, "VALIDATION_ERROR")
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: " "}), 400, "VALIDATION_ERROR")
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "x", ToVersion: "9.0.0"}), 409, "CONFLICT")
	var back, again wire.Deployment
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "slow"}), 200).into(t, &back)
	if back.Kind != "Rollback" || back.ConfigVersion != "1.0.0" || back.InitiatedBy != "operator" {
		t.Errorf("rolled back by %+v", back)
	}
	for _, i := range []instance{one, two} {
		if got := i.assigned().Assignments; len(got) != 1 || got[0].Version != "1.0.0" {
			t.Errorf("assigned at once: %+v", got)
		}
	}
	// Asked again while it is under way, it is the same rollback.
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "slow!"}), 200).into(t, &again)
	if again.ID != back.ID {
		t.Errorf("the second call made another rollback: %s", again.ID)
	}
	one.apply()
	two.apply()
	w.reaches(back.ID, "Completed")

	var config wire.Config
	w.want(w.admin("GET", "/configs/"+name, nil), 200).into(t, &config)
	if config.Hold == nil || config.Hold.RefusedVersion != "1.0.1" || config.Hold.Reason != "slow" || config.CurrentVersion != "1.0.0" {
		t.Errorf("the profile is %+v with hold %+v", config, config.Hold)
	}
	refused := w.want(w.call(w.tokens[api.Operator], "POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.1"}), 409, "CONFLICT")
	if !strings.Contains(string(refused.body), "release") {
		t.Errorf("the refusal says no way out: %s", refused.body)
	}
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/release", wire.ReasonRequest{Reason: "mended"}), 200)
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/release", wire.ReasonRequest{}), 404, "NOT_FOUND")

	var audit wire.Page[wire.AuditEvent]
	w.want(w.admin("GET", "/audit?eventType=hold.ended", nil), 200).into(t, &audit)
	if audit.Total != 1 || audit.Items[0].User != "operator" {
		t.Errorf("the audit log says %+v", audit)
	}
	if _, broken, err := w.store.VerifyAudit(t.Context()); err != nil || broken != nil {
		t.Errorf("the audit chain is broken: %v %v", broken, err)
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one, two := w.register("one"), w.register("two")
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	w.complete("1.0.0", one, two)
	op := w.tokens[api.Operator]
	d := w.deploy("1.0.1")
	w.reaches(d.ID, "InProgress")
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/resume", nil), 409, "CONFLICT")
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/pause", wire.ReasonRequest{Reason: "look"}), 200)
	w.reaches(d.ID, "Paused")
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/resume", nil), 200)
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/promote", nil), 200)
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{}), 400, "VALIDATION_ERROR")
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: " "}), 400, "VALIDATION_ERROR")
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: "enough"}), 200)
	w.want(w.call(op, "POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: "again"}), 200)
	one.apply()
	two.apply()
	got := w.reaches(d.ID, "RolledBack")
	if got.RollbackBy != "operator" || got.RollbackReason != "enough" {
		t.Errorf("rolled back by %q: %q", got.RollbackBy, got.RollbackReason)
	}
	state := w.want(w.call(op, "POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: "again"}), 409, "CONFLICT")
	if !strings.Contains(string(state.body), "RolledBack") || !strings.Contains(string(state.body), "InProgress") {
		t.Errorf("the refusal names no states: %s", state.body)
	}
	for _, verb := range []string{"pause", "resume", "promote", "cancel", "rollback"} {
		w.want(w.call(op, "POST", "/deployments/no-such/"+verb, wire.ReasonRequest{Reason: "x"}), 404, "NOT_FOUND")
	}
	// A completed deployment is taken back by a new one.
	w.want(w.call(op, "POST", "/configs/"+name+"/release", wire.ReasonRequest{Reason: "go on"}), 200)
	done := w.complete("1.0.1", one, two)
	var back wire.Deployment
	w.want(w.call(op, "POST", "/deployments/"+done.ID+"/rollback", wire.ReasonRequest{Reason: "no good"}), 200).into(t, &back)
	if back.ID == done.ID || back.ConfigVersion != "1.0.0" || back.Kind != "Rollback" {
		t.Errorf("rolled back by %+v", back)
	}
}

func TestDeploymentsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	op := w.tokens[api.Operator]
	ask := func(token string, r wire.CreateDeploymentRequest) answer {
		return w.call(token, "POST", "/deployments", r)
	}
	w.want(ask(op, wire.CreateDeploymentRequest{ConfigName: name}), 400, "VALIDATION_ERROR")
	w.want(ask(op, wire.CreateDeploymentRequest{ConfigName: "no-such", ConfigVersion: "1.0.0"}), 404, "NOT_FOUND")
	w.want(ask(op, wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "2.0.0"}), 404, "NOT_FOUND")
	w.want(ask(op, wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0", Strategy: "Luck"}), 400, "VALIDATION_ERROR")
	// What never completed does not go to all of Production at once ...
	w.want(ask(op, wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0", Strategy: "Direct"}), 409, "CONFLICT")
	// ... unless somebody who may breaks the glass, with a reason.
	forced := wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0", Strategy: "Direct", Force: true}
	w.want(ask(op, forced), 403, "FORBIDDEN")
	w.want(ask(w.tokens[api.Admin], forced), 400, "VALIDATION_ERROR")
	forced.Reason = "the house is on fire"
	w.want(ask(w.tokens[api.Admin], forced), 201)
	var audit wire.Page[wire.AuditEvent]
	w.want(w.admin("GET", "/audit?eventType=deployment.forced", nil), 200).into(t, &audit)
	if audit.Total != 1 || audit.Items[0].User != "admin" {
		t.Errorf("the audit log says %+v", audit)
	}
	w.want(w.call(op, "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "x"}), 409, "CONFLICT") // nowhere to go
}

func TestDeploymentEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one := w.register("one")
	w.version("1.0.0", data("1s"))
	d := w.deploy("1.0.0")
	read := func(lastID string) (ids, statuses []string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.http.URL+"/api/v1/deployments/"+d.ID+"/events", http.NoBody)
		w.must(err)
		req.Header.Set("Authorization", "Bearer "+w.tokens[api.Viewer])
		req.Header.Set("Last-Event-ID", lastID)
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		defer resp.Body.Close()
		applied := false
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			line := lines.Text()
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				ids = append(ids, id)
			}
			if text, ok := strings.CutPrefix(line, "data: "); ok {
				var got wire.Deployment
				w.must(json.Unmarshal([]byte(text), &got))
				statuses = append(statuses, got.Status)
				if len(got.InstanceStatus) != 1 {
					t.Errorf("an event has %d instances", len(got.InstanceStatus))
				}
				if got.Progress.Assigned == 1 && !applied {
					applied = true
					one.apply()
				}
			}
		}
		return ids, statuses
	}
	ids, statuses := read("")
	if len(statuses) < 2 || statuses[len(statuses)-1] != "Completed" {
		t.Errorf("the stream told %v", statuses)
	}
	// Who saw the last event is told nothing twice.
	if ids, _ := read(ids[len(ids)-1]); len(ids) != 0 {
		t.Errorf("told again: %v", ids)
	}
	w.want(w.admin("GET", "/deployments/no-such/events", nil), 404, "NOT_FOUND")
	var health wire.DeploymentHealth
	w.want(w.admin("GET", "/deployments/"+d.ID+"/health", nil), 200).into(t, &health)
	if len(health.Checks) == 0 || health.Verdict == nil || len(health.Targets) != 1 {
		t.Errorf("health is %+v", health)
	}
	var list wire.Page[wire.Deployment]
	w.want(w.admin("GET", "/deployments?configName="+name+"&status=Completed&environment=Production", nil), 200).into(t, &list)
	if list.Total != 1 || list.Items[0].ID != d.ID {
		t.Errorf("the list is %+v", list)
	}
}
