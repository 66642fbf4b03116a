package agent

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/api/wire"
)

const (
	maxBounds = 200     // buckets of one histogram
	maxBound  = 1e9     // upper bound of a bucket, in the histogram's unit
	maxCount  = 1 << 53 // beyond it, counts are no longer exact
)

// errorLabels may tell the status code, in the order they are looked for.
var errorLabels = []string{"code", "status", "status_code"}

// snapshot is what the program has counted since it started, series by series, so that one that
// starts anew (a restarted worker) is told from one that goes on.
type snapshot struct {
	requests, errors map[string]float64
	latency          map[string]cumulative
	counts           bool // there is something that counts requests
	factor           float64
}

// cumulative is one series of a histogram: counts up to each bound, and in all.
type cumulative struct {
	bounds []float64
	counts []float64
	total  float64
}

// parseMetrics picks what the options name out of the Prometheus text format.
func parseMetrics(r io.Reader, o Probe) (snapshot, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return snapshot{}, err
	}
	s := snapshot{requests: map[string]float64{}, errors: map[string]float64{}, latency: map[string]cumulative{}, factor: o.factor()}
	latency := families[o.LatencyMetric]
	for _, m := range latency.GetMetric() {
		if c, ok := cumulate(m.GetHistogram()); ok {
			s.latency[seriesKey(m)] = c
		}
	}
	if requests, ok := families[o.RequestsMetric]; ok {
		s.count(requests, o, counterValue)
	} else if len(s.latency) > 0 { // many programs count by their histogram alone
		s.count(latency, o, func(m *dto.Metric) float64 { return float64(m.GetHistogram().GetSampleCount()) })
	}
	if o.ErrorsMetric != "" {
		for _, m := range families[o.ErrorsMetric].GetMetric() {
			add(s.errors, m, counterValue(m))
		}
	}
	return s, nil
}

func (s *snapshot) count(f *dto.MetricFamily, o Probe, value func(*dto.Metric) float64) {
	s.counts = true
	for _, m := range f.GetMetric() {
		add(s.requests, m, value(m))
		if o.ErrorsMetric == "" && isError(m, o.ErrorsLabel) {
			add(s.errors, m, value(m))
		}
	}
}

func (p Probe) factor() float64 {
	unit := p.LatencyUnit
	if unit == "" && (strings.HasSuffix(p.LatencyMetric, "_ms") || strings.HasSuffix(p.LatencyMetric, "_milliseconds")) {
		unit = "ms"
	}
	if unit == "ms" {
		return 1
	}
	return 1000
}

func add(to map[string]float64, m *dto.Metric, v float64) {
	if v >= 0 && v <= maxCount { // NaN is neither
		to[seriesKey(m)] += v
	}
}

func counterValue(m *dto.Metric) float64 {
	if m.Counter != nil {
		return m.GetCounter().GetValue()
	}
	if m.Untyped != nil {
		return m.GetUntyped().GetValue()
	}
	return math.NaN()
}

func seriesKey(m *dto.Metric) string {
	var b strings.Builder
	for _, l := range m.GetLabel() {
		fmt.Fprintf(&b, "%q=%q,", l.GetName(), l.GetValue())
	}
	return b.String()
}

func isError(m *dto.Metric, label string) bool {
	names := errorLabels
	if label != "" {
		names = []string{label}
	}
	for _, name := range names {
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				return strings.HasPrefix(l.GetValue(), "5")
			}
		}
	}
	return false
}

// cumulate reads a classic histogram; native ones have no buckets here.
func cumulate(h *dto.Histogram) (cumulative, bool) {
	if h == nil || len(h.GetBucket()) > maxBounds || h.GetSampleCount() > maxCount {
		return cumulative{}, false
	}
	c := cumulative{total: float64(h.GetSampleCount())}
	for _, b := range h.GetBucket() {
		bound := b.GetUpperBound()
		if math.IsInf(bound, 1) {
			continue // it is the sample count
		}
		if math.IsNaN(bound) || bound <= 0 || bound > maxBound || (len(c.bounds) > 0 && bound <= c.bounds[len(c.bounds)-1]) {
			return cumulative{}, false
		}
		c.bounds = append(c.bounds, bound)
		c.counts = append(c.counts, float64(b.GetCumulativeCount()))
	}
	return c, len(c.bounds) > 0
}

// delta is what was counted between two snapshots.
type delta struct {
	counted          bool
	requests, errors uint64
	latency          *wire.Histogram
}

// since returns what was counted after base.
func (s snapshot) since(base snapshot) delta {
	d := delta{counted: s.counts, requests: grown(s.requests, base.requests), errors: grown(s.errors, base.errors)}
	d.errors = min(d.errors, d.requests)
	d.latency = s.histogram(base)
	return d
}

// grown adds up how far each series has grown; one that is lower than before has started anew.
func grown(now, before map[string]float64) uint64 {
	var n float64
	for key, v := range now {
		if b := before[key]; b <= v {
			v -= b
		}
		n += v
	}
	return uint64(math.Round(min(n, maxCount)))
}

// histogram adds up the growth of all series with the same bounds as the first, in milliseconds;
// series with other bounds cannot be added to them and are left out. It is nil when nothing was
// counted.
func (s snapshot) histogram(base snapshot) *wire.Histogram {
	var bounds []float64
	var counts []float64
	var total float64
	for _, key := range slices.Sorted(maps.Keys(s.latency)) {
		now := s.latency[key]
		if bounds == nil {
			bounds, counts = now.bounds, make([]float64, len(now.bounds))
		}
		if !slices.Equal(bounds, now.bounds) {
			continue
		}
		before, ok := base.latency[key]
		if !ok || before.total > now.total || !slices.Equal(before.bounds, now.bounds) {
			before = cumulative{counts: make([]float64, len(bounds))}
		}
		for i := range bounds {
			counts[i] += max(0, now.counts[i]-before.counts[i])
		}
		total += now.total - before.total
	}
	if total <= 0 {
		return nil
	}
	h := &wire.Histogram{}
	var below float64
	for i, bound := range bounds {
		h.Bounds = append(h.Bounds, bound*s.factor)
		h.Counts = append(h.Counts, uint64(max(0, counts[i]-below)))
		below = max(below, counts[i])
	}
	h.Counts = append(h.Counts, uint64(max(0, total-below)))
	return h
}

func (d delta) fill(h *wire.Health) {
	if d.counted {
		h.Requests, h.Errors = &d.requests, &d.errors
	}
	h.Latency = d.latency
}
