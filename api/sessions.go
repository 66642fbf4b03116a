package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/session"
	"github.com/sluicehq/sluice/store"
)

// sessionLife is that of a session where nothing else is set.
const sessionLife = 12 * time.Hour

// The purposes of the tokens that are signed: one for a purpose is good for no other.
const (
	forSessions = "sluice-api"
	forSignIns  = "sluice-sign-in"
	forCommands = "sluice-command-line"
)

// signer makes and checks tokens for a purpose.
func (a *API) signer(purpose string) session.Signer {
	return session.Signer{Keys: a.opts.SessionKeys, Issuer: a.opts.Issuer, Audience: purpose, Now: a.opts.Store.Clock}
}

// beginSession signs a user in; store.ErrNotFound when the user changed since it
// was looked at.
func (a *API) beginSession(c echo.Context, user store.User) (wire.LoginResponse, error) {
	return a.beginSessionOf(c, user, NewToken(""))
}

// beginSessionOf does so with an id that nobody can guess; store.ErrExists when
// that began one already.
func (a *API) beginSessionOf(c echo.Context, user store.User, id string) (out wire.LoginResponse, err error) {
	ctx := c.Request().Context()
	expires := a.opts.Store.Clock().UTC().Add(a.opts.SessionLife).Truncate(time.Second)
	token, err := a.signer(forSessions).Sign(session.Claims{Subject: user.Name, Role: user.Role, ID: id, ExpiresAt: expires})
	if err != nil {
		return out, err
	}
	if err := a.opts.Store.BeginSession(ctx, store.Session{IDHash: HashToken(id), Address: addressKey(c), ExpiresAt: expires}, user); err != nil {
		return out, err
	}
	a.metrics.signIns.WithLabelValues(signedIn).Inc()
	a.log.InfoContext(ctx, "signed in", "user", user.Name, "address", c.RealIP())
	return wire.LoginResponse{Token: token, ExpiresAt: expires, User: wire.User{Username: user.Name, Role: user.Role}}, nil
}

// signed says that a token is of a session: no other has dots in it.
func signed(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Contains(token, ".")
}

// sessionHolder is who signed in with a session's token, as long as the store
// knows that session and its user is what the token says.
func (a *API) sessionHolder(ctx context.Context, token string) (*caller, error) {
	claims, err := a.signer(forSessions).Verify(token)
	if err != nil {
		return nil, nil //nolint:nilerr // it is nobody's
	}
	id := HashToken(claims.ID)
	user, err := a.opts.Store.SessionUser(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if user.Name != claims.Subject || user.Role != claims.Role || !known(userRoles(), Role(user.Role)) {
		return nil, nil
	}
	return &caller{key: "user " + user.Name, name: user.Name, role: Role(user.Role), session: id, owner: user.Name}, nil
}

// logout ends the session of whoever asks.
func (a *API) logout(c echo.Context) error {
	if who(c).session == nil {
		return invalid("this token is of no session: DELETE /api/v1/tokens/ID revokes it")
	}
	if err := a.opts.Store.EndSession(c.Request().Context(), who(c).session); err != nil {
		return err
	}
	a.forgetCookie(c)
	return c.NoContent(http.StatusNoContent)
}

// identity says who the caller is.
func (a *API) identity(c echo.Context) error {
	by := who(c)
	out := wire.Identity{Name: by.name, Kind: "token", Role: string(by.role), Profiles: by.scope.Profiles}
	if by.session != nil {
		out.Kind = "user"
	}
	for _, environment := range by.scope.Environments {
		out.Environments = append(out.Environments, string(environment))
	}
	return c.JSON(http.StatusOK, out)
}

// sessionCookie holds the session of a browser.
const sessionCookie = "sluice_session"

func (a *API) cookie(name, value, path string, expires time.Time) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: path, Expires: expires, HttpOnly: true,
		Secure: a.opts.SecureCookies, SameSite: http.SameSiteLaxMode, // a link from the forge opens the page
	}
}

func (a *API) keepCookie(c echo.Context, in wire.LoginResponse) {
	a.setCookie(c, a.cookie(sessionCookie, in.Token, "/", in.ExpiresAt))
}

func (a *API) forgetCookie(c echo.Context) {
	a.setCookie(c, expired(a.cookie(sessionCookie, "", "/", time.Time{})))
}

// setCookie sets one that goes over no other connection than it came by.
func (a *API) setCookie(c echo.Context, cookie *http.Cookie) {
	cookie.Secure = cookie.Secure || c.IsTLS()
	c.SetCookie(cookie)
}

// expired makes a browser forget a cookie.
func expired(cookie *http.Cookie) *http.Cookie {
	cookie.MaxAge = -1
	return cookie
}
