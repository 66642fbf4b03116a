package compat

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// The local path of AWS AppConfig's agent, as it is described at
// https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-agent-how-to-use.html
const appConfigPath = "/applications/:application/environments/:environment/configurations/:configuration"

func appConfig() *Protocol {
	return &Protocol{
		Name: "appconfig", Clients: "AWS AppConfig, by the path of its agent",
		Routes: []Route{{Method: http.MethodGet, Path: appConfigPath, Handle: appConfigRead}},
		Token:  bearerOrPassword, TokenAt: "`Authorization: Bearer`, or the password of a URL: `http://sluice:TOKEN@HOST`",
		Refuse: func(c echo.Context, r Refusal) error {
			return c.JSON(r.Status, map[string]string{"code": r.Code, "message": r.Message})
		},
		Coordinates: []Coordinate{
			{"application", "the service"},
			{"environment", "the environment, in either case: `Production`, `production` or `prod`"},
			{"configuration", "the profile of that service and environment, by its name"},
			{"`?flag=a&flag=b`", "those of the profile's values alone; with one flag, what it holds"},
			{"`Configuration-Version`", "the version"},
		},
	}
}

// appConfigRead answers a profile's data as JSON, or some of its flags.
func appConfigRead(c echo.Context, from Configs) error {
	config, err := from.Config(c.Request().Context(), param(c, "configuration"))
	if err != nil {
		return err
	}
	environment, ok := environmentNamed(param(c, "environment"))
	if !ok || config.Environment != environment || config.Service != param(c, "application") {
		return ErrNotFound
	}
	flags := c.QueryParams()["flag"]
	body, err := appConfigBody(config.Data, flags)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Configuration-Version", config.Version)
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, body)
}

// appConfigBody is all data, what one flag holds, or several flags by name.
func appConfigBody(data profile.Data, flags []string) ([]byte, error) {
	if len(flags) == 0 {
		return profile.Canonical(data), nil
	}
	some := profile.Data{}
	for _, flag := range flags {
		value, ok := data[flag]
		if !ok {
			return nil, &Refusal{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "the profile has no flag " + flag}
		}
		some[flag] = value
	}
	if len(flags) == 1 {
		return asJSON(some[flags[0]]), nil
	}
	return profile.Canonical(some), nil
}
