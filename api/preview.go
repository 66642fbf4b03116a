package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// The kinds of a preview.
const (
	previewTurn   = "TurnRound"
	previewCancel = "Cancellation"
	previewNew    = "NewDeployment"
	previewOn     = "UnderWay"
)

// noReason stands for the reason that nobody has given yet.
const noReason = "preview"

func (a *API) previewConfigRollback(c echo.Context) error {
	way, err := a.wayOfProfile(c.Request().Context(), c.Param("name"), c.QueryParam("toVersion"))
	return a.answerPreview(c, way, err)
}

func (a *API) previewDeploymentRollback(c echo.Context) error {
	way, err := a.wayOfDeployment(c.Request().Context(), c.Param("id"))
	return a.answerPreview(c, way, err)
}

func (a *API) answerPreview(c echo.Context, way wayBack, err error) error {
	if err != nil {
		return err
	}
	out, err := a.previewWay(c, way)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

func (a *API) previewWay(c echo.Context, way wayBack) (out wire.RollbackPreview, err error) {
	ctx, by := c.Request().Context(), order{who(c).name, noReason}
	switch {
	case way.already != nil:
		out = previewUnderWay(*way.already)
	case way.turn != nil:
		out, err = a.previewTurn(ctx, *way.turn, rollout.OrderRollback, by)
	default:
		out, err = a.previewBack(ctx, *way.back, by)
	}
	if err != nil {
		return out, err
	}
	return out, a.previewChanges(ctx, &out)
}

func previewUnderWay(d rollout.Deployment) wire.RollbackPreview {
	out := wire.RollbackPreview{ConfigName: d.Profile, Kind: previewOn, DeploymentID: d.ID, FromVersion: d.Previous, ToVersion: d.Version}
	if d.Kind == rollout.Forward { // one that is going back
		out.FromVersion, out.ToVersion = d.Version, d.Previous
	}
	out.Explanation = "this rollback was asked for already: " + d.Explanation
	return out
}

// previewTurn is for an active deployment, that a rollback or a cancellation ends.
func (a *API) previewTurn(ctx context.Context, d rollout.Deployment, o rollout.Order, by order) (out wire.RollbackPreview, err error) {
	if d.State == rollout.RollingBack && o == rollout.OrderRollback {
		return previewUnderWay(d), nil
	}
	dec, err := a.opts.Engine.ForeseeOrder(ctx, d.ID, o, by.actor, by.reason)
	if err != nil {
		return out, err
	}
	out = wire.RollbackPreview{ConfigName: d.Profile, DeploymentID: d.ID, FromVersion: d.Version, Instances: len(dec.Assign)}
	if dec.Next.State == rollout.Cancelled && d.State != rollout.Pending {
		out.Kind = previewCancel
		out.Explanation = fmt.Sprintf("the deployment ends where it is: there is nothing to go back to, and whoever runs %s goes on running it", d.Version)
		return out, nil
	}
	if dec.Next.State == rollout.Cancelled {
		out.Kind, out.ToVersion = previewCancel, d.Previous
		out.Explanation = fmt.Sprintf("the deployment has not begun: it is cancelled, and no instance changes; %s goes on running", orNothing(d.Previous))
		if out.Instances > 0 { // whom a superseded deployment left behind
			out.Explanation = fmt.Sprintf("the deployment has not begun: it is cancelled, and %s back to %s", instancesGo(out.Instances), d.Previous)
		}
		return out, nil
	}
	out.Kind, out.ToVersion, out.Hold = previewTurn, d.Previous, previewHold(dec.Hold)
	out.Explanation = fmt.Sprintf("at once %s from %s to %s, and %s is on hold", instancesGo(out.Instances), d.Version, d.Previous, d.Profile)
	return out, nil
}

func (a *API) previewBack(ctx context.Context, way backTo, by order) (out wire.RollbackPreview, err error) {
	back, err := a.backOf(ctx, way, by)
	if err != nil {
		return out, err
	}
	dec, err := a.opts.Engine.ForeseeRollback(ctx, back)
	if err != nil {
		return out, err
	}
	out = wire.RollbackPreview{
		ConfigName: way.record.Name, Kind: previewNew, FromVersion: way.from, ToVersion: way.to,
		Instances: len(dec.Assign), Hold: previewHold(dec.Hold),
	}
	out.Explanation = fmt.Sprintf("at once %s from %s to %s, by a deployment of its own, and %s is on hold",
		instancesGo(out.Instances), way.from, way.to, way.record.Name)
	active, err := a.opts.Store.ActiveDeployment(ctx, way.record.Name)
	switch {
	case err == nil:
		out.Supersedes = active.ID
		out.Explanation += fmt.Sprintf("; deployment %s of %s ends for it", active.ID, active.Version)
	case !errors.Is(err, rollout.ErrNotFound):
		return out, err
	}
	return out, nil
}

// previewChanges adds what differs between the two versions, and what the
// profile's origin says.
func (a *API) previewChanges(ctx context.Context, out *wire.RollbackPreview) error {
	r, err := a.opts.Store.Profile(ctx, out.ConfigName)
	if err != nil {
		return err
	}
	out.DesiredVersion = r.DesiredVersion
	if out.ToVersion == "" {
		return nil
	}
	from, err := a.opts.Store.Version(ctx, out.ConfigName, out.FromVersion)
	if err != nil {
		return err
	}
	to, err := a.opts.Store.Version(ctx, out.ConfigName, out.ToVersion)
	if err != nil {
		return err
	}
	diff := wireDiff(profile.Compare(from.Data, to.Data))
	out.Changes = &diff
	return nil
}

// previewHold is the hold that would begin; its reason is not given yet.
func previewHold(h *rollout.Hold) *wire.Hold {
	if h == nil {
		return nil
	}
	out := wireHold(*h)
	out.Reason, out.DeploymentID = "", ""
	return &out
}

func instancesGo(n int) string {
	if n == 1 {
		return "1 instance goes back"
	}
	return fmt.Sprintf("%d instances go back", n)
}

func orNothing(version string) string {
	if version == "" {
		return "what runs"
	}
	return version
}
