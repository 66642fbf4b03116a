package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/rollout"
)

// deploymentForms are what can be asked of a deployment on its pages. What stops
// or takes back a change is as urgent here as it is by the API.
func (a *API) deploymentForms() []route {
	const at = "/deployments/:id"
	retry, cancel, back := a.orderPage("retry", a.previewRetry), a.orderPage("cancel", a.previewCancel), a.orderPage("rollback", a.previewBackOf)
	return []route{
		{"POST", at + "/pause", operator, 30, smallBody, urgent, a.submits(a.deploymentPage, a.ordered(orderPause))},
		{"POST", at + "/resume", operator, 30, smallBody, prompt, a.submits(a.deploymentPage, a.ordered(orderResume))},
		{"POST", at + "/promote", operator, 30, smallBody, prompt, a.submits(a.deploymentPage, a.promoted)},
		{"GET", at + "/cancel", everybody, pageReads, 0, urgent, a.shows(cancel)},
		{"POST", at + "/cancel", operator, 30, smallBody, urgent, a.submits(cancel, a.cancelled)},
		{"GET", at + "/rollback", everybody, pageReads, 0, urgent, a.shows(back)},
		{"POST", at + "/rollback", operator, 30, smallBody, urgent, a.submits(back, a.rolledBackBy)},
		{"GET", at + "/retry", everybody, pageReads, 0, prompt, a.shows(retry)},
		{"POST", at + "/retry", operator, 30, smallBody, prompt, a.submits(retry, a.retriedBy)},
	}
}

// ordered carries out an order that needs no reason.
func (a *API) ordered(o rollout.Order) func(echo.Context) (string, error) {
	return func(c echo.Context) (string, error) {
		id := c.Param("id")
		_, err := a.opts.Engine.Order(c.Request().Context(), id, o, who(c).name, formReason(c))
		return deploymentPath(id), err
	}
}

// promoted ends the wait of the phase that was on the page, or of all that are left.
func (a *API) promoted(c echo.Context) (string, error) {
	id, p := c.Param("id"), rollout.Promotion{All: c.FormValue("all") != ""}
	if text := c.FormValue("phase"); text != "" && !p.All {
		var err error
		if p.Phase, err = strconv.Atoi(text); err != nil || p.Phase < 1 {
			return "", invalidField("phase", "is that of one promotion, from 1 on")
		}
	}
	_, err := a.opts.Engine.Promote(c.Request().Context(), id, p, who(c).name, formReason(c))
	return deploymentPath(id), err
}

func (a *API) cancelled(c echo.Context) (string, error) {
	if formReason(c) == "" {
		return "", rollout.ErrReason
	}
	return a.ordered(orderCancel)(c)
}

// rolledBackBy goes to the deployment that takes the version back: the same one,
// or one of its own.
func (a *API) rolledBackBy(c echo.Context) (string, error) {
	reason := formReason(c)
	if reason == "" {
		return "", rollout.ErrReason
	}
	d, err := a.RollBack(c.Request().Context(), c.Param("id"), who(c).name, reason)
	return deploymentPath(d.ID), err
}

func (a *API) retriedBy(c echo.Context) (string, error) {
	d, err := a.retried(c, wire.RetryRequest{Reason: formReason(c), Force: c.FormValue("force") != ""})
	return deploymentPath(d.ID), err
}

func formReason(c echo.Context) string { return strings.TrimSpace(c.FormValue("reason")) }

// orderPage is a page that says what an order would do now, and asks for the
// reason. Where the order does not fit, it says why.
func (a *API) orderPage(name string, foresee func(echo.Context, rollout.Deployment) (*wire.RollbackPreview, error)) pageFunc {
	return func(c echo.Context) (web.Page, error) {
		d, err := a.opts.Store.Deployment(c.Request().Context(), c.Param("id"))
		if err != nil {
			return web.Page{}, err
		}
		view := web.OrderView{Order: name, Deployment: wireDeployment(d)}
		if c.Request().Method == http.MethodPost {
			view.Reason = c.FormValue("reason")
		}
		view.Preview, err = foresee(c, d)
		switch {
		case a.refuses(err):
			view.Impossible = sentence(a.explain(c, err).message) + "."
		case err != nil:
			return web.Page{}, err
		}
		return web.Page{Title: view.Title() + ": " + d.Profile, Section: web.Deployments, Body: "order", View: view}, nil
	}
}

func (a *API) previewBackOf(c echo.Context, d rollout.Deployment) (*wire.RollbackPreview, error) {
	way, err := a.wayOfDeployment(c.Request().Context(), d.ID)
	if err != nil {
		return nil, err
	}
	out, err := a.previewWay(c, way)
	return &out, err
}

// previewCancel says what cancelling would do: it goes back as a rollback does,
// unless nothing began or there is nothing to go back to.
func (a *API) previewCancel(c echo.Context, d rollout.Deployment) (*wire.RollbackPreview, error) {
	ctx := c.Request().Context()
	out, err := a.previewTurn(ctx, d, rollout.OrderCancel, order{who(c).name, noReason})
	if err != nil {
		return nil, err
	}
	if err := a.previewChanges(ctx, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// previewRetry is about what is to come: it takes nothing back.
func (a *API) previewRetry(_ echo.Context, d rollout.Deployment) (*wire.RollbackPreview, error) {
	return nil, rollout.MayRetry(d)
}
