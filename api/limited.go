package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/store"
)

// How many keys are remembered: 10,000 instances at several doors, and as many
// addresses of strangers as come in a minute.
const (
	maxCallers   = 200_000
	maxStrangers = 20_000
)

// registrationFactor: one registration token serves a whole fleet that starts at once.
const registrationFactor = 40

// limited bounds how often one caller uses one door.
func (a *API) limited(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if r.perMinute == 0 || a.opts.LimitFactor < 0 {
			return next
		}
		perMinute := max(1, int(float64(r.perMinute)*a.opts.LimitFactor))
		door := r.method + " " + r.path + " "
		ofClients := a.spoken(r.path) != nil
		return func(c echo.Context) error {
			by := who(c)
			if r.pace == urgent {
				return a.admit(c, a.emergency, door+by.key, perMinute, next)
			}
			if by.key == "" {
				return a.admit(c, a.strangers, door+addressKey(c), perMinute, next)
			}
			if by.role == Registration {
				return a.admit(c, a.limits, door+by.key+" "+addressKey(c), perMinute*registrationFactor, next)
			}
			if ofClients { // many of them may share a token
				return a.admit(c, a.limits, door+by.key+" "+addressKey(c), perMinute, next)
			}
			return a.admit(c, a.limits, door+by.key, perMinute, next)
		}
	}
}

// lookUps is how many tokens a minute one address has looked up at the urgent
// doors over the connections that are kept for them.
const lookUps = 600

// lookUpContext is for looking a caller's token up. A flood of made-up tokens at
// an urgent door waits with everybody else: it takes the kept connections from
// nobody who has a right to them.
func (a *API) lookUpContext(c echo.Context) context.Context {
	ctx := c.Request().Context()
	if p, ok := c.Get(paceKey).(pace); !ok || p != urgent {
		return ctx
	}
	if _, _, ok := a.guesses.Take(ctx, addressKey(c), lookUps); !ok {
		return store.Usual(ctx)
	}
	return ctx
}

// addressKey names where a request comes from. One subscriber has a whole /64
// of IPv6 addresses, so they count as one.
func addressKey(c echo.Context) string {
	address, err := netip.ParseAddr(c.RealIP())
	if err != nil {
		return "address unknown"
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return "address " + prefix.String()
		}
	}
	return "address " + address.String()
}

// admit answers 429 once the limit is used up.
func (a *API) admit(c echo.Context, of coord.Limiter, key string, perMinute int, next echo.HandlerFunc) error {
	left, reset, ok := of.Take(c.Request().Context(), key, perMinute)
	h := c.Response().Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(perMinute))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	if ok {
		return next(c)
	}
	h.Set("Retry-After", strconv.Itoa(wholeSeconds(reset.Sub(a.opts.Now()))))
	return &problem{status: http.StatusTooManyRequests, code: "RATE_LIMIT_EXCEEDED", message: fmt.Sprintf("at most %d of these a minute", perMinute)}
}

// wholeSeconds rounds a wait up to what Retry-After can say.
func wholeSeconds(wait time.Duration) int { return max(1, int((wait+time.Second-1)/time.Second)) }
