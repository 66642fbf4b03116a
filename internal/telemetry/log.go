package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/sluicehq/sluice/internal/redact"
)

// NewLogger writes JSON lines, or logfmt when format is "text". The level can
// be changed while it runs. Secrets are masked by the name of their key and
// inside URLs, and the trace that a record belongs to is named.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: hideSecrets}
	if format == "text" {
		return slog.New(traceHandler{slog.NewTextHandler(w, opts)})
	}
	return slog.New(traceHandler{slog.NewJSONHandler(w, opts)})
}

// ParseLevel reads debug, info, warn or error.
func ParseLevel(s string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s)); err != nil {
		return level, fmt.Errorf("log level %q: want debug, info, warn or error", s)
	}
	return level, nil
}

// hideSecrets is called for every attribute that is no group, the message
// among them.
func hideSecrets(groups []string, a slog.Attr) slog.Attr {
	if redact.Key(a.Key) || slices.ContainsFunc(groups, redact.Key) {
		if a.Value.Kind() == slog.KindString && a.Value.String() == "" {
			return a // that none is set is worth knowing
		}
		return slog.String(a.Key, redact.Mask)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, redact.Text(a.Value.String()))
	case slog.KindAny:
		return slog.Attr{Key: a.Key, Value: hideAny(a.Value.Any())}
	}
	return a
}

func hideAny(v any) slog.Value {
	switch v := v.(type) {
	case nil, slog.Level, *slog.Source:
		return slog.AnyValue(v)
	case error:
		return slog.StringValue(redact.Text(v.Error()))
	case fmt.Stringer:
		return slog.StringValue(redact.Text(v.String()))
	}
	// The rest is shown as its JSON would be: that is where field names are.
	text, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(fmt.Sprintf("(%T)", v))
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return slog.StringValue(fmt.Sprintf("(%T)", v))
	}
	return slog.AnyValue(hideTree(tree))
}

func hideTree(v any) any {
	switch v := v.(type) {
	case string:
		return redact.Text(v)
	case []any:
		for i := range v {
			v[i] = hideTree(v[i])
		}
	case map[string]any:
		for key := range v {
			if redact.Key(key) {
				v[key] = redact.Mask
			} else {
				v[key] = hideTree(v[key])
			}
		}
	}
	return v
}

// traceHandler adds the trace of the context, so that a log line leads to its
// request and back.
type traceHandler struct{ slog.Handler }

// Handle adds trace_id when the context has one.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the handler's kind.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the handler's kind.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
