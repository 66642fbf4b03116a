package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// Role is what a person or a tool may do.
type Role string

// The roles. A Viewer reads, a Developer writes configuration, an Operator runs
// deployments, an Admin does everything; Registration lets instances register.
const (
	Viewer       Role = "Viewer"
	Developer    Role = "Developer"
	Operator     Role = "Operator"
	Admin        Role = "Admin"
	Registration Role = "Registration"
)

// Roles lists every role.
func Roles() []Role { return []Role{Viewer, Developer, Operator, Admin, Registration} }

// caller is who stands at the door: a user or tool with a role, or an instance.
type caller struct {
	key      string // whose allowance a request uses; "" is nobody's
	name     string // as the audit log knows it
	role     Role
	scope    profile.Scope
	session  []byte // hash of its id; nil for whom a token of another kind names
	owner    string // the user who is behind it, also behind a token; "" is nobody
	instance *fleet.Instance
}

func (c caller) isInstance(id string) bool { return c.instance != nil && c.instance.ID == id }

// access says whether a caller may pass. A nil access lets nobody build the API.
type access func(c *caller, ctx echo.Context) bool

// roles lets a few roles pass, and the Admin always.
func roles(some ...Role) access {
	return func(c *caller, _ echo.Context) bool {
		return c != nil && (c.role == Admin || slices.Contains(some, c.role))
	}
}

// Who may use a door.
var (
	open      access = func(*caller, echo.Context) bool { return true }
	everybody        = roles(Viewer, Developer, Operator)
	developer        = roles(Developer)
	operator         = roles(Operator)
	admin            = roles()
	registrar        = roles(Developer, Registration)

	theInstance access = func(c *caller, ctx echo.Context) bool {
		return c != nil && c.isInstance(ctx.Param("id"))
	}
	instanceOrDeveloper access = func(c *caller, ctx echo.Context) bool {
		return theInstance(c, ctx) || developer(c, ctx)
	}
)

// Prefixes of names that only the server gives: an instance says itself what its
// host is called, and a provider what a person is.
const (
	instancePrefix = "instance "
	ssoPrefix      = "sso:"
)

const callerKey = "sluice.caller"

// who gives the caller to a handler behind allowed.
func who(c echo.Context) caller {
	if found, ok := c.Get(callerKey).(*caller); ok && found != nil {
		return *found
	}
	return caller{}
}

// allowed finds out who calls and whether the door is theirs.
func (a *API) allowed(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if r.who(nil, c) {
				return next(c) // whoever it is: a probe does not depend on the database
			}
			found, err := a.identify(c)
			if err != nil {
				return err
			}
			c.Set(callerKey, found)
			if r.who(found, c) {
				if err := a.inScope(c, found, r); err != nil {
					return err
				}
				return next(c)
			}
			if found == nil {
				return tokenNeeded(c)
			}
			if found.instance != nil && strings.HasPrefix(r.path, "/api/v1/instances/:id") {
				// Another instance's token finds the same as one that does not exist.
				return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "instance not found"}
			}
			return &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: "the token's role does not allow this"}
		}
	}
}

// tokenNeeded is the answer to whom no token names.
func tokenNeeded(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
	return &problem{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "a valid bearer token is needed"}
}

// identify looks the bearer token up, as long as any look at the store may
// take. No token is nobody; a token that is not known is nobody too.
func (a *API) identify(c echo.Context) (*caller, error) {
	token := a.tokenIn(c)
	if token == "" || len(token) > maxToken && !signed(token) {
		return nil, nil
	}
	if strings.HasPrefix(token, string(InstanceToken)) {
		if known := a.instances.get(tokenHash(HashToken(token))); known != nil {
			return known, nil // what thousands ask a second, without a timer each
		}
	}
	found, err := look(a.lookUpContext(c), a.opts.AnswerWithin, func(ctx context.Context) (*caller, error) { return a.holder(ctx, token) })
	if err == nil {
		a.proven.learn(token, found, c)
	}
	return found, err
}

// tokenIn finds the token of a request, where its protocol has it.
func (a *API) tokenIn(c echo.Context) string {
	if speaks := a.spoken(c.Path()); speaks != nil {
		return speaks.Token(c.Request())
	}
	scheme, token, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	if token != "" && strings.EqualFold(scheme, "Bearer") {
		return token
	}
	// Another scheme is for a proxy before us, which browsers tell at every request.
	if a.mayUseCookie(c) {
		if cookie, err := c.Cookie(sessionCookie); err == nil {
			return cookie.Value
		}
	}
	return ""
}

// holder is whom a token belongs to.
func (a *API) holder(ctx context.Context, token string) (*caller, error) {
	if signed(token) {
		return a.sessionHolder(ctx, token)
	}
	if strings.HasPrefix(token, string(InstanceToken)) {
		hash := HashToken(token)
		instance, err := a.opts.Store.InstanceByToken(ctx, hash)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		by := &caller{key: "instance " + instance.ID, name: instancePrefix + instance.Hostname, instance: &instance}
		a.instances.put(tokenHash(hash), by)
		return by, nil
	}
	found, err := a.opts.Store.TokenByHash(ctx, HashToken(token))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &caller{key: "token " + found.ID, name: found.Name, role: Role(found.Role), scope: found.Scope, owner: found.Owner}, nil
}
