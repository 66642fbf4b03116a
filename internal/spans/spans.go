package spans

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation in what is exported.
const scope = "github.com/sluicehq/sluice"

// The key of W3C Trace Context's header.
const header = "traceparent"

// Start begins a span of this process, a child of the one in ctx. It is ended
// with [End], or by its own method.
func Start(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	return otel.Tracer(scope).Start(ctx, name, trace.WithAttributes(attrs...))
}

// End ends a span, as failed when there is an error.
func End(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// Format is ctx's span as a traceparent, "" without one.
func Format(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[header]
}

// With makes the span that a traceparent names the parent of what is started
// in ctx. What is no traceparent changes nothing.
func With(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{header: traceparent})
}

// TraceID is the trace of ctx in hexadecimal, "" outside of one.
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// ID is the span id of what has these names: the same names, the same id.
func ID(names ...string) trace.SpanID {
	var room [256]byte // one is made for each of thousands, most often of a few IDs
	text := room[:0]
	for _, name := range names {
		text = append(append(text, name...), 0)
	}
	sum := sha256.Sum256(text)
	return trace.SpanID(sum[:len(trace.SpanID{})])
}

// Child is the traceparent of the span with this id in the trace of another
// traceparent, "" where that is none.
func Child(traceparent string, id trace.SpanID) string {
	if plain(traceparent) {
		var own [2 * len(id)]byte
		hex.Encode(own[:], id[:])
		return traceparent[:spanAt] + string(own[:]) + traceparent[flagsAt:]
	}
	sc := trace.SpanContextFromContext(With(context.Background(), traceparent))
	if !sc.IsValid() {
		return ""
	}
	return Format(trace.ContextWithSpanContext(context.Background(), sc.WithSpanID(id)))
}

// Sampled says that what a traceparent names is exported: otherwise nobody need
// make what would be told of it.
func Sampled(traceparent string) bool {
	if plain(traceparent) {
		return (traceparent[plainLength-1]-'0')&byte(trace.FlagsSampled) != 0
	}
	return trace.SpanContextFromContext(With(context.Background(), traceparent)).IsSampled()
}

// Past is a span that is over.
type Past struct {
	Parent     string // traceparent; without one nothing is told
	ID         trace.SpanID
	Name       string
	Start, End time.Time
	Failure    string // why it ended badly, "" when it did not
	Attributes []attribute.KeyValue
}

// Tell exports a span that is over, when its trace is sampled. It returns the
// span as a traceparent.
func Tell(p Past) string {
	if !Sampled(p.Parent) {
		return Child(p.Parent, p.ID)
	}
	ctx, span := otel.Tracer(scope).Start(withID(With(context.Background(), p.Parent), p.ID), p.Name, trace.WithTimestamp(p.Start), trace.WithAttributes(p.Attributes...))
	if p.Failure != "" {
		span.SetStatus(codes.Error, p.Failure)
	}
	span.End(trace.WithTimestamp(p.End))
	return Format(ctx)
}
