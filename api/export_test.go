package api

import "github.com/labstack/echo/v4"

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

// LimiterKeys is how many callers the limiter remembers.
func LimiterKeys(a *API) int {
	a.limits.mu.Lock()
	defer a.limits.mu.Unlock()
	return len(a.limits.used)
}
