package fleet

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxBounds is how many bounds a histogram may have.
const MaxBounds = 200

// ErrHistogram is wrapped by the errors of Histogram.Validate.
var ErrHistogram = errors.New("not a histogram")

// Validate checks a histogram that came from outside. Errors wrap ErrHistogram.
func (h Histogram) Validate() error {
	if len(h.Bounds) == 0 && len(h.Counts) == 0 {
		return nil
	}
	if len(h.Bounds) > MaxBounds {
		return fmt.Errorf("%w: %d bounds, at most %d are read", ErrHistogram, len(h.Bounds), MaxBounds)
	}
	if len(h.Counts) != len(h.Bounds)+1 {
		return fmt.Errorf("%w: %d bounds need %d counts, not %d", ErrHistogram, len(h.Bounds), len(h.Bounds)+1, len(h.Counts))
	}
	last := 0.0
	for i, bound := range h.Bounds {
		if math.IsNaN(bound) || math.IsInf(bound, 0) || bound <= last {
			return fmt.Errorf("%w: bound %d is %v: bounds are positive, finite and rise", ErrHistogram, i, bound)
		}
		last = bound
	}
	var total uint64
	for _, n := range h.Counts {
		if n > math.MaxUint64/4-total {
			return fmt.Errorf("%w: more observations than can be counted", ErrHistogram)
		}
		total += n
	}
	return nil
}

// Empty says that nothing was observed.
func (h Histogram) Empty() bool {
	return !slices.ContainsFunc(h.Counts, func(n uint64) bool { return n > 0 })
}

// Total is the number of observations.
func (h Histogram) Total() uint64 {
	var total uint64
	for _, n := range h.Counts {
		total = plus(total, n)
	}
	return total
}

// plus adds counts from outside; what cannot be counted stays the most that can.
func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// Merge adds two histograms over the union of their bounds. A count keeps its
// upper bound, so that merging never makes latency look better than it was. Of
// histograms that come of sketches nothing is lost.
func (h Histogram) Merge(other Histogram) Histogram {
	if len(h.Counts) == 0 {
		return other.clone()
	}
	if len(other.Counts) == 0 {
		return h.clone()
	}
	if a, ok := h.gridded(); ok {
		if b, ok := other.gridded(); ok {
			return mergeOnGrid(h, other, a, b)
		}
	}
	bounds := slices.Concat(h.Bounds, other.Bounds)
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	merged := Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
	for _, part := range []Histogram{h, other} {
		for i, n := range part.Counts {
			at := len(bounds)
			if i < len(part.Bounds) {
				at, _ = slices.BinarySearch(bounds, part.Bounds[i])
			}
			merged.Counts[at] = plus(merged.Counts[at], n)
		}
	}
	return merged
}

// add is Merge for a sum that nobody else holds: h is used up.
func (h Histogram) add(other Histogram) Histogram {
	if len(h.Counts) != len(other.Counts) || !slices.Equal(h.Bounds, other.Bounds) {
		return h.Merge(other)
	}
	for i, n := range other.Counts {
		h.Counts[i] = plus(h.Counts[i], n)
	}
	return h
}

func (h Histogram) clone() Histogram {
	if _, ok := h.gridded(); ok { // whose bounds are never written to
		return Histogram{Bounds: h.Bounds, Counts: slices.Clone(h.Counts)}
	}
	return Histogram{Bounds: slices.Clone(h.Bounds), Counts: slices.Clone(h.Counts)}
}

// Quantile estimates the latency below which the share q of the observations
// lies, in milliseconds. Inside a bucket what lies above falls off as a power of
// the latency, as the slow end of latencies does; evenly in the first bucket and
// in the last one that holds any. What lies above the last bound counts as the
// last bound. ok is false when h is empty.
func (h Histogram) Quantile(q float64) (ms float64, ok bool) {
	total := h.Total()
	if total == 0 || len(h.Bounds) == 0 {
		return 0, false
	}
	above, want := float64(total), (1-q)*float64(total)
	lower := 0.0
	for i, bound := range h.Bounds {
		n := float64(h.Counts[i])
		if n > 0 && above-n <= want {
			if steep, ok := falls(lower, bound, above, above-n); ok && want > 0 {
				return min(bound, max(lower, lower*math.Pow(above/want, 1/steep))), true
			}
			return lower + (bound-lower)*min(1, max(0, above-want)/n), true
		}
		above -= n
		lower = bound
	}
	return h.Bounds[len(h.Bounds)-1], true
}

// falls is the power by which observations become fewer from one bound to the
// next. ok is false where none can be told.
func falls(lower, upper, aboveLower, aboveUpper float64) (steep float64, ok bool) {
	if lower <= 0 || aboveUpper <= 0 || aboveUpper >= aboveLower {
		return 0, false
	}
	steep = math.Log(aboveLower/aboveUpper) / math.Log(upper/lower)
	return steep, !math.IsInf(steep, 0) && steep > 0
}

// Above estimates how many observations took longer than ms, as Quantile does.
func (h Histogram) Above(ms float64) float64 {
	above := float64(h.Total())
	lower := 0.0
	for i, bound := range h.Bounds {
		n := float64(h.Counts[i])
		if bound > ms {
			if steep, ok := falls(lower, bound, above, above-n); ok {
				return min(above, above*math.Pow(lower/max(ms, lower), steep))
			}
			return above - n*((max(ms, lower)-lower)/(bound-lower))
		}
		above -= n
		lower = bound
	}
	return max(0, above)
}
