package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// health is the body of the probes.
type health struct {
	Status      string            `json:"status"` // ok, degraded, stopping or unavailable
	Unavailable map[string]string `json:"unavailable,omitempty"`
	Degraded    map[string]string `json:"degraded,omitempty"`
}

// degrade names a part that works less well.
func (h *health) degrade(part, why string) {
	if h.Degraded == nil {
		h.Degraded = map[string]string{}
	}
	h.Status, h.Degraded[part] = "degraded", why
}

// readyWithin is how long the database may take for the daemon to be ready:
// less than probes wait for their answer.
const readyWithin = 1500 * time.Millisecond

// healthz says that the process lives. It asks nobody: a restart mends no database.
func (a *API) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, health{Status: "ok"})
}

// readyz says that requests can be served: the database answers. What works
// less well is named, and does not make the daemon unready.
func (a *API) readyz(c echo.Context) error {
	if a.leaving.Load() {
		return c.JSON(http.StatusServiceUnavailable, health{Status: "stopping"})
	}
	out := health{Status: "ok"}
	if a.opts.Degraded != nil {
		for part, why := range a.opts.Degraded() {
			out.degrade(part, why)
		}
	}
	if _, lately := a.opts.Store.Refused(); lately {
		out.degrade("database", "takes no writes: its disk is full, or it is read-only")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyWithin)
	defer cancel()
	if err := a.opts.Store.Ping(ctx); err != nil {
		a.outage.note(ctx, err)
		out.Status, out.Unavailable = "unavailable", map[string]string{"database": "does not answer"}
		return c.JSON(http.StatusServiceUnavailable, out)
	}
	return c.JSON(http.StatusOK, out)
}
