package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	maxAttempts   = 4                // of one call
	maxRetryAfter = 10 * time.Second // a call waits no longer than this between two attempts
)

// retryAfter says how long to wait before the call that failed with err is made again, and whether
// that makes sense. attempt counts from 0.
func retryAfter(err error, attempt int) (time.Duration, bool) {
	if errors.Is(err, ErrTooLarge) {
		return 0, false
	}
	wait := Backoff(attempt, rand.Float64())
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		return wait, true // never answered
	}
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if e.RetryAfter > maxRetryAfter {
			return 0, false
		}
		return max(wait, e.RetryAfter), true
	}
	return 0, false
}

// askedToWait is the pause that the server asked for with its error, 0 for none.
func askedToWait(err error) time.Duration {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.RetryAfter
	}
	return 0
}

// The pauses between attempts to connect, as ranges to draw from: quick at first, so that a
// restarted server is found within a second or two, and spread over half a minute in the end, so
// that a fleet does not come back as a herd.
var pauses = [][2]time.Duration{
	{200 * time.Millisecond, 500 * time.Millisecond},
	{300 * time.Millisecond, 800 * time.Millisecond},
	{500 * time.Millisecond, time.Second},
	{500 * time.Millisecond, time.Second},
	{time.Second, 2 * time.Second},
	{2 * time.Second, 4 * time.Second},
	{4 * time.Second, 8 * time.Second},
	{8 * time.Second, 16 * time.Second},
	{15 * time.Second, 30 * time.Second},
	{30 * time.Second, 60 * time.Second},
}

// Backoff returns the pause after the given number of failures (0 for the first), drawn by r in
// [0, 1) from a range that grows from 0.2 to 0.5 s up to 30 to 60 s.
func Backoff(failures int, r float64) time.Duration {
	p := pauses[min(max(failures, 0), len(pauses)-1)]
	return p[0] + time.Duration(r*float64(p[1]-p[0]))
}

// sleep waits and returns the context's error if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
