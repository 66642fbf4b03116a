package fleet

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// SketchAccuracy is the relative accuracy of latency sketches.
const SketchAccuracy = 0.01

// The latencies that a sketch tells apart, in milliseconds. What is outside
// counts as the nearest of them.
const (
	SketchMin = 1e-3   // 1 µs
	SketchMax = 3600e3 // 1 h
)

// sketchMapping says which index a latency has.
var sketchMapping = func() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(SketchAccuracy)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	return m
}()

// grid are the bounds of every histogram that comes of a sketch: the lower bound
// of the first index, then the upper bound of each. Such a histogram has a part
// of it, so that two of them merge count by count, and nothing is lost.
var grid, gridFirst = func() (bounds []float64, first int) {
	first = sketchMapping.Index(SketchMin)
	for i := first; i <= sketchMapping.Index(SketchMax)+1; i++ {
		bounds = append(bounds, sketchMapping.LowerBound(i))
	}
	return bounds, first
}()

// onGrid is the histogram with bounds from..to of the grid, to exclusive.
func onGrid(from, to int, counts []uint64) Histogram {
	return Histogram{Bounds: grid[from:to:to], Counts: counts}
}

// gridded says where on the grid the bounds begin; ok is false for bounds that
// are no part of it.
func (h Histogram) gridded() (from int, ok bool) {
	if len(h.Bounds) == 0 || len(h.Counts) != len(h.Bounds)+1 {
		return 0, false
	}
	from, ok = slices.BinarySearch(grid, h.Bounds[0])
	return from, ok && &grid[from] == &h.Bounds[0] // the very same, not alike
}

// mergeOnGrid adds two parts of the grid that begin at a and b.
func mergeOnGrid(h, other Histogram, a, b int) Histogram {
	from, to := min(a, b), max(a+len(h.Bounds), b+len(other.Bounds))
	merged := onGrid(from, to, make([]uint64, to-from+1))
	for _, part := range []struct {
		of Histogram
		at int
	}{{h, a - from}, {other, b - from}} {
		last := len(part.of.Counts) - 1
		for i, n := range part.of.Counts[:last] {
			merged.Counts[part.at+i] = plus(merged.Counts[part.at+i], n)
		}
		over := len(merged.Counts) - 1 // above the last bound stays above the last bound
		merged.Counts[over] = plus(merged.Counts[over], part.of.Counts[last])
	}
	return merged
}

// storedHistogram is a histogram as JSON. One on the grid says where it begins
// instead of repeating hundreds of bounds in every sample.
type storedHistogram struct {
	Grid   *int      `json:"grid,omitempty"`
	Bounds []float64 `json:"bounds,omitempty"`
	Counts []uint64  `json:"counts,omitempty"`
}

// MarshalJSON writes the histogram as UnmarshalJSON reads it.
func (h Histogram) MarshalJSON() ([]byte, error) {
	stored := storedHistogram{Bounds: h.Bounds, Counts: h.Counts}
	if from, ok := h.gridded(); ok {
		stored.Grid, stored.Bounds = &from, nil
	}
	return json.Marshal(stored)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	stored, ok := quickly(text)
	if !ok {
		stored = storedHistogram{}
		if err := json.Unmarshal(text, &stored); err != nil {
			return err
		}
	}
	*h = Histogram{Bounds: stored.Bounds, Counts: stored.Counts}
	if stored.Grid == nil {
		return nil
	}
	from, to := *stored.Grid, *stored.Grid+len(stored.Counts)-1
	if from < 0 || from > len(grid) || to <= from || to > len(grid) {
		return fmt.Errorf("%w: %d counts at %d are outside of the grid", ErrHistogram, len(stored.Counts), from)
	}
	*h = onGrid(from, to, stored.Counts)
	return nil
}

// whole is a count of a sketch as a number of observations.
func whole(count float64) (n uint64, ok bool) {
	if math.IsNaN(count) || count < 0 || count > maxSketchCount || count != math.Trunc(count) {
		return 0, false
	}
	return uint64(count), true
}
