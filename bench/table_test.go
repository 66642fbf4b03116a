package bench_test

import (
	"math"
	"testing"

	"github.com/sluicehq/sluice/bench"
)

func TestTable(t *testing.T) {
	got := bench.Table([]bench.Figure{
		{What: "a thing", Unit: "ms", Ours: []float64{12, 10, 30}, Beside: "bare", Floor: []float64{8, 10, 12}, Goal: 1.3},
		{What: "heartbeats", Unit: "1/s", Ours: []float64{4321.4}, Goal: 5000, AtLeast: true},
		{What: "told only", Unit: "KB", Ours: []float64{0.125, 0.25}},
	})
	want := `| what | measured | floor | ratio | goal | |
|---|---|---|---|---|---|
| a thing | 12 ms (10 to 30) | 10 ms (8 to 12) (bare) | 1.20 | ≤ 1.30 | met |
| heartbeats | 4,321 1/s |  |  | ≥ 5,000 1/s | **missed** |
| told only | 0.19 KB (0.12 to 0.25) |  |  |  |  |
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExponent(t *testing.T) {
	for _, c := range []struct{ cost, want float64 }{{1, 1}, {2, 2}, {0.5, 0.5}, {0, 0}} {
		sizes := []float64{1000, 3000, 10000}
		costs := make([]float64, len(sizes))
		for i, s := range sizes {
			costs[i] = 7 * math.Pow(s, c.cost)
		}
		if got := bench.Exponent(sizes, costs); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("size^%v: exponent %v", c.cost, got)
		}
	}
}

func TestPercentile(t *testing.T) {
	rounds := []float64{5, 1, 4, 2, 3}
	for p, want := range map[float64]float64{0: 1, 20: 1, 50: 3, 99: 5, 100: 5} {
		if got := bench.Percentile(rounds, p); got != want {
			t.Errorf("p%v is %v, want %v", p, got, want)
		}
	}
}
