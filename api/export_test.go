package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
)

// RoutesOf lists the doors that the router really has.
func RoutesOf(a *API) []*echo.Route {
	var routes []*echo.Route
	for _, r := range a.echo.Routes() {
		if r.Method != echo.RouteNotFound {
			routes = append(routes, r)
		}
	}
	return routes
}

// LimiterKeys is how many callers the limiter of strangers remembers.
func LimiterKeys(a *API) int {
	a.strangers.mu.Lock()
	defer a.strangers.mu.Unlock()
	return len(a.strangers.used)
}

// Readers is how many streams and polls are open.
func Readers(a *API) int { return a.marks.readers() }

// Wakes are the wake-ups that a stream of the instance would get.
func Wakes(a *API, instanceID string) (wakes <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	return a.marks.subscribe(ctx, a.opts.Bus, instanceID).wake, cancel
}

// Spread is within what time so many readers are asked to come back.
var Spread = spread

// Limiter is a limiter of its own.
func Limiter(now func() time.Time, most int) (take func(key string, perMinute int) bool, keys func() int) {
	l := newLimiter(now, most)
	return func(key string, perMinute int) bool {
		_, _, ok := l.take(key, perMinute)
		return ok
	}, func() int { return len(l.used) }
}

// Explain is what a caller is told of an error.
func Explain(a *API, err error) (status int, text string) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	p := a.explain(a.echo.NewContext(r, httptest.NewRecorder()), err)
	return p.status, p.code + p.message
}

// DecodeHeartbeat is what the server makes of a heartbeat's body.
func DecodeHeartbeat(body string) (s fleet.Sample, status int, err error) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	var req wire.HeartbeatRequest
	if err = decodeKnown(echo.New().NewContext(r, httptest.NewRecorder()), &req); err == nil {
		s, err = sampleOf(req.Health)
	}
	if p, ok := errors.AsType[*problem](err); ok {
		status = p.status
	}
	return s, status, err
}
