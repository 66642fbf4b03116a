package spans

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// Generator gives a span the id that [Tell] asks for, and makes random ones
// otherwise. Every tracer provider of this program has it. It is an IDGenerator
// of OpenTelemetry's SDK, which is not imported here: the client uses this
// package too, and must not bring the SDK into programs that have none.
type Generator struct{}

type idKey struct{}

func withID(ctx context.Context, id trace.SpanID) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// NewIDs is a new trace with its first span.
func (g Generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var id trace.TraceID
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:8], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID is a span of a trace.
func (Generator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if id, ok := ctx.Value(idKey{}).(trace.SpanID); ok && id.IsValid() {
		return id
	}
	var id trace.SpanID
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
