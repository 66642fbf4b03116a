package compat

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// environments are the names that clients have for them, in lower case.
var environments = map[string]profile.Environment{
	"development": profile.Development, "dev": profile.Development,
	"staging": profile.Staging, "stage": profile.Staging,
	"production": profile.Production, "prod": profile.Production,
}

// environmentNamed is the environment that a client means, in whatever case it writes it.
func environmentNamed(name string) (profile.Environment, bool) {
	e, ok := environments[strings.ToLower(name)]
	return e, ok
}

// password is the token where a client knows users and passwords alone. Whatever the user is called.
func password(r *http.Request) string {
	_, token, _ := r.BasicAuth()
	return token
}

// bearerOrPassword is the token of a client that takes either, or a URL with a user in it.
func bearerOrPassword(r *http.Request) string { return cmp.Or(bearer(r), password(r)) }

// param is a part of the path, without its escapes.
func param(c echo.Context, name string) string {
	part := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return part // the router had it without them
	}
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// unchanged names an answer by tag, and says that the caller has it already.
func unchanged(c echo.Context, tag string) bool {
	tag = `"` + tag + `"`
	c.Response().Header().Set("ETag", tag)
	for have := range strings.SplitSeq(c.Request().Header.Get("If-None-Match"), ",") {
		if have = strings.TrimSpace(have); have == "*" || strings.TrimPrefix(have, "W/") == tag {
			return true
		}
	}
	return false
}
