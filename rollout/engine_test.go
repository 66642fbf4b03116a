package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// memory is a store of deployments in plain maps, with the claims and the
// compare-and-set of the real one.
type memory struct {
	mu          sync.Mutex
	deployments map[string]rollout.Deployment
	due         map[string]time.Time
	owner       map[string]string
	lease       map[string]time.Time
	attempts    map[string]int
	quarantined map[string]string
	snap        rollout.Snapshot
	published   []string
	stored      int
	// snapshot, when set, stands between the read and the step.
	snapshot func(id string) error
	broken   error
}

func newMemory(deployments ...rollout.Deployment) *memory {
	m := &memory{deployments: map[string]rollout.Deployment{}, due: map[string]time.Time{}, owner: map[string]string{}, lease: map[string]time.Time{}, attempts: map[string]int{}, quarantined: map[string]string{}}
	for _, d := range deployments {
		d.Revision = 1
		m.deployments[d.ID], m.due[d.ID] = d, time.Now()
	}
	return m
}

func (m *memory) Publish(_ context.Context, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.published = append(m.published, name)
}

func (m *memory) Now(context.Context) (time.Time, error) { return time.Now(), nil }

func (m *memory) ClaimDue(_ context.Context, owner string, lease time.Duration, limit int) ([]rollout.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return nil, m.broken
	}
	var claims []rollout.Claim
	for id, d := range m.deployments {
		held := m.owner[id] != "" && m.owner[id] != owner && time.Now().Before(m.lease[id])
		if d.State.Final() || m.quarantined[id] != "" || held || m.due[id].IsZero() || m.due[id].After(time.Now()) || len(claims) == limit {
			continue
		}
		d.Epoch++
		m.deployments[id], m.owner[id], m.lease[id] = d, owner, time.Now().Add(lease)
		m.attempts[id]++
		claims = append(claims, rollout.Claim{DeploymentID: id, Owner: owner, Epoch: d.Epoch, Attempts: m.attempts[id]})
	}
	return claims, nil
}

func (m *memory) NextDue(context.Context) (due time.Time, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, at := range m.due {
		if m.deployments[id].State.Final() || m.quarantined[id] != "" || at.IsZero() {
			continue
		}
		if !ok || at.Before(due) {
			due, ok = at, true
		}
	}
	return due, ok, nil
}

func (m *memory) ReleaseClaims(_ context.Context, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, by := range m.owner {
		if by == owner {
			delete(m.owner, id)
		}
	}
	return m.broken
}

func (m *memory) Deployment(_ context.Context, id string) (rollout.Deployment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.deployments[id]
	if !ok {
		return d, rollout.ErrNotFound
	}
	return d, nil
}

func (m *memory) ActiveDeployment(_ context.Context, name string) (rollout.Deployment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.deployments {
		if d.Profile == name && !d.State.Final() {
			return d, nil
		}
	}
	return rollout.Deployment{}, rollout.ErrNotFound
}

func (m *memory) Snapshot(_ context.Context, d rollout.Deployment) (rollout.Snapshot, error) {
	m.mu.Lock()
	hook, snap := m.snapshot, m.snap
	m.mu.Unlock()
	if hook != nil {
		if err := hook(d.ID); err != nil {
			return rollout.Snapshot{}, err
		}
	}
	snap.Targets = slices.Clone(snap.Targets)
	for i := range snap.Targets {
		snap.Targets[i].Instance.LastHeartbeat = time.Now()
	}
	return snap, nil
}

func (m *memory) Step(_ context.Context, claim rollout.Claim, dec rollout.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.deployments[claim.DeploymentID]
	if d.Revision != dec.Next.Revision || d.Epoch != claim.Epoch || m.owner[d.ID] != claim.Owner {
		return rollout.ErrStale
	}
	delete(m.owner, d.ID)
	m.attempts[d.ID], m.due[d.ID] = 0, dec.Wake
	m.put(dec)
	return nil
}

// put keeps a decision and lets the instances apply it at once.
func (m *memory) put(dec rollout.Decision) {
	next := dec.Next
	if dec.Changed {
		m.stored++
		next.Revision++
	}
	next.Epoch = max(next.Epoch, m.deployments[next.ID].Epoch)
	m.deployments[next.ID] = next
	for _, a := range dec.Assign {
		for i := range m.snap.Targets {
			t := &m.snap.Targets[i]
			if t.Instance.ID == a.InstanceID {
				t.Assignment = fleet.Assignment{
					InstanceID: a.InstanceID, Version: a.Version, Hash: a.Hash, Generation: t.Assignment.Generation + 1, DeploymentID: next.ID,
					Applied: a.Version, AppliedHash: a.Hash, AppliedGeneration: t.Assignment.Generation + 1, AppliedAt: time.Now(),
				}
			}
		}
	}
}

func (m *memory) Order(_ context.Context, dec rollout.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.deployments[dec.Next.ID]
	if d.Revision != dec.Next.Revision {
		return rollout.ErrStale
	}
	d.Epoch++
	m.deployments[d.ID] = d
	delete(m.owner, d.ID)
	delete(m.quarantined, d.ID)
	m.due[d.ID] = time.Now()
	m.put(dec)
	return nil
}

func (m *memory) Create(_ context.Context, dec rollout.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.due[dec.Next.ID] = time.Now()
	dec.Changed = true
	m.put(dec)
	return m.broken
}

func (m *memory) Quarantine(_ context.Context, claim rollout.Claim, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quarantined[claim.DeploymentID] = reason
	return nil
}

func (m *memory) state(id string) rollout.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deployments[id].State
}

// fourInstances run 1.0.0.
func fourInstances() rollout.Snapshot {
	var snap rollout.Snapshot
	for i := range 4 {
		id := fmt.Sprint("i", i)
		snap.Targets = append(snap.Targets, rollout.Target{
			Instance:   fleet.Instance{ID: id, Hostname: id, Service: service, Environment: profile.Production, LastHeartbeat: time.Now()},
			Assignment: fleet.Assignment{InstanceID: id, Version: stable, Applied: stable, Generation: 1, AppliedGeneration: 1},
		})
	}
	return snap
}

func simple(id string) rollout.Deployment {
	w := &town{now: time.Now(), current: stable}
	d := w.deployment(id)
	d.Health.Enabled = false
	return d
}

// run runs an engine for d inside a bubble.
func run(t *testing.T, m *memory, d time.Duration, opts rollout.EngineOptions) *rollout.Engine {
	t.Helper()
	if opts.Owner == "" {
		opts.Owner = "one"
	}
	e := rollout.NewEngine(m, m, opts)
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEngineRollsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(simple("d1"))
		m.snap = fourInstances()
		finished, checked, stepped := 0, 0, 0
		var mu sync.Mutex
		run(t, m, 10*time.Minute, rollout.EngineOptions{Metrics: rollout.EngineMetrics{
			Finished: func(rollout.Deployment) { mu.Lock(); finished++; mu.Unlock() },
			Checked:  func(string, rollout.Outcome) { mu.Lock(); checked++; mu.Unlock() },
			Stepped:  func(time.Duration, error) { mu.Lock(); stepped++; mu.Unlock() },
		}})
		if m.state("d1") != rollout.Completed || finished != 1 {
			t.Errorf("%s, %d finished", m.state("d1"), finished)
		}
		if checked == 0 || len(m.published) == 0 || !slices.Contains(m.published, "p") {
			t.Errorf("%d checks, published %v", checked, m.published)
		}
		if stepped > 200 {
			t.Errorf("%d steps for one deployment: it runs in circles", stepped)
		}
	})
}

func TestEngineHandsItsClaimsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(simple("d1"))
		m.snap = fourInstances()
		run(t, m, 30*time.Second, rollout.EngineOptions{})
		if len(m.owner) != 0 {
			t.Errorf("still claimed: %v", m.owner)
		}
		m.broken = errors.New("away")
		run(t, m, 5*time.Second, rollout.EngineOptions{}) // says so, and ends all the same
	})
}

// A step that was decided on an old state is never stored: what another did
// meanwhile stands.
func TestEngineLosesToWhoeverWasQuicker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(simple("d1"))
		m.snap = fourInstances()
		once := sync.OnceFunc(func() {
			dec, err := rollout.Cancel(m.deployments["d1"], m.snap, "ann", "no", time.Now())
			if err != nil {
				t.Error(err)
			}
			if err := m.Order(t.Context(), dec); err != nil {
				t.Error(err)
			}
		})
		m.snapshot = func(string) error { once(); return nil }
		run(t, m, time.Minute, rollout.EngineOptions{})
		if m.state("d1") != rollout.Cancelled {
			t.Errorf("it is %s", m.state("d1"))
		}
	})
}

// Another replica takes over what a dead one held, once its lease is over.
func TestEngineTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(simple("d1"))
		m.snap = fourInstances()
		dead, err := m.ClaimDue(t.Context(), "dead", 15*time.Second, 8)
		if err != nil || len(dead) != 1 {
			t.Fatal(dead, err)
		}
		run(t, m, 14*time.Second, rollout.EngineOptions{})
		if m.state("d1") != rollout.Pending {
			t.Errorf("stepped to %s while another held it", m.state("d1"))
		}
		run(t, m, 10*time.Minute, rollout.EngineOptions{})
		if m.state("d1") != rollout.Completed {
			t.Errorf("it is %s", m.state("d1"))
		}
		// The dead one wakes up and finishes its step.
		if err := rollout.NewEngine(m, m, rollout.EngineOptions{Owner: "dead"}).Step(t.Context(), dead[0]); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("the late step got %v", err)
		}
	})
}

// One deployment that panics or cannot be read never stops the others, and is
// set aside after a few attempts; a person's order takes it up again.
func TestEngineSetsThePoisonedAside(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func() error{
		"panic": func() error { panic("poison") },
		"error": func() error { return errors.New("damaged row") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(simple("bad"), simple("good"))
				m.snap = fourInstances()
				healed := false
				m.snapshot = func(id string) error {
					if id == "bad" && !healed {
						return poison()
					}
					return nil
				}
				panics := 0
				run(t, m, 20*time.Minute, rollout.EngineOptions{Metrics: rollout.EngineMetrics{Panicked: func(string) { panics++ }}})
				if m.state("good") != rollout.Completed {
					t.Errorf("the good one is %s", m.state("good"))
				}
				if !strings.Contains(m.quarantined["bad"], "attempts") {
					t.Errorf("the bad one was not set aside: %q", m.quarantined["bad"])
				}
				if name == "panic" && panics == 0 {
					t.Error("nobody counted the panics")
				}
				healed = true
				e := rollout.NewEngine(m, m, rollout.EngineOptions{Owner: "one"})
				if _, err := e.Order(t.Context(), "bad", rollout.OrderCancel, "ann", "broken"); err != nil {
					t.Error(err)
				}
				if m.state("bad") != rollout.Cancelled {
					t.Errorf("after the order it is %s", m.state("bad"))
				}
			})
		})
	}
}

func TestEngineOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(simple("d1"))
		m.snap = fourInstances()
		e := run(t, m, 30*time.Second, rollout.EngineOptions{})
		ctx := t.Context()
		if _, err := e.Order(ctx, "d1", rollout.OrderResume, "ann", ""); err == nil {
			t.Error("resumed what was not paused")
		} else if s, ok := errors.AsType[*rollout.StateError](err); !ok || s.State != rollout.InProgress {
			t.Errorf("refused with %v", err)
		}
		if _, err := e.Order(ctx, "none", rollout.OrderPause, "ann", ""); !errors.Is(err, rollout.ErrNotFound) {
			t.Errorf("an unknown deployment: %v", err)
		}
		if _, err := e.Order(ctx, "d1", "dance", "ann", ""); err == nil {
			t.Error("an unknown order was taken")
		}
		// Two people at once: both orders are decided on what is really there.
		var wait sync.WaitGroup
		for range 2 {
			wait.Go(func() {
				if _, err := e.Order(ctx, "d1", rollout.OrderRollback, "ann", "enough"); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		run(t, m, time.Minute, rollout.EngineOptions{})
		if m.state("d1") != rollout.RolledBack {
			t.Errorf("it is %s", m.state("d1"))
		}
	})
}

func TestEngineEmergencyRollback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.snap = fourInstances()
		e := rollout.NewEngine(m, m, rollout.EngineOptions{Owner: "one"})
		back := rollout.Back{
			Record: profile.Record{Name: "p", Service: service, Environment: profile.Production},
			To:     profile.Version{Number: "0.9.0", Hash: "h0.9.0"}, Refused: profile.Version{Number: stable, Hash: "h1.0.0"},
			ID: "back", Actor: "ann", Reason: "slow",
		}
		d, err := e.RollbackProfile(t.Context(), back)
		if err != nil || d.Kind != rollout.Rollback || d.Version != "0.9.0" {
			t.Fatalf("%+v, %v", d, err)
		}
		for _, target := range m.snap.Targets {
			if target.Assignment.Version != "0.9.0" {
				t.Errorf("%s still has %s after the call", target.Instance.ID, target.Assignment.Version)
			}
		}
		run(t, m, time.Minute, rollout.EngineOptions{})
		if m.state("back") != rollout.Completed {
			t.Errorf("it is %s", m.state("back"))
		}
		back.Reason = ""
		if _, err := e.RollbackProfile(t.Context(), back); !errors.Is(err, rollout.ErrReason) {
			t.Errorf("without a reason: %v", err)
		}
		back.Reason, back.To = "x", profile.Version{}
		if _, err := e.RollbackProfile(t.Context(), back); !errors.Is(err, rollout.ErrNoWayBack) {
			t.Errorf("to nowhere: %v", err)
		}
		m.broken = errors.New("away")
		back.To.Number = "0.9.0"
		if _, err := e.RollbackProfile(t.Context(), back); err == nil {
			t.Error("nothing was stored, and nobody said so")
		}
	})
}

func TestEngineStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.snap = fourInstances()
		e := rollout.NewEngine(m, m, rollout.EngineOptions{})
		d := simple("new")
		d.Force = "fire"
		if _, err := e.Start(t.Context(), d, "ann"); err != nil {
			t.Fatal(err)
		}
		d.Strategy = profile.DefaultStrategy(profile.BlueGreen)
		if _, err := e.Start(t.Context(), d, "ann"); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("BlueGreen: %v", err)
		}
	})
}
