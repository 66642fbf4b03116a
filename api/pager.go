package api

import (
	"maps"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
)

// pagerOf places a page of a list. Its links keep every filter of the query.
func pagerOf(c echo.Context, total, shown, limit, offset int) web.Pager {
	p := web.Pager{Total: total, Limit: limit}
	if shown > 0 {
		p.First, p.Last = offset+1, offset+shown
	}
	if offset > 0 {
		p.Before = pageAt(c, max(0, min(offset, total)-limit))
	}
	if offset+shown < total && shown > 0 {
		p.After = pageAt(c, offset+shown)
	}
	return p
}

func pageAt(c echo.Context, offset int) string {
	query := maps.Clone(c.QueryParams())
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			query.Del(name)
		}
	}
	query.Del("offset")
	if offset > 0 {
		query.Set("offset", strconv.Itoa(offset))
	}
	if len(query) == 0 {
		return c.Request().URL.Path
	}
	return c.Request().URL.Path + "?" + query.Encode()
}
