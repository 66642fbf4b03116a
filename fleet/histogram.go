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
func (h Histogram) Empty() bool { return h.Total() == 0 }

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
// upper bound, so that merging never makes latency look better than it was.
func (h Histogram) Merge(other Histogram) Histogram {
	if len(h.Counts) == 0 {
		return other.clone()
	}
	if len(other.Counts) == 0 {
		return h.clone()
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

func (h Histogram) clone() Histogram {
	return Histogram{Bounds: slices.Clone(h.Bounds), Counts: slices.Clone(h.Counts)}
}

// Quantile estimates the latency below which the share q of the observations
// lies, in milliseconds, by linear interpolation inside a bucket. What lies
// above the last bound counts as the last bound. ok is false when h is empty.
func (h Histogram) Quantile(q float64) (ms float64, ok bool) {
	total := h.Total()
	if total == 0 || len(h.Bounds) == 0 {
		return 0, false
	}
	rank := q * float64(total)
	var seen float64
	lower := 0.0
	for i, bound := range h.Bounds {
		n := float64(h.Counts[i])
		if n > 0 && seen+n >= rank {
			return lower + (bound-lower)*min(1, max(0, rank-seen)/n), true
		}
		seen += n
		lower = bound
	}
	return h.Bounds[len(h.Bounds)-1], true
}

// Above estimates how many observations took longer than ms.
func (h Histogram) Above(ms float64) float64 {
	var above float64
	lower := 0.0
	for i, n := range h.Counts {
		switch {
		case lower >= ms, i == len(h.Bounds):
			above += float64(n)
		case h.Bounds[i] > ms:
			above += float64(n) * ((h.Bounds[i] - ms) / (h.Bounds[i] - lower))
		}
		if i < len(h.Bounds) {
			lower = h.Bounds[i]
		}
	}
	return above
}
