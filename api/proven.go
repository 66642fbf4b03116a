package api

import (
	"net/http"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
)

// proven are the tokens that operators came in with last. An order that comes with one of
// them goes ahead while it is looked up whose it is: on a machine that has everything else to
// do that takes as long as all that follows. It lets nobody in, and a token that names no
// operator any more is forgotten when that is found.
type proven struct {
	held *lru.Cache[tokenHash, struct{}]
}

// mostProven is how many are remembered.
const mostProven = 1024

func newProven() proven {
	held, err := lru.New[tokenHash, struct{}](mostProven)
	if err != nil {
		panic(err) // of a size below one
	}
	return proven{held}
}

// learn remembers what a token was found to be.
func (p proven) learn(token string, found *caller, c echo.Context) {
	hash := tokenHash(HashToken(token))
	if operator(found, c) {
		p.held.Add(hash, struct{}{})
	} else {
		p.held.Remove(hash)
	}
}

func (p proven) has(token string) bool {
	return token != "" && p.held.Contains(tokenHash(HashToken(token)))
}

// aheadAtOnce does as ahead does for a token that is proven, before it is looked up.
func (a *API) aheadAtOnce(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !r.orders() {
			return next
		}
		return func(c echo.Context) error {
			if a.proven.has(a.tokenIn(c)) {
				defer a.opts.Store.Ahead(c.Request().Context())()
			}
			return next(c)
		}
	}
}

// orders says that a door is for orders, which others let by.
func (r route) orders() bool { return r.pace == urgent && r.method != http.MethodGet }
