package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/compat"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// problem is an error whose text is meant for the caller.
type problem struct {
	status  int
	code    string
	message string
	details []wire.FieldError
}

// Error is the message.
func (p *problem) Error() string { return p.message }

// invalid is a request that was understood and refused, field by field.
func invalid(message string, details ...wire.FieldError) *problem {
	return &problem{status: http.StatusBadRequest, code: "VALIDATION_ERROR", message: message, details: details}
}

func invalidField(field, message string) *problem {
	return invalid(field+" "+message, wire.FieldError{Field: field, Message: message})
}

func conflict(message string) *problem {
	return &problem{status: http.StatusConflict, code: "CONFLICT", message: message}
}

// IsConflict says that an error of RollBack is a refusal: what was asked for does
// not fit what is, and asking again does not change that.
func IsConflict(err error) bool {
	refused, ok := errors.AsType[*problem](err)
	return ok && refused.status == http.StatusConflict
}

// unavailable is a request with which nothing is wrong: later it may go through.
func unavailable(message string) *problem {
	return &problem{status: http.StatusServiceUnavailable, code: "SERVICE_UNAVAILABLE", message: message}
}

// answerError turns any error into one shape. What is not known is told to the
// log, not to the caller.
func (a *API) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return // a stream that broke; it has no place for an answer
	}
	p := a.explain(c, err)
	speaks := a.spoken(c.Path())
	if speaks == nil && forPeople(c) && !a.opts.WatchOnly { // which has no style sheets
		a.answerPage(c, p)
		return
	}
	retryLater(c, p.status)
	if speaks != nil {
		a.refuseClient(c, speaks, p)
		return
	}
	body := wire.Error{Error: wire.ErrorDetail{
		Code: p.code, Message: p.message, Details: p.details, TraceID: traceID(c), Timestamp: a.opts.Store.Clock().UTC(),
	}}
	if err := c.JSON(p.status, body); err != nil {
		a.log.DebugContext(c.Request().Context(), "an error could not be answered", "error", err)
	}
}

func (a *API) explain(c echo.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*rollout.StateError](err); ok {
		return conflict(e.Error())
	}
	if e, ok := errors.AsType[*store.InUseError](err); ok {
		return conflict(e.Error())
	}
	if e, ok := errors.AsType[*compat.Refusal](err); ok {
		return &problem{status: e.Status, code: e.Code, message: e.Message}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok && e != nil {
		return &problem{status: http.StatusRequestEntityTooLarge, code: "PAYLOAD_TOO_LARGE", message: "the body is too large"}
	}
	switch {
	case errors.Is(err, compat.ErrNotFound):
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: compat.ErrNotFound.Error()}
	case errors.Is(err, store.ErrNotFound), errors.Is(err, rollout.ErrNotFound):
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "not found"}
	case errors.Is(err, store.ErrExists):
		return conflict("it exists already")
	case errors.Is(err, rollout.ErrNoWayBack):
		return conflict(rollout.ErrNoWayBack.Error())
	case errors.Is(err, rollout.ErrReason):
		return invalidField("reason", "is required")
	case errors.Is(err, rollout.ErrRefused):
		return conflict(err.Error())
	case errors.Is(err, rollout.ErrStale):
		return conflict("the deployment changed at the same moment; look at it and ask again")
	case errors.Is(err, store.ErrHashMismatch):
		return conflict(store.ErrHashMismatch.Error())
	case errors.Is(err, store.ErrAmbiguous):
		return invalid("more than one commit begins so: give more of its SHA")
	case errors.Is(err, store.ErrStopped):
		return unavailable("the server is stopping; try again")
	case errors.Is(err, store.ErrFull):
		a.outage.note(c.Request().Context(), err)
		return unavailable(store.ErrFull.Error() + "; try again")
	case away(c.Request().Context(), err):
		a.outage.note(c.Request().Context(), err)
		return unavailable("the database does not answer; try again")
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		return explainHTTP(e)
	}
	message := "something went wrong; the log has more under the trace id"
	if e, ok := errors.AsType[*store.CorruptError](err); ok && e.Table == "config_deployments" {
		message = "what is stored of deployment " + e.Key + " is corrupt: roll its profile back, or deploy another version of it"
	}
	if !errors.Is(err, context.Canceled) {
		a.log.ErrorContext(c.Request().Context(), "request failed", "method", c.Request().Method, "route", c.Path(),
			"trace_id", traceID(c), "error", err)
	}
	return &problem{status: http.StatusInternalServerError, code: "INTERNAL_ERROR", message: message}
}

// explainHTTP is for what the router itself refuses.
func explainHTTP(e *echo.HTTPError) *problem {
	if e.Code == http.StatusNotFound || e.Code == http.StatusMethodNotAllowed {
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "there is nothing at this path"}
	}
	return &problem{status: http.StatusBadRequest, code: "VALIDATION_ERROR", message: "the request could not be read"}
}
