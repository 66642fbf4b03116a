package rollout

import (
	"math"
	"testing"
)

// Worked out with exact binomial sums, and with the beta-binomial of a = 3, b = 27
// by its probabilities.
func TestAtLeast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		u    usual
		s    sample
		want float64
	}{
		"2 of 30 where 3 % are usual":         {usual{share: 0.03}, sample{2, 30}, 1 - math.Pow(0.97, 30) - 30*0.03*math.Pow(0.97, 29)},
		"all of 3":                            {usual{share: 0.1}, sample{3, 3}, 0.001},
		"none is always":                      {usual{share: 0.1}, sample{0, 50}, 1},
		"everything is usual":                 {usual{share: 1}, sample{3, 3}, 1},
		"an unsure share: 1 of 1":             {usual{share: 0.1, variance: 0.1 * 0.9 / 31}, sample{1, 1}, 0.1},
		"an unsure share: both of 2":          {usual{share: 0.1, variance: 0.1 * 0.9 / 31}, sample{2, 2}, 3.0 * 4 / (30 * 31)},
		"many: 1.4 deviations up":             {usual{share: 0.5}, sample{10_100, 20_000}, 0.0797},
		"many, unsure: half a deviation only": {usual{share: 0.5, variance: 0.0001}, sample{10_100, 20_000}, 0.3196},
	} {
		if got := c.u.atLeast(c.s); math.Abs(got-c.want) > 2e-3*max(c.want, 0.5) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Where the exact sum ends and the normal distribution begins, both say the same.
func TestAtLeastHasNoSeam(t *testing.T) {
	t.Parallel()
	below, above := usual{share: 0.04999, variance: 1e-5}, usual{share: 0.05001, variance: 1e-5}
	for _, k := range []float64{500, 550, 600} {
		exact, normal := below.atLeast(sample{k, 10_000}), above.atLeast(sample{k, 10_000})
		if math.Abs(exact-normal) > 0.02 {
			t.Errorf("%v of 10000: %v and %v", k, exact, normal)
		}
	}
}

func TestUnlike(t *testing.T) {
	t.Parallel()
	alike := []sample{{10, 1000}, {11, 1000}, {9, 1000}, {10, 1000}}
	if v := unlike(alike); v != 0 {
		t.Errorf("chance in counting is no difference: %v", v)
	}
	noisy := append(alike, sample{500, 1000})
	if v := unlike(noisy); math.Abs(math.Sqrt(v)-0.219) > 0.005 {
		t.Errorf("one of five is noisy: deviation %v", math.Sqrt(v))
	}
	if v := unlike([]sample{{1, 10}, {0, 0}}); v != 0 {
		t.Errorf("one says nothing of differences: %v", v)
	}
}
