package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// traceLabel names the trace of an exemplar, as the dashboard's data source expects it.
const traceLabel = "trace_id"

// Observe records a value. When the trace of ctx is sampled it is the value's
// exemplar: a trace that nobody kept would be a link to nothing.
func Observe(ctx context.Context, into prometheus.Observer, value float64) {
	span := trace.SpanContextFromContext(ctx)
	if exemplars, ok := into.(prometheus.ExemplarObserver); ok && span.IsSampled() {
		exemplars.ObserveWithExemplar(value, prometheus.Labels{traceLabel: span.TraceID().String()})
		return
	}
	into.Observe(value)
}
