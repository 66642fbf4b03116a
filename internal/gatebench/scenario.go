package main

import "time"

// scenario is one fleet and what happens to it.
type scenario struct {
	seed      uint64
	instances int
	rate      float64 // requests a second of each instance
	bursty    bool    // the load of an instance comes in bursts
	errors    float64 // share of requests that fail on a good day
	takes     latencies
	bounds    []float64 // of the histograms in heartbeats
	unlike    float64   // how much instances differ: deviation of the logarithm of their factors
	drift     float64   // how far load and latency swing over an hour
	noon      float64   // where in the swing the deployment begins, 0 to 1
	lost      float64   // share of heartbeats that never arrive

	fault  trouble // of the new version
	part   float64 // share of instances that the fault shows on
	outage episode // of everybody
	one    episode // of one instance, whatever it runs
	first  bool    // that instance is the first to be updated; otherwise any
}

// trouble is what goes wrong.
type trouble struct {
	errors float64 // added to the share of requests that fail
	slower float64 // factor on latency; 0 and 1 are none
}

func (t trouble) any() bool { return t.errors > 0 || t.slower > 1 }

// and is both troubles at once.
func (t trouble) and(other trouble) trouble {
	return trouble{errors: t.errors + other.errors, slower: max(1, t.slower) * max(1, other.slower)}
}

// episode is trouble for a while. Times count from the deployment's start.
type episode struct {
	trouble
	from, to time.Duration
}

func (e episode) at(t time.Duration) trouble {
	if e.any() && t >= e.from && t < e.to {
		return e.trouble
	}
	return trouble{}
}

// class is a kind of scenario that is counted together.
type class struct {
	name  string
	kind  kind
	share int // of all runs, in hundredths
	draw  func(dice) scenario
}

// kind is what would be right to do.
type kind int

const (
	healthy kind = iota // a rollback is a false one
	faulty              // a rollback is right
	small               // worse, by less than the threshold: either is fine
)

// usual draws a fleet of any size with any load.
func usual(d dice) scenario {
	s := tenInstances(d)
	s.instances = int(d.scale(5, 101))
	if d.IntN(50) == 0 {
		s.instances = 1000 // few, because they cost as much as all the others
	}
	return s
}

// tenInstances draws a fleet of ten, with 10 to 1,000 requests a second each.
func tenInstances(d dice) scenario {
	s := scenario{
		instances: 10, rate: d.scale(10, 1000), bursty: d.IntN(2) == 0, errors: d.scale(0.0001, 0.01),
		takes:  latencies{p99: d.scale(40, 2000), wide: d.between(0.3, 0.7), tail: d.between(1.5, 3)},
		bounds: prometheusBounds, unlike: d.between(0, 0.05), drift: d.between(0, 0.3), noon: d.Float64(),
	}
	if d.IntN(2) == 0 {
		s.bounds = fineBounds
	}
	return s
}

// at sets the requests a second of each instance.
func at(rate float64, draw func(dice) scenario) func(dice) scenario {
	return func(d dice) scenario {
		s := draw(d)
		s.rate = rate
		return s
	}
}

// with adds the fault of the new version, on every instance.
func with(draw func(dice) scenario, fault func(dice) trouble) func(dice) scenario {
	return func(d dice) scenario {
		s := draw(d)
		s.fault, s.part = fault(d), 1
		return s
	}
}

func errorsOf(low, high float64) func(dice) trouble {
	return func(d dice) trouble { return trouble{errors: d.scale(low, high) / 100} }
}

func slowerBy(low, high float64) func(dice) trouble {
	return func(d dice) trouble { return trouble{slower: d.scale(low, high)} }
}

func either(one, other func(dice) trouble) func(dice) trouble {
	return func(d dice) trouble {
		if d.IntN(2) == 0 {
			return one(d)
		}
		return other(d)
	}
}
