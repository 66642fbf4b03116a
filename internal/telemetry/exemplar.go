package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// TraceLabel names the trace of an exemplar, as Grafana expects it.
const TraceLabel = "trace_id"

// Observe records a value. When the trace of ctx is sampled it is the value's
// exemplar: a trace that nobody kept would be a link to nothing.
func Observe(ctx context.Context, into prometheus.Observer, value float64) {
	span := trace.SpanContextFromContext(ctx)
	ObserveTrace(into, value, span.TraceID().String(), span.IsSampled())
}

// ObserveTrace is Observe for what outlives its context: the trace is named.
func ObserveTrace(into prometheus.Observer, value float64, traceID string, sampled bool) {
	if exemplars, ok := into.(prometheus.ExemplarObserver); ok && sampled {
		exemplars.ObserveWithExemplar(value, prometheus.Labels{TraceLabel: traceID})
		return
	}
	into.Observe(value)
}
