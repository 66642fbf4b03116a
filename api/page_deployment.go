package api

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// deploymentPage is the page that a commit status links to: all that there is to
// know about one deployment, and what may be asked of it.
func (a *API) deploymentPage(c echo.Context) (web.Page, error) {
	ctx, id := c.Request().Context(), c.Param("id")
	told, err := a.Report(ctx, id)
	if err != nil {
		return web.Page{}, err
	}
	view := web.DeploymentView{Report: told, Fleet: web.NewFleetView(told.Deployment, c.QueryParam("all") != ""), Gate: web.NewGate(told)}
	if view.Orders, err = a.ordersFor(c, id); err != nil {
		return web.Page{}, err
	}
	if view.CommitURL, view.PullRequestURL, err = a.atForge(ctx, told.Deployment); err != nil {
		return web.Page{}, err
	}
	d := told.Deployment
	return web.Page{
		Title: d.ConfigName + " " + d.ConfigVersion + ": " + d.Status, Section: web.Deployments, Body: "deployment", View: view, Live: true,
	}, nil
}

// reportPage is the incident report of a deployment.
func (a *API) reportPage(c echo.Context) (web.Page, error) {
	ctx := c.Request().Context()
	told, err := a.Report(ctx, c.Param("id"))
	if err != nil {
		return web.Page{}, err
	}
	view := web.DeploymentView{Report: told, Gate: web.NewGate(told)}
	if view.CommitURL, view.PullRequestURL, err = a.atForge(ctx, told.Deployment); err != nil {
		return web.Page{}, err
	}
	d := told.Deployment
	return web.Page{Title: "Report on " + d.ConfigName + " " + d.ConfigVersion, Section: web.Deployments, Body: "report", View: view, Live: !web.Ended(d)}, nil
}

func deploymentPath(id string) string { return "/deployments/" + url.PathEscape(id) }

// atForge is where the forge shows what a deployment came from.
func (a *API) atForge(ctx context.Context, d wire.Deployment) (commit, pullRequest string, err error) {
	if d.Source == "" || d.Commit == "" {
		return "", "", nil
	}
	sources, err := a.opts.Store.Sources(ctx)
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(sources, func(s store.Source) bool { return s.ID == d.Source })
	if i < 0 {
		return "", "", nil
	}
	return web.CommitURL(sources[i].URL, d.Commit), web.PullRequestURL(sources[i].URL, d.PullRequest), nil
}

// ordersFor are the orders that the deployment may be given now by whoever looks.
func (a *API) ordersFor(c echo.Context, id string) (orders web.Orders, err error) {
	if by := who(c); !operator(&by, c) {
		return orders, nil
	}
	ctx := c.Request().Context()
	d, err := a.opts.Store.Deployment(ctx, id)
	if err != nil {
		return orders, err
	}
	orders = web.Orders{
		Pause: rollout.May(d, rollout.OrderPause) == nil, Resume: rollout.May(d, rollout.OrderResume) == nil,
		Cancel: rollout.May(d, rollout.OrderCancel) == nil, Retry: rollout.MayRetry(d) == nil,
		Promote: rollout.MayPromote(d, rollout.Promotion{}) == nil, PromoteAll: rollout.MayPromote(d, rollout.Promotion{All: true}) == nil,
		Phase: d.Phase + 1,
	}
	orders.RollBack, err = a.mayRollBack(ctx, d)
	return orders, err
}

// mayRollBack says whether there is something to take back. What has not begun is
// cancelled, which comes to the same.
func (a *API) mayRollBack(ctx context.Context, d rollout.Deployment) (bool, error) {
	if d.State == rollout.Pending || d.State == rollout.RollingBack || d.Kind != rollout.Forward {
		return false, nil
	}
	if !d.State.Final() {
		return rollout.May(d, rollout.OrderRollback) == nil && d.Previous != "", nil
	}
	way, err := a.wayOfDeployment(ctx, d.ID)
	if a.refuses(err) {
		return false, nil
	}
	return way.back != nil, err
}

// refuses says that an error is about what is, and not about the daemon.
func (a *API) refuses(err error) bool {
	if _, ok := errors.AsType[*rollout.StateError](err); ok {
		return true
	}
	return IsConflict(err) || errors.Is(err, rollout.ErrNoWayBack)
}
