package rollout

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sluicehq/sluice/internal/spans"
)

// Span is the deployment's own span as a traceparent, the same on every
// replica; "" for one that nothing traced asked for. It is told by TellEnd, and
// whatever happens for the deployment is its child.
func (d Deployment) Span() string { return spans.Child(d.TraceParent, spans.ID("deployment", d.ID)) }

// TellEnd tells the spans of a deployment that has ended: config.deploy, from
// its making to its end, and in it config.rollback when it went back.
func TellEnd(d Deployment) {
	if !d.State.Final() || d.TraceParent == "" {
		return
	}
	failure := ""
	if d.State == Failed || d.State == RolledBack {
		failure = d.Explanation
	}
	attrs := append(d.attributes(), attribute.String("sluice.state", string(d.State)))
	own := spans.Tell(spans.Past{
		Parent: d.TraceParent, ID: spans.ID("deployment", d.ID), Name: "config.deploy", Start: d.CreatedAt, End: d.FinishedAt,
		Failure: failure, Attributes: attrs,
	})
	if d.RollbackAt.IsZero() {
		return
	}
	to := d.Previous
	if d.Kind == Rollback {
		to = d.Version
	}
	spans.Tell(spans.Past{
		Parent: own, ID: spans.ID("rollback", d.ID), Name: "config.rollback", Start: d.RollbackAt, End: d.FinishedAt,
		Attributes: append(d.attributes(), attribute.String("sluice.rollback.to", to), attribute.String("sluice.rollback.trigger", d.rollbackTrigger()),
			attribute.String("sluice.rollback.health_restored", string(d.HealthRestored))),
	})
}

// rollbackTrigger says what asked for the deployment's rollback: the gate, the
// deadline, or a person, who is named elsewhere.
func (d Deployment) rollbackTrigger() string {
	if d.RollbackBy == byGate || d.RollbackBy == byDeadline {
		return d.RollbackBy
	}
	return "person"
}

func (d Deployment) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("sluice.deployment", d.ID), attribute.String("sluice.profile", d.Profile), attribute.String("sluice.version", d.Version),
		attribute.String("sluice.strategy", string(d.Strategy.Type)), attribute.String("sluice.kind", string(d.Kind)),
		attribute.String("sluice.commit", d.Commit),
	}
}

// inTrace names the trace in which a decision is made: its facts belong to it,
// and so does a deployment that it begins.
func inTrace(ctx context.Context, dec Decision) Decision {
	id := spans.TraceID(ctx)
	if id == "" {
		return dec
	}
	if dec.Next.TraceID == "" {
		dec.Next.TraceID, dec.Next.TraceParent = id, spans.Format(ctx)
	}
	dec.Facts = slices.Clone(dec.Facts)
	for i := range dec.Facts {
		dec.Facts[i].TraceID = id
	}
	return dec
}

// tellStep tells what a stored step was: each gate check in it, and the last
// step of all.
func tellStep(before Deployment, dec Decision, began, ended time.Time) {
	parent := dec.Next.Span()
	for i, check := range dec.Checks {
		verdict := check.Verdict
		spans.Tell(spans.Past{
			Parent: parent, ID: spans.ID("check", dec.Next.ID, strconv.FormatInt(before.Revision, 10), strconv.Itoa(i), fmt.Sprint(began.UnixNano())),
			Name: "config.health.check", Start: began, End: ended,
			Attributes: []attribute.KeyValue{
				attribute.String("sluice.profile", dec.Next.Profile), attribute.Int("sluice.phase", check.Phase+1),
				attribute.String("sluice.gate.outcome", string(verdict.Outcome)), attribute.String("sluice.gate.reason", verdict.Reason),
			},
		})
	}
	if !before.State.Final() && dec.Next.State.Final() {
		spans.Tell(spans.Past{
			Parent: parent, ID: spans.ID("complete", dec.Next.ID), Name: "config.complete", Start: began, End: ended,
			Attributes: []attribute.KeyValue{
				attribute.String("sluice.state", string(dec.Next.State)), attribute.String("sluice.explanation", dec.Next.Explanation),
			},
		})
	}
}
