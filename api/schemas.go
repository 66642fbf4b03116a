package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// registerSchema adds a version of a schema. It is Draft, or PendingApproval when
// it breaks the compatibility asked for, or what a profile has.
func (a *API) registerSchema(c echo.Context) error {
	var req wire.RegisterSchemaRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	definition, err := textOrObject("schemaDefinition", req.SchemaDefinition)
	if err != nil {
		return err
	}
	if err := profile.ValidName(req.SchemaID); err != nil {
		return invalidField("schemaId", err.Error())
	}
	draft := profile.Draft{ID: req.SchemaID, Version: req.Version, Definition: definition, Compatibility: profile.Compatibility(req.Compatibility)}
	for range tries {
		out, err := a.register(c, draft)
		if errors.Is(err, rollout.ErrStale) {
			continue // somebody registered or approved one meanwhile
		}
		if errors.Is(err, store.ErrTooMany) {
			return conflict(err.Error())
		}
		if err != nil {
			return err
		}
		a.wakeSources(c.Request().Context()) // a profile may have waited for it
		return c.JSON(http.StatusCreated, out)
	}
	return conflict("schema " + req.SchemaID + " changes all the time; try again")
}

// register judges a draft by what there is, and stores it.
func (a *API) register(c echo.Context, draft profile.Draft) (wire.Schema, error) {
	ctx := c.Request().Context()
	known, err := a.opts.Store.SchemaEditions(ctx, draft.ID)
	if err != nil {
		return wire.Schema{}, err
	}
	e, schema, err := profile.NewEdition(draft, known)
	if err != nil {
		return wire.Schema{}, refusedDraft(err)
	}
	violations, err := a.violations(ctx, known, e, schema)
	if err != nil {
		return wire.Schema{}, err
	}
	if len(violations) > 0 && keepsData(e.Compatibility) {
		e.Status = profile.SchemaPending
	}
	if e, err = a.opts.Store.RegisterSchema(ctx, e, known, who(c).name); err != nil {
		return wire.Schema{}, err
	}
	out := wireSchema(e)
	out.Violations = wireViolations(violations)
	return out, nil
}

// keepsData says that the compatibility promises that valid data stays valid.
func keepsData(c profile.Compatibility) bool {
	return c == profile.CompatibilityBackward || c == profile.CompatibilityFull
}

// refusedDraft tells what is wrong with a draft, field by field.
func refusedDraft(err error) error {
	if problems, ok := errors.AsType[profile.Problems](err); ok {
		p := invalid("the schema cannot be used")
		for _, one := range problems {
			message := one.Message
			if one.Line > 0 {
				message = fmt.Sprintf("line %d, column %d: %s", one.Line, max(one.Column, 1), message)
			}
			p.details = append(p.details, wire.FieldError{Field: "schemaDefinition" + strings.TrimPrefix(one.Field, "$"), Message: message})
		}
		return p
	}
	switch {
	case errors.Is(err, profile.ErrEdition):
		return conflict(err.Error())
	case errors.Is(err, profile.ErrVersion):
		return invalidField("version", err.Error())
	case errors.Is(err, profile.ErrSchema):
		return invalid(err.Error(), wire.FieldError{Field: "compatibility", Message: err.Error()})
	}
	return err
}

// textOrObject is a JSON value as it was sent, or the text that it was sent in.
func textOrObject(field string, raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, invalidField(field, "is required")
	}
	if raw[0] != '"' {
		return raw, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, invalidField(field, "is no string that can be read")
	}
	return []byte(text), nil
}

// Bounds on the profiles that one edition is held against.
const (
	usersAtOnce = 100
	maxUsers    = 1000
)

// violations lists the profiles under a schema whose newest version does not
// satisfy an edition of it. Those that another schema checks, of the same ID in
// their repository, are not under it.
func (a *API) violations(ctx context.Context, known []profile.SchemaEdition, e profile.SchemaEdition, schema *profile.Schema) ([]store.SchemaViolation, error) {
	ours := map[string]bool{"": true, e.Hash: true}
	for _, one := range known {
		ours[one.Hash] = true
	}
	var out []store.SchemaViolation
	after := ""
	for seen := 0; seen < maxUsers; seen += usersAtOnce {
		users, err := a.opts.Store.SchemaUsers(ctx, e.ID, after, usersAtOnce)
		if err != nil {
			return nil, err
		}
		for _, v := range users {
			after = v.Profile
			if !ours[v.SchemaHash] {
				continue
			}
			if wrong := schema.Validate(v.Data); len(wrong) > 0 {
				out = append(out, store.SchemaViolation{Profile: v.Profile, Version: v.Number, Errors: wrong})
			}
		}
		if len(users) < usersAtOnce {
			break
		}
	}
	return out, nil
}

func (a *API) listSchemas(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	status := c.QueryParam("status")
	if status != "" && !known(profile.SchemaStatuses(), profile.SchemaStatus(status)) {
		return invalidField("status", "is one of Draft, PendingApproval, Approved, Deprecated")
	}
	editions, total, err := a.opts.Store.Schemas(c.Request().Context(), store.SchemaFilter{
		ID: c.QueryParam("schemaId"), Status: status, Limit: limit, Offset: offset,
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, pageOf(convert(editions, wireSchema), total, limit, offset))
}

func (a *API) getSchema(c echo.Context) error {
	ctx, id := c.Request().Context(), c.Param("id")
	e, err := a.opts.Store.SchemaEdition(ctx, id, c.QueryParam("version"))
	if err != nil {
		return err
	}
	out, err := a.withVersions(ctx, e)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// withVersions is an edition with the list of all there are of its schema.
func (a *API) withVersions(ctx context.Context, e profile.SchemaEdition) (wire.Schema, error) {
	out := wireSchema(e)
	all, _, err := a.opts.Store.Schemas(ctx, store.SchemaFilter{ID: e.ID, Limit: maxLimit})
	out.Versions = convert(all, func(e profile.SchemaEdition) wire.SchemaVersion {
		return wire.SchemaVersion{Version: e.Version, Status: string(e.Status), CreatedAt: e.CreatedAt}
	})
	return out, err
}

func wireSchema(e profile.SchemaEdition) wire.Schema {
	return wire.Schema{
		SchemaID: e.ID, Version: e.Version, SchemaDefinition: e.Definition, Hash: e.Hash, Compatibility: string(e.Compatibility),
		Status: string(e.Status), ComparedWith: e.ComparedWith, Breaks: convert(e.Breaks, wireBreak),
		CreatedAt: maybe(e.CreatedAt), CreatedBy: e.CreatedBy, ApprovedAt: maybe(e.ApprovedAt), ApprovedBy: e.ApprovedBy,
		DeprecatedAt: maybe(e.DeprecatedAt), DeprecatedBy: e.DeprecatedBy, DeprecationReason: e.Deprecation,
	}
}

func wireBreak(b profile.SchemaBreak) wire.SchemaBreak {
	return wire.SchemaBreak{Path: b.Path, Message: b.Message, Direction: string(b.Direction), OpenName: b.OpenName}
}

func wireViolations(list []store.SchemaViolation) []wire.SchemaViolation {
	return convert(list, func(v store.SchemaViolation) wire.SchemaViolation {
		return wire.SchemaViolation{ConfigName: v.Profile, Version: v.Version, Errors: convert(v.Errors, wirePathError)}
	})
}

func wirePathError(e profile.FieldError) wire.PathError {
	return wire.PathError{Path: e.Path, Message: e.Message}
}
