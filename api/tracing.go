package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/spans"
)

const traceKey = "sluice.trace"

// quiet are the doors without a span of their own: probes and heartbeats come
// all the time, and streams last for days. What a stream delivers has spans.
var quiet = map[string]bool{
	"/healthz": true, "/readyz": true, "/health": true, "/metrics": true,
	"/api/v1/instances/:id/heartbeat": true, "/api/v1/instances/:id/watch": true, "/api/v1/instances/:id/configs": true,
	"/api/v1/deployments/:id/events": true, "/live": true,
}

// traced gives each request a span, in the caller's trace when it says one by
// W3C Trace Context, and its answer the trace's id.
func (a *API) traced(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		before := r.Context()
		ctx := otel.GetTextMapPropagator().Extract(before, propagation.HeaderCarrier(r.Header))
		var span trace.Span
		if !a.quietly(c.Path()) {
			ctx, span = startServerSpan(ctx, c)
			defer span.End()
		}
		if ctx != before {
			c.SetRequest(r.WithContext(ctx))
		}
		id := spans.TraceID(ctx)
		if id == "" {
			random := make([]byte, 16)
			rand.Read(random)
			id = hex.EncodeToString(random)
		}
		c.Set(traceKey, id)
		c.Response().Header().Set("X-Trace-Id", id)
		err := next(c)
		if span != nil {
			status := c.Response().Status
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, http.StatusText(status))
			}
		}
		return err
	}
}

// startServerSpan names the span as OpenTelemetry's conventions for HTTP do. The
// path is in it and the query is not: that may hold what is nobody's business.
func startServerSpan(ctx context.Context, c echo.Context) (context.Context, trace.Span) {
	method, route := knownMethod(c.Request().Method), c.Path()
	name := method
	if route != "" {
		name += " " + route
	}
	return otel.Tracer("github.com/sluicehq/sluice/api").Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.String("url.path", c.Request().URL.Path),
	))
}

func traceID(c echo.Context) string {
	id, _ := c.Get(traceKey).(string)
	return id
}

// spanned does a piece of work in a span of its own, in that of the request.
func spanned(name string, handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, span := spans.Start(c.Request().Context(), name, attribute.String("sluice.profile", c.Param("name")))
		c.SetRequest(c.Request().WithContext(ctx))
		err := handle(c)
		spans.End(span, err)
		return err
	}
}

// instanceSpan names the span config.deploy.instance of an assignment, from when
// it was made until the instance answers for it; "" where nobody traces it.
func instanceSpan(a fleet.Assignment) string {
	if a.TraceParent == "" {
		return ""
	}
	return spans.Child(a.TraceParent, spans.ID("instance", a.DeploymentID, a.InstanceID, strconv.FormatInt(a.Generation, 10)))
}

// tellPushed tells of each fresh assignment that it was written to the instance,
// over a stream or as an answer.
func tellPushed(fresh deliveries, instanceID string, began time.Time) {
	for _, one := range fresh {
		if !spans.Sampled(one.TraceParent) {
			continue
		}
		own := one.Assignment
		own.InstanceID = instanceID
		span := instanceSpan(own)
		spans.Tell(spans.Past{
			Parent: span, ID: spans.ID("push", span, strconv.FormatInt(began.UnixNano(), 10)), Name: "config.push",
			Start: began, End: time.Now(), Attributes: []attribute.KeyValue{
				attribute.String("sluice.profile", one.Profile), attribute.String("sluice.version", one.Version), attribute.Int64("sluice.generation", one.Generation),
			},
		})
	}
}

// tellAnswered tells the span of an assignment that its instance answered for.
func tellAnswered(a fleet.Assignment, ack fleet.Ack, hostname string, now time.Time) {
	id := spans.ID("instance", a.DeploymentID, a.InstanceID, strconv.FormatInt(a.Generation, 10))
	failure := ""
	if !ack.OK {
		// It may be applied yet, and that will be the assignment's own span.
		id, failure = spans.ID("refused", a.DeploymentID, a.InstanceID, strconv.FormatInt(a.Generation, 10), ack.Error), "could not be applied: "+ack.Error
	}
	spans.Tell(spans.Past{
		Parent: a.TraceParent, ID: id, Name: "config.deploy.instance", Start: a.AssignedAt, End: now, Failure: failure,
		Attributes: []attribute.KeyValue{
			attribute.String("sluice.instance", a.InstanceID), attribute.String("sluice.instance.hostname", hostname), attribute.String("sluice.profile", a.Profile),
			attribute.String("sluice.version", a.Version), attribute.Int64("sluice.generation", a.Generation),
			attribute.Float64("sluice.reload_seconds", ack.Duration.Seconds()),
		},
	})
}
