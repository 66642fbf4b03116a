package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/store"
)

// pace is how a door uses time. Every door has one, so that a database that
// hangs ends in an answer and not in a pile of requests.
type pace int

const (
	prompt  pace = iota // answered within Options.AnswerWithin
	urgent              // stops or takes back what hurts: answered within moreForUrgent of it, over connections kept for it
	waiting             // waits on purpose, as a stream does: each of its looks at the store is bounded instead
)

const (
	answerWithin  = 4 * time.Second
	moreForUrgent = time.Second
)

const paceKey = "sluice.pace"

// paced bounds a request. It stands before everything that asks the store, the
// look-up of the caller's token included.
func (a *API) paced(p pace) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Set(paceKey, p)
			if p == waiting {
				return next(c)
			}
			ctx, within := c.Request().Context(), a.opts.AnswerWithin
			if p == urgent {
				ctx, within = store.Urgent(ctx), within+moreForUrgent
			}
			ctx, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
			return next(c)
		}
	}
}

// ahead lets an order that was let in go ahead of whatever can wait: of steps and
// heartbeats, and not of another order. A stranger holds nobody up: this stands
// behind the look at who calls, and how often. For whom that is known to be no
// stranger aheadAtOnce does so sooner.
func (a *API) ahead(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !r.orders() {
			return next
		}
		return func(c echo.Context) error {
			defer a.opts.Store.Ahead(c.Request().Context())()
			return next(c)
		}
	}
}

// look bounds one look at the store by a door that waits.
func look[T any](ctx context.Context, within time.Duration, read func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return read(ctx)
}

// away says that a request failed because the database did not answer in time,
// or not at all. Whatever a driver makes of it, the request's own deadline tells.
func away(ctx context.Context, err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// mostRetryAfter is as long as clients let a server make them wait.
const mostRetryAfter = 10

// retryAfter is in how many seconds to ask again. Thousands of instances that
// were refused in the same moment must not come back in the same one; who wants
// to take back what hurts need not wait for them.
func retryAfter(c echo.Context) int {
	if p, ok := c.Get(paceKey).(pace); ok && p == urgent {
		return 1
	}
	return 1 + rand.IntN(mostRetryAfter)
}

// The pauses between looks of a stream whose store does not answer.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 10 * time.Second
)

// patience is when a stream looks again at a store that did not answer: soon at
// first, then further apart, and no two streams at the same time. The stream
// itself goes on: thousands of readers that connect again would find the same
// database, and each its token not looked up.
type patience struct {
	failures int
	again    <-chan time.Time // nil while there is nothing to look at again
}

func (p *patience) failed() {
	pause := min(firstPause<<min(p.failures, 10), longestPause)
	p.failures++
	p.again = time.After(pause/2 + rand.N(pause/2))
}

func (p *patience) worked() { p.failures, p.again = 0, nil }
