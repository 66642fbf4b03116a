package api_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// operator asks as an Operator.
func (w *world) operator(method, path string, body any) answer {
	w.t.Helper()
	return w.call(w.tokens[api.Operator], method, path, body)
}

// says fails unless the answer has all of the words.
func (w *world) says(a answer, words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !strings.Contains(string(a.body), word) {
			w.t.Errorf("%q is not in %s", word, a.body)
		}
	}
}

// audited are the audit events of a type, newest first.
func (w *world) audited(kind string) []wire.AuditEvent {
	w.t.Helper()
	var page wire.Page[wire.AuditEvent]
	w.want(w.admin("GET", "/audit?limit=500&eventType="+kind, nil), 200).into(w.t, &page)
	return page.Items
}

// slow is a profile whose canary waits an hour in its first phase, with what it
// ran before.
func (w *world) slow() instance {
	w.t.Helper()
	r := w.profile()
	one := w.register("one")
	w.version("1.0.0", data("1"))
	w.complete("1.0.0", one)
	r.Strategy.PhaseInterval = profile.Duration(time.Hour)
	w.must(w.store.PutProfile(w.t.Context(), r))
	return one
}

func TestPromoteThroughEveryPhase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.slow()
	w.version("1.0.1", data("2"))
	d := w.deploy("1.0.1")
	w.reaches(d.ID, "InProgress")
	promote := func(body any) answer { return w.operator("POST", "/deployments/"+d.ID+"/promote", body) }
	w.want(promote(wire.PromoteRequest{Phase: 1, All: true}), 400, "VALIDATION_ERROR")
	w.says(w.want(promote(wire.PromoteRequest{Phase: 2}), 409, "CONFLICT"), "it is in phase 1, not in phase 2")
	w.want(promote(wire.PromoteRequest{Reason: "urgent", All: true}), 200)
	w.says(w.want(promote(wire.PromoteRequest{}), 409, "CONFLICT"), "every phase was promoted already by operator")
	w.until("every phase to end", func() bool {
		one.apply()
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &d)
		return d.Status == "Completed"
	})
	if facts := w.audited("deployment.promoted"); len(facts) != 1 || facts[0].Details["all"] != true || facts[0].User != "operator" {
		t.Errorf("the audit log says %+v", facts)
	}
}

// A completed deployment is taken back while what it brought runs; then whoever
// asks is told what runs instead, and by which deployment.
func TestTakeBackSaysWhatRunsInstead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one := w.register("one")
	var done []wire.Deployment
	for i, number := range []string{"1.0.0", "1.0.1", "1.0.2"} {
		w.version(number, data(strings.Repeat("1", i+1)))
		done = append(done, w.complete(number, one))
	}
	moved := w.want(w.operator("POST", "/deployments/"+done[1].ID+"/rollback", wire.ReasonRequest{Reason: "x"}), 409, "CONFLICT")
	w.says(moved, "1.0.1, does not run any more", name+" runs 1.0.2", done[2].ID)
	first := w.want(w.operator("POST", "/deployments/"+done[0].ID+"/rollback", wire.ReasonRequest{Reason: "x"}), 409, "CONFLICT")
	w.says(first, done[2].ID)
	var back wire.Deployment
	w.want(w.operator("POST", "/deployments/"+done[2].ID+"/rollback", wire.ReasonRequest{Reason: "slow"}), 200).into(t, &back)
	if back.Kind != "Rollback" || back.ConfigVersion != "1.0.1" || back.ID == done[2].ID {
		t.Errorf("taken back by %+v", back)
	}
	one.apply()
	w.reaches(back.ID, "Completed")
	w.says(w.want(w.operator("POST", "/deployments/"+back.ID+"/rollback", wire.ReasonRequest{Reason: "x"}), 409, "CONFLICT"), "a rollback of its profile")
}

func TestRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.slow()
	w.version("1.0.1", data("2"))
	d := w.deploy("1.0.1")
	w.reaches(d.ID, "InProgress")
	retry := func(body any) answer { return w.operator("POST", "/deployments/"+d.ID+"/retry", body) }
	w.want(retry(wire.RetryRequest{}), 400, "VALIDATION_ERROR")
	w.says(w.want(retry(wire.RetryRequest{Reason: "x"}), 409, "CONFLICT"), "only for one that is Failed, RolledBack, Superseded or Cancelled")
	one.apply()
	w.want(w.operator("POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: "the database was away"}), 200)
	w.until("the way back", func() bool {
		one.apply()
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &d)
		return d.Status == "RolledBack"
	})
	held := w.want(w.operator("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.1"}), 409, "CONFLICT")
	w.says(held, "on hold", "retry")
	w.want(w.admin("POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.1", Force: true, Reason: "x"}), 409, "CONFLICT")

	r, err := w.store.Profile(t.Context(), name) // the profile says otherwise now
	w.must(err)
	r.Strategy = profile.DefaultStrategy(profile.Rolling)
	w.must(w.store.PutProfile(t.Context(), r))
	var again wire.Deployment
	w.want(retry(wire.RetryRequest{Reason: "the database is back"}), 201).into(t, &again)
	if again.RetryOf != d.ID || again.ConfigVersion != "1.0.1" || again.Strategy != "Rolling" || again.Cause != "the database is back" {
		t.Errorf("tried again by %+v", again)
	}
	w.says(w.want(retry(wire.RetryRequest{Reason: "me too"}), 409, "CONFLICT"), "on its way already", again.ID)
	var config wire.Config
	w.want(w.admin("GET", "/configs/"+name, nil), 200).into(t, &config)
	if config.Hold != nil {
		t.Errorf("the hold is still in force: %+v", config.Hold)
	}
	ended := w.audited("hold.ended")
	if len(ended) != 1 || ended[0].User != "operator" || ended[0].Details["reason"] != "the database is back" {
		t.Errorf("the audit log says of the hold %+v", ended)
	}
	if made := w.audited("deployment.created"); made[0].Details["retryOf"] != d.ID {
		t.Errorf("the audit log says of the retry %+v", made[0])
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.slow()
	state := func() (f wire.Freeze) {
		w.want(w.call(w.tokens[api.Viewer], "GET", "/freeze", nil), 200).into(t, &f)
		return f
	}
	if f := state(); f.Frozen {
		t.Errorf("frozen: %+v", f)
	}
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for what, body := range map[string]any{
		"no reason": wire.FreezeRequest{}, "a blank reason": wire.FreezeRequest{Reason: " "}, "a past end": wire.FreezeRequest{Reason: "x", ExpiresAt: &past},
		"two ends": wire.FreezeRequest{Reason: "x", ExpiresAt: &soon, ExpiresIn: "1h"}, "no duration": wire.FreezeRequest{Reason: "x", ExpiresIn: "soon"},
		"no time": wire.FreezeRequest{Reason: "x", ExpiresIn: "0s"},
	} {
		if got := w.operator("PUT", "/freeze", body); got.status != 400 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	w.says(w.want(w.operator("DELETE", "/freeze", wire.ReasonRequest{Reason: "x"}), 404, "NOT_FOUND"), "no freeze is in force")

	w.want(w.operator("PUT", "/freeze", wire.FreezeRequest{Reason: "incident 4711", ExpiresIn: "2h"}), 200)
	if f := state(); !f.Frozen || f.Actor != "operator" || f.Reason != "incident 4711" || f.ExpiresAt == nil || f.ExpiresAt.Sub(*f.BegunAt) != 2*time.Hour {
		t.Errorf("%+v", f)
	}
	if metrics := w.want(w.call("", "GET", "//metrics", nil), 200); !strings.Contains(string(metrics.body), "sluice_frozen 1") {
		t.Error("no metric says so")
	}
	w.version("1.0.1", data("2"))
	waits := w.deploy("1.0.1")
	w.until("the deployment to wait", func() bool {
		w.want(w.admin("GET", "/deployments/"+waits.ID, nil), 200).into(t, &waits)
		return waits.Awaiting == "Freeze"
	})
	if waits.Status != "Pending" || !strings.Contains(waits.Explanation, "incident 4711") || !strings.Contains(waits.Explanation, "operator") {
		t.Errorf("it waits as %+v", waits)
	}
	// One deployment gets past it, by an Admin with a reason.
	forced := wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.1", Force: true, Reason: "it mends the incident"}
	w.want(w.operator("POST", "/deployments", forced), 403, "FORBIDDEN")
	var d wire.Deployment
	w.want(w.admin("POST", "/deployments", forced), 201).into(t, &d)
	w.until("the forced one to start", func() bool {
		one.apply()
		now := wire.Deployment{}
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &now)
		return now.Status == "InProgress" && now.Awaiting == ""
	})
	if facts := w.audited("deployment.forced"); len(facts) != 1 || facts[0].EntityID != d.ID || facts[0].User != "admin" || facts[0].Details["reason"] != "it mends the incident" {
		t.Errorf("the audit log says %+v", facts)
	}
	// What leads back is not held up.
	w.want(w.operator("POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: "it does not"}), 200)
	if got := one.assigned().Assignments[0].Version; got != "1.0.0" {
		t.Errorf("rolled back in a freeze, it should run %s", got)
	}
	one.apply()
	w.want(w.operator("DELETE", "/freeze", wire.ReasonRequest{}), 400, "VALIDATION_ERROR")
	w.want(w.operator("DELETE", "/freeze?reason=over", nil), 200)
	if state().Frozen || len(w.audited("freeze.begun")) != 1 || len(w.audited("freeze.ended")) != 1 {
		t.Errorf("after its end: %+v", state())
	}
}

// TestOperatorsRace lets people on two replicas steer one deployment through the
// API: each call is carried out or refused with what happened, and the audit log
// has exactly those that were carried out.
func TestOperatorsRace(t *testing.T) {
	t.Parallel()
	database := store.Options{URL: testenv.SharedPostgres(t).CreateDatabase(t, "")}
	w := newWorldOn(t, database, time.Minute)
	one := w.slow()
	other := newWorldOn(t, database, time.Minute)
	w.version("1.0.1", data("2"))
	d := w.deploy("1.0.1")
	w.reaches(d.ID, "InProgress")

	var mu sync.Mutex
	carriedOut := map[string]int{}
	crowd := func(give func(i int) (verb string, body any)) {
		var group sync.WaitGroup
		for i := range 8 {
			on, role := []*world{w, other}[i%2], []api.Role{api.Operator, api.Admin}[i/2%2]
			group.Go(func() {
				verb, body := give(i)
				got := on.call(on.tokens[role], "POST", "/deployments/"+d.ID+"/"+verb, body)
				switch {
				case got.status/100 == 2:
					mu.Lock()
					carriedOut[verb]++
					mu.Unlock()
				case got.status != 409:
					t.Errorf("%s: %d %s", verb, got.status, got.body)
				case !strings.Contains(string(got.body), " by ") && !strings.Contains(string(got.body), "started"):
					t.Errorf("%s is refused without saying what happened: %s", verb, got.body)
				}
			})
		}
		group.Wait()
	}
	for range 3 {
		crowd(func(i int) (string, any) {
			return []string{"pause", "resume"}[i/4], wire.ReasonRequest{Reason: fmt.Sprint("number ", i)}
		})
	}
	for verb, kind := range map[string]string{"pause": "deployment.paused", "resume": "deployment.resumed"} {
		if n := len(w.audited(kind)); n != carriedOut[verb] || verb == "pause" && n == 0 {
			t.Errorf("%d calls of %s were answered with success, the audit log has %d", carriedOut[verb], verb, n)
		}
	}
	crowd(func(int) (string, any) { return "rollback", wire.ReasonRequest{Reason: "all of us"} })
	if n := len(w.audited("deployment.rollback")); n != 1 {
		t.Errorf("%d rollbacks of one deployment", n)
	}
	w.until("the way back", func() bool {
		var now wire.Deployment
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(t, &now)
		one.apply()
		return rollout.State(now.Status).Final()
	})
	crowd(func(int) (string, any) { return "retry", wire.RetryRequest{Reason: "once more"} })
	if carriedOut["retry"] != 1 {
		t.Errorf("%d retries were begun, want one", carriedOut["retry"])
	}
}
