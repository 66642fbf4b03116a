package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func (a *API) listConfigs(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	f, err := profileFilter(c)
	if err != nil {
		return err
	}
	f.Limit, f.Offset, f.Scope = limit, offset, who(c).scope
	ctx := c.Request().Context()
	records, total, err := a.opts.Store.Profiles(ctx, f)
	if err != nil {
		return err
	}
	holds, err := a.holds(ctx)
	if err != nil {
		return err
	}
	items := convert(records, func(r profile.Record) wire.Config { return wireConfig(r, holds[r.Name]) })
	return c.JSON(http.StatusOK, pageOf(items, total, limit, offset))
}

// holds are the active holds by profile.
func (a *API) holds(ctx context.Context) (map[string]*rollout.Hold, error) {
	all, err := a.opts.Store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	of := make(map[string]*rollout.Hold, len(all))
	for _, h := range all {
		of[h.Profile] = &h
	}
	return of, nil
}

func profileFilter(c echo.Context) (f store.ProfileFilter, err error) {
	if err := filtered(c, "environment", "serviceType", "source", "held", "retired"); err != nil {
		return f, err
	}
	f.Source = c.QueryParam("source")
	if f.Environment, err = among(c, "environment", environments); err != nil {
		return f, err
	}
	if f.ServiceType, err = among(c, "serviceType", serviceTypes); err != nil {
		return f, err
	}
	if f.Held, err = yesOrNo(c, "held"); err != nil {
		return f, err
	}
	f.Retired, err = yesOrNo(c, "retired")
	return f, err
}

func (a *API) getConfig(c echo.Context) error {
	k, err := a.keptConfig(c, c.Param("name"))
	if err != nil {
		return err
	}
	return tagged(c, wholeConfig(k))
}

func (a *API) listVersions(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	if err := filtered(c, "tags"); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if _, err := a.opts.Store.Profile(ctx, c.Param("name")); err != nil {
		return err
	}
	versions, total, err := a.opts.Store.Versions(ctx, c.Param("name"), store.VersionFilter{Tags: tagsOf(c), Limit: limit, Offset: offset})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, pageOf(convert(versions, wireVersion), total, limit, offset))
}

// tagsOf are the tags that a version must have, all of them.
func tagsOf(c echo.Context) []string {
	if text := c.QueryParam("tags"); text != "" {
		return strings.Split(text, ",")
	}
	return nil
}

func (a *API) getVersion(c echo.Context) error {
	v, err := a.opts.Store.Version(c.Request().Context(), c.Param("name"), c.Param("version"))
	if err != nil {
		return err
	}
	return tagged(c, wholeVersion(v))
}

func (a *API) diffVersions(c echo.Context) error {
	ctx := c.Request().Context()
	from, err := a.opts.Store.Version(ctx, c.Param("name"), c.Param("version"))
	if err != nil {
		return err
	}
	to, err := a.opts.Store.Version(ctx, c.Param("name"), c.Param("other"))
	if err != nil {
		return err
	}
	diff := profile.Compare(from.Data, to.Data)
	if strings.Contains(c.Request().Header.Get(echo.HeaderAccept), "text/plain") {
		return c.String(http.StatusOK, diff.Masked().Unified(from.Profile+" "+from.Number, to.Profile+" "+to.Number))
	}
	return c.JSON(http.StatusOK, wireDiff(diff))
}

// releaseConfig ends a hold. What Git says is then what should run again: when
// that is another version than the one that runs, it starts on its way.
func (a *API) releaseConfig(c echo.Context) error {
	var req wire.ReasonRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	name := c.Param("name")
	if err := a.release(c, name, req.Reason); err != nil {
		return err
	}
	return a.answerConfig(c, http.StatusOK, name)
}

func (a *API) release(c echo.Context, name, reason string) error {
	if err := a.opts.Store.ReleaseHold(c.Request().Context(), name, who(c).name, reason); err != nil {
		return err
	}
	return a.followDesired(c, name)
}

// followDesired starts the version that the profile's origin says, unless it
// runs already or something is on its way.
func (a *API) followDesired(c echo.Context, name string) error {
	ctx := c.Request().Context()
	r, err := a.opts.Store.Profile(ctx, name)
	if err != nil {
		return err
	}
	if r.Retired || r.DesiredVersion == "" || r.DesiredVersion == r.CurrentVersion {
		return nil
	}
	if _, err := a.opts.Store.ActiveDeployment(ctx, name); !errors.Is(err, rollout.ErrNotFound) {
		return err
	}
	d, err := a.draft(c, wire.CreateDeploymentRequest{
		ConfigName: name, ConfigVersion: r.DesiredVersion, Reason: "the hold was released by " + who(c).name,
	})
	if err != nil {
		return err
	}
	if err := a.unrefused(c, d); err != nil {
		return err
	}
	_, err = a.opts.Engine.Start(ctx, d, who(c).name)
	if errors.Is(err, rollout.ErrRefused) {
		return conflict("the hold is released, but what Git says does not start by itself: " + err.Error())
	}
	return err
}
