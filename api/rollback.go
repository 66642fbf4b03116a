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
	d, err := a.RollBack(c.Request().Context(), c.Param("id"), who(c).name, req.Reason)
	return answerDeployment(c, d, err)
}

// RollBack rolls an active deployment back, and takes a completed one back by a
// new deployment of the version before it. It returns rollout.ErrReason,
// rollout.ErrNoWayBack, a *rollout.StateError, or an error that Conflicts for
// one whose version does not run any more.
func (a *API) RollBack(ctx context.Context, id, actor, reason string) (rollout.Deployment, error) {
	d, err := a.opts.Store.Deployment(ctx, id)
	if err != nil {
		return d, err
	}
	if !d.State.Final() || d.Kind != rollout.Forward {
		d, err = a.opts.Engine.Order(ctx, d.ID, rollout.OrderRollback, actor, reason)
		if ended, ok := errors.AsType[*rollout.StateError](err); !ok || d.Kind != rollout.Forward || !mayTakeBack(ended.State) {
			return d, err
		}
		if d, err = a.opts.Store.Deployment(ctx, d.ID); err != nil { // as it ended in this moment
			return d, err
		}
	}
	if err := rollout.MayTakeBack(d); err != nil {
		return d, err
	}
	return a.settle(ctx, d.Profile, func(basis *rollout.Basis) (rollout.Deployment, error) {
		return a.takeBack(ctx, d, order{actor, reason}, basis)
	})
}

// order says who asks for a rollback, and why.
type order struct{ actor, reason string }

// mayTakeBack says that a deployment in this state may be taken back by a new one.
func mayTakeBack(s rollout.State) bool { return s == rollout.Completed || s == rollout.Failed }

func answerDeployment(c echo.Context, d rollout.Deployment, err error) error {
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wireDeployment(d))
}

// takeBack undoes a deployment that ended, as long as what it brought still
// runs. Asked again, it is the same rollback.
func (a *API) takeBack(ctx context.Context, d rollout.Deployment, by order, basis *rollout.Basis) (rollout.Deployment, error) {
	newest, _, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Profile: d.Profile, Limit: 1})
	if err != nil {
		return d, err
	}
	if len(newest) == 1 && newest[0].Kind == rollout.Rollback && newest[0].Previous == d.Version && newest[0].Version == d.Previous {
		return newest[0], nil
	}
	r, err := a.opts.Store.Profile(ctx, d.Profile)
	if err != nil {
		return d, err
	}
	runs := d.State == rollout.Completed && r.CurrentVersion == d.Version ||
		d.State == rollout.Failed && len(newest) == 1 && newest[0].ID == d.ID
	if !runs {
		return d, a.movedOn(ctx, d, r.CurrentVersion)
	}
	if d.Previous == "" {
		return d, rollout.ErrNoWayBack
	}
	return a.goBack(ctx, r, d.Previous, d.Version, by, basis)
}

// movedOn says what runs instead of what a deployment brought, and since which one.
func (a *API) movedOn(ctx context.Context, d rollout.Deployment, current string) error {
	by := ""
	brought, err := a.opts.Store.BroughtBy(ctx, d.Profile, current)
	switch {
	case err == nil:
		by = fmt.Sprintf(", brought by deployment %s, %s", brought.ID, brought.Explanation)
	case !errors.Is(err, rollout.ErrNotFound):
		return err
	}
	return conflict(fmt.Sprintf("what this deployment brought, %s, does not run any more: %s runs %s%s; roll that one back, or give its profile a version to go to",
		d.Version, d.Profile, current, by))
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
	d, err := a.settle(c.Request().Context(), c.Param("name"), func(basis *rollout.Basis) (rollout.Deployment, error) {
		return a.emergency(c, req, basis)
	})
	return answerDeployment(c, d, err)
}

func (a *API) emergency(c echo.Context, req wire.ReasonRequest, basis *rollout.Basis) (none rollout.Deployment, err error) {
	ctx := c.Request().Context()
	r, err := a.opts.Store.Profile(ctx, c.Param("name"))
	if err != nil {
		return none, err
	}
	active, err := a.opts.Store.ActiveDeployment(ctx, r.Name)
	if err != nil && !errors.Is(err, rollout.ErrNotFound) {
		return none, err
	}
	on := err == nil
	// What runs somewhere and is to go: a canary's version, or the current one.
	bad := r.CurrentVersion
	if on && active.Kind == rollout.Forward && active.State != rollout.Pending {
		if active.Previous != "" && (req.ToVersion == "" || req.ToVersion == active.Previous) {
			return a.orderBack(c, active.ID, req.Reason)
		}
		bad = active.Version
	}
	if on && active.Kind == rollout.Rollback && (req.ToVersion == "" || req.ToVersion == active.Version) {
		return active, nil // asked again
	}
	to, err := a.rollbackTarget(c, r, req.ToVersion)
	if err != nil {
		return none, err
	}
	if bad == "" { // what completed came to run while this was read
		return none, rollout.ErrStale
	}
	if to == bad {
		return none, conflict(fmt.Sprintf("%s is the version that runs; give toVersion to go to another one", to))
	}
	return a.goBack(ctx, r, to, bad, order{who(c).name, req.Reason}, basis)
}

// orderBack rolls an active deployment back; ErrStale when it has just ended.
func (a *API) orderBack(c echo.Context, id, reason string) (rollout.Deployment, error) {
	d, err := a.opts.Engine.Order(c.Request().Context(), id, rollout.OrderRollback, who(c).name, reason)
	if ended, ok := errors.AsType[*rollout.StateError](err); ok && ended.State.Final() {
		return d, fmt.Errorf("%w: %w", rollout.ErrStale, err)
	}
	return d, err
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

func (a *API) goBack(ctx context.Context, r profile.Record, toNumber, fromNumber string, by order, basis *rollout.Basis) (none rollout.Deployment, err error) {
	to, err := a.opts.Store.Version(ctx, r.Name, toNumber)
	if err != nil {
		return none, err
	}
	from, err := a.opts.Store.Version(ctx, r.Name, fromNumber)
	if err != nil {
		return none, err
	}
	return a.opts.Engine.RollbackProfile(ctx, rollout.Back{
		Record: r, To: to, Refused: from, ID: uuid.Must(uuid.NewV7()).String(), Actor: by.actor, Reason: by.reason, Basis: basis,
	})
}
