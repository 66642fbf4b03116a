package api

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// parameter is a part of a path that differs from request to request.
var parameter = regexp.MustCompile(`:([a-z]+)`)

// limitName names a door as the description of the API does: POST /instances/{id}/heartbeat.
func limitName(r route) string {
	return r.method + " " + parameter.ReplaceAllString(strings.TrimPrefix(r.path, "/api/v1"), "{$1}")
}

// doors is every door there is, with the limits that somebody gave it.
func (a *API) doors() []route {
	all := a.list()
	for i, r := range all {
		if limit := a.opts.Limits[limitName(r)]; limit > 0 && r.perMinute > 0 && !isPage(r.path) {
			all[i].perMinute = limit
		}
	}
	return all
}

// checkLimits refuses a limit of no door: whoever gave it believes that it holds.
func (a *API) checkLimits() error {
	limited := map[string]bool{}
	for _, r := range a.list() {
		if !isPage(r.path) {
			limited[limitName(r)] = r.perMinute > 0
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(a.opts.Limits)) {
		if can, known := limited[name]; !known {
			errs = append(errs, fmt.Errorf("rate_limits: there is no operation %q: they are named as in /openapi.json, such as POST /configs", name))
		} else if !can {
			errs = append(errs, fmt.Errorf("rate_limits: %q has no limit: it is a stream or a probe", name))
		}
	}
	return errors.Join(errs...)
}
