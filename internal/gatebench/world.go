package main

import (
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

const (
	restTime   = 10 * time.Minute // watched before the deployment
	checkEvery = 30 * time.Second
	tooLong    = 60 * time.Minute // a deployment that passes everything takes 20
)

// world is one fleet with one deployment, in simulated time.
type world struct {
	scenario
	curve      curve
	crew       []*instance
	now        time.Time
	d          rollout.Deployment
	wake       time.Time
	generation int64
	onset      time.Time // when the fault first ran on an instance that it shows on
	updated    time.Time // when the first instance ran the version
}

func newWorld(s scenario, health profile.Health) *world {
	w := &world{scenario: s, curve: s.takes.curve(s.bounds), crew: crew(s), now: dawn, generation: 1}
	w.d = rollout.Deployment{
		ID: "deployment", Profile: "web.production", Kind: rollout.Forward, State: rollout.Pending, CreatedAt: dawn,
		Version: change, Hash: change, Previous: stable, PreviousHash: stable,
		Strategy: profile.DefaultStrategy(profile.Canary), Health: health,
	}
	if s.first {
		w.putFirst()
	}
	return w
}

// putFirst names the deployment so that the instance that something happens to
// is the first in its queue.
func (w *world) putFirst() {
	for n := range 10_000 {
		w.d.ID = "deployment-" + string(rune('a'+n%26)) + time.Duration(n).String()
		for _, a := range rollout.Decide(w.d, w.snapshot(), dawn).Assign {
			for _, in := range w.crew {
				if in.one && in.target.Instance.ID == a.InstanceID {
					return
				}
			}
		}
	}
}

// run lives through the deployment, and asks done after every second.
func (w *world) run(done func() bool) {
	w.rest()
	w.wake = dawn
	for ; w.now.Before(dawn.Add(tooLong)); w.now = w.now.Add(time.Second) {
		if w.answer() || !w.wake.IsZero() && !w.now.Before(w.wake) {
			w.decide()
		}
		w.beat()
		if done() || w.d.State != rollout.InProgress {
			return
		}
	}
}

// rest is the time before.
func (w *world) rest() {
	for at := -restTime; at < 0; at += restBeat {
		for _, in := range w.crew {
			in.report(w.scenario, w.curve, dawn.Add(at).Add(time.Duration(in.offset)*time.Second), restBeat)
		}
	}
}

// beat lets the instances report whose time it is.
func (w *world) beat() {
	second := int(w.now.Sub(dawn) / time.Second)
	for _, in := range w.crew {
		if second%5 != in.offset {
			continue
		}
		every := deployBeat
		if second < 5 {
			every = restBeat
		}
		in.report(w.scenario, w.curve, w.now, every)
	}
}

// answer lets instances acknowledge what they were assigned, and says whether any did.
func (w *world) answer() bool {
	any := false
	for _, in := range w.crew {
		a := &in.target.Assignment
		if a.AppliedGeneration == a.Generation || !a.AssignedAt.Before(w.now) {
			continue
		}
		a.Applied, a.AppliedHash, a.AppliedGeneration, a.AppliedAt = a.Version, a.Hash, a.Generation, w.now
		any = true
		if w.updated.IsZero() {
			w.updated = w.now
		}
		if in.prone && w.onset.IsZero() {
			w.onset = w.now
		}
	}
	return any
}

func (w *world) snapshot() rollout.Snapshot {
	snap := rollout.Snapshot{Targets: make([]rollout.Target, len(w.crew))}
	for i, in := range w.crew {
		snap.Targets[i] = in.target
	}
	return snap
}

// decide asks the real state machine, and does what it says.
func (w *world) decide() {
	for range 20 {
		dec := rollout.Decide(w.d, w.snapshot(), w.now)
		w.d, w.wake = dec.Next, dec.Wake
		if len(dec.Assign) > 0 {
			w.assign(dec.Assign)
		}
		if w.d.State != rollout.InProgress || w.wake.IsZero() || w.now.Before(w.wake) {
			return
		}
	}
}

func (w *world) assign(given []rollout.Assign) {
	w.generation++
	byID := make(map[string]*instance, len(w.crew))
	for _, in := range w.crew {
		byID[in.target.Instance.ID] = in
	}
	for _, g := range given {
		a := &byID[g.InstanceID].target.Assignment
		a.Version, a.Hash, a.Generation, a.AssignedAt, a.DeploymentID = g.Version, g.Hash, w.generation, w.now, w.d.ID
	}
}

// reach is the share of instances that run the new version.
func (w *world) reach() float64 {
	n := 0
	for _, in := range w.crew {
		if in.target.Assignment.Applied == change {
			n++
		}
	}
	return float64(n) / float64(len(w.crew))
}
