package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const (
	orderPause  = rollout.OrderPause
	orderResume = rollout.OrderResume
	orderCancel = rollout.OrderCancel
)

func (a *API) listDeployments(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	f, err := deploymentFilter(c)
	if err != nil {
		return err
	}
	f.Limit, f.Offset, f.Scope = limit, offset, who(c).scope
	deployments, total, err := a.opts.Store.Deployments(c.Request().Context(), f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, pageOf(convert(deployments, wireDeployment), total, limit, offset))
}

func deploymentFilter(c echo.Context) (f store.DeploymentFilter, err error) {
	if err := filtered(c, "configName", "status", "environment", "commit"); err != nil {
		return f, err
	}
	f.Profile, f.Commit = c.QueryParam("configName"), c.QueryParam("commit")
	if f.Status, err = among(c, "status", states); err != nil {
		return f, err
	}
	f.Environment, err = among(c, "environment", environments)
	return f, err
}

func (a *API) getDeployment(c echo.Context) error {
	out, err := a.wholeDeployment(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// wholeDeployment is a deployment with its instances.
func (a *API) wholeDeployment(ctx context.Context, id string) (wire.Deployment, error) {
	d, err := a.opts.Store.Deployment(ctx, id)
	if err != nil {
		return wire.Deployment{}, err
	}
	targets, err := a.opts.Store.DeploymentTargets(ctx, id)
	if err != nil {
		return wire.Deployment{}, err
	}
	out := wireDeployment(d)
	out.Exposures = convert(d.Exposures, wireExposure)
	out.InstanceStatus = convert(targets, wireTarget(a.opts.Store.Clock()))
	return out, nil
}

func (a *API) deploymentHealth(c echo.Context) error {
	out, err := a.wholeDeployment(c.Request().Context(), c.Param("id"))
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

// promote ends the wait of a phase, or of every one that is left.
func (a *API) promote(c echo.Context) error {
	var req wire.PromoteRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if req.Phase < 0 || req.Phase > 0 && req.All {
		return invalidField("phase", "is that of one promotion, from 1 on; it does not go with all")
	}
	d, err := a.opts.Engine.Promote(c.Request().Context(), c.Param("id"), rollout.Promotion{All: req.All, Phase: req.Phase}, who(c).name, req.Reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wireDeployment(d))
}

func (a *API) createDeployment(c echo.Context) error {
	var req wire.CreateDeploymentRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if err := checkDeployment(req); err != nil {
		return err
	}
	return a.begin(c, req.ConfigName, func(basis *rollout.Basis) (rollout.Deployment, error) {
		d, err := a.draft(c, req)
		if err != nil {
			return d, err
		}
		if err := a.unrefused(c, d); err != nil {
			return d, err
		}
		if err := a.underWay(c, d); err != nil {
			return d, err
		}
		return a.opts.Engine.StartOn(c.Request().Context(), d, who(c).name, basis)
	})
}

// unrefused refuses content that a hold keeps away.
func (a *API) unrefused(c echo.Context, d rollout.Deployment) error {
	hold, held, err := a.opts.Store.ActiveHold(c.Request().Context(), d.Profile)
	if err != nil || !held || hold.RefusedHash != d.Hash {
		return err
	}
	return conflict(fmt.Sprintf("%s is on hold: %s was refused (%s); release the hold first, or retry the deployment that was refused", d.Profile, hold.RefusedVersion, hold.Reason))
}

// underWay refuses to begin again what is on its way: a request that was sent
// twice must not send a canary back to its first step. Nor does one for chosen instances
// end one that goes to others: it would know nothing of them.
func (a *API) underWay(c echo.Context, d rollout.Deployment) error {
	active, err := a.opts.Store.ActiveDeployment(c.Request().Context(), d.Profile)
	if errors.Is(err, rollout.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	same := active.Kind == rollout.Forward && active.Version == d.Version && active.Strategy.Type == d.Strategy.Type &&
		slices.Equal(active.Selector.Instances, d.Selector.Instances) && d.Force == ""
	if same && active.State != rollout.RollingBack {
		return conflict(fmt.Sprintf("%s of %s is on its way already, by deployment %s, which is %s", d.Version, d.Profile, active.ID, active.State))
	}
	if d.Chosen() && active.Kind == rollout.Forward && active.State != rollout.RollingBack && !within(active.Selector, d.Selector) {
		return conflict(fmt.Sprintf("deployment %s of %s is %s and goes to other instances too, which nobody would judge or send back any more: let it end, or cancel it first",
			active.ID, active.Version, active.State))
	}
	return nil
}

// within says that a selector of chosen instances names only such as another one does.
func within(s, of fleet.Selector) bool {
	return len(s.Instances) > 0 && !slices.ContainsFunc(s.Instances, func(id string) bool { return !slices.Contains(of.Instances, id) })
}

// draft makes the deployment that a request asks for.
func (a *API) draft(c echo.Context, req wire.CreateDeploymentRequest) (rollout.Deployment, error) {
	ctx, s := c.Request().Context(), a.opts.Store
	var none rollout.Deployment
	r, err := s.Profile(ctx, req.ConfigName)
	if err == nil && !who(c).sees(string(r.Environment), r.Name) {
		err = store.ErrNotFound
	}
	if err != nil {
		return none, err
	}
	if r.Retired {
		return none, conflict(retiredText(r))
	}
	v, err := s.Version(ctx, r.Name, req.ConfigVersion)
	if err != nil {
		return none, err
	}
	if v.Deprecated != "" {
		return none, conflict(fmt.Sprintf("version %s of %s is deprecated (%s): deploy another one, or take that back", v.Number, r.Name, v.Deprecated))
	}
	if err := a.underApproved(ctx, r, v); err != nil {
		return none, err
	}
	targets, err := a.chosen(ctx, r, req.TargetInstances, who(c))
	if err != nil {
		return none, err
	}
	d := rollout.Deployment{
		ID: uuid.Must(uuid.NewV7()).String(), Profile: r.Name, Kind: rollout.Forward,
		Selector: fleet.Selector{Service: r.Service, Environment: r.Environment, Labels: r.Targets.Labels, Instances: targets},
		Version:  v.Number, Hash: v.Hash, Previous: r.CurrentVersion, Strategy: r.Strategy, Health: r.Health, Windows: r.Windows,
		InitiatedBy: who(c).name, Cause: req.Reason, State: rollout.Pending, TraceID: traceID(c), TraceParent: spans.Format(ctx),
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
	if err := override(&d, req); err != nil {
		return none, err
	}
	if err := breakGlass(&d, req, who(c)); err != nil {
		return none, err
	}
	now, err := s.Now(ctx)
	d.CreatedAt = now
	return d, err
}

// maxTargets bounds the instances that one request names.
const maxTargets = 1000

// chosen checks the instances that somebody chose: a deployment for instances
// that are not there would complete with nobody to prove its version.
func (a *API) chosen(ctx context.Context, r profile.Record, ids []string, by caller) ([]string, error) {
	if len(ids) > maxTargets {
		return nil, invalidField("targetInstances", fmt.Sprintf("names at most %d", maxTargets))
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	all := fleet.Selector{Service: r.Service, Environment: r.Environment, Labels: r.Targets.Labels}
	var wrong []wire.FieldError
	for _, id := range ids {
		i, err := a.opts.Store.Instance(ctx, id)
		why := ""
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && !by.scope.Everything() && !all.Matches(i):
			why = "is not registered"
		case err != nil:
			return nil, err
		case !all.Matches(i):
			why = "is no target of " + r.Name
		case i.Liveness(a.opts.Store.Clock()) != fleet.Live:
			why = "has not been heard of for a while"
		}
		if why != "" {
			wrong = append(wrong, wire.FieldError{Field: "targetInstances", Message: id + " " + why})
		}
	}
	if len(wrong) > 0 {
		return nil, invalid("some of the instances cannot be deployed to", wrong...)
	}
	return ids, nil
}
