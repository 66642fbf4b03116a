package api

import (
	"net/http"
	"runtime"
	"time"

	"github.com/labstack/echo/v4"
)

// atOncePerCPU is how many requests to read something are worked on at once, for
// each processor. More of them would take no less time each, and leave a rollback
// no turn among them.
const atOncePerCPU = 4

// crowd bounds them. Those for which there is no room wait as long as an answer may.
type crowd chan struct{}

func newCrowd() crowd { return make(crowd, atOncePerCPU*runtime.GOMAXPROCS(0)) }

// crowding says that a door is for reading what people and tools ask for, which
// may be many long lists. Instances and probes wait for nobody.
func crowding(r route) bool {
	return r.method == http.MethodGet && r.pace == prompt && r.perMinute > 0
}

// inTurn lets a reader work when there is room, and orders by.
func (a *API) inTurn(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !crowding(r) {
			return next
		}
		return func(c echo.Context) error {
			select {
			case a.crowd <- struct{}{}:
				defer func() { <-a.crowd }()
				defer a.hurried(c)()
				a.opts.Store.LetBy(c.Request().Context())
				return next(c)
			case <-c.Request().Context().Done():
				return unavailable("too many read at once; try again")
			}
		}
	}
}

// hurried bounds how long a reader may take to take the answer, from its first byte, and lifts the
// bound: a few who read nothing must not hold everybody's turns. To make it may take as long as any.
func (a *API) hurried(c echo.Context) (lift func()) {
	control := http.NewResponseController(c.Response().Writer)
	bounded, over := false, false
	c.Response().Before(func() {
		if !over { // an error is answered when the turn is over
			bounded = control.SetWriteDeadline(time.Now().Add(a.opts.WriteTimeout)) == nil // or it is a writer that waits for nobody
		}
	})
	return func() {
		if over = true; !bounded {
			return
		}
		if err := control.SetWriteDeadline(time.Time{}); err != nil {
			a.log.DebugContext(c.Request().Context(), "the bound of an answer is not lifted", "error", err)
		}
	}
}
