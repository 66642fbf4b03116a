package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// APIError is an answer of the server that is not a success.
type APIError struct {
	Status  int    // of HTTP
	Code    string // such as NOT_FOUND; empty when something else than Sluice answered
	Message string
	Details []wire.FieldError
	TraceID string
	// RetryAfter is how long the server asks to wait, 0 when it does not say.
	RetryAfter time.Duration
}

// Error says what the server said, with the fields it refused.
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	sep := ": "
	for _, d := range e.Details {
		if e.Message == d.Field+" "+d.Message {
			continue // it says that alone
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, d.Field, d.Message)
		sep = "; "
	}
	fmt.Fprintf(&b, " (%d", e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.TraceID != "" {
		b.WriteString(", trace " + e.TraceID)
	}
	b.WriteByte(')')
	return b.String()
}

// IsStatus says whether err is an answer of the server with that HTTP status.
func IsStatus(err error, status int) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Status == status
}

// lostIdentity says that the server does not know the instance's token any more. A 404 does not say
// so: data that was replaced meanwhile is not found either.
func lostIdentity(err error) bool { return IsStatus(err, http.StatusUnauthorized) }

func readError(res *http.Response) *APIError {
	e := &APIError{Status: res.StatusCode, RetryAfter: parseRetryAfter(res.Header.Get("Retry-After"), time.Now())}
	raw, err := readAll(res.Body, maxErrBody)
	var body wire.Error
	if err == nil && json.Unmarshal(raw, &body) == nil && body.Error.Code != "" {
		d := body.Error
		e.Code, e.Message, e.Details, e.TraceID = d.Code, d.Message, d.Details, d.TraceID
		return e
	}
	e.Message = "server answered " + strings.ToLower(http.StatusText(res.StatusCode))
	if loc := res.Header.Get("Location"); loc != "" && res.StatusCode/100 == 3 {
		e.Message = "server redirects, which is not followed"
	}
	return e
}

// parseRetryAfter reads seconds or an HTTP date.
func parseRetryAfter(v string, now time.Time) time.Duration {
	if v == "" {
		return 0
	}
	if n, err := strconv.Atoi(v); err == nil {
		return max(0, time.Duration(min(n, 3600))*time.Second)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(0, at.Sub(now)), time.Hour)
	}
	return 0
}
