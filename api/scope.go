package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// sees says whether the caller's scope has a profile of an environment. What it
// has not does not exist for the caller: it is absent from lists, and answers
// 404 as an unknown name does.
func (c caller) sees(environment, name string) bool {
	return c.scope.Has(profile.Environment(environment), name)
}

// scoped are the doors without an id in their path that a caller with a scope
// may use: their handlers keep to it. Whatever is about everything, as tokens,
// users, freezes and schemas are to change, is for callers without one.
var scoped = map[string]bool{
	"GET /configs": true, "POST /configs": true, "POST /validate": true,
	"GET /deployments": true, "POST /deployments": true,
	"GET /instances": true, "POST /instances": true,
	"GET /audit": true, "GET /statuses/:commit": true, "GET /sources": true, "GET /freeze": true,
	"GET /schemas": true, "GET /schemas/:id": true, "POST /schemas/:id/validate": true,
	"POST /authentication/logout": true, "GET /authentication/identity": true,
	// The dashboard's pages; what an open one is of is looked at again.
	"GET /": true, "GET /live": true, "GET /profiles": true, "GET /account": true,
}

// subject is what the id in a door's path names.
type subject struct {
	prefix, param string
	has           func(s *store.Store, ctx context.Context, scope profile.Scope, id string) (bool, error)
}

var subjects = []subject{
	{"/configs/:name", "name", (*store.Store).ScopeHasProfile},
	{"/profiles/:name", "name", (*store.Store).ScopeHasProfile},
	{"/deployments/:id", "id", (*store.Store).ScopeHasDeployment},
	{"/instances/:id", "id", (*store.Store).ScopeHasInstance},
	{"/sources/:id", "id", (*store.Store).ScopeHasSource},
}

// inScope keeps a caller with a scope to what it has. Doors of which nothing is
// known here stay shut: whoever adds one says how it keeps to scopes.
func (a *API) inScope(c echo.Context, by *caller, r route) error {
	if by == nil || by.scope.Everything() {
		return nil
	}
	path := strings.TrimPrefix(r.path, "/api/v1")
	for _, s := range subjects {
		if path != s.prefix && !strings.HasPrefix(path, s.prefix+"/") {
			continue
		}
		ok, err := look(c.Request().Context(), a.opts.AnswerWithin, func(ctx context.Context) (bool, error) {
			return s.has(a.opts.Store, ctx, by.scope, c.Param(s.param))
		})
		if err == nil && !ok {
			err = store.ErrNotFound
		}
		return err
	}
	if scoped[r.method+" "+path] || a.spoken(r.path) != nil { // clients get nothing that is not within
		return nil
	}
	return outsideScope("the token has a scope, and this is about everything: use one without a scope")
}

// outsideScope refuses to make what the caller could not see afterwards.
func outsideScope(message string) *problem {
	return &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: message}
}
