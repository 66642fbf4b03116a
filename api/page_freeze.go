package api

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

// freezeForms are the doors of the freeze. Stopping everything is urgent, and so
// is the page that it is done on.
func (a *API) freezeForms() []route {
	return []route{
		{"GET", "/freeze", everybody, pageReads, 0, urgent, a.shows(a.freezePage)},
		{"POST", "/freeze", operator, 30, smallBody, urgent, a.submits(a.freezePage, a.submitFreeze)},
		{"POST", "/freeze/end", operator, 30, smallBody, prompt, a.submits(a.freezePage, a.submitFreezeEnd)},
	}
}

// usualFreeze is proposed: one that nobody remembers to end should end by itself.
const usualFreeze = "4h"

// freezePage is where a freeze begins and ends.
func (a *API) freezePage(c echo.Context) (web.Page, error) {
	ctx := c.Request().Context()
	frozen, err := a.opts.Store.Freeze(ctx)
	if err != nil {
		return web.Page{}, err
	}
	_, active, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Active: true, Scope: who(c).scope, Limit: 1})
	if err != nil {
		return web.Page{}, err
	}
	asked, err := c.FormParams()
	if err != nil {
		return web.Page{}, invalid("the form could not be read")
	}
	view := web.FreezeView{Frozen: frozen.InForce(a.opts.Store.Clock()), Active: active, Reason: asked.Get("reason"), Lasts: usualFreeze}
	if asked.Has("lasts") {
		view.Lasts = asked.Get("lasts")
	}
	return web.Page{Title: "Freeze", Body: "freeze", View: view}, nil
}

func (a *API) submitFreeze(c echo.Context) (to string, err error) {
	req := wire.FreezeRequest{Reason: strings.TrimSpace(c.FormValue("reason")), ExpiresIn: c.FormValue("lasts")}
	_, err = a.beginFreeze(c.Request().Context(), who(c).name, req)
	return "/freeze", err
}

func (a *API) submitFreezeEnd(c echo.Context) (to string, err error) {
	err = a.endFreeze(c.Request().Context(), who(c).name, strings.TrimSpace(c.FormValue("reason")))
	return "/freeze", err
}
