package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// maxShownUsers is how many profiles the page of a schema names.
const maxShownUsers = 100

// schemaForms are the forms of a schema's page.
func (a *API) schemaForms() []route {
	return []route{
		{"POST", "/schemas/:id/approve", admin, 10, smallBody, prompt, a.submits(a.schemaPage, a.submitSchema(a.approve))},
		{"POST", "/schemas/:id/deprecate", admin, 10, smallBody, prompt, a.submits(a.schemaPage, a.submitSchema(a.deprecate))},
	}
}

// submitSchema carries an order out that the form of a schema's page gives.
func (a *API) submitSchema(order func(echo.Context, string, wire.SchemaOrder) (wire.Schema, error)) func(echo.Context) (string, error) {
	return func(c echo.Context) (string, error) {
		id, req := c.Param("id"), wire.SchemaOrder{Version: c.FormValue("version"), Reason: c.FormValue("reason")}
		if _, err := order(c, id, req); err != nil {
			return "", err
		}
		to := "/schemas/" + url.PathEscape(id)
		if req.Version != "" {
			to += "?" + url.Values{"version": {req.Version}}.Encode()
		}
		return to, nil
	}
}

// schemasPage lists the registered schemas by their newest version, and those of
// repositories that profiles name.
func (a *API) schemasPage(c echo.Context) (web.Page, error) {
	page := web.Page{Title: "Schemas", Section: web.Schemas, Body: "schemas", Live: true}
	limit, offset, err := paging(c)
	if err != nil {
		return page, err
	}
	status, err := among(c, "status", profile.SchemaStatuses())
	if err != nil {
		return page, err
	}
	ctx := c.Request().Context()
	newest, total, err := a.opts.Store.Schemas(ctx, store.SchemaFilter{Newest: true, Status: status, Limit: limit, Offset: offset})
	if err != nil {
		return page, err
	}
	approved, err := a.opts.Store.ApprovedVersions(ctx)
	if err != nil {
		return page, err
	}
	uses, err := a.opts.Store.SchemaUses(ctx, who(c).scope)
	if err != nil {
		return page, err
	}
	used := map[string]int{}
	for _, use := range uses {
		used[use.ID] = use.Profiles
	}
	view := web.SchemasView{Status: status, Statuses: texts(profile.SchemaStatuses()...), Pager: web.NewPager(c.Request().URL.Path, c.QueryParams(), total, limit, offset, len(newest))}
	view.Items = convert(newest, func(e profile.SchemaEdition) web.SchemaRow {
		return web.SchemaRow{Schema: wireSchema(e), Approved: approved[e.ID], Profiles: used[e.ID]}
	})
	view.OfGit, err = a.schemasOfGit(ctx, uses)
	page.View = view
	return page, err
}

// schemasOfGit are those that were not registered.
func (a *API) schemasOfGit(ctx context.Context, uses []store.SchemaUse) ([]web.SchemaRow, error) {
	ids := convert(uses, func(u store.SchemaUse) string { return u.ID })
	registered, err := a.opts.Store.Registered(ctx, ids)
	if err != nil {
		return nil, err
	}
	uses = slices.DeleteFunc(uses, func(u store.SchemaUse) bool { return registered[u.ID] })
	return convert(uses, func(u store.SchemaUse) web.SchemaRow {
		return web.SchemaRow{Schema: wire.Schema{SchemaID: u.ID}, Profiles: u.Profiles}
	}), nil
}

// schemaPage is one version of a registered schema, the newest unless the query
// names another, or a schema of a repository that a profile names.
func (a *API) schemaPage(c echo.Context) (web.Page, error) {
	ctx, id, scope := c.Request().Context(), c.Param("id"), who(c).scope
	view := web.SchemaView{Reason: filledIn(c, "reason")}
	users, total, err := a.opts.Store.ProfilesUnder(ctx, id, scope, maxShownUsers)
	if err != nil {
		return web.Page{}, err
	}
	view.Users = convert(users, func(r profile.Record) wire.Config { return wireConfig(r, nil) })
	view.MoreUsers = total - len(users)
	version := c.QueryParam("version")
	if version == "" {
		version = filledIn(c, "version")
	}
	switch out, err := a.schemaShown(ctx, id, version, scope); {
	case errors.Is(err, store.ErrNotFound) && version == "" && total > 0:
		view.OfGit, view.Schema = true, wire.Schema{SchemaID: id}
		if view.Waiting, err = a.waitingWithin(ctx, id, scope); err != nil {
			return web.Page{}, err
		}
	case err != nil:
		return web.Page{}, err
	default:
		view.Schema, view.Definition = out, indented(out.SchemaDefinition)
	}
	return web.Page{Title: id, Section: web.Schemas, Body: "schema", View: view}, nil
}

// schemaShown is a version with all there are, and while it is to be decided on
// with the profiles in sight that do not satisfy it.
func (a *API) schemaShown(ctx context.Context, id, version string, scope profile.Scope) (wire.Schema, error) {
	e, err := a.opts.Store.SchemaEdition(ctx, id, version)
	if err != nil {
		return wire.Schema{}, err
	}
	out, err := a.withVersions(ctx, e)
	if err != nil || e.Status != profile.SchemaDraft && e.Status != profile.SchemaPending {
		return out, err
	}
	violations, err := a.violationsOf(ctx, e)
	if err != nil {
		return out, err
	}
	violations = slices.DeleteFunc(violations, func(v store.SchemaViolation) bool { return !scope.HasName(v.Profile) })
	out.Violations = wireViolations(violations)
	return out, nil
}

func (a *API) waitingWithin(ctx context.Context, id string, scope profile.Scope) ([]wire.Deployment, error) {
	waiting, err := a.waitingFor(ctx, id)
	waiting = slices.DeleteFunc(waiting, func(d rollout.Deployment) bool { return !scope.Has(d.Selector.Environment, d.Profile) })
	return convert(waiting, wireDeployment), err
}

// indented is JSON as people read it.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// filledIn is what a form had in a field when it was refused, so that nobody has
// to write it twice.
func filledIn(c echo.Context, field string) string {
	if c.Request().Method != http.MethodPost {
		return ""
	}
	return c.FormValue(field)
}
