package api

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// by is who writes.
func by(c echo.Context) store.By { return store.By{Actor: who(c).name, TraceID: traceID(c)} }

// writable refuses writes to what a source manages, and to what is retired.
func writable(r profile.Record) error {
	switch {
	case r.Origin == profile.OriginGit:
		return managedByGit(r)
	case r.Retired:
		return conflict(retiredText(r))
	}
	return nil
}

func managedByGit(r profile.Record) error {
	return &problem{
		status: http.StatusConflict, code: "MANAGED_BY_GIT",
		message: "the profile is managed by source " + r.Source + ": change " + r.Path + " there",
	}
}

func retiredText(r profile.Record) string {
	if r.Origin == profile.OriginGit {
		return r.Name + " is retired: its file left Git"
	}
	return r.Name + " is retired: it was deleted; create it again first"
}

// createConfig makes a profile that the API manages, or brings a retired one back.
func (a *API) createConfig(c echo.Context) error {
	var req wire.CreateConfigRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	p, err := newDefinition(req).read()
	if err != nil {
		return err
	}
	if !who(c).sees(string(p.Environment), p.Name) {
		return &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: "the token's scope does not have " + p.Name + " of " + string(p.Environment)}
	}
	r := recordOf(p, who(c).name)
	if err := a.usable(c, r); err != nil {
		return err
	}
	err = a.opts.Store.CreateProfile(c.Request().Context(), r, by(c), func(there store.Kept) (profile.Record, error) {
		return revived(c, there.Record, r)
	})
	if err != nil {
		return err
	}
	return a.answerConfig(c, http.StatusCreated, r.Name)
}

// revived is what becomes of a profile that is there when it is created again. A
// retired one comes back with its versions, when it is still for the same service.
func revived(c echo.Context, there, asked profile.Record) (profile.Record, error) {
	switch {
	case there.Origin == profile.OriginGit:
		return there, managedByGit(there)
	case !there.Retired:
		return there, taken(c, "profile "+there.Name+" exists already")
	case there.Service != asked.Service || there.Environment != asked.Environment:
		return there, taken(c, "profile "+there.Name+" is retired, and was for "+there.Service+" in "+string(there.Environment)+
			": create it for that, or take another name")
	}
	asked.DesiredVersion = there.DesiredVersion
	return asked, nil
}

// answerConfig answers with a profile as it is now, and its tag.
func (a *API) answerConfig(c echo.Context, status int, name string) error {
	k, err := a.keptConfig(c, name)
	if err != nil {
		return err
	}
	out := wholeConfig(k)
	tag, err := etagOf(out)
	if err != nil {
		return err
	}
	c.Response().Header().Set(headerETag, tag)
	if status == http.StatusCreated {
		c.Response().Header().Set(echo.HeaderLocation, "/api/v1/configs/"+url.PathEscape(name))
	}
	return c.JSON(status, out)
}

// keptConfig reads a profile with its hold.
func (a *API) keptConfig(c echo.Context, name string) (k store.Kept, err error) {
	ctx := c.Request().Context()
	if k.Record, err = a.opts.Store.Profile(ctx, name); err != nil {
		return k, err
	}
	hold, held, err := a.opts.Store.ActiveHold(ctx, name)
	if held {
		k.Hold = &hold
	}
	return k, err
}

// putConfig changes the definition of a profile.
func (a *API) putConfig(c echo.Context) error {
	var req wire.UpdateConfigRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	name := c.Param("name")
	err := a.opts.Store.ChangeProfile(c.Request().Context(), name, by(c), func(k store.Kept) (profile.Record, error) {
		if err := writable(k.Record); err != nil {
			return k.Record, err
		}
		if err := matches(c, wholeConfig(k)); err != nil {
			return k.Record, err
		}
		return changed(k.Record, req)
	})
	if err != nil {
		return err
	}
	return a.answerConfig(c, http.StatusOK, name)
}

// deleteConfig retires a profile: what runs stays, and so does its history. One
// of which nothing was ever made is removed, and its name is free again.
func (a *API) deleteConfig(c echo.Context) error {
	_, err := a.opts.Store.RetireByAPI(c.Request().Context(), c.Param("name"), by(c), func(k store.Kept) error {
		if k.Record.Origin == profile.OriginGit {
			return managedByGit(k.Record)
		}
		return matches(c, wholeConfig(k))
	})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// usable refuses a profile whose schema is not there, or not for anything new.
func (a *API) usable(c echo.Context, r profile.Record) error {
	if r.SchemaID == "" {
		return nil
	}
	edition, err := a.opts.Store.Schema(c.Request().Context(), r.SchemaID)
	if errors.Is(err, store.ErrNotFound) {
		return &problem{
			status: http.StatusNotFound, code: "NOT_FOUND", message: "schema " + r.SchemaID + " is not registered: POST /api/v1/schemas first",
			details: []wire.FieldError{{Field: "schemaId", Message: "is not registered"}},
		}
	}
	if err == nil && edition.Status == profile.SchemaDeprecated {
		return conflict("schema " + r.SchemaID + " is deprecated: " + edition.Deprecation)
	}
	return err
}
