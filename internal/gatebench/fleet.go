package main

import (
	"fmt"
	"math"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

const (
	restBeat   = 30 * time.Second // between heartbeats before a deployment
	deployBeat = 5 * time.Second  // while one is under way
	kept       = 15 * time.Minute // samples
	stable     = "1.0.0"
	change     = "1.1.0"
)

// dawn is when every deployment starts.
var dawn = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// instance is one process of the simulated fleet.
type instance struct {
	dice
	offset  int     // seconds between the full five and its heartbeats
	busy    float64 // its share of the load, around 1
	slow    float64 // its latency, around 1
	prone   bool    // the fault of the new version shows on it
	one     bool    // it is the one that something happens to
	burst   float64 // what its load is multiplied by just now
	beat    time.Time
	samples []fleet.Sample
	below   []float64 // room for the shares below each bound
	target  rollout.Target
}

// crew makes the instances of a scenario.
func crew(s scenario) []*instance {
	out := make([]*instance, s.instances)
	d := newDice(s.seed, 1)
	for i := range out {
		in := &instance{dice: newDice(s.seed, uint64(i)+2), burst: 1, below: make([]float64, len(s.bounds))}
		in.offset = in.IntN(5)
		in.busy, in.slow = in.factor(s.unlike), in.factor(s.unlike)
		in.prone = in.Float64() < s.part
		id := fmt.Sprintf("web-%d", i+1)
		in.target = rollout.Target{
			Instance: fleet.Instance{ID: id, Hostname: id, Service: "web", LastHeartbeat: dawn},
			Assignment: fleet.Assignment{
				InstanceID: id, Version: stable, Hash: stable, Generation: 1, Applied: stable, AppliedGeneration: 1, AppliedAt: dawn.Add(-24 * time.Hour),
			},
		}
		out[i] = in
	}
	out[d.IntN(len(out))].one = true
	if s.part > 0 {
		out[d.IntN(len(out))].prone = true // a fault that shows on nobody is none
	}
	return out
}

// trouble is what an instance suffers from at a time.
func (in *instance) trouble(s scenario, at time.Time) trouble {
	since := at.Sub(dawn)
	t := s.outage.at(since)
	if in.one {
		t = t.and(s.one.at(since))
	}
	if in.prone && in.target.Assignment.Applied == change {
		t = t.and(s.fault)
	}
	return t
}

// swing is where load and latency stand at a time: 1 in the middle.
func (s scenario) swing(at time.Time) float64 {
	return 1 + s.drift*math.Sin(2*math.Pi*(s.noon+at.Sub(dawn).Hours()))
}

// spell begins a quiet spell or a loud one, each for a few heartbeats, now and then.
func (in *instance) spell() {
	if in.IntN(3) > 0 {
		return
	}
	in.burst = 0.5
	if in.IntN(5) == 0 {
		in.burst = 3
	}
}

// report makes the heartbeat over the time since the last one, which may get lost.
func (in *instance) report(s scenario, c curve, now time.Time, every time.Duration) {
	if s.bursty {
		in.spell()
	}
	since := now.Add(-every)
	swing := s.swing(now)
	n := in.poisson(s.rate * every.Seconds() * in.busy * in.burst * swing)
	t := in.trouble(s, now)
	failed := in.binomial(n, s.errors+t.errors)
	factor := in.slow * (1 + (swing-1)/3) * max(1, t.slower)
	sample := fleet.Sample{
		InstanceID: in.target.Instance.ID, Since: since, At: now, Status: fleet.StatusHealthy,
		Counted: true, Requests: n, Errors: failed,
	}
	if n > 0 {
		c.at(factor, in.below)
		sample.Latency = fleet.Histogram{Bounds: s.bounds, Counts: in.spreadOut(n, in.below)}
	}
	in.beat = now
	if in.Float64() < s.lost {
		return
	}
	in.target.Instance.LastHeartbeat = now
	in.samples = append(in.samples, sample)
	in.target.Samples = in.samples[in.fresh(now):]
}

// fresh is where the samples begin that are still kept.
func (in *instance) fresh(now time.Time) int {
	from := len(in.samples) - len(in.target.Samples) - 1
	for from = max(0, from); from < len(in.samples) && in.samples[from].At.Before(now.Add(-kept)); from++ {
	}
	return from
}
