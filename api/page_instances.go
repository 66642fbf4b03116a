package api

import (
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/fleet"
)

// instancesPage lists instances as GET /instances does.
func (a *API) instancesPage(c echo.Context) (web.Page, error) {
	page := web.Page{Title: "Instances", Section: web.Instances, Body: "instances", Live: true}
	limit, offset, err := paging(c)
	if err != nil {
		return page, err
	}
	f, err := instanceFilter(c)
	if err != nil {
		return page, err
	}
	f.Limit, f.Offset, f.Scope = limit, offset, who(c).scope
	instances, total, err := a.opts.Store.Instances(c.Request().Context(), f)
	if err != nil {
		return page, err
	}
	items, err := a.withAssignments(c, instances)
	if err != nil {
		return page, err
	}
	page.View = web.InstancesView{
		Search: f.Search, Service: f.Service, Environment: f.Environment, Health: f.Health, Version: f.ConfigVersion,
		Environments: texts(environments...), Healths: texts(healths...), Items: items, Pager: web.NewPager(c.Request().URL.Path, c.QueryParams(), total, limit, offset, len(items)),
	}
	return page, nil
}

// instancePage is one instance with all that is assigned to it.
func (a *API) instancePage(c echo.Context) (web.Page, error) {
	i, err := a.opts.Store.Instance(c.Request().Context(), c.Param("id"))
	if err != nil {
		return web.Page{}, err
	}
	items, err := a.withAssignments(c, []fleet.Instance{i})
	if err != nil {
		return web.Page{}, err
	}
	view := web.InstanceView{Instance: items[0], Assignments: items[0].Configs}
	return web.Page{Title: i.Hostname, Section: web.Instances, Body: "instance", View: view, Live: true}, nil
}
