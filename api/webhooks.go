package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// webhook hands what a forge sends to the door for it.
func (a *API) webhook(c echo.Context) error {
	if a.opts.Webhooks == nil {
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "no source takes webhooks"}
	}
	r := c.Request()
	r.RemoteAddr = c.RealIP()
	a.opts.Webhooks.ServeHTTP(c.Response(), r)
	return nil
}
