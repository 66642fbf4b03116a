package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

// tokenForms are the forms of the tokens' pages.
func (a *API) tokenForms() []route {
	return []route{
		{"POST", "/tokens", admin, 10, smallBody, prompt, a.submitToken},
		{"POST", "/tokens/:id/revoke", admin, 10, smallBody, prompt, a.submits(a.revokePage, a.submitRevoke)},
	}
}

// lives are how long a token can be made for on the page.
var lives = []web.Life{{TTL: "P1D", Text: "a day"}, {TTL: "P7D", Text: "a week"}, {TTL: "P30D", Text: "30 days"}, {TTL: "P90D", Text: "90 days"}, {TTL: "P365D", Text: "a year"}, {Text: "ever, until it is revoked"}}

const usualLife = "P30D"

func (a *API) tokensPage(c echo.Context) (web.Page, error) {
	tokens, err := a.opts.Store.Tokens(c.Request().Context())
	if err != nil {
		return web.Page{}, err
	}
	view := web.TokensView{
		Items: convert(tokens, wireToken), Roles: texts(Roles()...), Lives: slices.Clone(lives),
		Name: filledIn(c, "name"), Role: filledIn(c, "role"), Profiles: filledIn(c, "profiles"),
	}
	ttl, chosen := usualLife, []string(nil)
	if c.Request().Method == http.MethodPost {
		ttl, chosen = c.FormValue("ttl"), c.Request().Form["environments"]
	}
	for i := range view.Lives {
		view.Lives[i].Chosen = view.Lives[i].TTL == ttl
	}
	for _, environment := range texts(environments...) {
		view.Environments = append(view.Environments, web.Ticked{Value: environment, Chosen: known(chosen, environment)})
	}
	return web.Page{Title: "Tokens", Section: web.Tokens, Body: "tokens", View: view}, nil
}

// submitToken makes a token and answers with it: in no other place is it shown,
// and in no URL.
func (a *API) submitToken(c echo.Context) error {
	if err := c.Request().ParseForm(); err != nil {
		return invalid("the form could not be read")
	}
	made, err := a.makeToken(c, wire.TokenRequest{
		Name: strings.TrimSpace(c.FormValue("name")), Role: c.FormValue("role"), TTL: c.FormValue("ttl"),
		Environments: c.Request().PostForm["environments"], Profiles: strings.Fields(c.FormValue("profiles")),
	})
	if err != nil {
		return a.refuse(c, a.tokensPage, err)
	}
	return a.showPage(c, http.StatusCreated, web.Page{Title: "The token " + made.Name, Section: web.Tokens, Body: "token-made", View: web.TokenMade{Token: made}}, nil)
}

// revokePage asks before a token is revoked.
func (a *API) revokePage(c echo.Context) (web.Page, error) {
	tokens, err := a.opts.Store.Tokens(c.Request().Context())
	if err != nil {
		return web.Page{}, err
	}
	i := slices.IndexFunc(tokens, func(t store.Token) bool { return t.ID == c.Param("id") })
	if i < 0 {
		return web.Page{}, store.ErrNotFound
	}
	return web.Page{Title: "Revoke " + tokens[i].Name, Section: web.Tokens, Body: "revoke", View: web.RevokeView{Token: wireToken(tokens[i])}}, nil
}

func (a *API) submitRevoke(c echo.Context) (string, error) {
	return "/tokens", a.opts.Store.RevokeToken(c.Request().Context(), c.Param("id"), who(c).name)
}
