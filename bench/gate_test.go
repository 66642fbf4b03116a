package bench_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A fleet under a canary has told of itself as long as samples are kept.
const (
	toldFor   = 15 * time.Minute
	tellEvery = 10 * time.Second
)

// canary is a fleet of the shop under a canary.
type canary struct {
	s        *scenario
	database string
	bare     *sql.DB
	now      time.Time // at which everything is looked at: samples age, and looking takes its time
	d        rollout.Deployment
}

// canaryOf makes a fleet of n instances that run 1.0.0 and have told of themselves, and a canary of 1.1.0
// that has not begun.
func (s *scenario) canaryOf(database string, n int) *canary {
	s.Helper()
	settle(s, database, n)
	c := &canary{s: s, database: database, now: time.Now().Truncate(time.Second)}
	c.open(func(db *store.Store) {
		for _, number := range []string{"1.0.0", "1.1.0"} {
			data := profile.Data{"edition": number}
			must(s, db.InsertVersion(s.Context(), profile.Version{Profile: shop, Number: number, Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now()}))
		}
	})
	driver := "sqlite"
	if c.postgres() {
		driver = "pgx"
	}
	var err error
	c.bare, err = sql.Open(driver, database)
	must(s, err)
	s.Cleanup(func() { c.bare.Close() })
	now := c.now
	hash := func(number string) string { return profile.Hash(profile.Data{"edition": number}) }
	c.exec(`INSERT INTO config_assignments (instance_id, config_name, version, config_hash, generation, assigned_at, applied, applied_hash, applied_generation, applied_at)
		SELECT instance_id, '`+shop+`', '1.0.0', $1, 1, $2, '1.0.0', $1, 1, $2 FROM service_instances`, hash("1.0.0"), c.time(now.Add(-24*time.Hour)))
	c.exec(`UPDATE service_instances SET last_heartbeat = $1, status = 'Healthy'`, c.time(now))
	for at := now.Add(-toldFor); at.Before(now); at = at.Add(tellEvery) {
		c.exec(`INSERT INTO health_samples (instance_id, since, at, sample) SELECT instance_id, $1, $2, $3 FROM service_instances`,
			c.time(at), c.time(at.Add(tellEvery)), account())
	}
	c.exec(`ANALYZE`)
	c.d = rollout.Deployment{
		ID: "canary", Profile: shop, Kind: rollout.Forward, State: rollout.Pending, CreatedAt: now,
		Selector: fleet.Selector{Service: "shop", Environment: profile.Production},
		Version:  "1.1.0", Hash: hash("1.1.0"), Previous: "1.0.0", PreviousHash: hash("1.0.0"),
		Strategy: profile.DefaultStrategy(profile.Canary), Health: profile.DefaultHealth(profile.Production),
	}
	c.d.Strategy.Steps = []int{1, 10, 50, 100}
	return c
}

func (c *canary) postgres() bool { return strings.HasPrefix(c.database, "postgres") }

// open lets work have the database, of which the embedded one is for one process at a time.
func (c *canary) open(work func(db *store.Store)) {
	c.s.Helper()
	db, err := store.Open(c.s.Context(), store.Options{URL: c.database})
	must(c.s, err)
	work(db)
	must(c.s, db.Close())
}

func (c *canary) exec(statement string, args ...any) {
	c.s.Helper()
	_, err := c.bare.ExecContext(c.s.Context(), statement, args...)
	must(c.s, err)
}

// time is a time as the database keeps it.
func (c *canary) time(t time.Time) any {
	if c.postgres() {
		return t
	}
	return t.UnixMicro()
}

// account is the sample of a heartbeat, with a sketch of some hundred latencies.
func account() string {
	sketch, err := ddsketch.NewDefaultDDSketch(fleet.SketchAccuracy)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	const requests = 400
	for range requests {
		if err := sketch.Add(40 * math.Exp(rand.NormFloat64()/2)); err != nil {
			panic(err) // every such latency has its place
		}
	}
	encoded, err := proto.Marshal(sketch.ToProto())
	if err != nil {
		panic(err)
	}
	latency, err := fleet.ParseSketch(encoded)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(fleet.Sample{Status: fleet.StatusHealthy, Counted: true, Requests: requests, Errors: uint64(rand.IntN(3)), Latency: latency})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// enter goes on to a phase: its share of the fleet took the version some minutes ago, and a check is due.
func (c *canary) enter(phase int) {
	c.s.Helper()
	now := c.now
	c.d.State, c.d.Phase, c.d.StartedAt, c.d.PhaseEnteredAt, c.d.CheckedAt = rollout.InProgress, phase, now, now, now
	ids := []string{} // a phase of few instances may have nobody to add
	c.open(func(db *store.Store) {
		snap, err := db.Snapshot(c.s.Context(), c.d, func(rollout.Snapshot) []rollout.Reading { return nil })
		must(c.s, err)
		for _, a := range rollout.Decide(c.d, snap, now).Assign {
			ids = append(ids, a.InstanceID)
		}
	})
	text, err := json.Marshal(ids)
	must(c.s, err)
	whose := `SELECT value FROM json_each($1)`
	if c.postgres() {
		whose = `SELECT json_array_elements_text($1::json)`
	}
	c.exec(`UPDATE config_assignments SET version = '1.1.0', config_hash = $2, applied = '1.1.0', applied_hash = $2, applied_at = $3, generation = 2,
		applied_generation = 2, deployment_id = 'canary' WHERE instance_id IN (`+whose+`)`, string(text), c.d.Hash, c.time(now.Add(-5*time.Minute)))
	c.d.PhaseSettledAt, c.d.CheckedAt = now.Add(-5*time.Minute), now.Add(-time.Minute)
}

// cost is what a look at the fleet takes.
type cost struct {
	ms, processor float64 // ms
	grown         float64 // MB, of the process
	samples       float64
}

// look lets a process of its own look at the fleet once.
func (c *canary) look(p *process) cost {
	c.s.Helper()
	errand, err := json.Marshal(looked{c.database, c.now, c.d})
	must(c.s, err)
	before := p.processorMS()
	ms := float64(p.do("look", string(errand))) / 1e6
	return cost{ms, p.processorMS() - before, float64(p.do("grown", "")) / 1e6, float64(p.do("samples", ""))}
}

// looked is what an onlooker looks at.
type looked struct {
	Database   string
	Now        time.Time
	Deployment rollout.Deployment
}

// onlooker is a process that reads a fleet and decides about its deployment, as a step of the engine does.
func onlooker(context.Context) (serving, error) {
	var grown, samples int64
	told := func(n *int64) command { return func(context.Context, []byte) (int64, error) { return *n, nil } }
	look := func(ctx context.Context, errand []byte) (int64, error) {
		var at looked
		if err := json.Unmarshal(errand, &at); err != nil {
			return 0, err
		}
		db, err := store.Open(ctx, store.Options{URL: at.Database, Now: func() time.Time { return at.Now }})
		if err != nil {
			return 0, err
		}
		defer db.Close()
		debug.FreeOSMemory()
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the most so far is forgotten
			return 0, err
		}
		before := residentKB() << 10
		began := time.Now()
		now, err := db.Now(ctx)
		if err != nil {
			return 0, err
		}
		snap, err := db.Snapshot(ctx, at.Deployment, rollout.Readings(at.Deployment, now))
		if err != nil {
			return 0, err
		}
		dec := rollout.Decide(at.Deployment, snap, now)
		took := time.Since(began)
		samples = 0
		for _, t := range snap.Targets {
			samples += int64(len(t.Samples))
		}
		peak, err := peakMemory()
		grown = max(peak-before, 1)
		if dec.Next.State != rollout.InProgress || at.Deployment.State == rollout.InProgress && (len(dec.Checks) == 0 || dec.Checks[0].Verdict.Outcome != rollout.Pass) {
			err = errors.Join(err, fmt.Errorf("it is %s: %s, by %+v", dec.Next.State, dec.Next.Explanation, dec.Next.Verdict))
		}
		return took.Nanoseconds(), err
	}
	return serving{http.NotFoundHandler(), map[string]command{"look": look, "grown": told(&grown), "samples": told(&samples)}}, nil
}

// benchGate measures a check of the gate of one profile, how it grows with the fleet, and on both databases.
func benchGate(s *scenario) {
	for _, engine := range engines {
		var sizes, costs []float64
		for _, tenths := range []int{1, 3, 10} {
			n := max(s.Instances*tenths/10, 2)
			c := s.canaryOf(engine.database(s), n)
			p := startChild(s, "onlooker")
			began := c.look(p)
			var most float64
			for phase, percent := range []int{1, 10, 50} {
				c.enter(phase)
				var took, processor []float64
				var last cost
				for range s.Rounds {
					last = c.look(p)
					took, processor, most = append(took, last.ms), append(processor, last.processor), max(most, last.grown)
				}
				if percent == 10 {
					sizes, costs = append(sizes, float64(n)), append(costs, bench.Median(took))
				}
				if tenths < 10 {
					continue
				}
				what := fmt.Sprintf("a check of %d instances, %d %% of them updated, %s", n, percent, engine.name)
				s.add(bench.Figure{What: what, Unit: "ms", Ours: took, Goal: 1000})
				s.add(bench.Figure{What: "its processor, without the database's", Unit: "ms", Ours: processor})
				s.add(bench.Figure{What: "samples that it reads", Ours: []float64{last.samples}})
			}
			s.add(bench.Figure{What: fmt.Sprintf("the most memory that a check of %d instances takes, %s", n, engine.name), Unit: "MB", Ours: []float64{most}, Goal: 100})
			if tenths == 10 {
				s.add(bench.Figure{What: fmt.Sprintf("the step that begins a canary of %d instances, %s", n, engine.name), Unit: "ms", Ours: []float64{began.ms}})
				s.add(bench.Figure{What: "samples that it reads", Ours: []float64{began.samples}})
				s.add(bench.Figure{What: "memory that it takes", Unit: "MB", Ours: []float64{began.grown}})
			}
		}
		s.note("On %s a check with 10 %% updated grows with the fleet to the power of %.2f.", engine.name, bench.Exponent(sizes, costs))
	}
	s.note("Every instance has sent a heartbeat each %s for %s, with a sketch of 400 latencies. A check reads the fleet and decides.",
		tellEvery, strings.TrimSuffix(toldFor.String(), "0s"))
}
