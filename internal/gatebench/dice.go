package main

import (
	"math"
	"math/rand/v2"
)

// dice draws from the distributions that a fleet is made of.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice { return dice{rand.New(rand.NewPCG(seed, stream))} }

// between draws evenly.
func (d dice) between(low, high float64) float64 { return low + (high-low)*d.Float64() }

// scale draws evenly by orders of magnitude.
func (d dice) scale(low, high float64) float64 {
	return low * math.Exp(d.Float64()*math.Log(high/low))
}

// factor draws a factor around 1, with spread as the deviation of its logarithm.
func (d dice) factor(spread float64) float64 { return math.Exp(spread * d.NormFloat64()) }

// exact is the mean up to which counts are drawn exactly; past it the normal
// distribution is as good.
const exact = 40

// poisson draws how many of something there are when there are mean of it.
func (d dice) poisson(mean float64) uint64 {
	if mean > exact {
		return whole(mean + math.Sqrt(mean)*d.NormFloat64())
	}
	limit, product := math.Exp(-mean), d.Float64()
	var n uint64
	for ; product > limit; n++ {
		product *= d.Float64()
	}
	return n
}

// binomial draws how many of n happen when each does with chance p.
func (d dice) binomial(n uint64, p float64) uint64 {
	switch {
	case n == 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - d.binomial(n, 1-p)
	}
	mean := float64(n) * p
	if mean > exact {
		return min(n, whole(mean+math.Sqrt(mean*(1-p))*d.NormFloat64()))
	}
	// Inversion: walk up the distribution until it has used up what was drawn.
	left, odds := d.Float64(), p/(1-p)
	chance := math.Exp(float64(n) * math.Log1p(-p))
	var k uint64
	for left > chance && k < n {
		left -= chance
		chance *= odds * float64(n-k) / float64(k+1)
		k++
	}
	return k
}

// spreadOut draws how n observations fall into buckets: below[i] is the chance
// to lie below the upper bound i, and the last count is of what lies above all.
func (d dice) spreadOut(n uint64, below []float64) []uint64 {
	counts := make([]uint64, len(below)+1)
	rest := 1.0 // the chance of what was not handed out yet
	done := 0.0
	for i, b := range below {
		if n == 0 || rest <= 0 {
			break
		}
		counts[i] = d.binomial(n, min(1, (b-done)/rest))
		n -= counts[i]
		rest, done = 1-b, b
	}
	counts[len(below)] = n
	return counts
}

func whole(x float64) uint64 { return uint64(max(0, math.Round(x))) }
