package fleet

import (
	"fmt"
	"math"

	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"google.golang.org/protobuf/proto"
)

// Bounds on a sketch from outside.
const (
	MaxSketchBytes = 16 << 10
	maxSketchCount = 1 << 53 // what a count in a sketch is exact up to
	maxSketchIndex = 4096    // past any time there was
)

// ParseSketch reads a DDSketch of latencies in milliseconds, as protobuf, with
// the logarithmic mapping of SketchAccuracy. Of a sketch that is anything else
// errors wrap ErrHistogram.
func ParseSketch(encoded []byte) (Histogram, error) {
	if len(encoded) > MaxSketchBytes {
		return Histogram{}, fmt.Errorf("%w: %d bytes, at most %d are read", ErrHistogram, len(encoded), MaxSketchBytes)
	}
	var pb sketchpb.DDSketch
	if err := proto.Unmarshal(encoded, &pb); err != nil {
		return Histogram{}, fmt.Errorf("%w: not the protobuf of a DDSketch", ErrHistogram)
	}
	m := pb.GetMapping()
	want := sketchMapping.ToProto()
	if m.GetInterpolation() != want.GetInterpolation() || m.GetIndexOffset() != want.GetIndexOffset() || !(math.Abs(m.GetGamma()-want.GetGamma()) <= 1e-9) {
		return Histogram{}, fmt.Errorf("%w: its mapping is not the logarithmic one with a relative accuracy of %v", ErrHistogram, SketchAccuracy)
	}
	t := tally{counts: make([]uint64, len(grid)+1)}
	if err := t.store(pb.GetNegativeValues(), true); err != nil {
		return Histogram{}, err
	}
	if err := t.store(pb.GetPositiveValues(), false); err != nil {
		return Histogram{}, err
	}
	if err := t.add(gridFirst-1, pb.GetZeroCount()); err != nil {
		return Histogram{}, err
	}
	return t.histogram(), nil
}

// tally counts by place on the grid: 0 is below its first bound, len(grid) above
// its last.
type tally struct {
	counts []uint64
	total  uint64
	lo, hi int // places that hold something, hi exclusive
}

func (t *tally) store(s *sketchpb.Store, negative bool) error {
	for index, count := range s.GetBinCounts() {
		if err := t.bin(int(index), count, negative); err != nil {
			return err
		}
	}
	for i, count := range s.GetContiguousBinCounts() {
		if err := t.bin(int(s.GetContiguousBinIndexOffset())+i, count, negative); err != nil {
			return err
		}
	}
	return nil
}

func (t *tally) bin(index int, count float64, negative bool) error {
	if negative && count != 0 {
		return fmt.Errorf("%w: it has negative latencies", ErrHistogram)
	}
	return t.add(index, count)
}

// add counts observations of one index.
func (t *tally) add(index int, count float64) error {
	n, ok := whole(count)
	if !ok {
		return fmt.Errorf("%w: the count %v of index %d is no number of observations", ErrHistogram, count, index)
	}
	if n == 0 {
		return nil
	}
	if index > maxSketchIndex || index < -maxSketchIndex {
		return fmt.Errorf("%w: index %d is that of no latency", ErrHistogram, index)
	}
	if t.total += n; t.total > maxSketchCount {
		return fmt.Errorf("%w: more observations than can be counted", ErrHistogram)
	}
	at := min(max(index-gridFirst+1, 0), len(grid))
	if t.counts[at] += n; t.hi == 0 {
		t.lo, t.hi = at, at+1
	}
	t.lo, t.hi = min(t.lo, at), max(t.hi, at+1)
	return nil
}

// histogram is the part of the grid that holds something, with the bound below
// it, where its first interval begins.
func (t *tally) histogram() Histogram {
	if t.total == 0 {
		return Histogram{}
	}
	from, to := max(t.lo-1, 0), min(t.hi, len(grid))
	h := onGrid(from, to, make([]uint64, to-from+1))
	copy(h.Counts, t.counts[from:to])
	h.Counts[to-from] = t.counts[len(grid)]
	return h
}
