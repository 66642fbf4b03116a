package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// checkTokenName keeps a token from writing into the audit log under the name
// of somebody else.
func (a *API) checkTokenName(ctx context.Context, name string) error {
	if name == "" || len(name) > 100 || !printable(name) {
		return invalidField("name", "has 1 to 100 printable characters")
	}
	if lower := strings.ToLower(name); reserved(name) || strings.HasPrefix(lower, ssoPrefix) || strings.HasPrefix(lower, instancePrefix) {
		return invalidField("name", "is one that the server uses itself")
	}
	taken, err := a.opts.Store.NameTaken(ctx, name)
	if taken {
		return conflict("there is a user of this name: the audit log could not tell them apart")
	}
	return err
}

func (a *API) createToken(c echo.Context) error {
	var req wire.TokenRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	out, err := a.makeToken(c, req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, out)
}

// makeToken makes one; the answer alone has the token itself.
func (a *API) makeToken(c echo.Context, req wire.TokenRequest) (out wire.Token, err error) {
	if err := a.checkTokenName(c.Request().Context(), req.Name); err != nil {
		return out, err
	}
	if !known(Roles(), Role(req.Role)) {
		return out, invalidField("role", "is one of Viewer, Developer, Operator, Admin, Registration")
	}
	t := store.Token{ID: uuid.NewString(), Name: req.Name, Kind: store.TokenAPI, Role: req.Role, CreatedBy: who(c).name, Owner: who(c).owner}
	prefix := UserToken
	if Role(req.Role) == Registration {
		t.Kind, prefix = store.TokenRegistration, RegistrationToken
	}
	if req.TTL != "" {
		life, err := profile.ParseDuration(req.TTL)
		if err != nil || life.Std() <= 0 {
			return out, invalidField("ttl", "is a duration such as 720h or PT720H")
		}
		t.ExpiresAt = a.opts.Store.Clock().UTC().Add(life.Std())
	}
	t.Scope = profile.Scope{Profiles: req.Profiles}
	for _, environment := range req.Environments {
		t.Scope.Environments = append(t.Scope.Environments, profile.Environment(environment))
	}
	if field, err := t.Scope.Check(); err != nil {
		return out, invalidField(field, err.Error())
	}
	secret := NewToken(prefix)
	t.Hash = HashToken(secret)
	err = a.opts.Store.CreateToken(c.Request().Context(), t)
	if errors.Is(err, store.ErrNotFound) { // changed, or removed, in this very moment
		err = tokenNeeded(c)
	}
	if err != nil {
		return out, err
	}
	t.CreatedAt = a.opts.Store.Clock().UTC()
	out = wireToken(t)
	out.Token = secret
	return out, nil
}

func (a *API) listTokens(c echo.Context) error {
	tokens, err := a.opts.Store.Tokens(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wholePage(convert(tokens, wireToken)))
}

func (a *API) revokeToken(c echo.Context) error {
	if err := a.opts.Store.RevokeToken(c.Request().Context(), c.Param("id"), who(c).name); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
