package api

import (
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/internal/telemetry"
)

// recovered keeps one request's panic from the others.
func (a *API) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(cause)
			}
			a.metrics.panics.Inc()
			a.log.ErrorContext(c.Request().Context(), "handler panicked", "route", c.Path(), "panic", fmt.Sprint(cause),
				"stack", string(debug.Stack()))
			err = &problem{status: http.StatusInternalServerError, code: "INTERNAL_ERROR", message: "something went wrong; the log has more under the trace id"}
		}()
		return next(c)
	}
}

// secured keeps browsers from making more of an answer than it is.
func (a *API) secured(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		if a.opts.SecureCookies || c.IsTLS() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		maps.Copy(h, alwaysSaid)
		return next(c)
	}
}

// alwaysSaid is what every answer says unless its handler sets something else. All of them share the
// values, which are replaced and never changed in place.
var alwaysSaid = http.Header{
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"X-Content-Type-Options":       {"nosniff"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Referrer-Policy":              {"no-referrer"},
	"Cache-Control":                {"no-store"},
}

// measured counts answers by route.
func (a *API) measured(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		a.metrics.inFlight.Inc()
		defer a.metrics.inFlight.Dec()
		err := next(c)
		if err != nil {
			c.Error(err) // so that the status is known here
		}
		route := c.Path()
		if route == "" {
			route = "unknown"
		}
		if !a.quietly(c.Path()) {
			a.log.DebugContext(c.Request().Context(), "request answered", "method", knownMethod(c.Request().Method), "route", route, "status", c.Response().Status)
		}
		telemetry.Observe(c.Request().Context(), a.metrics.requests.WithLabelValues(knownMethod(c.Request().Method), route, strconv.Itoa(c.Response().Status)),
			time.Since(start).Seconds())
		return nil
	}
}

// knownMethod keeps made-up methods from becoming labels without end.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// bounded caps a body before anybody reads it.
func bounded(limit int64) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if limit == itsOwn {
			return next
		}
		return func(c echo.Context) error {
			r := c.Request()
			if r.ContentLength > limit {
				return &http.MaxBytesError{Limit: limit}
			}
			if r.Body != http.NoBody {
				r.Body = http.MaxBytesReader(c.Response(), r.Body, limit)
			}
			return next(c)
		}
	}
}
