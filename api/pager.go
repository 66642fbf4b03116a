package api

import (
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
)

// pagerOf has the links to the parts of a list beside the shown one: the page's
// own path and filters with another offset.
func pagerOf(c echo.Context, total, limit, offset, shown int) web.Pager {
	at := func(offset int) string {
		u := *c.Request().URL
		query := url.Values{}
		for name, values := range u.Query() {
			if name != "offset" && values[0] != "" {
				query[name] = values
			}
		}
		if offset > 0 {
			query.Set("offset", strconv.Itoa(offset))
		}
		u.RawQuery = query.Encode()
		return u.RequestURI()
	}
	p := web.Pager{Total: total, Limit: limit, First: offset + 1, Last: offset + shown}
	if offset > 0 {
		p.Before = at(max(0, offset-limit))
	}
	if p.Last < total {
		p.After = at(offset + limit)
	}
	return p
}
