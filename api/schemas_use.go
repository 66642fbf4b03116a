package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// validateData says whether data satisfies a schema. Nothing is stored.
func (a *API) validateData(c echo.Context) error {
	var req wire.ValidateDataRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	e, err := a.editionAsked(c, req.Version)
	if err != nil {
		return err
	}
	text, err := textOrObject("configData", req.ConfigData)
	if err != nil {
		return err
	}
	data, err := profile.DecodeData(text)
	if err != nil {
		return invalidField("configData", err.Error())
	}
	schema, err := e.Compile()
	if err != nil {
		return err
	}
	began := time.Now()
	wrong := schema.Validate(data)
	a.validated(c.Request().Context(), began)
	return c.JSON(http.StatusOK, wire.ValidateDataResponse{
		IsValid: len(wrong) == 0, Errors: convert(wrong, wirePathError), SchemaVersion: e.Version,
	})
}

// editionAsked is one version of the schema in the path: the one that its ID
// means, or another that is asked for.
func (a *API) editionAsked(c echo.Context, version string) (profile.SchemaEdition, error) {
	ctx, id := c.Request().Context(), c.Param("id")
	if version == "" {
		return a.opts.Store.Schema(ctx, id)
	}
	return a.opts.Store.SchemaEdition(ctx, id, version)
}

func (a *API) approveSchema(c echo.Context) error {
	var req wire.SchemaOrder
	if err := decode(c, &req); err != nil {
		return err
	}
	out, err := a.approve(c, c.Param("id"), req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// approve lets Production be deployed to under a version of a schema. Whatever
// runs is left alone: profiles that do not satisfy it are told of.
func (a *API) approve(c echo.Context, id string, req wire.SchemaOrder) (out wire.Schema, err error) {
	ctx := c.Request().Context()
	e, err := a.opts.Store.SchemaEdition(ctx, id, req.Version)
	if errors.Is(err, store.ErrNotFound) && req.Version == "" {
		return a.approveOfGit(c, id, req.Reason, err)
	}
	if err != nil {
		return out, err
	}
	violations, err := a.violationsOf(ctx, e)
	if err != nil {
		return out, err
	}
	approved, err := a.opts.Store.ApproveSchema(ctx, id, e.Version, who(c).name, req.Reason, violations)
	if errors.Is(err, store.ErrSchemaDeprecated) {
		return out, conflict(fmt.Sprintf("%s %s is Deprecated (%s), which is its end: register the next version", id, e.Version, e.Deprecation))
	}
	if err != nil {
		return out, err
	}
	a.wakeSources(ctx)
	out = wireSchema(approved)
	out.Violations = wireViolations(violations)
	return out, nil
}

// approveOfGit approves a schema that was not registered: one of a repository,
// approved by its merge but where it breaks what it declared. Its deployments
// that wait for that start. Without any there is nothing to approve.
func (a *API) approveOfGit(c echo.Context, id, reason string, unknown error) (wire.Schema, error) {
	ctx := c.Request().Context()
	out := wire.Schema{SchemaID: id, Status: string(profile.SchemaApproved), Breaks: []wire.SchemaBreak{}}
	waiting, err := a.waitingFor(ctx, id)
	if err != nil {
		return out, err
	}
	why := "schema " + id + " is approved"
	if strings.TrimSpace(reason) != "" {
		why += ": " + reason
	}
	for _, d := range waiting {
		if _, err := a.opts.Engine.Order(ctx, d.ID, rollout.OrderPromote, who(c).name, why); err != nil {
			if _, moved := errors.AsType[*rollout.StateError](err); moved {
				continue // somebody was quicker
			}
			return out, err
		}
		out.Started = append(out.Started, d.ID)
	}
	if len(out.Started) == 0 {
		return out, unknown
	}
	return out, nil
}

// waitingFor are the deployments that wait until a schema of a repository, which
// breaks what it declared, is approved.
func (a *API) waitingFor(ctx context.Context, id string) ([]rollout.Deployment, error) {
	pending, _, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Status: string(rollout.Pending), Limit: maxWaiting})
	return slices.DeleteFunc(pending, func(d rollout.Deployment) bool {
		return d.Awaiting != rollout.AwaitingApproval || !reconciler.WaitsForSchema(d, id)
	}), err
}

// maxWaiting bounds the deployments that one approval can let start.
const maxWaiting = 1000

func (a *API) violationsOf(ctx context.Context, e profile.SchemaEdition) ([]store.SchemaViolation, error) {
	known, err := a.opts.Store.SchemaEditions(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	schema, err := e.Compile()
	if err != nil {
		return nil, err
	}
	return a.violations(ctx, known, e, schema)
}

// wakeSources has every source look at its profiles again: which of them a schema
// concerns, each knows itself. A source that is not told looks by itself a little later.
func (a *API) wakeSources(ctx context.Context) {
	sources, err := a.opts.Store.Sources(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "sources were not woken after a schema changed; they look by themselves", "error", err)
		return
	}
	for _, s := range sources {
		a.opts.SyncSource(s.ID)
	}
}

func (a *API) deprecateSchema(c echo.Context) error {
	var req wire.SchemaOrder
	if err := decode(c, &req); err != nil {
		return err
	}
	out, err := a.deprecate(c, c.Param("id"), req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// deprecate ends the use of a version of a schema.
func (a *API) deprecate(c echo.Context, id string, req wire.SchemaOrder) (wire.Schema, error) {
	if strings.TrimSpace(req.Reason) == "" {
		return wire.Schema{}, rollout.ErrReason
	}
	ctx := c.Request().Context()
	e, err := a.opts.Store.DeprecateSchema(ctx, id, req.Version, who(c).name, req.Reason)
	if err != nil {
		return wire.Schema{}, err
	}
	a.wakeSources(ctx)
	return wireSchema(e), nil
}

// underApproved guards Production: a version that was checked by a registered
// schema is deployed only while the schema has an Approved version, and satisfies
// that. Schemas of Git are approved by their merge.
func (a *API) underApproved(ctx context.Context, r profile.Record, v profile.Version) error {
	if r.Environment != profile.Production || v.SchemaID == "" {
		return nil
	}
	checked, err := a.opts.Store.SchemaByHash(ctx, v.SchemaID, v.SchemaHash)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	use, err := a.opts.Store.Schema(ctx, v.SchemaID)
	if err != nil {
		return err
	}
	if use.Status != profile.SchemaApproved {
		return conflict(profile.NotApproved(use))
	}
	if use.Hash == checked.Hash {
		return nil
	}
	schema, err := use.Compile()
	if err != nil {
		return err
	}
	wrong := schema.Validate(v.Data)
	if len(wrong) == 0 {
		return nil
	}
	return &problem{
		status: http.StatusUnprocessableEntity, code: "SCHEMA_VALIDATION_ERROR",
		message: fmt.Sprintf("version %s of %s was checked by %s %s and does not satisfy %s, which is Approved now: make a version that does",
			v.Number, v.Profile, use.ID, checked.Version, use.Version),
		details: convert(wrong, func(e profile.FieldError) wire.FieldError { return wire.FieldError{Field: e.Path, Message: e.Message} }),
	}
}
