package api

import (
	"context"

	"github.com/labstack/echo/v4"
)

// Unready says that the daemon is about to stop: the readiness probe fails from
// now on, so that load balancers look for another replica, and all else is
// answered as before.
func (a *API) Unready() { a.leaving.Store(true) }

// Drain says that the daemon stops: it is not ready any more, open streams are
// asked to connect again, and long polls are answered.
func (a *API) Drain() {
	a.Unready()
	a.drainOnce.Do(func() {
		close(a.draining)
		a.marks.drain()
	})
}

// Drained waits until every stream that was asked to connect again was, or until
// ctx ends. The HTTP server does not know of those whose connections it gave away.
func (a *API) Drained(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		a.streams.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// farewell ends the connections of a replica that is about to stop, each after
// its answer: one that is kept would bring the caller's next request here.
func (a *API) farewell(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if a.leaving.Load() {
			c.Response().Header().Set(echo.HeaderConnection, "close")
		}
		return next(c)
	}
}
