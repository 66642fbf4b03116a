package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

// The policies of pages: what this server itself has, nothing from elsewhere, and
// nothing that is written into the page. The dashboard has a script and streams.
const (
	pagePolicy      = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	dashboardPolicy = pagePolicy + "; script-src 'self'; img-src 'self'; connect-src 'self'"
)

func html(c echo.Context, status int, page []byte) error {
	return htmlUnder(c, pagePolicy, status, page)
}

func htmlUnder(c echo.Context, policy string, status int, page []byte) error {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", policy)
	// Without a referrer browsers say of a form that it comes from nowhere.
	h.Set("Referrer-Policy", "same-origin")
	return c.HTMLBlob(status, page)
}

func (a *API) loginPage(c echo.Context) error {
	why := ""
	if c.QueryParam("undone") != "" {
		why = "You are not signed in any more, and what you sent was not done. Sign in, and send it again."
	}
	return a.showLogin(c, http.StatusOK, local(c.QueryParam("next")), why)
}

// showLogin shows the page to sign in on, with why the last try did not do.
func (a *API) showLogin(c echo.Context, status int, next, refused string) error {
	form := web.LoginForm{Next: next, Refused: refused}
	if a.opts.SSO != nil {
		form.Provider, form.ProviderURL = a.opts.SSO.Name(), ssoPath+"?"+url.Values{"next": {next}}.Encode()
	}
	page, err := web.Login(form)
	if err != nil {
		return err
	}
	return html(c, status, page)
}

// local keeps a link from leading to another site. Browsers leave tabs and line ends
// out of it first, and take a backslash for a slash.
func local(path string) string {
	if len(path) > 1024 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) || !printable(path) {
		return "/"
	}
	return path
}

// enter signs a browser in.
func (a *API) enter(c echo.Context) error {
	if a.foreign(c) {
		return anotherSite()
	}
	next := local(c.FormValue("next"))
	req := wire.LoginRequest{Username: c.FormValue("username"), Password: c.FormValue("password")}
	err := a.admitted(c, req, func(c echo.Context, req wire.LoginRequest) error {
		in, err := a.enterWithPassword(c, req)
		if err != nil {
			return err
		}
		a.keepCookie(c, in)
		return c.Redirect(http.StatusSeeOther, next)
	})
	p, refused := errors.AsType[*problem](err)
	if !refused || p.status >= http.StatusInternalServerError {
		return err
	}
	return a.showLogin(c, p.status, next, p.message)
}

// logoutPage asks whether to sign out: a link that another site shows must not do it.
func (a *API) logoutPage(c echo.Context) error {
	page, err := web.Logout()
	if err != nil {
		return err
	}
	return html(c, http.StatusOK, page)
}

// leave signs a browser out.
func (a *API) leave(c echo.Context) error {
	if a.foreign(c) {
		return anotherSite()
	}
	found, err := a.identify(c)
	if err != nil {
		return err
	}
	if found != nil && found.session != nil {
		if err := a.opts.Store.EndSession(c.Request().Context(), found.session); err != nil {
			return err
		}
	}
	a.forgetCookie(c)
	return c.Redirect(http.StatusSeeOther, "/login")
}

// asset is a file that pages refer to, with its build in the query: another build
// is another URL, so it may be kept for good.
func (a *API) asset(c echo.Context) error {
	text, mediaType, ok := web.Asset(c.Param("file"))
	if !ok {
		return store.ErrNotFound
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, mediaType, text)
}
