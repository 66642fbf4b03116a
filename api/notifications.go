package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// factNotificationTested is the audit event of a person who sent a sample.
const factNotificationTested = "notification.tested"

// sampleWithin bounds the wait for a target, below what a request may take.
const sampleWithin = 4 * time.Second

// testNotification sends a sample to a target and says what that answered: its
// status and nothing else.
func (a *API) testNotification(c echo.Context) error {
	name := c.Param("target")
	ctx, cancel := context.WithTimeout(c.Request().Context(), sampleWithin)
	defer cancel()
	answer, err := a.opts.TestNotification(ctx, name)
	if errors.Is(err, notify.ErrUnknown) {
		return store.ErrNotFound
	}
	out := wire.NotificationTest{Target: name, Taken: err == nil, Answer: answer}
	if err != nil && answer == "" {
		out.Answer = err.Error()
	}
	if err := a.opts.Store.Record(c.Request().Context(), rollout.Fact{
		Type: factNotificationTested, EntityType: "notification", EntityID: name, Actor: who(c).name, TraceID: traceID(c),
		Details: map[string]any{"taken": out.Taken, "answer": out.Answer},
	}); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}
