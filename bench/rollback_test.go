package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// backAndForth rolls one profile of many instances back, from one version to the other in turn, and
// gives how long an order takes until its assignments are committed, in ms.
func (e *estate) backAndForth() func() float64 {
	e.s.Helper()
	r := e.profiles[0]
	v, _ := edition(r, "1.1.0")
	must(e.s, e.db.InsertVersion(e.s.Context(), v))
	to, err := e.db.Version(e.s.Context(), r.Name, "1.0.0")
	must(e.s, err)
	refused := v
	engine := rollout.NewEngine(e.db, nobody{}, rollout.EngineOptions{Owner: "bench"})
	return func() float64 {
		took := milliseconds(func() {
			if _, err := engine.RollbackProfile(store.Urgent(e.s.Context()), rollout.Back{
				Record: r, To: to, Refused: refused, ID: uuid.NewString(), Actor: "somebody", Reason: "it hurts",
			}); err != nil {
				e.s.Error(err)
			}
		})
		e.waitFor(len(e.members), `SELECT count(*) FROM config_assignments WHERE version = '`+to.Number+`'`)
		to, refused = refused, to
		return took
	}
}

// bareAssignments writes as many assignments by one statement.
func (e *estate) bareAssignments() func() float64 {
	ids := make([]string, len(e.members))
	for i, m := range e.members {
		ids[i] = m.ID
	}
	return func() float64 {
		return milliseconds(func() {
			e.exec(`UPDATE config_assignments a SET version = a.version, generation = a.generation + 1, assigned_at = now()
				FROM unnest($1::text[]) AS i(id) WHERE a.instance_id = i.id`, ids)
			e.exec(`UPDATE config_profiles SET generation = generation + 1`)
		})
	}
}

func benchRollback(s *scenario) {
	server := testenv.NewPostgres(s, "max_connections = 200")
	e := s.estateOf(server.CreateDatabase(s, ""), 1, s.Instances)
	ours, floor := s.inTurn(e.backAndForth(), e.bareAssignments())
	s.add(bench.Figure{What: fmt.Sprintf("a rollback's order to the assignments of %d instances committed", s.Instances), Unit: "ms", Ours: ours,
		Beside: "as many assignments updated by one statement", Floor: floor})
	s.add(bench.Figure{What: "the same, against its goal", Unit: "ms", Ours: ours, Goal: 1000})
	s.rollbackCalls(server)
	s.note("PostgreSQL runs with fsync off. The daemon, PostgreSQL, what sends the heartbeats and what calls share the processors.")
}

// rollbackCalls rolls canaries back over HTTP, one after the other, while the fleet beats, all other
// canaries are stepped and the API is read.
func (s *scenario) rollbackCalls(server *testenv.Postgres) {
	s.Helper()
	e := s.estateOf(server.CreateDatabase(s, ""), max(s.Deployments, 4), s.Instances)
	e.health()
	e.goLive()
	d := e.daemon()
	e.waitFor(len(e.profiles), `SELECT count(*) FROM config_deployments WHERE status = 'InProgress'`)
	e.take()
	ctx, cancel := context.WithCancel(s.Context())
	beating := make(chan []float64)
	go func() {
		b := newBeater(s, d.URL(), e.members)
		var rates []float64
		for ctx.Err() == nil {
			rates = append(rates, b.round())
		}
		beating <- rates
	}()
	reads := e.meanwhile(d.URL(), "/deployments?limit=20", "/instances?limit=20")
	var took []float64
	for _, r := range e.profiles[:max(min(len(e.profiles)/4, 200), 1)] {
		took = append(took, milliseconds(func() {
			e.ask(http.MethodPost, d.URL()+"/api/v1/configs/"+r.Name+"/rollback", `{"reason": "it hurts"}`, http.StatusOK)
		}))
		pause(ctx, 20*time.Millisecond)
	}
	cancel()
	rates, read := <-beating, reads()
	s.add(bench.Figure{What: fmt.Sprintf("p99 of %d rollback calls while the fleet beats, %d canaries are stepped and the API is read", len(took), len(e.profiles)),
		Unit: "ms", Ours: []float64{bench.Percentile(took, 99)}, Goal: 50})
	s.add(bench.Figure{What: "their median", Unit: "ms", Ours: []float64{bench.Median(took)}})
	s.add(bench.Figure{What: "heartbeats a second meanwhile", Unit: "1/s", Ours: rates})
	s.add(bench.Figure{What: "p99 of reads meanwhile", Unit: "ms", Ours: []float64{bench.Percentile(read, 99)}})
	d.Kill(s)
}

// breach lets the canary's instances report errors, and gives how long after it every instance was
// assigned the version before, in ms.
func (e *estate) breach(url, name string, instances int) float64 {
	e.s.Helper()
	var sick []member
	for _, m := range e.members {
		var version string
		must(e.s, e.bare.QueryRowContext(e.s.Context(), `SELECT version FROM config_assignments WHERE instance_id = $1`, m.ID).Scan(&version))
		if version == "1.1.0" {
			sick = append(sick, m)
		}
	}
	began := time.Now()
	ctx, cancel := context.WithCancel(e.s.Context())
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		for ctx.Err() == nil {
			for _, m := range e.members {
				errs := 1
				if slices.Contains(sick, m) {
					errs = 400
				}
				e.beatAs(url, m.Token, m.ID, errs)
			}
			pause(ctx, 200*time.Millisecond)
		}
	}()
	defer func() { cancel(); <-beating }()
	e.waitFor(instances, `SELECT count(*) FROM config_assignments WHERE version = '1.0.0' AND config_name = '`+name+`'`)
	return float64(time.Since(began).Microseconds()) / 1000
}

// beatAs is one heartbeat of a thousand requests.
func (e *estate) beatAs(url, token, id string, errs int) {
	e.askAs(token, http.MethodPost, url+"/api/v1/instances/"+id+"/heartbeat",
		fmt.Sprintf(`{"health": {"status": "Healthy", "requests": 1000, "errors": %d}}`, errs), http.StatusOK)
}

func benchReaction(s *scenario) {
	server := testenv.NewPostgres(s)
	var took []float64
	const instances, interval = 10, time.Second
	for range s.Rounds {
		e := s.estateOf(server.CreateDatabase(s, ""), 1, instances)
		for range 3 {
			e.health()
		}
		r := e.profiles[0]
		v, dep := edition(r, "1.1.0")
		dep.Strategy.PhaseInterval, dep.Health.CheckInterval = profile.Duration(time.Hour), profile.Duration(interval)
		must(s, e.db.InsertVersion(s.Context(), v))
		must(s, e.db.Create(s.Context(), rollout.Decision{Next: dep, Changed: true}))
		d := e.daemon()
		e.waitFor(instances/2, `SELECT count(*) FROM config_assignments WHERE version = '1.1.0'`)
		e.take()
		e.waitFor(1, `SELECT count(*) FROM config_deployments WHERE body->'Progress'->>'Applied' = '5'`)
		for _, m := range e.members {
			e.beatAs(d.URL(), m.Token, m.ID, 1)
		}
		took = append(took, e.breach(d.URL(), r.Name, instances))
		d.Kill(s)
	}
	s.add(bench.Figure{What: "errors in the heartbeats to the version before assigned to all, at a check interval of 1 s", Unit: "ms", Ours: took, Goal: 2000})
	s.pushes(server)
}

// pushes are from a push to the first instance that is assigned what it brings.
func (s *scenario) pushes(server *testenv.Postgres) {
	s.Helper()
	repo := testenv.NewRepo(s)
	name := "service-00000.production"
	push := func(n int) {
		repo.Write("service.yaml", fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: %s
environment: Staging
serviceType: Microservice
strategy: {type: Canary, steps: [10, 100], phaseInterval: 1h}
data: {timeout: 30s, n: %d}
`, name, name, n))
		repo.Commit(fmt.Sprintf("Edition %d", n))
		repo.Push()
	}
	push(0)
	e := &estate{s: s, url: server.CreateDatabase(s, ""), admin: api.NewToken(api.UserToken)}
	e.db = openStore(s, e.url)
	var err error
	e.bare, err = sql.Open("pgx", e.url)
	must(s, err)
	s.Cleanup(func() { e.bare.Close() })
	e.daemon("--allow-file-urls", "--source-id", "configs", "--source-url", "file://"+repo.Bare)
	e.waitFor(1, `SELECT count(*) FROM config_profiles WHERE current_version = '1.0.0'`)
	for i := range 10 {
		must(s, e.db.RegisterInstance(s.Context(), fleet.Instance{ID: uuid.NewString(), Service: name, Hostname: fmt.Sprint(i), Environment: profile.Staging},
			api.HashToken(api.NewToken(api.InstanceToken))))
	}
	e.take()
	var took []float64
	for n := range s.Rounds {
		push(n + 1)
		took = append(took, milliseconds(func() {
			e.waitFor(1, fmt.Sprintf(`SELECT count(DISTINCT version) FROM config_assignments WHERE version = '1.0.%d'`, n+1))
		}))
	}
	s.add(bench.Figure{What: "a push to the first instance assigned, at a poll interval of 200 ms", Unit: "ms", Ours: took})
}
