package rollout_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

var epoch = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) // a Monday

const (
	service  = "payment-service"
	stable   = "1.0.0"
	newer    = "1.1.0"
	beatTime = 5 * time.Second
)

// member is one modelled instance: it applies what it is assigned, unless it
// is told not to, and beats every five seconds.
type member struct {
	fleet.Instance
	assignment fleet.Assignment
	samples    []fleet.Sample
	silent     bool   // neither beats nor applies
	stuck      bool   // beats, and does not apply
	refuses    string // says that it cannot apply, and why
	unhealthy  bool
	seen       int64 // highest generation that it was given
}

// town is a fleet with one deployment, moved by hand: the store, the agents and
// the clock in plain values.
type town struct {
	now        time.Time
	members    []*member
	d          rollout.Deployment
	current    string
	generation int64
	hold       *rollout.Hold
	retired    bool
	wake       time.Time
	facts      []rollout.Fact
	checks     int

	rate     int                // requests a second and instance
	errors   map[string]float64 // percent of requests failing, by version
	latency  map[string]float64 // milliseconds of most requests, by version
	outage   float64            // percent of requests failing whatever the version
	onStored func(rollout.Decision)
}

func newTown(n int) *town {
	w := &town{now: epoch, current: stable, rate: 10, errors: map[string]float64{}, latency: map[string]float64{}}
	for range n {
		w.join()
	}
	for range 60 { // five minutes of a quiet life
		w.beat(beatTime)
	}
	return w
}

// join adds an instance, which has the current version at once.
func (w *town) join() *member {
	m := &member{Instance: fleet.Instance{
		ID: fmt.Sprintf("i%02d", len(w.members)+1), Service: service, Hostname: fmt.Sprintf("host-%02d", len(w.members)+1),
		Environment: profile.Production, Status: fleet.StatusHealthy, RegisteredAt: w.now, LastHeartbeat: w.now,
	}}
	if w.current != "" {
		w.generation = max(w.generation, 1)
		m.assignment = fleet.Assignment{
			InstanceID: m.ID, Profile: "p", Version: w.current, Hash: "h" + w.current, Generation: w.generation, AssignedAt: w.now,
			Applied: w.current, AppliedHash: "h" + w.current, AppliedGeneration: w.generation, AppliedAt: w.now,
		}
		m.seen = w.generation
	}
	w.members = append(w.members, m)
	return m
}

// deployment is a canary of newer over the whole town.
func (w *town) deployment(id string) rollout.Deployment {
	strategy := profile.DefaultStrategy(profile.Canary)
	strategy.PhaseInterval = profile.Duration(time.Minute)
	health := profile.DefaultHealth(profile.Production)
	health.CheckInterval = profile.Duration(10 * time.Second)
	d := rollout.Deployment{
		ID: id, Profile: "p", Kind: rollout.Forward, Selector: fleet.Selector{Service: service, Environment: profile.Production},
		Version: newer, Hash: "h" + newer, Previous: w.current, Strategy: strategy, Health: health,
		Source: "configs", Commit: "c0ffee", State: rollout.Pending, CreatedAt: w.now,
	}
	if w.current != "" {
		d.PreviousHash = "h" + w.current
	}
	return d
}

func (w *town) start(d rollout.Deployment) {
	w.d, w.wake = d, w.now
	w.d.Revision = 1
}

func (w *town) snapshot() rollout.Snapshot {
	var snap rollout.Snapshot
	for _, m := range w.members {
		from := 0
		for from < len(m.samples) && m.samples[from].At.Before(w.now.Add(-15*time.Minute)) {
			from++
		}
		m.samples = m.samples[from:]
		snap.Targets = append(snap.Targets, rollout.Target{Instance: m.Instance, Assignment: m.assignment, Samples: slices.Clone(m.samples)})
	}
	return snap
}

// store takes a decision as the database would.
func (w *town) store(dec rollout.Decision) {
	if !dec.Changed {
		w.wake = dec.Wake
		return
	}
	w.d = dec.Next
	w.d.Revision++
	w.wake = dec.Wake
	if len(dec.Assign) > 0 {
		w.generation++
	}
	for _, a := range dec.Assign {
		i := slices.IndexFunc(w.members, func(m *member) bool { return m.ID == a.InstanceID })
		if i < 0 {
			continue
		}
		m := w.members[i]
		m.assignment.InstanceID, m.assignment.Profile = m.ID, "p"
		m.assignment.Version, m.assignment.Hash, m.assignment.Generation = a.Version, a.Hash, w.generation
		m.assignment.AssignedAt, m.assignment.ApplyError, m.assignment.DeploymentID = w.now, "", w.d.ID
	}
	if dec.Current != "" {
		w.current = dec.Current
	}
	if dec.Hold != nil {
		w.hold = dec.Hold
	}
	w.retired = w.retired || dec.Retire
	w.facts = append(w.facts, dec.Facts...)
	w.checks += len(dec.Checks)
	if w.onStored != nil {
		w.onStored(dec)
	}
}

// decide asks once and stores the answer.
func (w *town) decide() rollout.Decision {
	dec := rollout.Decide(w.d, w.snapshot(), w.now)
	w.store(dec)
	return dec
}

// apply lets every instance do what it is assigned. It answers whether any did.
func (w *town) apply() bool {
	any := false
	for _, m := range w.members {
		a := &m.assignment
		if m.silent || m.stuck || a.Version == "" || a.Acknowledged() || a.ApplyError != "" {
			continue
		}
		any = true
		m.seen = a.Generation
		if m.refuses != "" && a.Version == newer {
			a.ApplyError = m.refuses
			continue
		}
		if a.Applied != a.Version {
			a.AppliedAt = w.now
		}
		a.Applied, a.AppliedHash, a.AppliedGeneration = a.Version, a.Hash, a.Generation
	}
	return any
}

// beat moves the clock and lets everybody who is not silent beat.
func (w *town) beat(d time.Duration) {
	since := w.now
	w.now = w.now.Add(d)
	for _, m := range w.members {
		if m.silent {
			continue
		}
		m.LastHeartbeat = w.now
		n := uint64(float64(w.rate) * d.Seconds())
		s := fleet.Sample{InstanceID: m.ID, Since: since, At: w.now, Status: fleet.StatusHealthy, Counted: true, Requests: n}
		s.Errors = uint64(float64(n) * (w.errors[m.assignment.Applied] + w.outage) / 100)
		s.Latency = latencies(n, max(20, w.latency[m.assignment.Applied]))
		if m.unhealthy {
			s.Status = fleet.StatusUnhealthy
		}
		m.Status = s.Status
		m.samples = append(m.samples, s)
	}
}

// latencies are n requests around ms.
func latencies(n uint64, ms float64) fleet.Histogram {
	h := fleet.Histogram{Bounds: []float64{10, 25, 50, 100, 250, 500, 1000}, Counts: make([]uint64, 8)}
	for i, bound := range h.Bounds {
		if ms <= bound {
			h.Counts[i] = n
			return h
		}
	}
	h.Counts[7] = n
	return h
}

// advance lives on for d: instances apply and beat, and decisions are made as
// they fall due.
func (w *town) advance(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		for range 20 { // whatever is due right now
			applied := w.apply()
			if w.d.State.Final() || !applied && (w.wake.IsZero() || w.wake.After(w.now)) {
				break
			}
			w.decide()
		}
		w.beat(beatTime)
	}
}

// on counts the live instances that are assigned the version.
func (w *town) on(version string) int {
	n := 0
	for _, m := range w.members {
		if m.Liveness(w.now) == fleet.Live && m.assignment.Version == version {
			n++
		}
	}
	return n
}
