package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sluicehq/sluice/internal/redact"
)

// redacted masks secrets in spans before they leave, as the log does: by the
// name of an attribute, and inside any text.
type redacted struct{ sdktrace.SpanExporter }

// ExportSpans passes masked spans on.
func (e redacted) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	masked := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		masked[i] = maskedSpan{s}
	}
	return e.SpanExporter.ExportSpans(ctx, masked)
}

// maskedSpan says what a span says, without secrets. Ids, times and the
// instrumentation's own name hold none.
type maskedSpan struct{ sdktrace.ReadOnlySpan }

// Name is what was done.
func (s maskedSpan) Name() string { return redact.Text(s.ReadOnlySpan.Name()) }

// Attributes are what it was done with.
func (s maskedSpan) Attributes() []attribute.KeyValue {
	return maskedAttributes(s.ReadOnlySpan.Attributes())
}

// Events are what happened meanwhile, errors among others.
func (s maskedSpan) Events() []sdktrace.Event {
	events := s.ReadOnlySpan.Events()
	out := make([]sdktrace.Event, len(events))
	for i, e := range events {
		e.Name, e.Attributes = redact.Text(e.Name), maskedAttributes(e.Attributes)
		out[i] = e
	}
	return out
}

// Status says whether it failed, and why.
func (s maskedSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = redact.Text(status.Description)
	return status
}

// Links are other spans that led here.
func (s maskedSpan) Links() []sdktrace.Link {
	links := s.ReadOnlySpan.Links()
	out := make([]sdktrace.Link, len(links))
	for i, l := range links {
		l.Attributes = maskedAttributes(l.Attributes)
		out[i] = l
	}
	return out
}

func maskedAttributes(attrs []attribute.KeyValue) []attribute.KeyValue {
	out := make([]attribute.KeyValue, len(attrs))
	for i, a := range attrs {
		out[i] = a
		switch {
		case redact.Key(string(a.Key)):
			out[i].Value = attribute.StringValue(redact.Mask)
		case a.Value.Type() == attribute.STRING:
			out[i].Value = attribute.StringValue(redact.Text(a.Value.AsString()))
		case a.Value.Type() == attribute.STRINGSLICE:
			texts := a.Value.AsStringSlice()
			for n := range texts {
				texts[n] = redact.Text(texts[n])
			}
			out[i].Value = attribute.StringSliceValue(texts)
		}
	}
	return out
}
