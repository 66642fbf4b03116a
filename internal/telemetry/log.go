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

// NewLogger writes JSON lines, or logfmt when format is "text", from the given
// levels on. Secrets are masked by the name of their key and inside URLs, and
// the trace that a record belongs to is named.
func NewLogger(w io.Writer, format string, levels *Levels) *slog.Logger {
	opts := &slog.HandlerOptions{ReplaceAttr: hideSecrets} // the levels are asked before it
	if format == "text" {
		return slog.New(handler{Handler: slog.NewTextHandler(w, opts), levels: levels})
	}
	return slog.New(handler{Handler: slog.NewJSONHandler(w, opts), levels: levels})
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
	case slog.KindDuration: // 250ms, as text has it, and no count of nanoseconds
		return slog.String(a.Key, a.Value.Duration().String())
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

// componentKey is the attribute that names the part of the program that logs.
const componentKey = "component"

// handler adds the trace of the context, so that a log line leads to its
// request and back, and keeps to the level of its component.
type handler struct {
	slog.Handler
	levels    *Levels
	component string
	grouped   bool // attributes belong to a group, and name no component
}

// Enabled says whether a record of this level is written now.
func (h handler) Enabled(_ context.Context, level slog.Level) bool {
	return h.levels.enabled(h.component, level)
}

// Handle adds trace_id when the context has one.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs takes the component among them for its own.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == componentKey && !h.grouped {
			h.component = a.Value.String()
			h.levels.know(h.component)
		}
	}
	return h
}

// WithGroup keeps the handler's kind.
func (h handler) WithGroup(name string) slog.Handler {
	h.Handler, h.grouped = h.Handler.WithGroup(name), true
	return h
}
