package api

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/rollout"
)

// deploymentEvents streams a deployment at each change until it has ended.
func (a *API) deploymentEvents(c echo.Context) error {
	id := c.Param("id")
	out, err := a.wholeDeployment(c, id)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	changed := a.opts.Bus.Subscribe(ctx, ProfileTopic(out.ConfigName))
	s, err := openStream(c)
	if err != nil {
		return err
	}
	seen := c.Request().Header.Get("Last-Event-ID")
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	quiet := time.Now()
	for {
		if revision := strconv.FormatInt(out.Revision, 10); revision != seen {
			if err := s.send("deployment", revision, out); err != nil {
				return nil // the reader is gone
			}
			seen, quiet = revision, time.Now()
		}
		if rollout.State(out.Status).Final() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.draining:
			return ignored(s.reconnect())
		case <-changed:
		case <-poll.C:
			if time.Since(quiet) >= a.opts.KeepAlive {
				if err := s.keepAlive(); err != nil {
					return nil
				}
				quiet = time.Now()
			}
		}
		if out, err = a.wholeDeployment(c, id); err != nil {
			return err
		}
	}
}

// ignored is for the last word to a reader: there is nobody to tell of its error.
func ignored(error) error { return nil }
