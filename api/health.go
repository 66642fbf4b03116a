package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// health is the body of the probes.
type health struct {
	Status   string            `json:"status"` // ok, degraded, stopping or unavailable
	Degraded map[string]string `json:"degraded,omitempty"`
}

// healthz says that the process lives.
func (a *API) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, health{Status: "ok"})
}

// readyz says that requests can be served: the database answers. What works
// less well is named, and does not make the daemon unready.
func (a *API) readyz(c echo.Context) error {
	if a.isDraining() {
		return c.JSON(http.StatusServiceUnavailable, health{Status: "stopping"})
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), 2*time.Second)
	defer cancel()
	if err := a.opts.Store.Ping(ctx); err != nil {
		a.log.WarnContext(ctx, "the database does not answer", "error", err)
		return c.JSON(http.StatusServiceUnavailable, health{Status: "unavailable"})
	}
	out := health{Status: "ok"}
	if a.opts.Degraded != nil {
		if out.Degraded = a.opts.Degraded(); len(out.Degraded) > 0 {
			out.Status = "degraded"
		}
	}
	return c.JSON(http.StatusOK, out)
}
