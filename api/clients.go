package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/compat"
)

// reader lets pass who may read configuration as a client of another server's would: an instance, or
// anybody who may read it by the API.
var reader access = func(c *caller, ctx echo.Context) bool {
	return c != nil && (c.instance != nil || everybody(c, ctx))
}

// clientReads is how often a minute one reader may use one door from one address: a machine has many
// clients, each asks for many keys, and all of them again when one changes.
const clientReads = 3000

// clientDoors are the doors of the protocols that are turned on.
func (a *API) clientDoors() []route {
	var doors []route
	for _, p := range a.clients {
		for _, r := range p.Routes {
			uses := prompt
			if r.Waits {
				uses = waiting
			}
			doors = append(doors, route{r.Method, r.Path, reader, clientReads, r.Body, uses, a.answersClient(r)})
		}
	}
	return doors
}

// answersClient is the handler of one of them.
func (a *API) answersClient(r compat.Route) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r.Waits {
			if err := unhurried(c); err != nil {
				return err
			}
		}
		return r.Handle(c, &clientConfigs{api: a, by: who(c), traceID: traceID(c)})
	}
}

// spoken is the protocol that a door is of, nil for all others.
func (a *API) spoken(path string) *compat.Protocol {
	for _, p := range a.clients {
		for _, r := range p.Routes {
			if r.Path == path {
				return p
			}
		}
	}
	return nil
}

// quietly says that a door has no spans of its own: those that are quiet, and those where clients wait.
func (a *API) quietly(path string) bool {
	if quiet[path] {
		return true
	}
	p := a.spoken(path)
	return p != nil && slices.ContainsFunc(p.Routes, func(r compat.Route) bool { return r.Path == path && r.Waits })
}

// refuseClient tells a client what is wrong in the shape that it knows.
func (a *API) refuseClient(c echo.Context, speaks *compat.Protocol, p *problem) {
	if err := speaks.Refuse(c, compat.Refusal{Status: p.status, Code: p.code, Message: p.message}); err != nil {
		a.log.DebugContext(c.Request().Context(), "an error could not be answered", "error", err)
	}
}

// retryLater says when to come back to somebody who was refused for a while.
func retryLater(c echo.Context, status int) {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return
	}
	if c.Response().Header().Get("Retry-After") == "" {
		c.Response().Header().Set("Retry-After", strconv.Itoa(retryAfter(c)))
	}
}
