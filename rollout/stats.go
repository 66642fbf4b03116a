package rollout

import "math"

// significance is the chance that a difference by accident is accepted as. It
// is small because a deployment is checked some forty times, by some metrics.
const significance = 0.001

// sample is a number of observations, some of them bad.
type sample struct{ bad, n float64 }

func (s sample) share() float64 { return s.bad / s.n }

func (s sample) plus(other sample) sample { return sample{s.bad + other.bad, s.n + other.n} }

// usual is a share of bad ones that others had, and how sure that is.
type usual struct{ share, variance float64 }

// counts is what was counted of one side.
type counts struct {
	all   sample
	times []slot   // the same by time, with the weight of each
	each  []sample // the same by instance
}

// slot is what was counted in some seconds.
type slot struct {
	sample
	weight float64 // of all, the requests that the other side had in this time
}

// like takes the others for usual, plus a margin. With k instances on one side
// and some on the other, the mean of each is as uncertain as instances differ,
// beside the chance in counting.
func (t counts) like(k int, margin float64) usual {
	p, variance := t.all.share(), 0.0
	if len(t.times) > 0 {
		p = 0
		for _, s := range t.times {
			p += s.weight * s.share()
			variance += s.weight * s.weight / s.n
		}
	} else {
		variance = 1 / t.all.n
	}
	// Half a bad one more than was seen (Jeffreys): none in few is not none ever.
	p = (p*t.all.n + 0.5) / (t.all.n + 1)
	u := usual{share: min(1, p+margin), variance: p * (1 - p) * variance}
	if len(t.each) > 1 {
		u.variance += unlike(t.each) * (1/float64(max(1, k)) + 1/float64(len(t.each)))
	}
	return u
}

// unlike is the variance of instances' true shares: what their shares vary more
// than by the chance in counting (DerSimonian and Laird 1986, unweighted).
func unlike(each []sample) float64 {
	var mean, chance, square, k float64
	for _, s := range each {
		if s.n > 0 {
			k++
			mean += s.share()
		}
	}
	if k < 2 {
		return 0
	}
	mean /= k
	for _, s := range each {
		if s.n > 0 {
			square += (s.share() - mean) * (s.share() - mean)
			chance += mean * (1 - mean) / s.n
		}
	}
	return max(0, square/(k-1)-chance/k)
}

// many is from how many expected bad ones on a count is taken for normal.
const many = 500

// atLeast is the chance of seeing so many bad ones or more where u is usual: a
// binomial count whose share is itself drawn from a beta distribution of that
// mean and variance.
func (u usual) atLeast(s sample) float64 {
	q, n, k := u.share, s.n, math.Floor(s.bad)
	if k <= 0 || q >= 1 {
		return 1
	}
	spread := q * (1 - q)
	variance := min(u.variance, 0.99*spread)
	if n*q > many || k > 4*many {
		return tail((k - 0.5 - n*q) / math.Sqrt(n*spread+n*(n-1)*variance))
	}
	// The more the two parameters, the closer to a plain binomial.
	size := min(spread/max(variance, 1e-300)-1, 1e9)
	a, b := q*size, (1-q)*size
	chance := math.Exp(lbeta(a, n+b) - lbeta(a, b))
	below := 0.0
	for i := 0.0; i < k; i++ {
		below += chance
		chance *= (n - i) / (i + 1) * (a + i) / (n - i - 1 + b)
	}
	return max(0, 1-below)
}

// tail is the chance that a normal value lies more than z deviations above its mean.
func tail(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// lbeta is the logarithm of the beta function, for parameters above 0.
func lbeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}
