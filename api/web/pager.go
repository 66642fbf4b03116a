package web

import (
	"net/url"
	"strconv"
)

// Pager leads through a list that is shown a page at a time.
type Pager struct {
	Total, Limit  int
	First, Last   int    // shown, from 1 on
	Before, After string // links, "" at the ends
}

// NewPager is where a list is: shown of total from offset on. The links keep what
// else the query says.
func NewPager(path string, query url.Values, total, limit, offset, shown int) Pager {
	p := Pager{Total: total, Limit: limit, First: min(offset+1, total), Last: offset + shown}
	if p.Last < p.First { // beyond the end
		p.First = p.Last
	}
	to := func(offset int) string {
		q := url.Values{}
		for name, values := range query {
			if name != "offset" && len(values) > 0 && values[0] != "" {
				q.Set(name, values[0])
			}
		}
		if offset > 0 {
			q.Set("offset", strconv.Itoa(offset))
		}
		if len(q) == 0 {
			return path
		}
		return path + "?" + q.Encode()
	}
	if offset > 0 {
		p.Before = to(max(0, min(offset, total)-limit))
	}
	if p.Last < total {
		p.After = to(offset + limit)
	}
	return p
}
