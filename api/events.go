package api

import (
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
	out, err := a.wholeDeployment(c, c.Param("id"))
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
	return a.follow(c, s, out, changed)
}

// follow tells each revision once; a reader who saw one says so.
func (a *API) follow(c echo.Context, s *eventStream, out wire.Deployment, changed <-chan struct{}) error {
	seen := c.Request().Header.Get("Last-Event-ID")
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	keep := time.NewTicker(a.opts.KeepAlive)
	defer keep.Stop()
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
		select {
		case <-c.Request().Context().Done():
			return nil
		case <-a.draining:
			return ignored(s.reconnect(leastSpread))
		case <-changed:
		case <-poll.C:
		case <-keep.C:
			if !a.stillAllowed(c) {
				return nil
			}
			if err := s.keepAlive(); err != nil {
				return nil
			}
		}
		var err error
		if out, err = a.wholeDeployment(c, out.ID); err != nil {
			return err
		}
	}
}

// stillAllowed says that the caller's token is still good: a stream must not
// outlive it.
func (a *API) stillAllowed(c echo.Context) bool {
	by, err := a.identify(c)
	return err == nil && by != nil
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
