package telemetry_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"github.com/sluicehq/sluice/internal/telemetry"
)

// Only a trace that is kept is worth a link.
func TestExemplarsAreOfSampledTraces(t *testing.T) {
	t.Parallel()
	id := trace.TraceID{1, 2, 3}
	for flags, want := range map[trace.TraceFlags]string{0: "", trace.FlagsSampled: id.String()} {
		histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: []float64{1}})
		span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}, TraceFlags: flags})
		telemetry.Observe(trace.ContextWithSpanContext(t.Context(), span), histogram, .5)
		var m dto.Metric
		if err := histogram.Write(&m); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, label := range m.GetHistogram().GetBucket()[0].GetExemplar().GetLabel() {
			got += label.GetValue()
		}
		if got != want || m.GetHistogram().GetSampleCount() != 1 {
			t.Errorf("flags %s: %d observations, the exemplar leads to %q, want %q", flags, m.GetHistogram().GetSampleCount(), got, want)
		}
	}
}
