package main

import (
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// outcome is what one judge made of one run.
type outcome struct {
	stopped bool          // it rolled back
	after   time.Duration // since the fault first ran, or since the first update
	reach   float64       // share of instances on the new version by then
	waits   bool          // it could not tell, and held the position
	reason  string        // why, of Sluice
}

func (w *world) stopped() outcome {
	begin := w.onset
	if begin.IsZero() {
		begin = w.updated
	}
	return outcome{stopped: true, after: w.now.Sub(begin), reach: w.reach()}
}

func fullHealth() profile.Health { return profile.DefaultHealth(profile.Production) }

func noHealth() profile.Health {
	h := fullHealth()
	h.Enabled = false
	return h
}

// tally is what one judge made of the runs of a class.
type tally struct {
	runs, stopped, waits int
	inTwo, inPhase       int // stopped within two checks, within the first phase
	after                []time.Duration
	reach                []float64
}

func (t *tally) add(o outcome) {
	t.runs++
	if o.waits {
		t.waits++
	}
	if !o.stopped {
		return
	}
	t.stopped++
	// A deployment looks at its checks a second after they are due at the latest.
	if o.after <= 2*checkEvery+time.Second {
		t.inTwo++
	}
	if o.after <= 5*time.Minute+time.Second {
		t.inPhase++
	}
	t.after = append(t.after, o.after)
	t.reach = append(t.reach, o.reach)
}

// join adds another class's runs.
func (t *tally) join(other tally) {
	t.runs, t.stopped, t.waits = t.runs+other.runs, t.stopped+other.stopped, t.waits+other.waits
	t.inTwo, t.inPhase = t.inTwo+other.inTwo, t.inPhase+other.inPhase
	t.after = append(t.after, other.after...)
	t.reach = append(t.reach, other.reach...)
}

// quantile answers the value that a share q of the times lie below.
func (t *tally) quantile(q float64) time.Duration {
	if len(t.after) == 0 {
		return 0
	}
	slices.Sort(t.after)
	return t.after[min(len(t.after)-1, int(q*float64(len(t.after))))]
}

// blast is the mean share of instances that ran the version when it was stopped.
func (t *tally) blast() float64 {
	sum := 0.0
	for _, r := range t.reach {
		sum += r
	}
	return sum / float64(max(1, len(t.reach)))
}

// wilson is the 95 % interval of a share of k in n.
func wilson(k, n int) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.96
	p, m := float64(k)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m)) / (1 + z*z/m)
	return max(0, middle-half), min(1, middle+half)
}
