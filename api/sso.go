package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/session"
	"github.com/sluicehq/sluice/internal/sso"
	"github.com/sluicehq/sluice/store"
)

const (
	ssoPath       = "/login/sso"
	ssoCallback   = ssoPath + "/callback"
	attemptCookie = "sluice_sign_in" // what this server knows of a sign-in that is under way
	confirmCookie = "sluice_confirm" // that a person saw which program asks
	attemptLife   = 10 * time.Minute
	commandLife   = time.Minute // of a code for the command line
)

// SSOCallback is where a provider sends people back to, below external_url.
const SSOCallback = ssoCallback

// What an attempt's token carries.
const (
	dataNonce     = "nonce"
	dataVerifier  = "verifier"
	dataNext      = "next"
	dataPort      = "port"
	dataChallenge = "challenge"
)

// startSSO sends a browser to the identity provider. A command line that waits on
// a port of its machine must be confirmed by a person first: any site could send
// a browser here.
func (a *API) startSSO(c echo.Context) error {
	if a.opts.SSO == nil {
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "no identity provider is set up: oidc_issuer sets one"}
	}
	data := map[string]string{dataNonce: NewToken(""), dataVerifier: sso.NewVerifier(), dataNext: local(c.QueryParam("next"))}
	if c.QueryParam("port") != "" || c.QueryParam("challenge") != "" {
		port, challenge, err := commandLine(c)
		if err != nil {
			return err
		}
		if !confirmed(c) {
			return a.askToConfirm(c, port, challenge)
		}
		data[dataPort], data[dataChallenge] = port, challenge
	}
	attempt := session.Claims{Subject: "sign-in", ID: NewToken(""), Data: data, ExpiresAt: a.opts.Store.Clock().Add(attemptLife)}
	to, err := a.opts.SSO.Start(c.Request().Context(), sso.Attempt{State: attempt.ID, Nonce: data[dataNonce], Verifier: data[dataVerifier]})
	if err != nil {
		return a.signInFailed(c, data[dataNext], err)
	}
	token, err := a.signer(forSignIns).Sign(attempt)
	if err != nil {
		return err
	}
	a.setCookie(c, a.cookie(attemptCookie, token, ssoPath, attempt.ExpiresAt))
	return c.Redirect(http.StatusSeeOther, to)
}

// commandLine reads where a command line waits, and how it is recognised.
func commandLine(c echo.Context) (port, challenge string, err error) {
	port, challenge = c.QueryParam("port"), c.QueryParam("challenge")
	if n, err := strconv.Atoi(port); err != nil || n < 1024 || n > 65535 {
		return "", "", invalidField("port", "is one of this machine, from 1024 on")
	}
	if len(challenge) != len(sso.Challenge("")) || !base64Text(challenge) {
		return "", "", invalidField("challenge", "is the SHA-256 of a verifier, in base 64 for URLs")
	}
	return port, challenge, nil
}

func base64Text(text string) bool {
	for _, r := range text {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}

// confirmed says that the request comes from the link on this server's own page:
// only there the cookie's value is known, and only from there it is sent.
func confirmed(c echo.Context) bool {
	cookie, err := c.Cookie(confirmCookie)
	return err == nil && cookie.Value != "" && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(c.QueryParam("confirm"))) == 1
}

func (a *API) askToConfirm(c echo.Context, port, challenge string) error {
	value := NewToken("")
	cookie := a.cookie(confirmCookie, value, ssoPath, a.opts.Store.Clock().Add(attemptLife))
	cookie.SameSite = http.SameSiteStrictMode
	a.setCookie(c, cookie)
	page, err := web.Confirm(port, ssoPath+"?"+url.Values{"port": {port}, "challenge": {challenge}, "confirm": {value}}.Encode())
	if err != nil {
		return err
	}
	return html(c, http.StatusOK, page)
}

// finishSSO takes a browser that comes back from the provider.
func (a *API) finishSSO(c echo.Context) error {
	if a.opts.SSO == nil {
		return store.ErrNotFound
	}
	attempt, ok := a.attempt(c)
	a.setCookie(c, expired(a.cookie(attemptCookie, "", ssoPath, time.Time{}))) // once
	if !ok {
		return a.signInFailed(c, "/", &problem{
			status: http.StatusBadRequest, code: "VALIDATION_ERROR", message: "this sign-in was begun elsewhere, or took too long: try again",
		})
	}
	next := local(attempt.Data[dataNext])
	if c.QueryParam("error") != "" || c.QueryParam("code") == "" {
		return a.signInFailed(c, next, &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: "the identity provider did not sign you in"})
	}
	person, err := a.opts.SSO.Finish(c.Request().Context(), c.QueryParam("code"), sso.Attempt{
		State: attempt.ID, Nonce: attempt.Data[dataNonce], Verifier: attempt.Data[dataVerifier],
	})
	if err != nil {
		return a.signInFailed(c, next, err)
	}
	user, err := a.userOf(c.Request().Context(), person)
	if err != nil {
		return a.signInFailed(c, next, err)
	}
	if port := attempt.Data[dataPort]; port != "" {
		return a.toCommandLine(c, user, port, attempt.Data[dataChallenge])
	}
	in, err := a.beginSession(c, user)
	if err != nil {
		return err
	}
	a.keepCookie(c, in)
	return c.Redirect(http.StatusSeeOther, next)
}

// attempt is the sign-in that this browser began, if the provider answers to that one.
func (a *API) attempt(c echo.Context) (session.Claims, bool) {
	cookie, err := c.Cookie(attemptCookie)
	if err != nil {
		return session.Claims{}, false
	}
	attempt, err := a.signer(forSignIns).Verify(cookie.Value)
	return attempt, err == nil && subtle.ConstantTimeCompare([]byte(attempt.ID), []byte(c.QueryParam("state"))) == 1
}

// userOf is the user that a person is here, with the role that the provider gives now.
func (a *API) userOf(ctx context.Context, p sso.Person) (store.User, error) {
	names := p.Names()
	for i := range names {
		names[i] = ssoPrefix + names[i]
	}
	user, err := a.opts.Store.KnownSubject(ctx, store.User{Issuer: p.Issuer, Subject: p.Subject, Role: p.Role}, names...)
	if err == nil && user.Disabled {
		err = &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: user.Name + " is disabled here: ask an Admin"}
	}
	return user, err
}

// signInFailed shows the page to sign in on, with why it did not do. A password
// goes on working while a provider is away.
func (a *API) signInFailed(c echo.Context, next string, err error) error {
	ctx := c.Request().Context()
	p, told := errors.AsType[*problem](err)
	none, noRole := errors.AsType[*sso.NoRoleError](err)
	switch {
	case told:
	case noRole:
		p = &problem{status: http.StatusForbidden, message: none.Error()}
	case errors.Is(err, sso.ErrAway):
		p = &problem{status: http.StatusServiceUnavailable, message: sso.ErrAway.Error() + ": try again later, or sign in with a password"}
	case errors.Is(err, sso.ErrRefused):
		p = &problem{status: http.StatusForbidden, message: sso.ErrRefused.Error() + ": try again"}
	default:
		return err
	}
	a.metrics.signIns.WithLabelValues(refused).Inc()
	a.log.WarnContext(ctx, "single sign-on refused", "address", c.RealIP(), "error", err, "trace_id", traceID(c))
	return a.showLogin(c, p.status, next, p.message)
}

// toCommandLine sends the browser on to the command line that waits, with a code
// that only that one can exchange: nobody else has the verifier of its challenge.
func (a *API) toCommandLine(c echo.Context, user store.User, port, challenge string) error {
	code, err := a.signer(forCommands).Sign(session.Claims{
		Subject: user.Name, Role: user.Role, ID: NewToken(""), ExpiresAt: a.opts.Store.Clock().Add(commandLife),
		Data: map[string]string{dataChallenge: challenge},
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, fmt.Sprintf("http://127.0.0.1:%s/?%s", port, url.Values{"code": {code}}.Encode()))
}

// exchangeCode begins the session of a command line. The code's own id is the
// session's: it begins one and no more.
func (a *API) exchangeCode(c echo.Context) error {
	var req wire.CodeRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	refused := &problem{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "the code is not good, or was used: sign in again"}
	code, err := a.signer(forCommands).Verify(req.Code)
	if err != nil || subtle.ConstantTimeCompare([]byte(sso.Challenge(req.Verifier)), []byte(code.Data[dataChallenge])) != 1 {
		return refused
	}
	user, err := a.opts.Store.User(c.Request().Context(), code.Subject)
	if err == nil && (user.Disabled || user.Role != code.Role) {
		err = store.ErrNotFound
	}
	var out wire.LoginResponse
	if err == nil {
		out, err = a.beginSessionOf(c, user, code.ID)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExists):
		return refused
	case err != nil:
		return err
	}
	return c.JSON(http.StatusOK, out)
}
