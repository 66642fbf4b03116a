package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

const (
	// liveEvery is how often an open page is looked after: what a person follows
	// need not be newer.
	liveEvery = time.Second
	// hereEvery is how often its stream says that it stands.
	hereEvery = 5 * time.Second
)

// live looks after one open page: whenever what it shows is not what the reader
// has, the stream tells all of it. So a reader who missed something has lost
// nothing, whichever replica it comes to.
func (a *API) live(c echo.Context) error {
	opened := a.opts.Now()
	build, at, err := a.openPage(c)
	if err != nil {
		return err
	}
	done, err := a.startReading(who(c).key)
	if err != nil {
		return err
	}
	defer done()
	s, err := a.openStream(c)
	if err != nil {
		return nil // the reader is gone
	}
	defer counted(a.metrics.followers)()
	return a.lookAfter(c, s, build, at, opened)
}

func (a *API) lookAfter(c echo.Context, s *eventStream, build pageFunc, at *url.URL, opened time.Time) error {
	mark := c.QueryParam("mark")
	tick, here := time.NewTicker(liveEvery), time.NewTicker(min(hereEvery, a.opts.KeepAlive))
	defer tick.Stop()
	defer here.Stop()
	var looks patience
	seen, unread := false, false
	if err := s.send("here", "", a.pageHere(unread)); err != nil {
		return nil // the reader is gone
	}
	for {
		told, err := a.lookAtPage(c, build, at, opened)
		switch {
		case err != nil && a.explain(c, err).status < http.StatusInternalServerError:
			return nil // the page is gone, or not theirs any more: opened again, it says so
		case err != nil:
			looks.failed()
			a.missed(c.Request().Context(), err)
		default:
			looks.worked()
			seen = true
		}
		// A look that fails alone is made up for in a moment. Where none does, the reader is not to take for live what is old.
		if now := looks.failures > 1 || looks.failures > 0 && !seen; now != unread {
			if unread = now; s.send("here", "", a.pageHere(unread)) != nil {
				return nil
			}
		}
		if err == nil && told.Mark != mark {
			if s.send("page", "", told) != nil {
				return nil
			}
			mark = told.Mark
		}
		if over, err := a.liveWait(c, s, unread, tick.C, here.C, looks.again); over {
			return err
		}
	}
}

// pageHere says that the stream stands, and whether what the page shows cannot be read.
func (a *API) pageHere(unread bool) wire.PageHere {
	return wire.PageHere{Now: a.opts.Store.Clock().UTC(), Unread: unread}
}

// liveWait waits until the page is to be looked at again; over says that there is
// nobody to look for.
func (a *API) liveWait(c echo.Context, s *eventStream, unread bool, tick, here, again <-chan time.Time) (over bool, err error) {
	if again != nil {
		tick = nil
	}
	for {
		select {
		case <-c.Request().Context().Done():
			return true, nil
		case <-a.draining:
			return true, ignored(s.reconnect(leastSpread))
		case <-tick:
			return false, nil
		case <-again:
			return false, nil
		case <-here:
			if !a.stillAllowed(c) {
				return true, ignored(s.send("signed-out", "", struct{}{}))
			}
			if s.send("here", "", a.pageHere(unread)) != nil {
				return true, nil
			}
		}
	}
}

// lookAtPage is what an open page shows now. Whoever may do and see the same gets
// the same: who they are is outside of what is told. It is made under no reader's
// own context, since it is for all of them.
func (a *API) lookAtPage(c echo.Context, build pageFunc, at *url.URL, opened time.Time) (wire.PageContent, error) {
	by := who(c)
	key := fmt.Sprintf("%s %t %q %q %s", by.role, by.session != nil, by.scope.Environments, by.scope.Profiles, at.RequestURI())
	return a.shared.of(key, a.opts.Now(), opened, func() (wire.PageContent, error) {
		return look(context.WithoutCancel(c.Request().Context()), a.opts.AnswerWithin, func(ctx context.Context) (told wire.PageContent, err error) {
			on := a.pageContext(ctx, c, at)
			p, err := build(on)
			if err != nil {
				return told, err
			}
			if !p.Live { // it may be of one person alone, as the account is
				return told, store.ErrNotFound
			}
			f, err := a.frame(on, p)
			if err != nil {
				return told, err
			}
			mark, main, err := content(f)
			return wire.PageContent{Mark: mark, Title: p.Title + " · Sluice", Build: f.Build(), HTML: string(main)}, err
		})
	})
}

// openPage finds the page that a stream is to look after, and whether its reader
// may see it.
func (a *API) openPage(c echo.Context) (pageFunc, *url.URL, error) {
	at, err := url.ParseRequestURI(c.QueryParam("page"))
	if err != nil || at.Host != "" || !strings.HasPrefix(at.Path, "/") {
		return nil, nil, invalidField("page", "is the path of a page of this server")
	}
	for _, p := range a.pages() {
		params, ok := matchPath(p.path, at.Path)
		if !ok {
			continue
		}
		by := who(c)
		if !p.who(&by, c) {
			return nil, nil, &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: "the page is not for this role"}
		}
		c.SetParamNames(params.names...)
		c.SetParamValues(params.values...)
		if err := a.inScope(c, &by, route{method: http.MethodGet, path: p.path}); err != nil {
			return nil, nil, err
		}
		return p.build, at, nil
	}
	return nil, nil, store.ErrNotFound
}

// pageContext is that of a request for the page, by the reader of the stream.
func (a *API) pageContext(ctx context.Context, c echo.Context, at *url.URL) echo.Context {
	r := c.Request().Clone(ctx)
	r.URL, r.RequestURI = at, at.RequestURI()
	on := a.echo.NewContext(r, nil)
	on.SetParamNames(c.ParamNames()...)
	on.SetParamValues(c.ParamValues()...)
	by := who(c)
	on.Set(callerKey, &by)
	return on
}

// pathParams are the values of the names in a page's path.
type pathParams struct{ names, values []string }

// matchPath holds a path against that of a page.
func matchPath(pattern, path string) (params pathParams, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return params, false
	}
	for i := range want {
		name, param := strings.CutPrefix(want[i], ":")
		switch {
		case param && got[i] != "":
			params.names, params.values = append(params.names, name), append(params.values, got[i])
		case param || want[i] != got[i]:
			return params, false
		}
	}
	return params, true
}
