package api

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
)

// accountForms are the forms of the page of whoever is signed in.
func (a *API) accountForms() []route {
	return []route{{"POST", "/account/password", everybody, 10, smallBody, prompt, a.submits(a.accountPage, a.submitPassword)}}
}

// accountPage says who one is here, and lets a user change the own password.
func (a *API) accountPage(c echo.Context) (web.Page, error) {
	by := who(c)
	var view web.AccountView
	if by.session != nil {
		user, err := a.opts.Store.User(c.Request().Context(), by.name)
		if err != nil {
			return web.Page{}, err
		}
		view.Issuer, view.Password = user.Issuer, user.Issuer == ""
		view.Changed = c.QueryParam("changed") == "password"
	}
	return web.Page{Title: by.name, Body: "account", View: view}, nil
}

func (a *API) submitPassword(c echo.Context) (string, error) {
	req := wire.PasswordChange{Current: c.FormValue("currentPassword"), New: c.FormValue("newPassword")}
	if req.New != c.FormValue("again") {
		return "", invalid("the new password was not written the same twice")
	}
	in, err := a.newPassword(c, req)
	if err != nil {
		return "", inWords(err, map[string]string{"currentPassword": "the present password", "newPassword": "the new password"})
	}
	a.keepCookie(c, in)
	return "/account?changed=password", nil
}

// inWords says what is wrong with a form by the names that its fields have on
// the page.
func inWords(err error, fields map[string]string) error {
	refused, ok := errors.AsType[*problem](err)
	if !ok || len(refused.details) != 1 {
		return err
	}
	field, known := fields[refused.details[0].Field]
	if !known {
		return err
	}
	said := *refused
	said.message, said.details = strings.TrimSpace(field+" "+refused.details[0].Message), nil
	return &said
}
