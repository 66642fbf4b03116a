package fleet_test

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/fleet"
)

func TestHistogramValidate(t *testing.T) {
	t.Parallel()
	rising := make([]float64, fleet.MaxBounds+1)
	for i := range rising {
		rising[i] = float64(i + 1)
	}
	for name, c := range map[string]struct {
		h    fleet.Histogram
		fine bool
	}{
		"empty":                 {fleet.Histogram{}, true},
		"usual":                 {fleet.Histogram{Bounds: []float64{5, 10}, Counts: []uint64{1, 0, 2}}, true},
		"only what is above":    {fleet.Histogram{Counts: []uint64{7}}, true},
		"most bounds":           {fleet.Histogram{Bounds: rising[:fleet.MaxBounds], Counts: make([]uint64, fleet.MaxBounds+1)}, true},
		"too many bounds":       {fleet.Histogram{Bounds: rising, Counts: make([]uint64, len(rising)+1)}, false},
		"a count is missing":    {fleet.Histogram{Bounds: []float64{5, 10}, Counts: []uint64{1, 2}}, false},
		"no counts":             {fleet.Histogram{Bounds: []float64{5}}, false},
		"bounds that fall":      {fleet.Histogram{Bounds: []float64{10, 5}, Counts: []uint64{1, 1, 1}}, false},
		"the same bound twice":  {fleet.Histogram{Bounds: []float64{5, 5}, Counts: []uint64{1, 1, 1}}, false},
		"a bound of nothing":    {fleet.Histogram{Bounds: []float64{0}, Counts: []uint64{1, 1}}, false},
		"a bound below nothing": {fleet.Histogram{Bounds: []float64{-1}, Counts: []uint64{1, 1}}, false},
		"no number":             {fleet.Histogram{Bounds: []float64{math.NaN()}, Counts: []uint64{1, 1}}, false},
		"infinite":              {fleet.Histogram{Bounds: []float64{math.Inf(1)}, Counts: []uint64{1, 1}}, false},
		"counts that overflow":  {fleet.Histogram{Bounds: []float64{1}, Counts: []uint64{math.MaxUint64 / 2, math.MaxUint64 / 2}}, false},
	} {
		err := c.h.Validate()
		if (err == nil) != c.fine || err != nil && !errors.Is(err, fleet.ErrHistogram) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHistogramQuantile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		h    fleet.Histogram
		q    float64
		want float64
		ok   bool
	}{
		"linear inside a bucket":        {fleet.Histogram{Bounds: []float64{100}, Counts: []uint64{10, 0}}, 0.5, 50, true},
		"from the bound before":         {fleet.Histogram{Bounds: []float64{10, 20}, Counts: []uint64{5, 5, 0}}, 0.9, 18, true},
		"empty buckets are passed over": {fleet.Histogram{Bounds: []float64{10, 20, 30}, Counts: []uint64{0, 0, 4, 0}}, 0.5, 25, true},
		"above the last bound is it":    {fleet.Histogram{Bounds: []float64{10}, Counts: []uint64{1, 99}}, 0.99, 10, true},
		"nothing observed":              {fleet.Histogram{Bounds: []float64{10}, Counts: []uint64{0, 0}}, 0.99, 0, false},
		"no bounds, nothing to say":     {fleet.Histogram{Counts: []uint64{9}}, 0.99, 0, false},
		"the least":                     {fleet.Histogram{Bounds: []float64{10, 20}, Counts: []uint64{0, 4, 0}}, 0, 10, true},
	} {
		if got, ok := c.h.Quantile(c.q); math.Abs(got-c.want) > 1e-9 || ok != c.ok {
			t.Errorf("%s: %v %t, want %v", name, got, ok, c.want)
		}
	}
}

func TestHistogramAbove(t *testing.T) {
	t.Parallel()
	h := fleet.Histogram{Bounds: []float64{10, 20}, Counts: []uint64{8, 4, 2}}
	// Between 10 and 20, where 6 become 2, they fall as latency to the power of log2(3).
	for limit, want := range map[float64]float64{0: 14, 10: 6, 15: 6 * math.Pow(10.0/15, math.Log2(3)), 20: 2, 1000: 2, 5: 10} {
		if got := h.Above(limit); math.Abs(got-want) > 1e-9 {
			t.Errorf("above %v: %v, want %v", limit, got, want)
		}
	}
}

func TestHistogramMerge(t *testing.T) {
	t.Parallel()
	a := fleet.Histogram{Bounds: []float64{10, 30}, Counts: []uint64{1, 2, 3}}
	b := fleet.Histogram{Bounds: []float64{20, 30}, Counts: []uint64{10, 20, 30}}
	m := a.Merge(b)
	if !slices.Equal(m.Bounds, []float64{10, 20, 30}) || !slices.Equal(m.Counts, []uint64{1, 10, 22, 33}) {
		t.Errorf("%+v", m)
	}
	c := a.Merge(fleet.Histogram{})
	c.Counts[0] = 99
	if a.Counts[0] != 1 {
		t.Error("merging with nothing gave the same memory away")
	}
	d := fleet.Histogram{}.Merge(a)
	d.Counts[0] = 99
	if a.Counts[0] != 1 {
		t.Error("merging into nothing gave the same memory away")
	}
	most := fleet.Histogram{Bounds: []float64{1}, Counts: []uint64{math.MaxUint64, 1}}
	if n := most.Merge(most).Total(); n != math.MaxUint64 {
		t.Errorf("too many to count became %d", n)
	}
}

// TestHistogramRules states what holds for every pair of histograms.
func TestHistogramRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawHistogram(t), drawHistogram(t)
		holds(t, a, b)
	})
}

func drawHistogram(t *rapid.T) fleet.Histogram {
	bounds := rapid.SliceOfNDistinct(rapid.Float64Range(0.1, 1e6), 1, 8, rapid.ID).Draw(t, "bounds")
	slices.Sort(bounds)
	n := len(bounds) + 1
	return fleet.Histogram{Bounds: bounds, Counts: rapid.SliceOfN(rapid.Uint64Range(0, 1e9), n, n).Draw(t, "counts")}
}

// tester is what both a property and a fuzz test can fail by.
type tester interface {
	Fatalf(format string, args ...any)
}

func holds(t tester, a, b fleet.Histogram) {
	if err := a.Validate(); err != nil {
		t.Fatalf("drawn wrong: %v", err)
	}
	m := a.Merge(b)
	if err := m.Validate(); err != nil && len(m.Bounds) <= fleet.MaxBounds && m.Total() < math.MaxUint64/4 {
		t.Fatalf("merging made no histogram: %v of %+v and %+v", err, a, b)
	}
	if m.Total() != a.Total()+b.Total() {
		t.Fatalf("merging lost observations: %d and %d are %d", a.Total(), b.Total(), m.Total())
	}
	if other := b.Merge(a); !slices.Equal(other.Counts, m.Counts) {
		t.Fatalf("the order matters: %v, %v", m, other)
	}
	last := -1.0
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
		ms, ok := m.Quantile(q)
		if !ok {
			continue
		}
		if ms < last || ms < 0 || ms > m.Bounds[len(m.Bounds)-1] || math.IsNaN(ms) {
			t.Fatalf("quantile %v is %v after %v of %+v", q, ms, last, m)
		}
		last = ms
		if above := m.Above(ms); above < 0 || above > float64(m.Total())*(1+1e-9) {
			t.Fatalf("%v of %d are above %v", above, m.Total(), ms)
		}
	}
}

// FuzzHistogram reads bounds and counts from bytes: whatever passes Validate
// can be merged and measured.
func FuzzHistogram(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(bytesOf(10, 20, 3, 4, 5), bytesOf(15, 1, 2))
	f.Add(bytesOf(math.NaN(), 1, 1), bytesOf(math.Inf(1), 1, 1))
	f.Add(bytesOf(5, 5, 1, 1, 1), bytesOf(-1, 1, 1))
	f.Fuzz(func(t *testing.T, left, right []byte) {
		a, b := histogramOf(left), histogramOf(right)
		if a.Validate() != nil || b.Validate() != nil {
			return
		}
		holds(t, a, b)
	})
}

func bytesOf(words ...float64) []byte {
	var out []byte
	for _, w := range words {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(w))
	}
	return out
}

// histogramOf takes the first half of the words for bounds and the rest for counts.
func histogramOf(data []byte) fleet.Histogram {
	var words []float64
	for chunk := range slices.Chunk(data, 8) {
		if len(chunk) == 8 {
			words = append(words, math.Float64frombits(binary.LittleEndian.Uint64(chunk)))
		}
	}
	half := max(0, (len(words)-1)/2)
	h := fleet.Histogram{Bounds: words[:half]}
	for _, w := range words[half:] {
		h.Counts = append(h.Counts, uint64(max(0, min(w, 1<<60))))
	}
	return h
}
