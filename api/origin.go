package api

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

// ours says that a page of this server sent the request, as its browser tells.
// Without a word from the browser it is not.
func (a *API) ours(c echo.Context) bool {
	h := c.Request().Header
	if site := h.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	return h.Get("Origin") != "" && a.fromHere(c)
}

// foreign says that another site's page sent the request, as far as the browser
// tells. What is no browser says nothing, and no site can make it send anything.
func (a *API) foreign(c echo.Context) bool {
	h := c.Request().Header
	if site := h.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	return h.Get("Origin") != "" && !a.fromHere(c)
}

// fromHere compares the origin with the name that this server was asked by, and
// with the one that it is known by behind a proxy.
func (a *API) fromHere(c echo.Context) bool {
	origin, err := url.Parse(c.Request().Header.Get("Origin"))
	if err != nil || origin.Host == "" {
		return false
	}
	if origin.Host == c.Request().Host {
		return true
	}
	external, err := url.Parse(a.opts.ExternalURL)
	return err == nil && external.Host == origin.Host && external.Scheme == origin.Scheme
}

// mayUseCookie says that a request may be made in the name of whom the browser
// is signed in as: it reads, or it comes from a page of this server.
func (a *API) mayUseCookie(c echo.Context) bool {
	method := c.Request().Method
	return method == http.MethodGet || method == http.MethodHead || a.ours(c)
}

func anotherSite() *problem {
	return &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: "another site sent this form"}
}
