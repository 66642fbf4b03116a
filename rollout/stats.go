package rollout

import "math"

// significance is the chance that differs by accident is accepted as: one in a
// hundred.
const significance = 0.01

// worse is the one-sided two-proportion test: the chance to see a share of bad
// observations at least so much above the other one if both were really alike.
func worse(bad, n, otherBad, otherN float64) float64 {
	if n == 0 || otherN == 0 {
		return 1
	}
	pooled := (bad + otherBad) / (n + otherN)
	spread := math.Sqrt(pooled * (1 - pooled) * (1/n + 1/otherN))
	if spread == 0 {
		return 1 // all bad or none, on both sides alike
	}
	z := (bad/n - otherBad/otherN) / spread
	return math.Erfc(z/math.Sqrt2) / 2
}
