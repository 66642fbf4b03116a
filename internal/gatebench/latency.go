package main

import "math"

// latencies is how long requests take: a lognormal body and, for the slowest
// hundredth, a Pareto tail.
type latencies struct {
	p99  float64 // milliseconds
	wide float64 // deviation of the logarithm in the body
	tail float64 // index of the tail: the lower, the heavier
}

// z99 is how many deviations the 99th percentile is above the middle.
const z99 = 2.3263478740408408

// below is the share of requests that take at most ms when all take factor
// times as long as usual.
func (l latencies) below(ms, factor float64) float64 {
	x := ms / (l.p99 * factor)
	if x > 1 {
		return 1 - 0.01*math.Pow(x, -l.tail)
	}
	return math.Erfc(-(z99+math.Log(x)/l.wide)/math.Sqrt2) / 2
}

// curve is latencies for one set of bounds, looked up instead of worked out: a
// fleet asks for it at each heartbeat.
type curve struct {
	logs  []float64 // of the bounds, in units of the p99
	below []float64 // at steps of the logarithm
}

const (
	curveFrom = -12.0
	curveStep = 1.0 / 128
	curveLen  = 24 * 128
)

func (l latencies) curve(bounds []float64) curve {
	c := curve{below: make([]float64, curveLen+1)}
	for i := range c.below {
		c.below[i] = l.below(l.p99*math.Exp(curveFrom+float64(i)*curveStep), 1)
	}
	for _, b := range bounds {
		c.logs = append(c.logs, math.Log(b/l.p99))
	}
	return c
}

// at fills in the shares below each bound when all take factor times as long.
func (c curve) at(factor float64, shares []float64) {
	shift := math.Log(factor)
	for i, x := range c.logs {
		at := min(curveLen-1, max(0, (x-shift-curveFrom)/curveStep))
		low := math.Floor(at)
		shares[i] = c.below[int(low)] + (at-low)*(c.below[int(low)+1]-c.below[int(low)])
	}
}

// The bounds that histograms come with, in milliseconds.
var (
	// prometheusBounds are the default buckets of Prometheus' client libraries.
	prometheusBounds = []float64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}
	// fineBounds are 20 % apart.
	fineBounds = geometric(1, 1.2, 52)
)

func geometric(first, ratio float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = first
		first *= ratio
	}
	return out
}
