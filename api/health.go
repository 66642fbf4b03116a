package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
)

// degrade names a part that works less well.
func degrade(p *wire.Probe, part, why string) {
	if p.Degraded == nil {
		p.Degraded = map[string]string{}
	}
	p.Status, p.Degraded[part] = "degraded", why
}

// readyWithin is how long the database may take for the daemon to be ready:
// less than probes wait for their answer.
const readyWithin = 1500 * time.Millisecond

// healthz says that the process lives. It asks nobody: a restart mends no database.
func (a *API) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, wire.Probe{Status: "ok"})
}

// readyz says that requests can be served: the database answers. What works
// less well is named, and does not make the daemon unready.
func (a *API) readyz(c echo.Context) error {
	if a.leaving.Load() {
		return c.JSON(http.StatusServiceUnavailable, wire.Probe{Status: "stopping"})
	}
	out := wire.Probe{Status: "ok"}
	if a.opts.Degraded != nil {
		for part, why := range a.opts.Degraded() {
			degrade(&out, part, why)
		}
	}
	if _, lately := a.opts.Store.Refused(); lately {
		degrade(&out, "database", "takes no writes: its disk is full, or it is read-only")
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
