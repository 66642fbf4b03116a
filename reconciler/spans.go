package reconciler

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sluicehq/sluice/internal/spans"
)

// news begins the span of a pass that has found something new. A pass that finds
// nothing has none: there is one every minute. It belongs to the trace of the
// webhook that told of it, whichever replica took that.
func (r *Reconciler) news(ctx context.Context) (context.Context, func(Result, error)) {
	traceparent, err := r.store.SourceTrace(ctx, r.source.ID)
	if err != nil { // the sync itself meets the same trouble, and tells of it
		r.log.DebugContext(ctx, "no webhook was found for the trace", "error", err)
	}
	ctx, span := spans.Start(spans.With(ctx, traceparent), "source.sync", attribute.String("sluice.source", r.source.ID),
		attribute.String("sluice.branch", r.source.Branch))
	return ctx, func(res Result, err error) {
		span.SetAttributes(
			attribute.String("sluice.commit", res.Head), attribute.Int("sluice.commits", res.Commits), attribute.Int("sluice.versions", res.Versions),
			attribute.Int("sluice.deployments", res.Deployments), attribute.Int("sluice.problems", res.Problems),
		)
		spans.End(span, err)
	}
}

// maxTold bounds the versions of one pass that have spans of their own: a first
// sync brings ten thousand. The pass's span has their number.
const maxTold = 100

// tellVersions tells what a pass has stored.
func tellVersions(ctx context.Context, st state, p plan, began, ended time.Time) {
	parent := spans.Format(ctx)
	for _, rec := range p.Profiles[:min(len(p.Profiles), maxTold)] {
		if _, stored := st.Files[rec.Name]; stored {
			continue
		}
		spans.Tell(spans.Past{
			Parent: parent, ID: spans.ID("profile", p.Source, rec.Name), Name: "config.create", Start: began, End: ended,
			Attributes: []attribute.KeyValue{attribute.String("sluice.profile", rec.Name)},
		})
	}
	for _, v := range p.Versions[:min(len(p.Versions), maxTold)] {
		spans.Tell(spans.Past{
			Parent: parent, ID: spans.ID("version", v.Profile, v.Number), Name: "config.version.upload", Start: began, End: ended,
			Attributes: []attribute.KeyValue{
				attribute.String("sluice.profile", v.Profile), attribute.String("sluice.version", v.Number), attribute.String("sluice.commit", v.Commit),
			},
		})
	}
}
