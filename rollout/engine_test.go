package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// row is a deployment as the database keeps it.
type row struct {
	d           rollout.Deployment
	owner       string
	lease       time.Time
	due         time.Time
	attempts    int
	quarantined string
}

// memory is a store in memory with the rules of the real one. Its clock is
// that of the test's bubble.
type memory struct {
	mu          sync.Mutex
	rows        map[string]*row
	instances   map[string]*rollout.Target
	generation  int64
	current     string
	holds       []rollout.Hold
	facts       []rollout.Fact
	claimed     int
	stepped     int
	exclusive   int // orders that others had to wait for
	failClaim   func() error
	failStep    func(claim rollout.Claim) error
	onSnapshot  func() // called after a snapshot was read, outside the lock
	snapshotErr error
}

func newMemory(n int) *memory {
	m := &memory{rows: map[string]*row{}, instances: map[string]*rollout.Target{}, generation: 1, current: "1.0.0"}
	for i := range n {
		id := fmt.Sprintf("web-%d", i+1)
		m.instances[id] = &rollout.Target{
			Instance: fleet.Instance{ID: id, Hostname: id, Service: "web", Environment: profile.Production, LastHeartbeat: time.Now()},
			Assignment: fleet.Assignment{
				InstanceID: id, Version: "1.0.0", Hash: "h1.0.0", Generation: 1, Applied: "1.0.0", AppliedGeneration: 1, AppliedAt: time.Now(),
			},
		}
	}
	return m
}

// ack lets every instance but some take what it was assigned, and wakes the deployments.
func (m *memory) ack(but ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, t := range m.instances {
		t.Instance.LastHeartbeat = time.Now()
		a := &t.Assignment
		if slices.Contains(but, id) || a.Applied == a.Version && a.AppliedGeneration == a.Generation {
			continue
		}
		a.Applied, a.AppliedGeneration, a.AppliedAt = a.Version, a.Generation, time.Now()
		for _, r := range m.rows {
			r.due = time.Now()
		}
	}
}

func (m *memory) Clock() time.Time { return time.Now() }

func (m *memory) Now(context.Context) (time.Time, error) { return time.Now(), nil }

func (m *memory) ClaimDue(_ context.Context, owner string, lease time.Duration, limit int) ([]rollout.Claim, error) {
	if m.failClaim != nil {
		if err := m.failClaim(); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var claims []rollout.Claim
	now := time.Now()
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		r := m.rows[id]
		free := r.owner == "" || r.lease.Before(now)
		if len(claims) == limit || r.d.State.Final() || r.quarantined != "" || r.due.IsZero() || r.due.After(now) || !free {
			continue
		}
		r.owner, r.lease = owner, now.Add(lease)
		r.d.Epoch++
		r.attempts++
		m.claimed++
		claims = append(claims, rollout.Claim{DeploymentID: id, Owner: owner, Epoch: r.d.Epoch, Attempts: r.attempts})
	}
	return claims, nil
}

func (m *memory) NextDue(context.Context) (due time.Time, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if !r.d.State.Final() && r.quarantined == "" && !r.due.IsZero() && (!ok || r.due.Before(due)) {
			due, ok = r.due, true
		}
	}
	return due, ok, nil
}

func (m *memory) ReleaseClaims(_ context.Context, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.owner == owner {
			r.owner = ""
		}
	}
	return nil
}

func (m *memory) Deployment(_ context.Context, id string) (rollout.Deployment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.rows[id]; ok {
		return r.d, nil
	}
	return rollout.Deployment{}, fmt.Errorf("deployment %s: %w", id, rollout.ErrNotFound)
}

func (m *memory) ActiveDeployment(_ context.Context, name string) (rollout.Deployment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.d.Profile == name && !r.d.State.Final() {
			return r.d, nil
		}
	}
	return rollout.Deployment{}, rollout.ErrNotFound
}

func (m *memory) Snapshot(_ context.Context, d rollout.Deployment, readings func(rollout.Snapshot) []rollout.Reading) (rollout.Snapshot, error) {
	m.mu.Lock()
	var snap rollout.Snapshot
	for _, id := range slices.Sorted(maps.Keys(m.instances)) {
		if t := *m.instances[id]; d.Selector.Matches(t.Instance) {
			snap.Targets = append(snap.Targets, t)
		}
	}
	if readings != nil {
		snap = read(snap, readings)
	}
	hook, err := m.onSnapshot, m.snapshotErr
	m.mu.Unlock()
	if hook != nil {
		hook()
	}
	return snap, err
}

func (m *memory) Step(_ context.Context, claim rollout.Claim, dec rollout.Decision) error {
	if m.failStep != nil {
		if err := m.failStep(claim); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[claim.DeploymentID]
	if r.owner != claim.Owner || r.d.Epoch != claim.Epoch || r.d.Revision != dec.Next.Revision {
		return rollout.ErrStale
	}
	r.owner, r.attempts, r.due = "", 0, dec.Wake
	m.stepped++
	m.take(r, dec)
	return nil
}

func (m *memory) Steps(ctx context.Context, steps []rollout.Step) []error {
	errs := make([]error, len(steps))
	for i, step := range steps {
		errs[i] = m.Step(ctx, step.Claim, step.Decision)
	}
	return errs
}

func (m *memory) Ahead(context.Context) func() { return func() {} }

func (m *memory) Order(_ context.Context, dec rollout.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[dec.Next.ID]
	if r.d.Revision != dec.Next.Revision || r.d.State.Final() {
		return rollout.ErrStale
	}
	r.owner, r.attempts, r.due, r.quarantined = "", 0, dec.Wake, ""
	m.take(r, dec)
	r.d.Epoch++
	return nil
}

func (m *memory) OrderExclusive(_ context.Context, id string, decide rollout.DecideOrder) (rollout.Deployment, rollout.Decision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	before := r.d
	var snap rollout.Snapshot
	for _, id := range slices.Sorted(maps.Keys(m.instances)) {
		snap.Targets = append(snap.Targets, *m.instances[id])
	}
	dec, err := decide(before, snap, time.Now())
	if err != nil || !dec.Changed {
		return before, dec, err
	}
	m.exclusive++
	r.owner, r.attempts, r.due, r.quarantined = "", 0, dec.Wake, ""
	m.take(r, dec)
	r.d.Epoch++
	return before, dec, nil
}

func (m *memory) Create(_ context.Context, dec rollout.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.d.Profile == dec.Next.Profile && !r.d.State.Final() {
			m.take(r, rollout.Supersede(r.d, "superseded by "+dec.Next.Version, time.Now()))
			r.d.Epoch++
		}
	}
	r := &row{d: dec.Next, due: time.Now()}
	m.rows[dec.Next.ID] = r
	m.take(r, dec)
	return nil
}

func (m *memory) Quarantine(_ context.Context, claim rollout.Claim, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[claim.DeploymentID]
	if r.d.Epoch != claim.Epoch {
		return rollout.ErrStale
	}
	r.quarantined, r.owner = reason, ""
	return nil
}

func (m *memory) take(r *row, dec rollout.Decision) {
	epoch := r.d.Epoch
	if dec.Changed {
		r.d = dec.Next
		r.d.Revision++
		r.d.Epoch = epoch
	}
	if len(dec.Assign) > 0 {
		m.generation++
	}
	for _, a := range dec.Assign {
		if t, ok := m.instances[a.InstanceID]; ok {
			t.Assignment.Version, t.Assignment.Hash, t.Assignment.Generation, t.Assignment.ApplyError = a.Version, a.Hash, m.generation, ""
			t.Assignment.DeploymentID = dec.Next.ID
		}
	}
	if dec.Current != "" {
		m.current = dec.Current
	}
	if dec.Hold != nil {
		m.holds = append(m.holds, *dec.Hold)
	}
	m.facts = append(m.facts, dec.Facts...)
}

// on counts the instances that are assigned a version.
func (m *memory) on(version string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, t := range m.instances {
		if t.Assignment.Version == version {
			n++
		}
	}
	return n
}

// steps counts what was stored.
func (m *memory) steps() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stepped
}

// heard counts what was published.
type heard struct {
	mu sync.Mutex
	n  int
}

func (h *heard) Publish(context.Context, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
}

func (h *heard) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

func forward(id string) rollout.Deployment {
	s := profile.DefaultStrategy(profile.Canary)
	s.Steps, s.PhaseInterval = []int{50, 100}, profile.Duration(time.Minute)
	return rollout.Deployment{
		ID: id, Profile: "web.production", Kind: rollout.Forward, Selector: selector(), Version: "1.1.0", Hash: "h1.1.0",
		Previous: "1.0.0", PreviousHash: "h1.0.0", Strategy: s, Health: profile.Health{AutoRollback: true, CheckInterval: profile.Duration(30 * time.Second)},
		State: rollout.Pending,
	}
}

// running starts an engine that ends with the test.
func running(t *testing.T, m *memory, opts rollout.EngineOptions) (*rollout.Engine, *heard) {
	t.Helper()
	h := &heard{}
	if opts.Owner == "" {
		opts.Owner = "one"
	}
	e := rollout.NewEngine(m, h, opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		for id, r := range m.rows {
			if r.owner == opts.Owner {
				t.Errorf("the claim on %s was not handed back", id)
			}
		}
	})
	return e, h
}

func start(t *testing.T, e *rollout.Engine, d rollout.Deployment) {
	t.Helper()
	if _, err := e.Start(t.Context(), d, "bob"); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, m *memory, id string) rollout.Deployment {
	t.Helper()
	synctest.Wait()
	d, err := m.Deployment(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// beat lets time pass while the instances answer each second.
func beat(m *memory, d time.Duration, but ...string) {
	for range int(d / time.Second) {
		time.Sleep(time.Second)
		synctest.Wait()
		m.ack(but...)
	}
}

// Ten thousand that acknowledge wake it each, while their deployment rests.
func TestAnEngineThatIsWokenForNothingLooksNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		var looks atomic.Int64
		m.failClaim = func() error { looks.Add(1); return nil }
		e, _ := running(t, m, rollout.EngineOptions{})
		idle()
		looks.Store(0)
		e.Wake()
		synctest.Wait()
		if n := looks.Load(); n != 1 {
			t.Errorf("the first wake made it look %d times at once", n)
		}
		for range 1000 {
			e.Wake()
			time.Sleep(time.Millisecond)
		}
		if n := looks.Load(); n < 80 || n > 110 {
			t.Errorf("it looked %d times in a second, want about 100", n)
		}
		start(t, e, forward("a"))
		idle()
		if d := state(t, m, "a"); d.State != rollout.InProgress {
			t.Errorf("a deployment that came with the last wake is %s", d.State)
		}
	})
}

func TestEngineRunsADeploymentToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		var checks []string
		e, h := running(t, m, rollout.EngineOptions{Metrics: rollout.EngineMetrics{
			Checked: func(_ string, o rollout.Outcome) { checks = append(checks, string(o)) },
		}})
		start(t, e, forward("a"))
		synctest.Wait()
		if n := m.on("1.1.0"); n != 2 {
			t.Fatalf("%d instances have it at once", n)
		}
		beat(m, 3*time.Minute)
		if d := state(t, m, "a"); d.State != rollout.Completed || m.current != "1.1.0" {
			t.Fatalf("%s: %s", d.State, d.Explanation)
		}
		if len(checks) == 0 || h.count() < 3 {
			t.Errorf("told: %d checks, %d published", len(checks), h.count())
		}
	})
}

func TestEngineSleepsUntilDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		e, _ := running(t, m, rollout.EngineOptions{MaxIdle: time.Hour})
		start(t, e, forward("a"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := m.steps()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if n := m.steps() - before; n != 0 {
			t.Errorf("%d steps between two wake-ups", n)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if m.steps() == before {
			t.Error("it slept past the time that a step fell due")
		}
	})
}

func TestEngineStepsAgainAfterACrash(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"K5", "K6", "K7", "K9", "K11"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(4)
				crashed := false
				e, _ := running(t, m, rollout.EngineOptions{Fail: func(at string) {
					if at == point && point != "K11" && !crashed {
						crashed = true
						panic("killed at " + point)
					}
					crashed = crashed || at == point
				}})
				start(t, e, forward("a"))
				beat(m, 4*time.Minute)
				if d := state(t, m, "a"); d.State != rollout.Completed || !crashed {
					t.Fatalf("%s: %s (crashed: %t)", d.State, d.Explanation, crashed)
				}
				started := 0
				for _, f := range m.facts {
					if f.Type == rollout.FactStarted {
						started++
					}
				}
				if started != 1 {
					t.Errorf("it started %d times", started)
				}
			})
		})
	}
}

func TestEngineIsolatesAPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(2)
		m.failStep = func(c rollout.Claim) error {
			if c.DeploymentID == "poison" {
				panic("a row that nobody can decide")
			}
			return nil
		}
		var panics int
		var log strings.Builder
		e, _ := running(t, m, rollout.EngineOptions{
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
			Metrics: rollout.EngineMetrics{Panicked: func(string) { panics++ }},
		})
		poison := forward("poison")
		poison.Profile = "other.production"
		start(t, e, poison)
		start(t, e, forward("sound"))
		beat(m, 4*time.Minute)
		if d := state(t, m, "sound"); d.State != rollout.Completed {
			t.Errorf("the other one is %s: %s", d.State, d.Explanation)
		}
		if q := m.rows["poison"].quarantined; panics != 5 || !strings.Contains(q, "5 attempts") {
			t.Errorf("%d panics, then %q", panics, q)
		}
		if !strings.Contains(log.String(), "nobody can decide") {
			t.Error("the log does not say what panicked")
		}
		if _, err := e.Order(t.Context(), "poison", rollout.OrderCancel, "alice", "bad row"); err != nil {
			t.Errorf("a person can still end it: %v", err)
		}
		if m.rows["poison"].quarantined != "" || state(t, m, "poison").State != rollout.Cancelled {
			t.Error("the order did not end the quarantine")
		}
	})
}

func TestEngineOutlivesAShortOutage(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]func(m *memory, fail func() error){
		"steps cannot be stored": func(m *memory, fail func() error) { m.failStep = func(rollout.Claim) error { return fail() } },
		"nothing can be claimed": func(m *memory, fail func() error) { m.failClaim = fail },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(2)
				over := time.Now().Add(2 * time.Second)
				tries := 0
				outage(m, func() error {
					if time.Now().Before(over) {
						tries++
						return errors.New("the disk is full")
					}
					return nil
				})
				e, _ := running(t, m, rollout.EngineOptions{})
				start(t, e, forward("a"))
				beat(m, 4*time.Minute)
				if d := state(t, m, "a"); d.State != rollout.Completed {
					t.Errorf("%s: %s %s", d.State, d.Explanation, m.rows["a"].quarantined)
				}
				if tries == 0 || tries > 10 {
					t.Errorf("%d tries in two seconds", tries)
				}
			})
		})
	}
}

func TestEngineLosesToANewerClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{Owner: "one"})
		start(t, e, forward("a"))
		claims, err := m.ClaimDue(t.Context(), "one", 15*time.Second, 1)
		if err != nil || len(claims) != 1 {
			t.Fatal(claims, err)
		}
		time.Sleep(16 * time.Second) // it was paused longer than its lease
		if other, err := m.ClaimDue(t.Context(), "two", 15*time.Second, 1); err != nil || len(other) != 1 {
			t.Fatal(other, err)
		}
		if err := e.Step(t.Context(), claims[0]); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("a late writer got %v", err)
		}
		if m.on("1.1.0") != 0 {
			t.Error("a late writer assigned")
		}
	})
}

func TestRollbackWinsAgainstAStepInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{Owner: "one"})
		start(t, e, forward("a"))
		step := func() error {
			claims, err := m.ClaimDue(t.Context(), "one", 15*time.Second, 1)
			if err != nil || len(claims) != 1 {
				t.Fatal(claims, err)
			}
			return e.Step(t.Context(), claims[0])
		}
		if err := step(); err != nil {
			t.Fatal(err)
		}
		m.ack()
		ordered := false
		m.onSnapshot = func() {
			if !ordered {
				ordered = true
				if _, err := e.Order(t.Context(), "a", rollout.OrderRollback, "alice", "fire"); err != nil {
					t.Error(err)
				}
			}
		}
		if err := step(); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("the step in flight got %v", err)
		}
		if d := state(t, m, "a"); d.State != rollout.RollingBack || m.on("1.0.0") != 4 || len(m.holds) != 1 {
			t.Errorf("%s, %d instances are back, %d holds", d.State, m.on("1.0.0"), len(m.holds))
		}
	})
}

func TestOrderDecidesAgainWhenItWasBeaten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{Owner: "one"})
		start(t, e, forward("a"))
		m.rows["a"].d.State = rollout.InProgress
		races := 0
		m.onSnapshot = func() {
			if races < 2 {
				races++
				m.mu.Lock()
				m.rows["a"].d.Revision++ // a step was stored meanwhile
				m.mu.Unlock()
			}
		}
		d, err := e.Order(t.Context(), "a", rollout.OrderPause, "alice", "lunch")
		if err != nil || d.State != rollout.Paused {
			t.Fatalf("%s, %v", d.State, err)
		}
		m.onSnapshot = func() { m.mu.Lock(); m.rows["a"].d.Revision++; m.mu.Unlock() }
		if m.exclusive != 0 {
			t.Error("others had to wait for an order that got its turn")
		}
		// Beaten each time, it is decided while the others wait.
		if d, err := e.Order(t.Context(), "a", rollout.OrderResume, "alice", ""); err != nil || d.State != rollout.InProgress || m.exclusive != 1 {
			t.Errorf("beaten each time: %s, %v, %d", d.State, err, m.exclusive)
		}
	})
}

func TestOrderRefuses(t *testing.T) {
	t.Parallel()
	m := newMemory(1)
	e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{})
	start(t, e, forward("a"))
	if _, err := e.Order(t.Context(), "a", "dance", "alice", ""); err == nil {
		t.Error("an order that does not exist")
	}
	if _, err := e.Order(t.Context(), "b", rollout.OrderPause, "alice", ""); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("a deployment that does not exist: %v", err)
	}
	if _, err := e.Order(t.Context(), "a", rollout.OrderPause, "alice", ""); err == nil {
		t.Error("paused before it began")
	}
	m.snapshotErr = errors.New("gone")
	if _, err := e.Order(t.Context(), "a", rollout.OrderCancel, "alice", ""); err == nil || !strings.Contains(err.Error(), "fleet of deployment a") {
		t.Errorf("the error does not say what could not be read: %v", err)
	}
	if err := e.Step(t.Context(), rollout.Claim{DeploymentID: "a"}); err == nil || !strings.Contains(err.Error(), "fleet of deployment a") {
		t.Errorf("the error does not say what could not be read: %v", err)
	}
	if err := e.Step(t.Context(), rollout.Claim{DeploymentID: "b"}); !errors.Is(err, rollout.ErrNotFound) {
		t.Error(err)
	}
}

func TestSecondRollbackChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		var began int
		e, h := running(t, m, rollout.EngineOptions{Metrics: rollout.EngineMetrics{RollBack: func(rollout.Deployment) { began++ }}})
		start(t, e, forward("a"))
		beat(m, 5*time.Second)
		for range 2 {
			if _, err := e.Order(t.Context(), "a", rollout.OrderRollback, "alice", "fire"); err != nil {
				t.Fatal(err)
			}
		}
		if began != 1 || len(m.holds) != 1 {
			t.Errorf("it began %d times with %d holds", began, len(m.holds))
		}
		published := h.count()
		beat(m, 5*time.Second)
		if d := state(t, m, "a"); d.State != rollout.RolledBack || h.count() == published {
			t.Errorf("%s: %s", d.State, d.Explanation)
		}
	})
}

func TestRollbackProfileEndsOnAFreshSnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4)
		e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{Owner: "one"})
		start(t, e, forward("a"))
		raced := false
		m.onSnapshot = func() { // the canary's first step is stored after the fleet was read
			if raced {
				return
			}
			raced = true
			claims, err := m.ClaimDue(t.Context(), "one", 15*time.Second, 1)
			if err != nil || len(claims) != 1 {
				t.Error(claims, err)
				return
			}
			if err := e.Step(t.Context(), claims[0]); err != nil {
				t.Error(err)
			}
		}
		d, err := e.RollbackProfile(t.Context(), rollout.Back{
			Record: profile.Record{Name: "web.production", Service: "web", Environment: profile.Production},
			To:     profile.Version{Number: "1.0.0", Hash: "h1.0.0"}, Refused: profile.Version{Number: "1.1.0", Hash: "h1.1.0"},
			ID: "b", Actor: "alice", Reason: "fire",
		})
		if err != nil || d.State != rollout.InProgress {
			t.Fatalf("%s, %v", d.State, err)
		}
		if state(t, m, "a").State != rollout.Superseded || m.on("1.1.0") != 2 {
			t.Fatalf("the race did not happen: %d", m.on("1.1.0"))
		}
		_, _ = running(t, m, rollout.EngineOptions{})
		beat(m, 10*time.Second)
		if d := state(t, m, "b"); d.State != rollout.Completed || m.on("1.1.0") != 0 {
			t.Errorf("%s, and %d instances are still on what was taken back", d.State, m.on("1.1.0"))
		}
	})
}

func TestRollbackProfileRefuses(t *testing.T) {
	t.Parallel()
	m := newMemory(1)
	e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{})
	b := rollout.Back{To: profile.Version{Number: "1.0.0"}, ID: "b", Actor: "alice"}
	if _, err := e.RollbackProfile(t.Context(), b); !errors.Is(err, rollout.ErrReason) {
		t.Error(err)
	}
	b.Reason, b.To = "fire", profile.Version{}
	if _, err := e.RollbackProfile(t.Context(), b); !errors.Is(err, rollout.ErrNoWayBack) {
		t.Error(err)
	}
}

func TestStartRefusesAndForces(t *testing.T) {
	t.Parallel()
	m := newMemory(1)
	e := rollout.NewEngine(m, &heard{}, rollout.EngineOptions{})
	d := forward("a")
	d.Strategy = profile.DefaultStrategy(profile.Direct)
	if _, err := e.Start(t.Context(), d, "bob"); !errors.Is(err, rollout.ErrRefused) || len(m.rows) != 0 {
		t.Errorf("nothing skips staging: %v", err)
	}
	d.Force, d.Commit = "the site is down", "c1"
	if _, err := e.Start(t.Context(), d, "bob"); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, f := range m.facts {
		kinds = append(kinds, f.Type+" by "+f.Actor)
	}
	if want := []string{"deployment.created by bob", "deployment.forced by bob"}; !slices.Equal(kinds, want) {
		t.Errorf("facts %v", kinds)
	}
}
