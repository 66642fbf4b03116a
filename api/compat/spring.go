package compat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// Spring Cloud Config's server, as it is described at
// https://docs.spring.io/spring-cloud-config/reference/server/environment-repository.html
//
// A label is a branch there. Here the versions of all branches that are watched are in one line, and
// which one a reader runs is what Sluice is for: a label is taken, answered, and changes nothing.
const (
	springOne   = "/spring/:first"
	springTwo   = "/spring/:first/:second"
	springThree = "/spring/:first/:second/:label"

	// springShared is the application whose properties every other one has too, below its own.
	springShared = "application"
)

func spring() *Protocol {
	return &Protocol{
		Name: "spring", Clients: "Spring Cloud Config",
		Routes: []Route{
			{Method: http.MethodGet, Path: springOne, Handle: springFile},
			{Method: http.MethodGet, Path: springTwo, Handle: springRead},
			{Method: http.MethodGet, Path: springThree, Handle: springEnvironment},
		},
		Token: springToken, TokenAt: "the password of `Basic` (whatever the user), `X-Config-Token`, or `Authorization: Bearer`",
		Refuse: func(c echo.Context, r Refusal) error {
			return c.JSON(r.Status, map[string]any{"status": r.Status, "error": http.StatusText(r.Status), "message": r.Message, "path": c.Request().URL.Path})
		},
		Coordinates: []Coordinate{
			{"`{application}`", "the service; those of the service `application` are below every other's"},
			{"`{profile}`, several with commas", "the environment: `production` or `prod`, `staging` or `stage`, `development` or `dev`; the last wins, names of no environment are left out"},
			{"`{label}`", "nothing: it is taken, and answered"},
			{"`propertySources`", "one for each profile of that service and environment, by name: `a.hosts[0]`"},
			{"`version`", "the version; of several profiles, each with its name"},
		},
	}
}

func springToken(r *http.Request) string {
	return cmp.Or(r.Header.Get("X-Config-Token"), bearerOrPassword(r))
}

// springRead is an environment, or a file of a label: they have the same path.
func springRead(c echo.Context, from Configs) error {
	if _, ok := springFileNamed(param(c, "second")); ok {
		return springFile(c, from)
	}
	return springEnvironment(c, from)
}

// springSource is the properties of one profile.
type springSource struct {
	Name   string          `json:"name"`
	Source json.RawMessage `json:"source"`
}

// springAnswer is an environment, as Spring writes it.
type springAnswer struct {
	Name     string         `json:"name"`
	Profiles []string       `json:"profiles"`
	Label    *string        `json:"label"`
	Version  string         `json:"version"`
	State    *string        `json:"state"`
	Sources  []springSource `json:"propertySources"`
}

func springEnvironment(c echo.Context, from Configs) error {
	application, profiles := param(c, "first"), strings.Split(param(c, "second"), ",")
	configs, err := springConfigs(c.Request().Context(), from, application, profiles)
	if err != nil {
		return err
	}
	if unchanged(c, springTag(configs)) {
		return c.NoContent(http.StatusNotModified)
	}
	answer := springAnswer{Name: application, Profiles: profiles, Version: springVersion(configs), Sources: []springSource{}}
	if label := param(c, "label"); label != "" {
		answer.Label = &label
	}
	for _, config := range configs {
		answer.Sources = append(answer.Sources, springSource{Name: "sluice:" + config.Profile, Source: springProperties(config.Data)})
	}
	return c.JSON(http.StatusOK, answer)
}

// springConfigs are the profiles that an application is given, the one that wins first. An application
// without any is not found: one that starts without its configuration is worse than one that does not.
func springConfigs(ctx context.Context, from Configs, application string, profiles []string) ([]Config, error) {
	var found []Config
	for _, service := range slices.Compact([]string{application, springShared}) {
		for _, named := range slices.Backward(profiles) {
			environment, ok := environmentNamed(strings.TrimSpace(named))
			if !ok {
				continue
			}
			names, err := from.Of(ctx, service, environment)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				config, err := from.Config(ctx, name)
				if errors.Is(err, ErrNotFound) {
					continue // it went meanwhile
				}
				if err != nil {
					return nil, err
				}
				found = append(found, config)
			}
		}
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return found, nil
}

// springVersion is what an application shows of where its properties are from.
func springVersion(configs []Config) string {
	if len(configs) == 1 {
		return configs[0].Version
	}
	parts := make([]string, len(configs))
	for i, config := range configs {
		parts[i] = config.Profile + "@" + config.Version
	}
	return strings.Join(parts, ",")
}

func springTag(configs []Config) string {
	h := sha256.New()
	for _, config := range configs {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d\x00", config.Profile, config.Version, config.Hash, config.Index)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// springProperties are the leaves by the names that Spring gives them. What is empty is an empty text,
// as it is when Spring reads YAML.
func springProperties(data profile.Data) json.RawMessage {
	flat := profile.Data{}
	for _, l := range leaves(data) {
		switch l.value.(type) {
		case string, bool, json.Number:
			flat[l.dotted()] = l.value
		default: // null, or an empty list or object
			flat[l.dotted()] = ""
		}
	}
	return json.RawMessage(profile.Canonical(flat))
}
