package api

import (
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
)

// deploymentsPage lists deployments, newest first, by the filters that the API
// has as well.
func (a *API) deploymentsPage(c echo.Context) (web.Page, error) {
	limit, offset, err := paging(c)
	if err != nil {
		return web.Page{}, err
	}
	f, err := deploymentFilter(c)
	if err != nil {
		return web.Page{}, err
	}
	f.Limit, f.Offset, f.Scope = limit, offset, who(c).scope
	deployments, total, err := a.opts.Store.Deployments(c.Request().Context(), f)
	if err != nil {
		return web.Page{}, err
	}
	view := web.DeploymentsView{
		Deployments: convert(deployments, wireDeployment), Status: f.Status, Environment: f.Environment, Config: f.Profile, Commit: f.Commit,
		Statuses: texts(states...), Environments: texts(environments...),
		Pager: web.NewPager("/deployments", c.QueryParams(), total, limit, offset, len(deployments)),
	}
	return web.Page{Title: "Deployments", Section: web.Deployments, Body: "deployments", View: view, Live: true}, nil
}
