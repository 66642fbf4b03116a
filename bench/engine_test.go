package bench_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// goLive starts a canary of each profile, which half of its instances take and which then is watched.
func (e *estate) goLive() {
	e.s.Helper()
	must(e.s, e.db.InTx(e.s.Context(), func(tx *store.Tx) error {
		for _, r := range e.profiles {
			v, d := edition(r, "1.1.0")
			d.Strategy.PhaseInterval = profile.Duration(time.Hour)
			d.Health.CheckInterval = profile.Duration(time.Second)
			if err := tx.InsertVersion(e.s.Context(), v); err != nil {
				return err
			}
			if err := tx.CreateDeployment(e.s.Context(), rollout.Decision{Next: d, Changed: true}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// take lets every instance take what it was assigned, and the deployments see it.
func (e *estate) take() {
	e.exec(`UPDATE config_assignments SET applied = version, applied_hash = config_hash, applied_generation = generation, applied_at = now()
		WHERE applied_generation < generation`)
	e.due()
}

// due makes every live deployment due.
func (e *estate) due() {
	e.exec(`UPDATE config_deployments SET next_step_at = now(), woken = true WHERE finished_at IS NULL`)
}

// health adds a heartbeat's sample of every instance.
func (e *estate) health() {
	e.exec(`INSERT INTO health_samples (instance_id, since, at, sample) SELECT instance_id, now() - interval '1 second', now(),
		'{"Status":"Healthy","Counted":true,"Requests":100,"Errors":1}'::json FROM service_instances`)
	e.exec(`UPDATE service_instances SET last_heartbeat = now(), status = 'Healthy'`)
}

// counted tells of steps that were stored.
type counted struct {
	mu    sync.Mutex
	since time.Time
	lags  []float64 // ms
	more  chan struct{}
}

func (c *counted) stepped(time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lags = append(c.lags, float64(time.Since(c.since).Microseconds())/1000)
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *counted) from(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since, c.lags = now, nil
}

// until waits until n steps were stored, and gives the lag of each.
func (c *counted) until(ctx context.Context, n int) []float64 {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c.mu.Lock()
		lags := c.lags
		c.mu.Unlock()
		if len(lags) >= n {
			return lags[:n]
		}
		select {
		case <-c.more:
		case <-ctx.Done():
			return lags
		}
	}
}

// databaseTime is how long the database has been at statements, in ms, and how many transactions it has committed.
func (e *estate) databaseTime() (active float64, transactions int64) {
	e.s.Helper()
	if err := e.bare.QueryRowContext(e.s.Context(), `SELECT active_time, xact_commit FROM pg_stat_database WHERE datname = current_database()`).
		Scan(&active, &transactions); err != nil {
		e.s.Fatal(err)
	}
	return active, transactions
}

// stepped is what a round of steps cost.
type stepped struct {
	lags              []float64
	seconds           float64
	processor, active float64 // ms a step
}

// stepRounds lets n live deployments fall due at once, some times.
func (s *scenario) stepRounds(server *testenv.Postgres, n int) []stepped {
	s.Helper()
	e := s.estateOf(server.CreateDatabase(s, ""), n, 10*n)
	e.goLive()
	c := &counted{more: make(chan struct{}, 1), since: time.Now()}
	engine := rollout.NewEngine(e.db, nobody{}, rollout.EngineOptions{Owner: "bench", Metrics: rollout.EngineMetrics{Stepped: c.stepped}})
	stop := run(s, func(ctx context.Context) error { return engine.Run(store.Stepping(ctx)) })
	e.waitFor(n, `SELECT count(*) FROM config_deployments WHERE status = 'InProgress'`)
	e.take()
	e.waitFor(n, `SELECT count(*) FROM config_deployments WHERE finished_at IS NULL AND body->'Progress'->>'Applied' = '5'`)
	var rounds []stepped
	for range s.Rounds {
		e.health()
		e.exec(`ANALYZE health_samples`)
		cpu, from := processorTime(), time.Now()
		active, _ := e.databaseTime()
		c.from(time.Now())
		e.due()
		engine.Wake()
		lags := c.until(s.Context(), n)
		took := time.Since(from).Seconds()
		used := processorTime() - cpu
		e.exec(`SELECT pg_stat_force_next_flush()`)
		later, _ := e.databaseTime()
		rounds = append(rounds, stepped{lags, took, float64(used.Microseconds()) / 1000 / float64(n), max(later-active, 0.001) / float64(n)})
	}
	e.waitFor(n, `SELECT count(*) FROM config_deployments WHERE status = 'InProgress'`)
	stop()
	return rounds
}

// patience ends a scenario whose work does not happen.
const patience = time.Minute

// waitFor waits until a count is n.
func (e *estate) waitFor(n int, query string) {
	e.s.Helper()
	ctx, cancel := context.WithTimeout(e.s.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for found := -1; ; {
		if err := e.bare.QueryRowContext(e.s.Context(), query).Scan(&found); err != nil {
			e.s.Fatal(err)
		}
		if found == n {
			return
		}
		select {
		case <-ctx.Done():
			e.s.Fatalf("%d, want %d: %s%s", found, n, query, e.standing())
		case <-tick.C:
		}
	}
}

func benchDeployments(s *scenario) {
	server := testenv.NewPostgres(s, "max_connections = 200")
	var sizes, seconds []float64
	for _, tenths := range []int{1, 3, 10} {
		n := max(s.Deployments*tenths/10, 1)
		rounds := s.stepRounds(server, n)
		of := func(value func(stepped) float64) (out []float64) {
			for _, r := range rounds {
				out = append(out, value(r))
			}
			return out
		}
		times := of(func(r stepped) float64 { return r.seconds })
		sizes, seconds = append(sizes, float64(n)), append(seconds, bench.Median(times))
		s.add(bench.Figure{What: fmt.Sprintf("p99 of the lag of a step, %d live deployments of 10 instances due at once", n), Unit: "ms",
			Ours: of(func(r stepped) float64 { return bench.Percentile(r.lags, 99) })})
		if tenths < 10 {
			continue
		}
		s.add(bench.Figure{What: "processor of the daemon's part for a step", Unit: "ms", Ours: of(func(r stepped) float64 { return r.processor })})
		s.add(bench.Figure{What: "time of the database for a step", Unit: "ms", Ours: of(func(r stepped) float64 { return r.active })})
	}
	s.note("The time for all grows with their number to the power of %.2f.", bench.Exponent(sizes, seconds))
	s.note("Each step reads the fleet and its samples, checks the gate and is stored. PostgreSQL runs with fsync off on the same processors.")
}

// standing says where the first of the live deployments stand.
func (e *estate) standing() string {
	var text string
	if err := e.bare.QueryRowContext(e.s.Context(), `SELECT coalesce(string_agg(body::text, E'\n'), '') FROM (SELECT body FROM config_deployments
		WHERE finished_at IS NULL LIMIT 2) AS first`).Scan(&text); err != nil {
		return ": " + err.Error()
	}
	return "\n" + text
}
