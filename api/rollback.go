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

// wayBack is how a rollback would be done, decided and not yet carried out.
// Exactly one of turn, back and already is set.
type wayBack struct {
	turn    *rollout.Deployment // active, and turned round
	back    *backTo             // by a new deployment
	already *rollout.Deployment // asked again: this is the rollback
}

// backTo is where a new deployment goes back from and to.
type backTo struct {
	record   profile.Record
	to, from string // versions
}

// rollbackDeployment rolls an active deployment back, and takes a completed one
// back by a new deployment of the version before it.
func (a *API) rollbackDeployment(c echo.Context) error {
	req, err := rollbackRequest(c)
	if err != nil {
		return err
	}
	d, err := a.RollBack(c.Request().Context(), c.Param("id"), who(c).name, req.Reason)
	return answerDeployment(c, d, err)
}

func rollbackRequest(c echo.Context) (req wire.ReasonRequest, err error) {
	if err := decode(c, &req); err != nil {
		return req, err
	}
	if req.Reason == "" {
		return req, rollout.ErrReason
	}
	return req, nil
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
	by := order{actor, reason}
	return a.settleOn(ctx, d.Profile, func(basis *rollout.Basis) (rollout.Deployment, error) {
		way, err := a.wayOfDeployment(ctx, id)
		if err != nil {
			return d, err
		}
		return a.carryOut(ctx, way, by, basis)
	})
}

// order says who asks for a rollback, and why.
type order struct{ actor, reason string }

func answerDeployment(c echo.Context, d rollout.Deployment, err error) error {
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wireDeployment(d))
}

// carryOut goes the way that was decided; ErrStale when the deployment to turn
// round has ended since, so that another way is to be found.
func (a *API) carryOut(ctx context.Context, way wayBack, by order, basis *rollout.Basis) (rollout.Deployment, error) {
	switch {
	case way.already != nil:
		return *way.already, nil
	case way.turn != nil:
		d, err := a.opts.Engine.RollBack(ctx, *way.turn, by.actor, by.reason)
		if ended, ok := errors.AsType[*rollout.StateError](err); ok && ended.State.Final() && !way.turn.State.Final() {
			return d, fmt.Errorf("%w: %w", rollout.ErrStale, err)
		}
		return d, err
	}
	return a.goBack(ctx, *way.back, by, basis)
}

// wayOfDeployment turns an active deployment round, and undoes one that ended as
// long as what it brought still runs. Asked again, it is the same rollback.
func (a *API) wayOfDeployment(ctx context.Context, id string) (way wayBack, err error) {
	d, err := a.opts.Store.Deployment(ctx, id)
	if err != nil {
		return way, err
	}
	if !d.State.Final() || d.Kind != rollout.Forward {
		return wayBack{turn: &d}, nil
	}
	if err := rollout.MayTakeBack(d); err != nil {
		return way, err
	}
	newest, _, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Profile: d.Profile, Limit: 1})
	if err != nil {
		return way, err
	}
	if len(newest) == 1 && newest[0].Kind == rollout.Rollback && newest[0].Previous == d.Version && newest[0].Version == d.Previous {
		return wayBack{already: &newest[0]}, nil
	}
	r, err := a.opts.Store.Profile(ctx, d.Profile)
	if err != nil {
		return way, err
	}
	runs := d.State == rollout.Completed && !d.Chosen() && r.CurrentVersion == d.Version ||
		d.RunsBeside() && len(newest) == 1 && newest[0].ID == d.ID
	if !runs {
		return way, a.movedOn(ctx, d, r.CurrentVersion)
	}
	if d.Previous == "" {
		return way, rollout.ErrNoWayBack
	}
	if !d.HasWayBack() {
		return way, conflict(fmt.Sprintf("before this deployment %s ran %s, which has the content of %s: there is nothing to take back; roll its profile back", d.Profile, d.Previous, d.Version))
	}
	return wayBack{back: &backTo{record: r, to: d.Previous, from: d.Version}}, nil
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
	req, err := rollbackRequest(c)
	if err != nil {
		return err
	}
	d, err := a.rollBackProfile(c.Request().Context(), c.Param("name"), req.ToVersion, order{who(c).name, req.Reason})
	return answerDeployment(c, d, err)
}

func (a *API) rollBackProfile(ctx context.Context, name, toVersion string, by order) (rollout.Deployment, error) {
	return settle(func(last bool) (none rollout.Deployment, err error) {
		ground, err := a.opts.Store.Ground(ctx, name)
		if err != nil {
			return none, err
		}
		way, err := a.wayOn(ctx, ground, toVersion)
		if err != nil {
			return none, err
		}
		basis := &ground.Basis
		if last {
			basis = nil
		}
		return a.carryOut(ctx, way, by, basis)
	})
}

// wayOfProfile is the way back of a profile as it is.
func (a *API) wayOfProfile(ctx context.Context, name, toVersion string) (wayBack, error) {
	ground, err := a.opts.Store.Ground(ctx, name)
	if err != nil {
		return wayBack{}, err
	}
	return a.wayOn(ctx, ground, toVersion)
}

// wayOn turns an active canary round, takes back what one that ended left running beside
// the current version, or goes back to the version asked for, or to the last completed
// one of other content than the current one.
func (a *API) wayOn(ctx context.Context, ground store.Ground, toVersion string) (way wayBack, err error) {
	r, last := ground.Record, rollout.Deployment{State: rollout.Cancelled}
	if ground.Last != nil {
		last = *ground.Last
	}
	active := !last.State.Final()
	before := last.HasWayBack() && (toVersion == "" || toVersion == last.Previous)
	// What runs somewhere and is to go: a canary's version, or the current one.
	bad := r.CurrentVersion
	switch {
	case active && last.Kind == rollout.Rollback && (toVersion == "" || toVersion == last.Version):
		return wayBack{already: &last}, nil // asked again
	case active && last.Kind == rollout.Forward && last.State != rollout.Pending:
		if before {
			return wayBack{turn: &last}, nil
		}
		bad = last.Version
	case last.RunsBeside() && last.HasWayBack():
		if before {
			return wayBack{back: &backTo{record: r, to: last.Previous, from: last.Version}}, nil
		}
		bad = last.Version
	}
	to, err := a.rollbackTarget(ctx, r, toVersion)
	if err != nil {
		return way, err
	}
	if bad == "" { // what completed came to run while this was read
		return way, rollout.ErrStale
	}
	if to == bad {
		return way, conflict(fmt.Sprintf("%s is the version that runs; %s to go to another one", to, giveVersion))
	}
	return wayBack{back: &backTo{record: r, to: to, from: bad}}, nil
}

// giveVersion is what a refusal asks for, in the words of the API: a page has
// another way to say it.
const giveVersion = "give toVersion"

// rolledBack refuses to guess a target for a profile that was rolled back
// already: whoever asks again, or did not see that the gate was faster, would
// be taken a version further back, or onto the one that was just refused.
func (a *API) rolledBack(ctx context.Context, r profile.Record) error {
	hold, held, err := a.opts.Store.ActiveHold(ctx, r.Name)
	if err != nil || !held || hold.PinnedVersion != r.CurrentVersion {
		return err
	}
	return conflict(fmt.Sprintf("%s was rolled back from %s to %s already, by %s (%s); %s to go to another version",
		r.Name, hold.RefusedVersion, hold.PinnedVersion, hold.Actor, hold.Reason, giveVersion))
}

// rollbackTarget is the version asked for, or the last completed one before the
// current one that has other content. Only what completed before may come back without a canary.
func (a *API) rollbackTarget(ctx context.Context, r profile.Record, asked string) (string, error) {
	completed, err := a.opts.Store.CompletedVersions(ctx, r.Name)
	if err != nil {
		return "", err
	}
	if asked != "" {
		if !slices.ContainsFunc(completed, func(v store.CompletedVersion) bool { return v.Number == asked }) {
			return "", conflict(fmt.Sprintf("version %s never completed on %s, so it cannot be rolled back to", asked, r.Name))
		}
		return asked, nil
	}
	if err := a.rolledBack(ctx, r); err != nil {
		return "", err
	}
	content := "" // of the current one: a revert brought it under another number
	for _, v := range completed {
		if v.Number == r.CurrentVersion {
			content = v.Hash
		}
	}
	for _, v := range completed {
		if v.Number != r.CurrentVersion && v.Hash != content {
			return v.Number, nil
		}
	}
	return "", rollout.ErrNoWayBack
}

func (a *API) goBack(ctx context.Context, way backTo, by order, basis *rollout.Basis) (none rollout.Deployment, err error) {
	back, err := a.backOf(ctx, way, by)
	if err != nil {
		return none, err
	}
	back.Basis = basis
	return a.opts.Engine.RollbackProfile(ctx, back)
}

// backOf is what the engine needs to go a way back.
func (a *API) backOf(ctx context.Context, way backTo, by order) (none rollout.Back, err error) {
	to, err := a.opts.Store.Version(ctx, way.record.Name, way.to)
	if err != nil {
		return none, err
	}
	from, err := a.opts.Store.Version(ctx, way.record.Name, way.from)
	if err != nil {
		return none, err
	}
	if to.Hash == from.Hash { // a hold would refuse what runs
		return none, conflict(fmt.Sprintf("%s has the content of %s, which is to go: %s to go to another one", to.Number, from.Number, giveVersion))
	}
	return rollout.Back{
		Record: way.record, To: to, Refused: from, ID: uuid.Must(uuid.NewV7()).String(), Actor: by.actor, Reason: by.reason,
	}, nil
}
