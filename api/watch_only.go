package api

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// watchDoors are the doors of a replica that serves instances alone: what an
// instance needs from its registration to its leave, and what every process has.
var watchDoors = []string{
	"GET /healthz",
	"GET /readyz",
	"GET /health",
	"GET /metrics",

	"POST /api/v1/instances",
	"DELETE /api/v1/instances/:id",
	"POST /api/v1/instances/:id/heartbeat",
	"POST /api/v1/instances/:id/applied",
	"GET /api/v1/instances/:id/watch",
	"GET /api/v1/instances/:id/configs",
	"GET /api/v1/instances/:id/configs/:name/:hash/data",
}

// toInstances says whether a replica that serves instances alone has the door.
func (r route) toInstances() bool { return slices.Contains(watchDoors, r.method+" "+r.path) }

// has says whether this replica has a door. Any other is misdirected there.
func (a *API) has(r route) bool { return !a.opts.WatchOnly || r.toInstances() }

// misdirected answers where a replica serves instances alone. It is no 404:
// what was asked for is there, at another address.
func (a *API) misdirected(c echo.Context) error {
	where := "the address of the replicas of the role all"
	if a.opts.ExternalURL != "" {
		where = a.opts.ExternalURL
	}
	return &problem{
		status: http.StatusMisdirectedRequest, code: "MISDIRECTED",
		message: "this replica has the role watch and serves instances alone; ask " + where + " for " + c.Request().Method + " " + c.Path(),
	}
}
