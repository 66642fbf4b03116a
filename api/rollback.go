package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

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
	if d.State != rollout.Completed && d.State != rollout.Failed {
		return &rollout.StateError{Order: rollout.OrderRollback, State: d.State,
			Allowed: []rollout.State{rollout.InProgress, rollout.Paused, rollout.RollingBack, rollout.Completed, rollout.Failed}}
	}
	return a.takeBack(c, d, req.Reason)
}

// takeBack undoes a deployment that ended, as long as what it brought still
// runs. Asked again, it is the same rollback.
func (a *API) takeBack(c echo.Context, d rollout.Deployment, reason string) error {
	ctx := c.Request().Context()
	newest, _, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Profile: d.Profile, Limit: 1})
	if err != nil {
		return err
	}
	if len(newest) == 1 && newest[0].Kind == rollout.Rollback && newest[0].Previous == d.Version && newest[0].Version == d.Previous {
		return c.JSON(http.StatusOK, wireDeployment(newest[0]))
	}
	r, err := a.opts.Store.Profile(ctx, d.Profile)
	if err != nil {
		return err
	}
	runs := d.State == rollout.Completed && r.CurrentVersion == d.Version ||
		d.State == rollout.Failed && len(newest) == 1 && newest[0].ID == d.ID
	if !runs {
		return conflict(fmt.Sprintf("what this deployment brought does not run any more: %s is on %s", d.Profile, r.CurrentVersion))
	}
	if d.Previous == "" {
		return rollout.ErrNoWayBack
	}
	return a.goBack(c, r, d.Previous, d.Version, reason)
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
	on := err == nil
	// What runs somewhere and is to go: a canary's version, or the current one.
	bad := r.CurrentVersion
	if on && active.Kind == rollout.Forward && active.State != rollout.Pending {
		if active.Previous != "" && (req.ToVersion == "" || req.ToVersion == active.Previous) {
			return a.rollBackActive(c, active.ID, req.Reason)
		}
		bad = active.Version
	}
	if on && active.Kind == rollout.Rollback && (req.ToVersion == "" || req.ToVersion == active.Version) {
		return c.JSON(http.StatusOK, wireDeployment(active)) // asked again
	}
	to, err := a.rollbackTarget(c, r, req.ToVersion)
	if err != nil {
		return err
	}
	if to == bad {
		return conflict(fmt.Sprintf("%s is the version that runs; give toVersion to go to another one", to))
	}
	return a.goBack(c, r, to, bad, req.Reason)
}

// rolledBack refuses to guess a target for a profile that was rolled back
// already: whoever asks again, or did not see that the gate was faster, would
// be taken a version further back, or onto the one that was just refused.
func (a *API) rolledBack(c echo.Context, r profile.Record) error {
	hold, held, err := a.opts.Store.ActiveHold(c.Request().Context(), r.Name)
	if err != nil || !held || hold.PinnedVersion != r.CurrentVersion {
		return err
	}
	return conflict(fmt.Sprintf("%s was rolled back from %s to %s already, by %s (%s); give toVersion to go to another version",
		r.Name, hold.RefusedVersion, hold.PinnedVersion, hold.Actor, hold.Reason))
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
	if err := a.rolledBack(c, r); err != nil {
		return "", err
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
