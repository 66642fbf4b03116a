package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func (a *API) getFreeze(c echo.Context) error {
	f, err := a.opts.Store.Freeze(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wireFreeze(f, a.opts.Store.Clock()))
}

// putFreeze freezes every profile. One that is in force is replaced.
func (a *API) putFreeze(c echo.Context) error {
	var req wire.FreezeRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	f, err := a.beginFreeze(c.Request().Context(), who(c).name, req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wireFreeze(&f, f.BegunAt))
}

func (a *API) beginFreeze(ctx context.Context, actor string, req wire.FreezeRequest) (f rollout.Freeze, err error) {
	if strings.TrimSpace(req.Reason) == "" {
		return f, rollout.ErrReason
	}
	now, err := a.opts.Store.Now(ctx)
	if err != nil {
		return f, err
	}
	last, err := lasting(req, now)
	if err != nil {
		return f, err
	}
	if f, err = a.opts.Store.BeginFreeze(ctx, actor, req.Reason, last); err != nil {
		return f, err
	}
	a.opts.Wake()
	return f, nil
}

// lasting is how long a freeze is asked for; 0 is until somebody ends it.
func lasting(req wire.FreezeRequest, now time.Time) (time.Duration, error) {
	switch {
	case req.ExpiresAt != nil && req.ExpiresIn != "":
		return 0, invalid("expiresAt and expiresIn are both given; one of them is enough")
	case req.ExpiresAt != nil && !req.ExpiresAt.After(now):
		return 0, invalidField("expiresAt", "is not in the future: it is "+now.UTC().Format(time.RFC3339)+" for the server")
	case req.ExpiresAt != nil:
		return req.ExpiresAt.Sub(now), nil
	case req.ExpiresIn == "":
		return 0, nil
	}
	d, err := profile.ParseDuration(req.ExpiresIn)
	if err != nil || d <= 0 {
		return 0, invalidField("expiresIn", "is a duration above zero and of at most 30 days, such as 2h or PT2H")
	}
	return d.Std(), nil
}

// deleteFreeze ends the freeze in force. The reason is in the body, or in the
// query for callers whose DELETE has none.
func (a *API) deleteFreeze(c echo.Context) error {
	req := wire.ReasonRequest{Reason: c.QueryParam("reason")}
	if err := decode(c, &req); err != nil {
		return err
	}
	if err := a.endFreeze(c.Request().Context(), who(c).name, req.Reason); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wire.Freeze{})
}

func (a *API) endFreeze(ctx context.Context, actor, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return rollout.ErrReason
	}
	err := a.opts.Store.EndFreeze(ctx, actor, reason)
	if errors.Is(err, store.ErrNotFound) {
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "no freeze is in force"}
	}
	if err != nil {
		return err
	}
	a.opts.Wake()
	return nil
}

// wireFreeze shows a freeze while it is in force.
func wireFreeze(f *rollout.Freeze, now time.Time) wire.Freeze {
	if !f.InForce(now) {
		return wire.Freeze{}
	}
	return wire.Freeze{Frozen: true, Reason: f.Reason, Actor: f.Actor, BegunAt: maybe(f.BegunAt), ExpiresAt: maybe(f.ExpiresAt)}
}
