package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

const (
	sessionLife      = 12 * time.Hour
	loginsPerAccount = 10 // a minute, from wherever
)

// nobodysHash is verified against when there is no such user, so that an
// answer's time does not tell names.
var nobodysHash = mustHash("nobody has this password")

func mustHash(password string) string {
	hash, err := HashPassword(password)
	if err != nil {
		panic(err) // a constant of this file
	}
	return hash
}

func (a *API) login(c echo.Context) error {
	var req wire.LoginRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if _, _, ok := a.logins.take("account "+strings.ToLower(req.Username), loginsPerAccount); !ok {
		return &problem{status: http.StatusTooManyRequests, code: "RATE_LIMIT_EXCEEDED", message: "too many sign-ins of this user; wait a minute"}
	}
	ctx := c.Request().Context()
	user, err := a.opts.Store.User(ctx, req.Username)
	if errors.Is(err, store.ErrNotFound) {
		user, err = store.User{PasswordHash: nobodysHash}, nil
	}
	if err != nil {
		return err
	}
	if !VerifyPassword(user.PasswordHash, req.Password) || user.Name == "" {
		return &problem{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "wrong user name or password"}
	}
	token := NewToken(UserToken)
	expires := a.opts.Now().UTC().Add(sessionLife).Truncate(time.Second)
	err = a.opts.Store.CreateToken(ctx, store.Token{
		ID: uuid.NewString(), Name: "session of " + user.Name, Kind: store.TokenSession, Role: user.Role,
		Hash: HashToken(token), CreatedBy: user.Name, ExpiresAt: expires,
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wire.LoginResponse{
		Token: token, ExpiresAt: expires, User: wire.User{Username: user.Name, Role: user.Role},
	})
}

func (a *API) createToken(c echo.Context) error {
	var req wire.TokenRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if req.Name == "" || len(req.Name) > 100 {
		return invalidField("name", "has 1 to 100 characters")
	}
	if !known(Roles(), Role(req.Role)) {
		return invalidField("role", "is one of Viewer, Developer, Operator, Admin, Registration")
	}
	t := store.Token{ID: uuid.NewString(), Name: req.Name, Kind: store.TokenAPI, Role: req.Role, CreatedBy: who(c).name}
	prefix := UserToken
	if Role(req.Role) == Registration {
		t.Kind, prefix = store.TokenRegistration, RegistrationToken
	}
	if req.TTL != "" {
		life, err := profile.ParseDuration(req.TTL)
		if err != nil || life.Std() <= 0 {
			return invalidField("ttl", "is a duration such as 720h or PT720H")
		}
		t.ExpiresAt = a.opts.Now().UTC().Add(life.Std())
	}
	secret := NewToken(prefix)
	t.Hash = HashToken(secret)
	if err := a.opts.Store.CreateToken(c.Request().Context(), t); err != nil {
		return err
	}
	t.CreatedAt = a.opts.Now().UTC()
	out := wireToken(t)
	out.Token = secret
	return c.JSON(http.StatusCreated, out)
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
