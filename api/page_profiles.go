package api

import (
	"context"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// maxSearch is longer than any name.
const maxSearch = 300

// profilesPage lists profiles, with what runs beside what their origin says.
func (a *API) profilesPage(c echo.Context) (web.Page, error) {
	limit, offset, err := paging(c)
	if err != nil {
		return web.Page{}, err
	}
	asked, f, err := searched(c)
	if err != nil {
		return web.Page{}, err
	}
	f.Limit, f.Offset, f.Scope = limit, offset, who(c).scope
	ctx := c.Request().Context()
	records, total, err := a.opts.Store.Profiles(ctx, f)
	if err != nil {
		return web.Page{}, err
	}
	rows, err := a.profileRows(ctx, records)
	if err != nil {
		return web.Page{}, err
	}
	sources, err := a.opts.Store.SourcesWithin(ctx, f.Scope)
	if err != nil {
		return web.Page{}, err
	}
	view := web.ProfilesView{
		Rows: rows, Filter: asked, Pager: web.NewPager(c.Request().URL.Path, c.QueryParams(), total, limit, offset, len(rows)),
		Environments: texts(environments...), ServiceTypes: texts(serviceTypes...),
		Sources: convert(sources, func(s store.Source) string { return s.ID }),
	}
	return web.Page{Title: "Profiles", Section: web.Profiles, Body: "profiles", View: view, Live: true}, nil
}

// searched reads the filters of the list. Without a word on it, retired profiles
// are left out.
func searched(c echo.Context) (asked web.ProfileFilter, f store.ProfileFilter, err error) {
	asked = web.ProfileFilter{
		Search: strings.TrimSpace(c.QueryParam("q")), Environment: c.QueryParam("environment"), ServiceType: c.QueryParam("serviceType"),
		Source: c.QueryParam("source"), Held: c.QueryParam("held"), Retired: c.QueryParam("retired"),
	}
	if len(asked.Search) > maxSearch {
		return asked, f, invalidField("q", "is a part of a profile's name")
	}
	f.Search, f.Source = asked.Search, asked.Source
	if f.Environment, err = among(c, "environment", environments); err != nil {
		return asked, f, err
	}
	if f.ServiceType, err = among(c, "serviceType", serviceTypes); err != nil {
		return asked, f, err
	}
	if f.Held, err = yesOrNo(c, "held"); err != nil {
		return asked, f, err
	}
	switch no := false; asked.Retired {
	case "any":
	case "":
		f.Retired = &no
	default:
		f.Retired, err = yesOrNo(c, "retired")
	}
	return asked, f, err
}

// profileRows adds to profiles what is known of them elsewhere: their holds, and
// their deployments under way.
func (a *API) profileRows(ctx context.Context, records []profile.Record) ([]web.ProfileRow, error) {
	holds, err := a.holds(ctx)
	if err != nil {
		return nil, err
	}
	active, err := a.opts.Store.ActiveAmong(ctx, convert(records, func(r profile.Record) string { return r.Name }))
	if err != nil {
		return nil, err
	}
	return convert(records, func(r profile.Record) web.ProfileRow {
		var under *rollout.Deployment
		if d, ok := active[r.Name]; ok {
			under = &d
		}
		return profileRow(wireConfig(r, holds[r.Name]), under)
	}), nil
}

func profileRow(c wire.Config, active *rollout.Deployment) web.ProfileRow {
	row := web.ProfileRow{Config: c}
	if active != nil {
		d := wireDeployment(*active)
		row.Active = &d
	}
	row.Standing = web.StandingOf(c, row.Active)
	return row
}
