package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/rollout"
)

// maxReading is how many deployments one caller follows at once: each looks at
// the store every second.
const maxReading = 20

// deploymentEvents streams a deployment at each change until it has ended.
func (a *API) deploymentEvents(c echo.Context) error {
	out, err := a.lookAtDeployment(c, c.Param("id"))
	if err != nil {
		return err
	}
	done, err := a.startReading(who(c).key)
	if err != nil {
		return err
	}
	defer done()
	changed := a.opts.Bus.Subscribe(c.Request().Context(), ProfileTopic(out.ConfigName))
	s, err := a.openStream(c)
	if err != nil {
		return nil // the reader is gone
	}
	defer counted(a.metrics.followers)()
	return a.follow(c, s, out, changed)
}

func (a *API) lookAtDeployment(c echo.Context, id string) (wire.Deployment, error) {
	return look(c.Request().Context(), a.opts.AnswerWithin, func(ctx context.Context) (wire.Deployment, error) { return a.wholeDeployment(ctx, id) })
}

// follow tells each revision once; a reader who saw one says so. A store that
// does not answer ends nothing.
func (a *API) follow(c echo.Context, s *eventStream, out wire.Deployment, changed <-chan struct{}) error {
	seen := c.Request().Header.Get("Last-Event-ID")
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	keep := time.NewTicker(a.opts.KeepAlive)
	defer keep.Stop()
	var looks patience
	for {
		if revision := strconv.FormatInt(out.Revision, 10); revision != seen {
			if err := s.send("deployment", revision, out); err != nil {
				return nil // the reader is gone
			}
			seen = revision
		}
		if rollout.State(out.Status).Final() {
			return nil
		}
		tick := poll.C
		if looks.again != nil {
			tick = nil
		}
		select {
		case <-c.Request().Context().Done():
			return nil
		case <-a.draining:
			return ignored(s.reconnect(leastSpread))
		case <-changed:
		case <-tick:
		case <-looks.again:
		case <-keep.C:
			if err := s.keepAlive(); err != nil || !a.stillAllowed(c) {
				return nil
			}
		}
		fresh, err := a.lookAtDeployment(c, out.ID)
		switch {
		case errors.Is(err, rollout.ErrNotFound):
			return nil
		case err != nil:
			looks.failed()
			a.missed(c.Request().Context(), err)
		default:
			looks.worked()
			out = fresh
		}
	}
}

// stillAllowed says that the caller's token is still good: a stream must not
// outlive it. While the store does not answer it brings nothing anyway.
func (a *API) stillAllowed(c echo.Context) bool {
	by, err := a.identify(c)
	return err != nil || by != nil
}

// missed tells the log of a look that brought a stream nothing, unless it is
// the reader who left.
func (a *API) missed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		a.outage.note(ctx, err)
	}
}

// startReading counts a caller's open streams.
func (a *API) startReading(key string) (done func(), err error) {
	a.readingMu.Lock()
	defer a.readingMu.Unlock()
	if a.reading[key] >= maxReading {
		return nil, &problem{status: http.StatusTooManyRequests, code: "RATE_LIMIT_EXCEEDED", message: "at most " + strconv.Itoa(maxReading) + " deployments are followed at once"}
	}
	a.reading[key]++
	return func() {
		a.readingMu.Lock()
		defer a.readingMu.Unlock()
		if a.reading[key]--; a.reading[key] == 0 {
			delete(a.reading, key)
		}
	}, nil
}

// ignored is for the last word to a reader: there is nobody to tell of its error.
func ignored(error) error { return nil }
