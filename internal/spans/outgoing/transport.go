// Package outgoing gives the requests of this program spans. It stands apart from
// spans so that programs that import the client do not get its dependencies.
package outgoing

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace"
)

// Transport gives each request that belongs to a trace a span, and tells the
// trace to whoever is asked, by the W3C headers. Requests outside of one pass as
// they are: most are polls, every one of which would be a trace of its own.
func Transport(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(next,
		otelhttp.WithFilter(func(r *http.Request) bool { return trace.SpanContextFromContext(r.Context()).IsValid() }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Host }),
	)
}
