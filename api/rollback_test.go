package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// What is delivered is byte for byte what was hashed, whatever is in it.
func TestDataKeepsItsBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", profile.Data{"query": "a<b && c>d", "line": "x\u2028y", "é": "\"\\\n"})
	one := w.register("one")
	w.complete("1.0.0", one)
	check := func(from string, a wire.Assignment) {
		if sum := sha256.Sum256(a.Data); hex.EncodeToString(sum[:]) != a.Hash {
			t.Errorf("%s: %s has another hash than %s", from, a.Data, a.Hash)
		}
	}
	check("poll", one.assigned().Assignments[0])
	var set wire.Assignments
	w.must(json.Unmarshal([]byte(w.next(w.events(one.token, "/instances/"+one.id+"/watch", "assignments"))), &set))
	check("stream", set.Assignments[0])
}

// A quiet stream still takes an event that is larger than one buffer.
func TestQuietStreamTakesALargeEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.WriteTimeout, o.KeepAlive = 50*time.Millisecond, time.Hour })
	w.profile()
	w.version("1.0.0", profile.Data{"text": strings.Repeat("x", 30<<10)})
	one := w.register("one")
	stream := w.events(one.token, "/instances/"+one.id+"/watch", "assignments")
	w.next(stream)
	quiet := time.NewTimer(200 * time.Millisecond) // several times what one write may take
	<-quiet.C
	w.deploy("1.0.0")
	if got := w.next(stream); !strings.Contains(got, "xxxx") {
		t.Errorf("the stream brought %.100s", got)
	}
}

func TestRollbackIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one := w.register("one")
	for i, number := range []string{"1.0.0", "1.0.1", "1.0.2"} {
		w.version(number, data(strings.Repeat("1", i+1)))
		w.complete(number, one)
	}
	op := w.tokens[api.Operator]
	rollback := func(r wire.ReasonRequest) answer { return w.call(op, "POST", "/configs/"+name+"/rollback", r) }
	var back wire.Deployment
	w.want(rollback(wire.ReasonRequest{Reason: "slow"}), 200).into(t, &back)
	one.apply()
	w.reaches(back.ID, "Completed")
	// The answer was lost and somebody asks again: that takes nothing further back.
	again := w.want(rollback(wire.ReasonRequest{Reason: "slow"}), 409, "CONFLICT")
	if !strings.Contains(string(again.body), "toVersion") || !strings.Contains(string(again.body), "1.0.1") {
		t.Errorf("the refusal says neither what runs nor the way on: %s", again.body)
	}
	w.want(rollback(wire.ReasonRequest{Reason: "slow", ToVersion: "1.0.1"}), 409, "CONFLICT") // it runs already
	w.want(rollback(wire.ReasonRequest{Reason: "still slow", ToVersion: "1.0.0"}), 200).into(t, &back)
	if back.ConfigVersion != "1.0.0" {
		t.Errorf("went to %s", back.ConfigVersion)
	}
}

// Going further back in the middle of a canary refuses the canary's content.
func TestRollbackDuringACanaryRefusesItsContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one, two := w.register("one"), w.register("two")
	for i, number := range []string{"1.0.0", "1.0.1"} {
		w.version(number, data(strings.Repeat("1", i+1)))
		w.complete(number, one, two)
	}
	w.version("1.0.2", data("bad"))
	w.reaches(w.deploy("1.0.2").ID, "InProgress")
	var back wire.Deployment
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "x", ToVersion: "1.0.0"}), 200).into(t, &back)
	var config wire.Config
	w.want(w.admin("GET", "/configs/"+name, nil), 200).into(t, &config)
	if config.Hold == nil || config.Hold.RefusedVersion != "1.0.2" || config.Hold.PinnedVersion != "1.0.0" {
		t.Errorf("the hold is %+v", config.Hold)
	}
}

func TestTargetsMustBeThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.profile()
	w.version("1.0.0", data("1"))
	one := w.register("one")
	ask := func(ids ...string) answer {
		return w.call(w.tokens[api.Operator], "POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: "1.0.0", TargetInstances: ids})
	}
	got := w.want(ask(one.id, "no-such"), 400, "VALIDATION_ERROR")
	if !strings.Contains(string(got.body), "no-such") {
		t.Errorf("the refusal does not name the instance: %s", got.body)
	}
	w.want(ask(one.id, one.id), 201)
	w.want(ask(one.id), 409, "CONFLICT") // it is on its way already
	w.must(w.store.InTx(t.Context(), func(tx *store.Tx) error { return tx.RetireProfile(t.Context(), r.Name) }))
	w.want(ask(one.id), 409, "CONFLICT")
}

// Whatever a stranger sends, the metrics do not grow without end.
func TestMethodsAreCountedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(w.call("", "BREW", "/configs", nil), 404, "NOT_FOUND")
	w.want(w.call("", "BREW", "//pot", nil), 404, "NOT_FOUND")
	metrics := w.want(w.call("", "GET", "//metrics", nil), 200)
	if strings.Contains(string(metrics.body), "BREW") {
		t.Error("a made-up method is a label")
	}
}

// A deployment is taken back once, and only while it is what runs.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	one := w.register("one")
	var done []wire.Deployment
	for i, number := range []string{"1.0.0", "1.0.1", "1.0.2"} {
		w.version(number, data(strings.Repeat("1", i+1)))
		done = append(done, w.complete(number, one))
	}
	takeBack := func(d wire.Deployment) answer {
		return w.call(w.tokens[api.Operator], "POST", "/deployments/"+d.ID+"/rollback", wire.ReasonRequest{Reason: "x"})
	}
	w.want(takeBack(done[1]), 409, "CONFLICT") // it does not run any more
	var back, again wire.Deployment
	w.want(takeBack(done[2]), 200).into(t, &back)
	one.apply()
	w.reaches(back.ID, "Completed")
	w.want(takeBack(done[2]), 200).into(t, &again)
	if again.ID != back.ID {
		t.Errorf("taken back twice: by %s and by %s", back.ID, again.ID)
	}
	w.want(takeBack(done[1]), 200).into(t, &again) // 1.0.1 runs again, and is sick too
	if again.ConfigVersion != "1.0.0" {
		t.Errorf("taken back to %s", again.ConfigVersion)
	}
}

// A failed deployment is taken back until something else happens.
func TestTakeBackAFailedDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.profile()
	r.Health.AutoRollback = false
	w.must(w.store.PutProfile(t.Context(), r))
	one := w.register("one")
	w.version("1.0.0", data("1"))
	w.complete("1.0.0", one)
	w.version("1.0.1", data("2"))
	failed := w.deploy("1.0.1")
	w.until("the assignment", func() bool { return one.assigned().Assignments[0].Version == "1.0.1" })
	a := one.assigned().Assignments[0]
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/applied", wire.AppliedRequest{
		ConfigName: name, Version: a.Version, Hash: a.Hash, Generation: a.Generation, Error: "no",
	}), 204)
	w.reaches(failed.ID, "Failed")
	takeBack := func() answer {
		return w.call(w.tokens[api.Operator], "POST", "/deployments/"+failed.ID+"/rollback", wire.ReasonRequest{Reason: "x"})
	}
	var back wire.Deployment
	w.want(takeBack(), 200).into(t, &back)
	one.apply()
	w.reaches(back.ID, "Completed")
	w.version("1.0.2", data("3"))
	w.complete("1.0.2", one)
	w.want(takeBack(), 409, "CONFLICT") // long past
}
