package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const (
	orderPause   = rollout.OrderPause
	orderResume  = rollout.OrderResume
	orderPromote = rollout.OrderPromote
	orderCancel  = rollout.OrderCancel
)

func (a *API) listDeployments(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	deployments, total, err := a.opts.Store.Deployments(c.Request().Context(), store.DeploymentFilter{
		Profile: c.QueryParam("configName"), Status: c.QueryParam("status"), Environment: c.QueryParam("environment"),
		Commit: c.QueryParam("commit"), Limit: limit, Offset: offset,
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, pageOf(convert(deployments, wireDeployment), total, limit, offset))
}

func (a *API) getDeployment(c echo.Context) error {
	out, err := a.wholeDeployment(c, c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// wholeDeployment is a deployment with its instances.
func (a *API) wholeDeployment(c echo.Context, id string) (wire.Deployment, error) {
	ctx := c.Request().Context()
	d, err := a.opts.Store.Deployment(ctx, id)
	if err != nil {
		return wire.Deployment{}, err
	}
	targets, err := a.opts.Store.DeploymentTargets(ctx, id)
	if err != nil {
		return wire.Deployment{}, err
	}
	out := wireDeployment(d)
	out.InstanceStatus = convert(targets, wireTarget(a.opts.Now()))
	return out, nil
}

func (a *API) deploymentHealth(c echo.Context) error {
	out, err := a.wholeDeployment(c, c.Param("id"))
	if err != nil {
		return err
	}
	checks, err := a.opts.Store.Checks(c.Request().Context(), out.ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wire.DeploymentHealth{Verdict: out.Verdict, Checks: convert(checks, wireCheck), Targets: out.InstanceStatus})
}

// order is the handler of one order.
func (a *API) order(o rollout.Order) echo.HandlerFunc {
	return func(c echo.Context) error {
		var req wire.ReasonRequest
		if err := decode(c, &req); err != nil {
			return err
		}
		d, err := a.opts.Engine.Order(c.Request().Context(), c.Param("id"), o, who(c).name, req.Reason)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, wireDeployment(d))
	}
}

func (a *API) createDeployment(c echo.Context) error {
	var req wire.CreateDeploymentRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	d, err := a.draft(c, req)
	if err != nil {
		return err
	}
	d, err = a.opts.Engine.Start(c.Request().Context(), d, who(c).name)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, wireDeployment(d))
}

// draft makes the deployment that a request asks for.
func (a *API) draft(c echo.Context, req wire.CreateDeploymentRequest) (rollout.Deployment, error) {
	ctx, s := c.Request().Context(), a.opts.Store
	var none rollout.Deployment
	if req.ConfigName == "" || req.ConfigVersion == "" {
		return none, invalid("configName and configVersion are required")
	}
	r, err := s.Profile(ctx, req.ConfigName)
	if err != nil {
		return none, err
	}
	v, err := s.Version(ctx, r.Name, req.ConfigVersion)
	if err != nil {
		return none, err
	}
	hold, held, err := s.ActiveHold(ctx, r.Name)
	if err != nil {
		return none, err
	}
	if held && hold.RefusedHash == v.Hash {
		return none, conflict(fmt.Sprintf("%s is on hold: %s was refused (%s); release the hold first", r.Name, hold.RefusedVersion, hold.Reason))
	}
	d := rollout.Deployment{
		ID: uuid.Must(uuid.NewV7()).String(), Profile: r.Name, Kind: rollout.Forward,
		Selector: fleet.Selector{Service: r.Service, Environment: r.Environment, Labels: r.Targets.Labels, Instances: req.TargetInstances},
		Version:  v.Number, Hash: v.Hash, Previous: r.CurrentVersion, Strategy: r.Strategy, Health: r.Health, Windows: r.Windows,
		InitiatedBy: who(c).name, Cause: req.Reason, State: rollout.Pending, TraceID: traceID(c),
	}
	if d.Cause == "" {
		d.Cause = "deployed by API"
	}
	if d.Proven, err = s.Proven(ctx, r.Name, v.Hash); err != nil {
		return none, err
	}
	if r.CurrentVersion != "" {
		previous, err := s.Version(ctx, r.Name, r.CurrentVersion)
		if err != nil {
			return none, err
		}
		d.PreviousHash = previous.Hash
	}
	if err := chooseStrategy(&d, req, who(c)); err != nil {
		return none, err
	}
	now, err := s.Now(ctx)
	d.CreatedAt = now
	return d, err
}

// chooseStrategy takes another strategy than the profile's, and breaks the
// glass for those who may.
func chooseStrategy(d *rollout.Deployment, req wire.CreateDeploymentRequest, by caller) error {
	if req.Strategy != "" {
		wanted := profile.StrategyType(req.Strategy)
		if !slices.Contains(profile.StrategyTypes(), wanted) {
			return invalidField("strategy", "is one of Canary, BlueGreen, Rolling, Direct")
		}
		if wanted != d.Strategy.Type {
			d.Strategy = profile.DefaultStrategy(wanted)
		}
	}
	if !req.Force {
		return nil
	}
	if by.role != Admin {
		return &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: "force needs the role Admin"}
	}
	if req.Reason == "" {
		return invalidField("reason", "is required with force")
	}
	d.Force = req.Reason
	return nil
}

// rollbackDeployment rolls an active deployment back, and takes a completed one
// back by a new deployment of the version before it.
func (a *API) rollbackDeployment(c echo.Context) error {
	var req wire.ReasonRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if req.Reason == "" {
		return rollout.ErrReason
	}
	ctx := c.Request().Context()
	d, err := a.opts.Store.Deployment(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	if !d.State.Final() || d.Kind != rollout.Forward {
		return a.rollBackActive(c, d.ID, req.Reason)
	}
	r, err := a.opts.Store.Profile(ctx, d.Profile)
	if err != nil {
		return err
	}
	running := d.State == rollout.Completed && r.CurrentVersion == d.Version || d.State == rollout.Failed
	if !running {
		return &rollout.StateError{Order: rollout.OrderRollback, State: d.State,
			Allowed: []rollout.State{rollout.InProgress, rollout.Paused, rollout.RollingBack, rollout.Completed, rollout.Failed}}
	}
	to := d.Previous
	if to == "" {
		return rollout.ErrNoWayBack
	}
	return a.goBack(c, r, to, d.Version, req.Reason)
}

func (a *API) rollBackActive(c echo.Context, id, reason string) error {
	d, err := a.opts.Engine.Order(c.Request().Context(), id, rollout.OrderRollback, who(c).name, reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wireDeployment(d))
}

// rollbackConfig is the emergency door of a profile.
func (a *API) rollbackConfig(c echo.Context) error {
	var req wire.ReasonRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if req.Reason == "" {
		return rollout.ErrReason
	}
	ctx := c.Request().Context()
	r, err := a.opts.Store.Profile(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	active, err := a.opts.Store.ActiveDeployment(ctx, r.Name)
	if err != nil && !errors.Is(err, rollout.ErrNotFound) {
		return err
	}
	if err == nil {
		fits := req.ToVersion == "" || req.ToVersion == active.Previous
		switch {
		case active.Kind == rollout.Rollback && (req.ToVersion == "" || req.ToVersion == active.Version):
			return c.JSON(http.StatusOK, wireDeployment(active)) // asked again
		case active.Kind == rollout.Forward && fits && active.Previous != "" && active.State != rollout.Pending:
			return a.rollBackActive(c, active.ID, req.Reason)
		}
	}
	to, err := a.rollbackTarget(c, r, req.ToVersion)
	if err != nil {
		return err
	}
	return a.goBack(c, r, to, r.CurrentVersion, req.Reason)
}

// rollbackTarget is the version asked for, or the last completed one before the
// current one. Only what completed before may come back without a canary.
func (a *API) rollbackTarget(c echo.Context, r profile.Record, asked string) (string, error) {
	completed, err := a.opts.Store.CompletedVersions(c.Request().Context(), r.Name)
	if err != nil {
		return "", err
	}
	if asked != "" {
		if !slices.Contains(completed, asked) {
			return "", conflict(fmt.Sprintf("version %s never completed on %s, so it cannot be rolled back to", asked, r.Name))
		}
		return asked, nil
	}
	for _, number := range completed {
		if number != r.CurrentVersion {
			return number, nil
		}
	}
	return "", rollout.ErrNoWayBack
}

func (a *API) goBack(c echo.Context, r profile.Record, toNumber, fromNumber, reason string) error {
	ctx := c.Request().Context()
	to, err := a.opts.Store.Version(ctx, r.Name, toNumber)
	if err != nil {
		return err
	}
	from, err := a.opts.Store.Version(ctx, r.Name, fromNumber)
	if err != nil {
		return err
	}
	d, err := a.opts.Engine.RollbackProfile(ctx, rollout.Back{
		Record: r, To: to, Refused: from, ID: uuid.Must(uuid.NewV7()).String(), Actor: who(c).name, Reason: reason,
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wireDeployment(d))
}
