package bench_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// capacityPage stands beside the page of figures, and is written with it.
const capacityPage = "capacity.md"

// slopes is the measuring of what one more of everything costs on PostgreSQL.
type slopes struct {
	*scenario
	postgres *testenv.Postgres
	url      string
	sql      *sql.DB
	store    *store.Store
	found    []bench.Slope
}

// benchCapacity measures what capacity is computed from, and writes docs/capacity.md.
func benchCapacity(s *scenario) {
	began := time.Now()
	m := &slopes{scenario: s, postgres: testenv.SharedPostgres(s)}
	m.url = m.postgres.CreateDatabase(s, "")
	members, file := settle(s, m.url, s.Instances)
	m.open()
	m.slope(bench.InstanceRow, "an instance with its indexes, on disk", "B", m.size("service_instances")/float64(s.Instances))
	ours := startChild(s, "sluice", databaseEnv+"="+m.url, membersEnv+"="+file)
	m.assignments(ours)
	m.streams(ours, file)
	m.heartbeats(ours, members)
	m.versions()
	m.deployments()
	m.audit()
	text, err := bench.Capacity(append(m.found, bench.Assumptions()...))
	if err != nil {
		s.Fatal(err)
	}
	s.Log("\n" + text)
	if into := os.Getenv(intoEnv); into != "" && !s.Failed() {
		if err := bench.Write(filepath.Join(filepath.Dir(into), capacityPage), bench.Machine(time.Since(began))+"\n"+text); err != nil {
			s.Fatal(err)
		}
	}
	s.note("[capacity.md](capacity.md) has what follows for 1,000, 10,000 and 100,000 instances.")
}

func (m *slopes) open() {
	m.Helper()
	var err error
	if m.sql, err = sql.Open("pgx", m.url); err != nil {
		m.Fatal(err)
	}
	if m.store, err = store.Open(m.Context(), store.Options{URL: m.url}); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		if err := m.store.Close(); err != nil {
			m.Error(err)
		}
		if err := m.sql.Close(); err != nil {
			m.Error(err)
		}
	})
}

// slope keeps one; the same is a figure of the page of figures.
func (m *slopes) slope(key, what, unit string, value float64) {
	m.Helper()
	m.found = append(m.found, bench.Slope{Key: key, What: what, Unit: unit, Value: value, From: bench.Measured})
	m.add(bench.Figure{What: what, Unit: unit, Ours: []float64{value}})
}

// number asks the database for one.
func (m *slopes) number(query string, args ...any) (n float64) {
	m.Helper()
	if err := m.sql.QueryRowContext(m.Context(), query, args...).Scan(&n); err != nil {
		m.Fatal(err)
	}
	return n
}

// size is what tables take on disk, with their indexes and what is kept aside.
func (m *slopes) size(tables ...string) (bytes float64) {
	m.Helper()
	for _, table := range tables {
		bytes += m.number(`SELECT pg_total_relation_size($1)`, table)
	}
	return bytes
}

func (m *slopes) written() float64 {
	m.Helper()
	return m.number(`SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')`)
}

// assignments tells the fleet twice: the first time makes its rows, the second is
// a rollout as any other.
func (m *slopes) assignments(ours *process) {
	m.Helper()
	ours.do("tell", setting)
	m.slope(bench.AssignmentRow, "an assignment with its indexes, on disk", "B", m.size("config_assignments")/float64(m.Instances))
	before := m.written()
	ours.do("tell", "2"+setting)
	m.slope(bench.AssignmentWAL, "write-ahead log of one assignment of a rollout", "B", (m.written()-before)/float64(m.Instances))
}

func (m *slopes) streams(ours *process, file string) {
	m.Helper()
	before := ours.residentKB()
	startReaders(m, ours, "watch", file, m.Instances)
	after := ours.residentKB()
	each := (after - before) / float64(m.Instances)
	if m.Instances < 1000 {
		each = math.Max(each, 1) // the memory of so few is lost in that of the process
	}
	m.slope(bench.StreamMemory, "resident memory of a daemon for an open stream, after a collection", "KB", each)
	m.slope(bench.ProcessMemory, "resident memory of a daemon without streams", "MB", before/1024)
}

// heartbeats are those of a service that serves a thousand requests between two.
func (m *slopes) heartbeats(ours *process, members []member) {
	m.Helper()
	const each = 3
	moved, transport := new(atomic.Int64), &http.Transport{MaxIdleConnsPerHost: 32}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return weighed{conn, moved}, err
	}
	beat := func(from []member) {
		var group sync.WaitGroup
		turn := make(chan member)
		for range 32 {
			group.Go(func() {
				for one := range turn {
					if err := sendHeartbeat(m.Context(), &http.Client{Transport: transport}, ours.door, one); err != nil {
						m.Error(err)
					}
				}
			})
		}
		for _, one := range from {
			turn <- one
		}
		close(turn)
		group.Wait()
		transport.CloseIdleConnections()
	}
	beat(members[:len(members)/10]) // what is prepared once is prepared
	stored := func(n int) {
		for m.number(`SELECT count(*) FROM health_samples`) < float64(n) && m.Context().Err() == nil {
			<-time.After(20 * time.Millisecond)
		}
	}
	stored(len(members) / 10)
	moved.Store(0)
	wal, mine, theirs := m.written(), ours.processorMS(), m.postgresMS()
	for range each {
		beat(members)
	}
	n := float64(each * len(members))
	stored(each*len(members) + len(members)/10)
	m.slope(bench.BeatProcessor, "processor time of a daemon for a heartbeat", "ms", (ours.processorMS()-mine)/n)
	m.slope(bench.BeatPostgres, "processor time of PostgreSQL for a heartbeat", "ms", math.Max(m.postgresMS()-theirs, 10)/n) // it is counted in steps of 10 ms
	m.slope(bench.BeatWAL, "write-ahead log of a heartbeat", "B", (m.written()-wal)/n)
	m.slope(bench.BeatNetwork, "a heartbeat and its answer, over HTTP/1.1", "B", float64(moved.Load())/n)
	m.slope(bench.SampleRow, "a sample with its indexes, on disk", "B", m.size("health_samples")/m.number(`SELECT count(*) FROM health_samples`))
}

// weighed counts the bytes of a connection.
type weighed struct {
	net.Conn
	bytes *atomic.Int64
}

func (w weighed) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.bytes.Add(int64(n))
	return n, err
}

func (w weighed) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.bytes.Add(int64(n))
	return n, err
}

func sendHeartbeat(ctx context.Context, c *http.Client, door string, one member) error {
	recorder := client.NewRecorder()
	for range 1000 {
		recorder.Observe(time.Duration(20*math.Exp(mathrand.NormFloat64()/2)*float64(time.Millisecond)), mathrand.Float64() < .01)
	}
	health, _ := recorder.Health(ctx)
	health.Status = "Healthy"
	body, err := json.Marshal(wire.HeartbeatRequest{Health: health})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+door+"/api/v1/instances/"+one.ID+"/heartbeat", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+one.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a heartbeat: %s %s %w", resp.Status, text, err)
	}
	return nil
}

// postgresMS is how long the server and its children have kept processors busy.
func (m *slopes) postgresMS() (ms float64) {
	m.Helper()
	pid, err := os.ReadFile(filepath.Join(m.postgres.DataDir(), "postmaster.pid"))
	if err != nil {
		m.Fatal(err)
	}
	parent, _, _ := strings.Cut(string(pid), "\n")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		m.Fatal(err)
	}
	for _, file := range stats {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		fields := strings.Fields(rest) // from the third on: state, parent, ...
		own := filepath.Base(filepath.Dir(file)) == parent
		if len(fields) < 15 || !own && fields[1] != parent {
			continue
		}
		ticks := fields[11:13]
		if own {
			ticks = fields[11:15] // and those of children that ended
		}
		for _, field := range ticks {
			n, err := strconv.ParseFloat(field, 64)
			if err != nil {
				m.Fatal(err)
			}
			ms += n * 10
		}
	}
	return ms
}

// versions are of 1 KB and of 16 KB that does not compress: the difference is the data's.
func (m *slopes) versions() {
	m.Helper()
	n := max(m.Instances/10, 5)
	grow := func(major, kilobytes int) float64 {
		before := m.size("config_versions")
		for i := range n {
			text := make([]byte, kilobytes*1000*3/4)
			rand.Read(text)
			data := profile.Data{"text": base64.StdEncoding.EncodeToString(text)}
			v := profile.Version{Profile: shop, Number: fmt.Sprintf("%d.0.%d", major, i), Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now(),
				Commit: strings.Repeat("a", 40), Author: "Ann <ann@example.com>", Message: "Raise the timeout of the shop", CreatedBy: "sluice"}
			if err := m.store.InsertVersion(m.Context(), v); err != nil {
				m.Fatal(err)
			}
		}
		return (m.size("config_versions") - before) / float64(n)
	}
	one, sixteen := grow(2, 1), grow(3, 16)
	perByte := (sixteen - one) / 15_000
	m.slope(bench.VersionByte, "disk for a byte of a version's data", "B", perByte)
	m.slope(bench.VersionRow, "a version with its indexes, on disk, without its data", "B", math.Max(one-1000*perByte, 1))
}

// deployments have forty checks each, as a canary of twenty minutes has.
func (m *slopes) deployments() {
	m.Helper()
	const checks, facts = 40, 10
	n := max(m.Instances/20, 3)
	tables := []string{"config_deployments", "deployment_checks"}
	before, rows, audit := m.size(tables...), m.number(`SELECT count(*) FROM config_audit_logs`), m.size("config_audit_logs")
	for range n {
		d := m.deployment(shop, "2.0.0")
		if err := m.store.Create(m.Context(), rollout.Decision{Next: d, Changed: true}); err != nil {
			m.Fatal(err)
		}
		claims, err := m.store.ClaimDue(m.Context(), "bench", time.Minute, 1)
		if err != nil || len(claims) != 1 {
			m.Fatalf("%d claims, %v", len(claims), err)
		}
		if d, err = m.store.Deployment(m.Context(), d.ID); err != nil {
			m.Fatal(err)
		}
		dec := rollout.Decision{Next: d, Changed: true}
		for range checks {
			dec.Checks = append(dec.Checks, rollout.Check{DeploymentID: d.ID, At: time.Now(), Verdict: verdict()})
		}
		for i := range facts {
			dec.Facts = append(dec.Facts, rollout.Fact{Type: "deployment.promoted", EntityType: "deployment", EntityID: d.ID, Actor: rollout.Daemon,
				TraceID: strings.Repeat("0", 32), Details: map[string]any{"phase": i, "profile": shop, "version": "2.0.0", "reason": "the gate passed for 5m0s"}})
		}
		if err := m.store.Step(m.Context(), claims[0], dec); err != nil {
			m.Fatal(err)
		}
	}
	m.slope(bench.DeploymentRow, fmt.Sprintf("a deployment with %d checks of its gate and their indexes, on disk", checks), "B", (m.size(tables...)-before)/float64(n))
	m.slope(bench.AuditRow, "an audit event with its indexes, on disk", "B", (m.size("config_audit_logs")-audit)/(m.number(`SELECT count(*) FROM config_audit_logs`)-rows))
}

func (m *slopes) deployment(name, version string) rollout.Deployment {
	m.Helper()
	v, err := m.store.Version(m.Context(), name, version)
	if err != nil {
		m.Fatal(err)
	}
	strategy, health := profile.DefaultStrategy(profile.Canary), profile.DefaultHealth(profile.Production)
	strategy.PhaseInterval = profile.Duration(time.Millisecond)
	health.Enabled = name == shop
	return rollout.Deployment{
		ID: uuid.NewString(), Profile: name, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending,
		Selector: fleet.Selector{Service: strings.TrimSuffix(name, ".production"), Environment: profile.Production}, Strategy: strategy, Health: health, CreatedAt: time.Now(),
	}
}

// verdict has two metrics with all their numbers, as those of heartbeats do.
func verdict() rollout.Verdict {
	value := func() *float64 { x := mathrand.Float64() * 100; return &x }
	metric := func(name, unit string) rollout.MetricCheck {
		return rollout.MetricCheck{Name: name, Outcome: rollout.Pass, Reason: "no worse than the control beyond chance", Unit: unit,
			N: 12345, Value: value(), ControlN: 45678, Control: value(), BaselineN: 34567, Baseline: value(), Threshold: 5, Limit: value(), P: value()}
	}
	return rollout.Verdict{Outcome: rollout.Pass, Reason: "every metric is within its limits", Metrics: []rollout.MetricCheck{metric("errorRate", "%"), metric("latencyP99", "ms")}}
}

// audit counts the events of whole canaries, carried out by the engine.
func (m *slopes) audit() {
	m.Helper()
	const name, instances = "till.production", 10
	ctx, cancel := context.WithCancel(m.Context())
	defer cancel()
	must := func(err error) {
		m.Helper()
		if err != nil {
			m.Fatal(err)
		}
	}
	must(m.store.PutProfile(ctx, profile.Record{
		Name: name, Service: "till", Environment: profile.Production, Strategy: profile.DefaultStrategy(profile.Canary),
		Health: profile.DefaultHealth(profile.Production), Origin: profile.OriginGit, Source: "configs", Path: "till.yaml", CreatedBy: "bench",
	}))
	var ids []string
	for i := range instances {
		ids = append(ids, uuid.Must(uuid.NewV7()).String())
		must(m.store.RegisterInstance(ctx, fleet.Instance{ID: ids[i], Service: "till", Hostname: fmt.Sprint("till-", i), Environment: profile.Production}, api.HashToken(ids[i])))
	}
	engine := rollout.NewEngine(m.store, coord.NewMemory(), rollout.EngineOptions{Owner: "audit", MaxIdle: 20 * time.Millisecond})
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()
	before := m.number(`SELECT count(*) FROM config_audit_logs`)
	const canaries = 3
	for i := range canaries {
		data := profile.Data{"n": i}
		must(m.store.InsertVersion(ctx, profile.Version{Profile: name, Number: fmt.Sprintf("1.0.%d", i), Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now()}))
		d, err := engine.Start(ctx, m.deployment(name, fmt.Sprintf("1.0.%d", i)), "bench")
		must(err)
		for d.State != rollout.Completed {
			if d.State.Final() || ctx.Err() != nil {
				m.Fatalf("a canary is %s: %s", d.State, d.Explanation)
			}
			assigned, err := m.store.AssignmentsOf(ctx, ids...)
			must(err)
			for _, a := range assigned {
				if a.Applied != a.Version {
					_, _, err := m.store.Acknowledge(ctx, fleet.Ack{InstanceID: a.InstanceID, Profile: name, Version: a.Version, Hash: a.Hash, Generation: a.Generation, OK: true})
					must(err)
					engine.Wake()
				}
			}
			<-time.After(5 * time.Millisecond)
			d, err = m.store.Deployment(ctx, d.ID)
			must(err)
		}
	}
	m.slope(bench.DeploymentAudit, "audit events of a canary", "", (m.number(`SELECT count(*) FROM config_audit_logs`)-before)/canaries)
	cancel()
	must(<-ended)
}
