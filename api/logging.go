package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// LoggingTopic is the message that other levels are to be logged.
const LoggingTopic = "logging"

// How long other levels are logged: when nothing is said, and at most. A level
// that is forgotten fills disks.
const (
	loggingFor   = 15 * time.Minute
	maxLoggedFor = 24 * time.Hour
)

// LogLevels are what this replica logs.
type LogLevels interface {
	Configured() slog.Level
	Components() []string
}

// plainLevels is a log without components.
type plainLevels struct{}

func (plainLevels) Configured() slog.Level { return slog.LevelInfo }

func (plainLevels) Components() []string { return nil }

// levels are the ones that can be asked for.
var levels = []string{"debug", "info", "warn", "error"}

func (a *API) getLogging(c echo.Context) error {
	l, err := a.opts.Store.Logging(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.wireLogging(l, a.opts.Store.Clock()))
}

// putLogging makes every replica log other levels for some time.
func (a *API) putLogging(c echo.Context) error {
	var req wire.LoggingRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	last, err := a.loggingAsked(req)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	l, err := a.opts.Store.SetLogging(ctx, store.Logging{Level: req.Level, Components: req.Components, Actor: who(c).name}, last)
	if err != nil {
		return err
	}
	a.loggingChanged(ctx)
	return c.JSON(http.StatusOK, a.wireLogging(l, l.BegunAt))
}

// loggingAsked checks what is asked for, and says for how long it is.
func (a *API) loggingAsked(req wire.LoggingRequest) (time.Duration, error) {
	if req.Level == "" && len(req.Components) == 0 {
		return 0, invalid("neither level nor components is given: name what is to be logged")
	}
	if req.Level != "" && !slices.Contains(levels, req.Level) {
		return 0, invalidField("level", "is one of "+strings.Join(levels, ", "))
	}
	known := a.opts.LogLevels.Components()
	for name, level := range req.Components {
		if !slices.Contains(known, name) {
			return 0, invalidField("components", fmt.Sprintf("names %q, which does not log; what does: %s", name, strings.Join(known, ", ")))
		}
		if !slices.Contains(levels, level) {
			return 0, invalidField("components."+name, "is one of "+strings.Join(levels, ", "))
		}
	}
	if req.ExpiresIn == "" {
		return loggingFor, nil
	}
	d, err := profile.ParseDuration(req.ExpiresIn)
	if err != nil || d <= 0 || d.Std() > maxLoggedFor {
		return 0, invalidField("expiresIn", "is a duration above zero and of at most a day, such as 15m or PT15M")
	}
	return d.Std(), nil
}

// deleteLogging goes back to what is configured.
func (a *API) deleteLogging(c echo.Context) error {
	ctx := c.Request().Context()
	err := a.opts.Store.ResetLogging(ctx, who(c).name)
	if errors.Is(err, store.ErrNotFound) {
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "what is logged is what is configured"}
	}
	if err != nil {
		return err
	}
	a.loggingChanged(ctx)
	return c.JSON(http.StatusOK, a.wireLogging(store.Logging{}, time.Time{}))
}

// loggingChanged tells every replica. Whoever misses it looks within seconds.
func (a *API) loggingChanged(ctx context.Context) { a.opts.Bus.Publish(ctx, LoggingTopic) }

func (a *API) wireLogging(l store.Logging, now time.Time) wire.Logging {
	configured := strings.ToLower(a.opts.LogLevels.Configured().String())
	out := wire.Logging{Configured: configured, Level: configured, KnownComponents: a.opts.LogLevels.Components()}
	if out.KnownComponents == nil {
		out.KnownComponents = []string{}
	}
	if !l.InForce(now) {
		return out
	}
	if l.Level != "" {
		out.Level = l.Level
	}
	out.Components, out.Actor, out.BegunAt, out.ExpiresAt = l.Components, l.Actor, maybe(l.BegunAt), maybe(l.ExpiresAt)
	return out
}
