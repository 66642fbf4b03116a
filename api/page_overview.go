package api

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const (
	// maxCards is how many deployments the first page shows whole.
	maxCards = 12
	// maxRows is how many it lists of each kind beside them.
	maxRows = 20
	// today is how far back it looks.
	today = 24 * time.Hour
)

// overviewPage is the first page: what is under way, and what needs a person.
func (a *API) overviewPage(c echo.Context) (web.Page, error) {
	ctx, scope := c.Request().Context(), who(c).scope
	var view web.OverviewView
	for _, part := range []func(context.Context, profile.Scope, *web.OverviewView) error{
		a.cards, a.needsSomebody, a.endedToday, a.firstSteps,
	} {
		if err := part(ctx, scope, &view); err != nil {
			return web.Page{}, err
		}
	}
	return web.Page{Title: "Overview", Section: web.Overview, Body: "overview", View: view, Live: true}, nil
}

func (a *API) cards(ctx context.Context, scope profile.Scope, view *web.OverviewView) error {
	active, total, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Active: true, Scope: scope, Limit: maxCards})
	if err != nil {
		return err
	}
	view.Active, view.MoreActive = convert(active, wireDeployment), total-len(active)
	return nil
}

// needsSomebody finds what does not go on, or not well, without a person.
func (a *API) needsSomebody(ctx context.Context, scope profile.Scope, view *web.OverviewView) error {
	waiting, total, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{ForPerson: true, Scope: scope, Limit: maxRows})
	if err != nil {
		return err
	}
	view.Waiting, view.MoreWaits = convert(waiting, wireDeployment), total-len(waiting)
	if view.Held, err = a.heldProfiles(ctx, scope); err != nil {
		return err
	}
	sources, err := a.sourceItems(ctx, scope)
	if err != nil {
		return err
	}
	for _, s := range sources {
		if s.LastError != "" || s.PullRequestsError != "" || s.Unusable > 0 {
			view.Failing = append(view.Failing, s)
		}
	}
	unwell, err := a.opts.Store.UnwellServices(ctx, scope)
	view.Unwell = convert(unwell, func(s store.ServiceState) web.ServiceState {
		return web.ServiceState{
			Service: s.Service, Environment: string(s.Environment),
			Instances: s.Instances, Unhealthy: s.Unhealthy, Degraded: s.Degraded, Silent: s.Silent,
		}
	})
	return err
}

// endings are in the order that they are counted in: what went wrong is not last.
var endings = []rollout.State{rollout.Completed, rollout.RolledBack, rollout.Failed, rollout.Superseded, rollout.Cancelled}

func (a *API) endedToday(ctx context.Context, scope profile.Scope, view *web.OverviewView) error {
	newest, counts, err := a.opts.Store.Ended(ctx, scope, a.opts.Store.Clock().Add(-today), maxRows)
	if err != nil {
		return err
	}
	view.Ended = convert(newest, wireDeployment)
	for _, state := range endings {
		if n := counts[state]; n > 0 {
			view.Outcomes = append(view.Outcomes, web.Outcome{Status: string(state), Count: n})
		}
	}
	return nil
}

// firstSteps says what to do where nothing ever happened. Somebody who sees a part
// of it all only is not the one to do it.
func (a *API) firstSteps(ctx context.Context, scope profile.Scope, view *web.OverviewView) error {
	if !scope.Everything() || len(view.Active)+len(view.Ended)+len(view.Held) > 0 {
		return nil
	}
	_, profiles, err := a.opts.Store.Profiles(ctx, store.ProfileFilter{Limit: 1})
	if err != nil {
		return err
	}
	_, instances, err := a.opts.Store.Instances(ctx, store.InstanceFilter{Limit: 1})
	if err != nil {
		return err
	}
	if profiles > 0 && instances > 0 {
		return nil
	}
	sources, err := a.sourceItems(ctx, scope)
	view.First = &web.FirstSteps{Sources: sources, Profiles: profiles, Instances: instances, Server: a.opts.ExternalURL}
	return err
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
