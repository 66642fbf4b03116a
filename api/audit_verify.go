package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
)

// verifyWithin bounds one look at the whole audit log, so that nothing before this server
// takes it for hanging, and no snapshot of the database is held for long.
const verifyWithin = 20 * time.Second

// verifyAudit says whether the chain of the audit log holds. One does so at a time:
// it reads every row.
func (a *API) verifyAudit(c echo.Context) error {
	select {
	case a.verifying <- struct{}{}:
		defer func() { <-a.verifying }()
	default:
		return unavailable("the audit log is being verified for somebody already; try again")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), a.opts.VerifyWithin)
	defer cancel()
	n, broken, err := a.opts.Store.VerifyAudit(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return unavailable(fmt.Sprintf("the audit log could not be read to its end in %s; the first %d rows hold, and sluice audit verify on the database takes the time that all of them need", a.opts.VerifyWithin, n))
	case err != nil:
		return err
	}
	out := wire.AuditVerification{Holds: broken == nil, Verified: n}
	if broken != nil {
		a.log.ErrorContext(c.Request().Context(), "the audit log does not hold", "row", broken.ID, "reason", broken.Reason)
		out.Broken = &wire.AuditBreak{ID: broken.ID, Reason: broken.Reason}
	}
	return c.JSON(http.StatusOK, out)
}
