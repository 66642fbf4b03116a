package api

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// maxCards is how many deployments the first page shows whole.
const maxCards = 12

// overviewPage is the first page: what is under way, and what needs a person.
func (a *API) overviewPage(c echo.Context) (web.Page, error) {
	ctx, scope := c.Request().Context(), who(c).scope
	active, total, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Active: true, Scope: scope, Limit: maxCards})
	if err != nil {
		return web.Page{}, err
	}
	held, err := a.heldProfiles(ctx, scope)
	if err != nil {
		return web.Page{}, err
	}
	view := web.OverviewView{Active: convert(active, wireDeployment), MoreActive: total - len(active), Held: held}
	return web.Page{Title: "Overview", Section: web.Overview, Body: "overview", View: view, Live: true}, nil
}

// heldProfiles are the profiles on hold within a scope, as GET /configs?held=true
// lists them.
func (a *API) heldProfiles(ctx context.Context, scope profile.Scope) ([]wire.Config, error) {
	yes := true
	records, _, err := a.opts.Store.Profiles(ctx, store.ProfileFilter{Held: &yes, Scope: scope, Limit: maxLimit})
	if err != nil {
		return nil, err
	}
	holds, err := a.holds(ctx)
	if err != nil {
		return nil, err
	}
	return convert(records, func(r profile.Record) wire.Config { return wireConfig(r, holds[r.Name]) }), nil
}
