// Package outgoing gives the requests of this program spans. It stands apart from
// spans so that programs that import the client do not get its dependencies.
package outgoing

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Transport gives each request that belongs to a trace a span, and tells the
// trace to whoever is asked, by the W3C headers. Requests outside of one pass as
// they are: most are polls, every one of which would be a trace of its own.
func Transport(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(hostAlone{next},
		otelhttp.WithFilter(func(r *http.Request) bool { return trace.SpanContextFromContext(r.Context()).IsValid() }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Host }),
	)
}

// hostAlone leaves of the URL in a request's span what is no secret: the path of
// many a webhook's is one.
type hostAlone struct{ next http.RoundTripper }

// RoundTrip passes the request on.
func (h hostAlone) RoundTrip(r *http.Request) (*http.Response, error) {
	if span := trace.SpanFromContext(r.Context()); span.IsRecording() {
		span.SetAttributes(attribute.String("url.full", r.URL.Scheme+"://"+r.URL.Host))
	}
	return h.next.RoundTrip(r)
}
