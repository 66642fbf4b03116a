package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/rollout"
)

// retryDeployment tries again what a deployment brought, the way the profile says
// now. It is an explicit decision: a hold that refuses that content ends by it.
func (a *API) retryDeployment(c echo.Context) error {
	var req wire.RetryRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	d, err := a.retried(c, req)
	return answerBegun(c, d, err)
}

// retried is the deployment that tries again.
func (a *API) retried(c echo.Context, req wire.RetryRequest) (none rollout.Deployment, err error) {
	if strings.TrimSpace(req.Reason) == "" {
		return none, rollout.ErrReason
	}
	ctx := c.Request().Context()
	old, err := a.opts.Store.Deployment(ctx, c.Param("id"))
	if err != nil {
		return none, err
	}
	if err := rollout.MayRetry(old); err != nil {
		return none, err
	}
	return a.settleOn(ctx, old.Profile, func(basis *rollout.Basis) (rollout.Deployment, error) {
		d, err := a.draft(c, wire.CreateDeploymentRequest{
			ConfigName: old.Profile, ConfigVersion: old.Version, TargetInstances: old.Selector.Instances, Reason: req.Reason, Force: req.Force,
		})
		if err != nil {
			return d, err
		}
		d.RetryOf = old.ID
		if err := a.underWay(c, d); err != nil {
			return d, err
		}
		return a.opts.Engine.Retry(ctx, d, who(c).name, basis)
	})
}

// begin answers with a new deployment. It is decided again when others were
// quicker, so that each is told what the others did.
func (a *API) begin(c echo.Context, name string, start func(*rollout.Basis) (rollout.Deployment, error)) error {
	d, err := a.settleOn(c.Request().Context(), name, start)
	return answerBegun(c, d, err)
}

func answerBegun(c echo.Context, d rollout.Deployment, err error) error {
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, "/api/v1/deployments/"+d.ID)
	return c.JSON(http.StatusCreated, wireDeployment(d))
}

// tries is how often a new deployment is decided while others may change its
// profile. Those who were quicker each time are superseded after that.
const tries = 4

// settle decides, and again when what it was decided on was not so any more. The last
// time it rests on nothing.
func settle(decide func(last bool) (rollout.Deployment, error)) (rollout.Deployment, error) {
	for range tries {
		d, err := decide(false)
		if !errors.Is(err, rollout.ErrStale) {
			return d, err
		}
	}
	return decide(true)
}

// settleOn does so on what the profile is.
func (a *API) settleOn(ctx context.Context, name string, decide func(*rollout.Basis) (rollout.Deployment, error)) (rollout.Deployment, error) {
	return settle(func(last bool) (rollout.Deployment, error) {
		if last {
			return decide(nil)
		}
		basis, err := a.opts.Store.Basis(ctx, name)
		if err != nil {
			return rollout.Deployment{}, err
		}
		return decide(&basis)
	})
}
