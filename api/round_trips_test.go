package api_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/faultproxy"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// mostRoundTrips is what the rollback of a canary may ask the database: each question
// waits for the answer before it, on a machine that has everything else to do.
const mostRoundTrips = 8

// live puts a canary of ten instances into the store that is under way.
func (w *world) live(service string) {
	w.t.Helper()
	ctx := w.t.Context()
	r := profile.Record{
		Name: service + ".production", Service: service, Environment: profile.Production, Strategy: profile.DefaultStrategy(profile.Canary),
		Health: profile.DefaultHealth(profile.Production), Origin: profile.OriginGit, Source: "configs", Path: service + ".yaml", CreatedBy: "test",
	}
	w.must(w.store.PutProfile(ctx, r))
	versions := map[string]profile.Version{}
	for _, number := range []string{"1.0.0", "1.1.0"} {
		content := data(service + number)
		v := profile.Version{Profile: r.Name, Number: number, Data: content, Hash: profile.Hash(content), ValidatedAt: time.Now(), Source: "configs", Commit: strings.Repeat("a", 40)}
		w.must(w.store.InsertVersion(ctx, v))
		versions[number] = v
	}
	d := rollout.Deployment{
		ID: uuid.NewString(), Profile: r.Name, Kind: rollout.Forward, State: rollout.InProgress, Version: "1.1.0", Hash: versions["1.1.0"].Hash,
		Previous: "1.0.0", PreviousHash: versions["1.0.0"].Hash, Source: "configs", Commit: strings.Repeat("a", 40), Strategy: r.Strategy, Health: r.Health,
		Selector: fleet.Selector{Service: service, Environment: profile.Production}, CreatedAt: time.Now(), StartedAt: time.Now(),
	}
	dec := rollout.Decision{Next: d, Changed: true, Current: "1.0.0"}
	for i := range 10 {
		id := uuid.NewString()
		w.must(w.store.RegisterInstance(ctx, fleet.Instance{ID: id, Service: service, Hostname: fmt.Sprint(service, i), Environment: profile.Production}, api.HashToken(api.NewToken(api.InstanceToken))))
		dec.Assign = append(dec.Assign, rollout.Assign{InstanceID: id, Version: d.Version, Hash: d.Hash})
	}
	w.must(w.store.Create(ctx, dec))
}

// A rollback asks the database few questions one after the other. The first one
// also prepares its statements, and any may ask a connection that has rested whether
// it still stands: what the least of the others took counts.
func TestARollbackTakesFewRoundTrips(t *testing.T) {
	t.Parallel()
	server, options := testenv.SharedPostgres(t), postgres(t)
	w := &world{t: t, tokens: map[api.Role]string{api.Operator: api.NewToken(api.UserToken)}}
	open := func(url string) *store.Store {
		s, err := store.Open(t.Context(), store.Options{URL: url, Connections: 4, Routing: store.Routing{
			PullRequests: true, Targets: []string{"ops"}, Facts: []string{rollout.FactRollback, rollout.FactHoldBegun},
			Route: func(n rollout.Notification, _ map[string]any) []rollout.Notification {
				n.Target = "ops"
				return []rollout.Notification{n}
			},
		}})
		w.must(err)
		t.Cleanup(func() { w.must(s.Close()) })
		return s
	}
	w.store = open(options.URL)
	w.must(w.store.CreateToken(t.Context(), store.Token{
		ID: uuid.NewString(), Name: "operator", Kind: store.TokenAPI, Role: string(api.Operator), Hash: api.HashToken(w.tokens[api.Operator]), CreatedBy: "test",
	}))
	services := []string{"first", "second", "third", "fourth", "fifth"}
	for _, service := range services {
		w.live(service)
	}
	proxy := faultproxy.New(t, server.Addr())
	name := options.URL[strings.LastIndex(options.URL, "/")+1 : strings.Index(options.URL, "?")]
	via, memory := open(testenv.URLVia(proxy.Addr(), name)), coord.NewMemory()
	door, err := api.New(api.Options{
		Store: via, Engine: rollout.NewEngine(via, memory, rollout.EngineOptions{}), Bus: memory, Heartbeats: store.NewHeartbeatWriter(via, 0), LimitFactor: -1, AnswerWithin: time.Minute,
	})
	w.must(err)
	w.http = httptest.NewServer(door.Handler())
	t.Cleanup(w.http.Close)
	least := math.MaxInt
	for i, service := range services {
		before := proxy.RoundTrips()
		w.want(w.call(w.tokens[api.Operator], http.MethodPost, "/configs/"+service+".production/rollback", `{"reason": "it hurts"}`), 200)
		took := proxy.RoundTrips() - before
		t.Logf("rollback %d took %d round trips", i+1, took)
		if i > 0 {
			least = min(least, took)
		}
	}
	if least > mostRoundTrips {
		t.Errorf("a rollback takes %d round trips, at most %d are meant to be: send together what does not depend on an answer", least, mostRoundTrips)
	}
}
