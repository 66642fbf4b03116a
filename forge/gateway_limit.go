package forge

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// LimitedError says that the forge asks for patience. Until then the gateway
// sends nothing.
type LimitedError struct {
	Host  string
	Until time.Time
	after time.Duration
}

// Error tells how long to wait.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("%s limits requests: again in %s", e.Host, e.after.Round(time.Second))
}

// RetryAfter is how long to wait from when the error was made.
func (e *LimitedError) RetryAfter() time.Duration { return e.after }

const (
	// silentWait is for a forge that refuses without saying until when.
	silentWait = time.Minute
	// longestWait is more than any forge's window: a forge that says next year is not believed.
	longestWait = 65 * time.Minute
)

// limits remembers until when nothing is to be sent.
type limits struct {
	mu    sync.Mutex
	until time.Time
}

func (l *limits) close(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.until) {
		l.until = until
	}
}

// closed returns a LimitedError while nothing is to be sent.
func (l *limits) closed(host string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.until.Sub(now); wait > 0 {
		return &LimitedError{Host: host, Until: l.until, after: wait}
	}
	return nil
}

// quotaHeaders are GitHub's and GitLab's names of the same.
var quotaHeaders = []string{
	"X-RateLimit-Remaining", "X-RateLimit-Limit", "X-RateLimit-Reset",
	"RateLimit-Remaining", "RateLimit-Limit", "RateLimit-Reset",
}

// quota is what a forge says may still be asked.
type quota struct {
	known            bool
	remaining, limit int
	reset            string
}

func readQuota(h http.Header) quota {
	for i := 0; i < len(quotaHeaders); i += 3 {
		remaining, err := strconv.Atoi(h.Get(quotaHeaders[i]))
		if err != nil {
			continue
		}
		limit, _ := strconv.Atoi(h.Get(quotaHeaders[i+1])) // 0 for a forge that does not say
		return quota{known: true, remaining: remaining, limit: limit, reset: h.Get(quotaHeaders[i+2])}
	}
	return quota{}
}

// patience is how long nothing is to be sent after an answer, and whether the
// answer is a refusal for that reason alone.
func patience(status int, h http.Header, body []byte, now time.Time) (wait time.Duration, refused bool) {
	q := readQuota(h)
	spent := q.known && q.remaining <= 0
	refused = status == http.StatusTooManyRequests ||
		status == http.StatusForbidden && (spent || h.Get("Retry-After") != "" || speaksOfLimits(body)) ||
		status == http.StatusServiceUnavailable && h.Get("Retry-After") != ""
	if !spent && !refused {
		return 0, false
	}
	// The forge's own clock says how far away its reset is.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	wait, said := retryAfter(h.Get("Retry-After"), now)
	if !said && spent {
		wait, said = resetIn(q.reset, now)
	}
	switch {
	case !said && refused:
		wait = silentWait
	case !said:
		return 0, false
	}
	return min(max(wait, time.Second), longestWait), refused
}

// speaksOfLimits knows GitHub's secondary limits by what they say: they may come
// without any header.
func speaksOfLimits(body []byte) bool {
	body = bytes.ToLower(body[:min(len(body), 4096)])
	return bytes.Contains(body, []byte("rate limit")) || bytes.Contains(body, []byte("abuse detection"))
}

// retryAfter reads seconds or a date.
func retryAfter(s string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(s); err == nil {
		return at.Sub(now), true
	}
	return 0, false
}

// resetIn reads a time in seconds since 1970, or seconds from now.
func resetIn(s string, now time.Time) (time.Duration, bool) {
	seconds, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || seconds < 0:
		return 0, false
	case seconds < 1_000_000:
		return time.Duration(seconds) * time.Second, true
	}
	// Past what a duration holds it is no time worth waiting for.
	return time.Duration(min(seconds-now.Unix(), int64(longestWait/time.Second))) * time.Second, true
}
