package api

import (
	"maps"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
)

// entityTypes are what audit events are about.
var entityTypes = []string{"profile", "deployment", "instance", "source", "schema", "freeze", "token", "user", "notification", "logging", "store"}

// auditLogPage shows the audit log as GET /audit does.
func (a *API) auditLogPage(c echo.Context) (web.Page, error) {
	page := web.Page{Title: "Audit", Section: web.Audit, Body: "audit"}
	f, err := auditFilter(c, whenTyped)
	if err != nil {
		return page, err
	}
	events, total, err := a.opts.Store.Audit(c.Request().Context(), f)
	if err != nil {
		return page, err
	}
	page.View = web.AuditView{
		Search: f.Search, EntityType: f.EntityType, EntityID: f.EntityID, User: f.User, EventType: f.EventType,
		Since: typed(f.Since), Until: typed(f.Until), EntityTypes: withOne(entityTypes, f.EntityType),
		Items: convert(events, wireAudit), Pager: web.NewPager(c.Request().URL.Path, c.QueryParams(), total, f.Limit, f.Offset, len(events)),
		CSV: exportOf(c, formatCSV, f.Since, f.Until), NDJSON: exportOf(c, formatNDJSON, f.Since, f.Until),
	}
	return page, nil
}

// exportOf is the link that exports what the filters of the page let through.
func exportOf(c echo.Context, format string, since, until time.Time) string {
	query := maps.Clone(c.QueryParams())
	for name, values := range query {
		if name == "limit" || name == "offset" || len(values) == 1 && values[0] == "" {
			query.Del(name)
		}
	}
	for name, at := range map[string]time.Time{"since": since, "until": until} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339))
		}
	}
	query.Set("format", format)
	return below + "/audit?" + query.Encode()
}

// The forms in which a browser's field for a time gives it, without a zone.
const (
	typedMinutes = "2006-01-02T15:04"
	typedSeconds = "2006-01-02T15:04:05"
)

// whenTyped reads a time of a form, which is UTC, or as the API takes it.
func whenTyped(c echo.Context, name string) (time.Time, error) {
	for _, layout := range []string{typedMinutes, typedSeconds} {
		if t, err := time.Parse(layout, c.QueryParam(name)); err == nil {
			return t, nil
		}
	}
	return when(c, name)
}

// typed is a time as such a field takes it.
func typed(t time.Time) string {
	switch t = t.UTC(); {
	case t.IsZero():
		return ""
	case t.Second() == 0:
		return t.Format(typedMinutes)
	}
	return t.Format(typedSeconds)
}

// withOne are the values and one that may not be among them.
func withOne(values []string, one string) []string {
	if one == "" || known(values, one) {
		return values
	}
	return append(append([]string{}, values...), one)
}
