package rollout_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// dawn is when every world begins: a Monday morning.
var dawn = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

const beatEvery = 5 * time.Second

// process is one instance with the way it behaves.
type process struct {
	instance   fleet.Instance
	assignment fleet.Assignment
	samples    []fleet.Sample
	beat       time.Time // last heartbeat
	silent     bool      // sends nothing at all
	mute       bool      // beats, but answers no assignment
	broken     string    // why it cannot apply anything but the stable version
}

// behaviour is how a version does on every instance that runs it.
type behaviour struct {
	errors    float64 // percent of requests
	latency   float64 // milliseconds
	unhealthy bool
}

// world is a plain model of a fleet and of the store, for one profile.
type world struct {
	now       time.Time
	processes []*process
	behaves   map[string]behaviour // by version; "all" is for every one
	requests  uint64               // of each instance at each heartbeat
	reports   bool                 // instances say how requests went
	rated     bool                 // as rates, not as counts
	owed      map[string]float64   // parts of an error not yet counted

	current    string
	generation int64
	d          rollout.Deployment
	active     bool
	wake       time.Time
	holds      []rollout.Hold
	strategy   profile.Strategy
	health     profile.Health
	answers    map[string]rollout.Measurement // of the providers outside, by metric
	windows    profile.Windows
	freeze     *rollout.Freeze
	guard      string
	force      string
	traffic    rollout.Traffic
	hook       string // why the traffic hook does not take a switch, "" when it does
	made       int

	// see is told of every stored decision, before the world takes it over.
	see func(before rollout.Deployment, dec rollout.Decision)
}

func newWorld(n int, version string) *world {
	w := &world{
		now: dawn, behaves: map[string]behaviour{}, requests: 20, reports: true, generation: 1, owed: map[string]float64{}, current: version,
		traffic: rollout.Traffic{Acked: true},
		health:  profile.DefaultHealth(profile.Production), strategy: profile.DefaultStrategy(profile.Canary),
		answers: map[string]rollout.Measurement{}, see: func(rollout.Deployment, rollout.Decision) {},
	}
	for i := range n {
		w.join(fmt.Sprintf("web-%d", i+1))
	}
	return w
}

func selector() fleet.Selector {
	return fleet.Selector{Service: "web", Environment: profile.Production}
}

// join registers an instance, which gets the stable version as the store gives it.
func (w *world) join(id string) {
	p := &process{
		instance: fleet.Instance{
			ID: id, Hostname: id, Service: "web", Environment: profile.Production, Status: fleet.StatusHealthy,
			RegisteredAt: w.now, LastHeartbeat: w.now,
		},
		beat: w.now,
	}
	if w.current != "" {
		p.assignment = fleet.Assignment{
			InstanceID: id, Profile: "web.production", Version: w.current, Hash: "h" + w.current, Generation: w.generation, AssignedAt: w.now,
		}
	}
	w.processes = append(w.processes, p)
	w.wakeUp()
}

// groups makes the second half of the fleet green and the first half blue.
func (w *world) groups() {
	for i, p := range w.processes {
		group := fleet.Blue
		if i >= len(w.processes)/2 {
			group = fleet.Green
		}
		p.instance.Metadata = map[string]string{"group": group}
	}
}

// mend lets the traffic hook take the last switch.
func (w *world) mendHook() {
	w.hook, w.traffic.Acked, w.traffic.Error = "", true, ""
	w.wakeUp()
}

func (w *world) leave(id string) {
	w.processes = slices.DeleteFunc(w.processes, func(p *process) bool { return p.instance.ID == id })
	w.wakeUp()
}

func (w *world) find(id string) *process {
	for _, p := range w.processes {
		if p.instance.ID == id {
			return p
		}
	}
	return nil
}

func (w *world) wakeUp() {
	if w.active {
		w.wake = w.now
	}
}

func (w *world) snapshot() rollout.Snapshot {
	snap := rollout.Snapshot{Traffic: w.traffic, Freeze: w.freeze}
	for _, p := range w.processes {
		snap.Targets = append(snap.Targets, rollout.Target{Instance: p.instance, Assignment: p.assignment, Samples: slices.Clone(p.samples)})
	}
	return snap
}

// commit makes a deployment of a version, which takes the place of the active one.
func (w *world) commit(version string) {
	if w.active {
		w.store(rollout.Supersede(w.d, "superseded by "+version, w.now))
	}
	w.made++
	d := rollout.Deployment{
		ID: fmt.Sprintf("deployment-%d", w.made), Profile: "web.production", Kind: rollout.Forward, Selector: selector(),
		Version: version, Hash: "h" + version, Previous: w.current, PreviousHash: "h" + w.current,
		Strategy: w.strategy, Health: w.health, Windows: w.windows, Guard: w.guard, Force: w.force,
		Source: "configs", Commit: "c" + version, State: rollout.Pending, CreatedAt: w.now,
	}
	if w.current == "" {
		d.PreviousHash = ""
	}
	w.d, w.active, w.wake = d, true, w.now
}

// emergency goes back to a version for the whole profile.
func (w *world) emergency(to, actor, reason string) error {
	refused := w.current
	if w.active && w.d.Kind == rollout.Forward {
		refused = w.d.Version
	}
	w.made++
	record := profile.Record{Name: "web.production", Service: "web", Environment: profile.Production, Health: w.health}
	dec, err := rollout.NewRollback(record, profile.Version{Number: to, Hash: "h" + to},
		profile.Version{Number: refused, Hash: "h" + refused, Source: "configs", Commit: "c" + refused},
		actor, reason, w.snapshot(), fmt.Sprintf("deployment-%d", w.made), w.now)
	if err != nil {
		return err
	}
	if w.active {
		w.store(rollout.Supersede(w.d, "superseded by "+to, w.now))
	}
	w.store(dec)
	return nil
}

// promoteAll is a promotion through every phase, which is no order of its own.
const promoteAll rollout.Order = "promote-all"

// froze begins a freeze, for some time or, with 0, until thaw.
func (w *world) froze(last time.Duration, reason string) {
	w.freeze = &rollout.Freeze{Reason: reason, Actor: "carol", BegunAt: w.now}
	if last > 0 {
		w.freeze.ExpiresAt = w.now.Add(last)
	}
	w.wakeUp()
}

func (w *world) thaw() {
	w.freeze = nil
	w.wakeUp()
}

// order carries out what a person asks.
func (w *world) order(o rollout.Order, actor, reason string) error {
	decide := map[rollout.Order]func(rollout.Deployment, rollout.Snapshot, string, string, time.Time) (rollout.Decision, error){
		rollout.OrderPause: rollout.Pause, rollout.OrderResume: rollout.Resume, rollout.OrderPromote: rollout.Promote,
		rollout.OrderCancel: rollout.Cancel, rollout.OrderRollback: rollout.RollBack,
	}[o]
	if o == promoteAll {
		decide = rollout.PromoteAll
	}
	dec, err := decide(w.d, w.snapshot(), actor, reason, w.now)
	if with, _ := decide(w.d, read(w.snapshot(), rollout.OrderReadings(w.d)), actor, reason, w.now); !reflect.DeepEqual(with, dec) {
		panic(fmt.Sprintf("%s with all samples:\n%+v\nwith those that are read for it:\n%+v", o, dec, with))
	}
	if err != nil || !dec.Changed {
		return err
	}
	w.store(dec)
	return nil
}

// store takes a decision over the way the database does.
func (w *world) store(dec rollout.Decision) {
	w.see(w.d, dec)
	if len(dec.Assign) > 0 {
		w.generation++
	}
	for _, a := range dec.Assign {
		p := w.find(a.InstanceID)
		p.assignment.InstanceID, p.assignment.Profile = a.InstanceID, "web.production"
		p.assignment.Version, p.assignment.Hash, p.assignment.Generation = a.Version, a.Hash, w.generation
		p.assignment.DeploymentID, p.assignment.AssignedAt, p.assignment.ApplyError = dec.Next.ID, w.now, ""
	}
	if dec.Current != "" {
		w.current = dec.Current
	}
	if dec.Switch != "" {
		w.traffic = rollout.Traffic{Group: dec.Switch, Acked: w.hook == "", Error: w.hook}
	}
	if dec.Hold != nil {
		w.holds = append(w.holds, *dec.Hold)
	}
	w.d, w.active, w.wake = dec.Next, !dec.Next.State.Final(), dec.Wake
	if dec.Switch != "" && w.hook == "" {
		w.wake = w.now // the hook's answer
	}
	w.d.Revision++
}

// read is a snapshot with the samples that are asked for, as the store reads it.
func read(snap rollout.Snapshot, readings func(rollout.Snapshot) []rollout.Reading) rollout.Snapshot {
	bare := unread(snap)
	fill(bare, snap, readings(bare))
	return bare
}

// fill reads samples of a snapshot into the same one without any.
func fill(bare, snap rollout.Snapshot, readings []rollout.Reading) {
	for _, r := range readings {
		for _, id := range r.Instances {
			i := slices.IndexFunc(bare.Targets, func(t rollout.Target) bool { return t.Instance.ID == id })
			all := snap.Targets[i].Samples
			from, _ := slices.BinarySearchFunc(all, r.From, func(s fleet.Sample, at time.Time) int { return s.Since.Compare(at) })
			bare.Targets[i].Samples = all[from:]
		}
	}
}

// unread is a snapshot as it is before any samples are.
func unread(snap rollout.Snapshot) rollout.Snapshot {
	snap.Targets = slices.Clone(snap.Targets)
	for i := range snap.Targets {
		snap.Targets[i].Samples = nil
	}
	return snap
}

// turned is a snapshot with its targets the other way round.
func turned(snap rollout.Snapshot) rollout.Snapshot {
	snap.Targets = slices.Clone(snap.Targets)
	slices.Reverse(snap.Targets)
	return snap
}

// sorted is a decision with its assignments by instance: in which order they are made is nothing.
func sorted(dec rollout.Decision) rollout.Decision {
	dec.Assign = slices.SortedFunc(slices.Values(dec.Assign), func(a, b rollout.Assign) int { return cmp.Compare(a.InstanceID, b.InstanceID) })
	return dec
}

// step asks Decide once. With the samples that it asks for it decides as with all,
// where it asks for none as it did before it knew, and as it does in whatever order the targets come.
func (w *world) step() rollout.Decision {
	snap := w.snapshot()
	dec := rollout.Decide(w.d, snap, w.now)
	bare := unread(snap)
	if with := rollout.DecideAgain(w.d, bare, w.now, func(readings []rollout.Reading) { fill(bare, snap, readings) }); !reflect.DeepEqual(with, dec) {
		panic(fmt.Sprintf("with all samples:\n%+v\nwith those that it asks for:\n%+v", dec, with))
	}
	if before, asked := rollout.DecideUnread(w.d, unread(snap), w.now); len(asked) == 0 && !reflect.DeepEqual(before, dec) {
		panic(fmt.Sprintf("with all samples:\n%+v\nwithout, and asking for none:\n%+v", dec, before))
	}
	if other := rollout.Decide(w.d, turned(snap), w.now); !reflect.DeepEqual(sorted(other), sorted(dec)) {
		panic(fmt.Sprintf("as the targets come:\n%+v\nthe other way round:\n%+v", sorted(dec), sorted(other)))
	}
	if asks := rollout.Asks(w.d, snap, dec, w.now); len(asks) > 0 {
		snap.Measurements = w.measure(asks)
		dec = rollout.Decide(w.d, snap, w.now)
	}
	if dec.Changed {
		w.store(dec)
	} else {
		w.wake = dec.Wake
	}
	return dec
}

// measure answers as the providers outside do.
func (w *world) measure(asks []rollout.Ask) []rollout.Measurement {
	var out []rollout.Measurement
	for _, ask := range asks {
		m := w.answers[ask.Name]
		m.Ask = ask
		out = append(out, m)
	}
	return out
}

// answer lets every instance acknowledge what it was assigned.
func (w *world) answer() {
	for _, p := range w.processes {
		a := &p.assignment
		if p.silent || p.mute || a.Version == "" || a.AppliedGeneration >= a.Generation || a.ApplyError != "" {
			continue
		}
		if p.broken != "" && a.Version != w.current {
			a.ApplyError = p.broken
		} else {
			if a.Applied != a.Version {
				a.AppliedAt = w.now
			}
			a.Applied, a.AppliedHash, a.AppliedGeneration = a.Version, a.Hash, a.Generation
		}
		w.wakeUp()
	}
}

// heartbeat lets every instance whose time it is say how it does.
func (w *world) heartbeat() {
	for _, p := range w.processes {
		if p.silent || w.now.Sub(p.beat) < beatEvery {
			continue
		}
		p.samples = append(p.samples, w.sample(p))
		p.samples = slices.DeleteFunc(p.samples, func(s fleet.Sample) bool { return s.At.Before(w.now.Add(-15 * time.Minute)) })
		p.beat, p.instance.LastHeartbeat = w.now, w.now
	}
}

func (w *world) sample(p *process) fleet.Sample {
	b := behaviour{latency: 20}
	for _, key := range []string{"all", p.assignment.Applied} {
		if found, ok := w.behaves[key]; ok {
			b = found
		}
	}
	s := fleet.Sample{InstanceID: p.instance.ID, Since: p.beat, At: w.now, Status: fleet.StatusHealthy}
	if b.unhealthy {
		s.Status = fleet.StatusUnhealthy
	}
	if !w.reports {
		return s
	}
	if group := p.instance.Group(); group != "" && group != w.traffic.Active() {
		s.Counted = true // and no request reached it
		return s
	}
	if w.rated {
		s.ErrorRate, s.P99 = &b.errors, &b.latency
		return s
	}
	owed := w.owed[p.instance.ID] + float64(w.requests)*b.errors/100
	s.Counted, s.Requests, s.Errors = true, w.requests, uint64(owed)
	w.owed[p.instance.ID] = owed - float64(s.Errors)
	s.Latency = fleet.Histogram{Bounds: []float64{10, 25, 50, 100, 250, 500, 1000}, Counts: make([]uint64, 8)}
	at, _ := slices.BinarySearch(s.Latency.Bounds, b.latency)
	s.Latency.Counts[at] = w.requests
	return s
}

// run lets time pass second by second: instances answer and beat, and the
// deployment is looked at when it asked to be, or when something happened.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; w.now = w.now.Add(time.Second) {
		w.answer()
		w.heartbeat()
		for tries := 0; w.active && !w.wake.IsZero() && !w.wake.After(w.now); tries++ {
			if tries > 20 {
				panic("the deployment asks for another look again and again: " + w.d.Explanation)
			}
			w.step()
		}
		if !w.now.Before(end) {
			return
		}
	}
}
