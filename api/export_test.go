package api

import (
	"context"

	"github.com/labstack/echo/v4"
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
