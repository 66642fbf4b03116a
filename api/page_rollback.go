package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// profileForms are the doors of what is done to a profile. The one that shows what
// a rollback would do is as urgent as the rollback.
func (a *API) profileForms() []route {
	return []route{
		{"GET", "/profiles/:name/rollback", everybody, pageReads, 0, urgent, a.shows(a.rollbackPage)},
		{"POST", "/profiles/:name/rollback", operator, 30, smallBody, urgent, a.submits(a.rollbackPage, a.submitRollback)},
		{"POST", "/profiles/:name/release", operator, 30, smallBody, prompt, a.submits(a.releasePage, a.submitRelease)},
	}
}

// rollbackPage asks whether to roll a profile back, and shows what that would do.
func (a *API) rollbackPage(c echo.Context) (web.Page, error) {
	ctx, name := c.Request().Context(), c.Param("name")
	k, err := a.keptConfig(c, name)
	if err != nil {
		return web.Page{}, err
	}
	view := web.RollbackView{Profile: wireConfig(k.Record, k.Hold), Chosen: c.FormValue("toVersion"), Reason: c.FormValue("reason")}
	completed, err := a.opts.Store.CompletedVersions(ctx, name)
	if err != nil {
		return web.Page{}, err
	}
	view.Completed = convert(completed, func(v store.CompletedVersion) string { return v.Number })
	way, err := a.wayOfProfile(ctx, name, view.Chosen)
	if err == nil {
		var preview wire.RollbackPreview
		preview, err = a.previewWay(c, way)
		view.Preview = &preview
	}
	if err != nil {
		refused := a.explain(c, err)
		if refused.status >= http.StatusInternalServerError {
			return web.Page{}, err
		}
		view.Preview, view.Refused = nil, sentence(strings.Replace(refused.message, giveVersion, "choose one below", 1))
	}
	return web.Page{Title: "Roll back " + name, Section: web.Profiles, Body: "rollback", View: view}, nil
}

// submitRollback is the emergency door of a profile, by a form.
func (a *API) submitRollback(c echo.Context) (to string, err error) {
	reason := strings.TrimSpace(c.FormValue("reason"))
	if reason == "" {
		return "", rollout.ErrReason
	}
	d, err := a.rollBackProfile(c.Request().Context(), c.Param("name"), c.FormValue("toVersion"), order{who(c).name, reason})
	return "/deployments/" + url.PathEscape(d.ID), err
}

// releasePage asks whether to end a profile's hold.
func (a *API) releasePage(c echo.Context) (web.Page, error) {
	name := c.Param("name")
	k, err := a.keptConfig(c, name)
	if err != nil {
		return web.Page{}, err
	}
	view := web.ReleaseView{Profile: wireConfig(k.Record, k.Hold), Reason: c.FormValue("reason")}
	return web.Page{Title: "Release " + name, Section: web.Profiles, Body: "release", View: view}, nil
}

func (a *API) submitRelease(c echo.Context) (to string, err error) {
	name := c.Param("name")
	err = a.release(c, name, strings.TrimSpace(c.FormValue("reason")))
	if errors.Is(err, store.ErrNotFound) {
		err = conflict("the profile is not on hold")
	}
	return "/profiles/" + url.PathEscape(name), err
}
