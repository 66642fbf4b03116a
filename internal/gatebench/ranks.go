package main

import (
	"math"
	"slices"
)

// ranks is how Kayenta's Netflix judge compares a metric: the Mann-Whitney U
// test at a confidence of 0.98 over the values of each check, canary against
// control. A metric is High when the lower end of the interval for the
// difference lies above a quarter of its estimate.
type ranks struct {
	updated, control [2][]float64 // errors and p99
}

const (
	confidence = 0.98
	tolerance  = 0.25
)

func (r *ranks) alarmed(v view) bool {
	if v.last.Requests == 0 || v.control.Requests == 0 {
		return false
	}
	for i, pair := range [][2]float64{pairOf(figures(v.last)), pairOf(figures(v.control))} {
		side := [...]*[2][]float64{&r.updated, &r.control}[i]
		side[0], side[1] = append(side[0], pair[0]), append(side[1], pair[1])
	}
	return high(r.updated[0], r.control[0]) || high(r.updated[1], r.control[1])
}

func pairOf(a, b float64) [2]float64 { return [2]float64{a, b} }

// high says that values are higher than others beyond the confidence.
func high(values, others []float64) bool {
	differences := make([]float64, 0, len(values)*len(others))
	for _, v := range values {
		for _, o := range others {
			differences = append(differences, v-o)
		}
	}
	slices.Sort(differences)
	// The normal approximation of the U statistic gives the ranks of the interval's ends.
	m, n := float64(len(values)), float64(len(others))
	const z = 2.3263 // of (1-0.98)/2 on each side
	rank := int(math.Floor(m*n/2 - z*math.Sqrt(m*n*(m+n+1)/12) - 0.5))
	if rank < 0 {
		return false // too few to say anything with this confidence
	}
	estimate := math.Abs(differences[len(differences)/2])
	return differences[rank] > tolerance*estimate && differences[rank] > 0
}
