package compat

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/compat/flags"
	"github.com/sluicehq/sluice/profile"
)

// flagd reads the definitions of its flags from an address that it asks now and then, with the ETag of
// what it has (https://flagd.dev/concepts/syncs/#http-sync).
const (
	flagsPath = "/flags/:profile"
	flagdPath = flagsPath + "/flagd.json"
)

func flagd() *Protocol {
	return &Protocol{
		Name: "flagd", Clients: "flagd: HTTP sync of the daemon",
		Routes:  []Route{{Method: http.MethodGet, Path: flagdPath, Handle: flagdRead}},
		TokenAt: "`Authorization: Bearer`", Token: bearer,
		Refuse: func(c echo.Context, r Refusal) error {
			return c.JSON(r.Status, map[string]string{"message": r.Message})
		},
		Coordinates: []Coordinate{
			{"`/flags/PROFILE/flagd.json`", "`flags`, `$evaluators` and `metadata` of the profile's data"},
		},
	}
}

// noFlags tells that a profile that there is defines no flags.
func noFlags() error {
	return &Refusal{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: flags.ErrNone.Error()}
}

func flagdRead(c echo.Context, from Configs) error {
	config, err := from.Config(c.Request().Context(), param(c, "profile"))
	if err != nil {
		return err
	}
	definition, ok := flags.Definition(config.Data)
	if !ok {
		return noFlags()
	}
	content := profile.Canonical(definition)
	if unchanged(c, profile.Hash(definition)) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, content)
}
