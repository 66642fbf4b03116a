package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// instancesPath is what instances do is below, and what is told of them. A
// replica that serves instances alone has all of it: whoever stands before the
// replicas needs one rule.
const instancesPath = "/api/v1/instances"

// everyProcess are the doors of any replica.
var everyProcess = []string{"/healthz", "/readyz", "/health", "/metrics"}

// toInstances says whether a replica that serves instances alone has the door.
func (r route) toInstances() bool {
	return slices.Contains(everyProcess, r.path) || r.path == instancesPath || strings.HasPrefix(r.path, instancesPath+"/")
}

// has says whether this replica has a door. Any other is misdirected there. The
// doors of other servers' clients are for reading, as those of instances are.
func (a *API) has(r route) bool {
	return !a.opts.WatchOnly || r.toInstances() || a.spoken(r.path) != nil
}

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
