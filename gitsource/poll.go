package gitsource

import "time"

const (
	minPoll = time.Second
	maxPoll = 15 * time.Minute
	jitter  = 0.1
)

// NextPoll returns how long to wait before the next poll of a source. Each failure in a row doubles the interval, up
// to 15 minutes (or the interval itself, when that is longer). The result is spread by a tenth to both sides by r, a
// random number in [0, 1), so that sources and replicas do not ask at the same moment. It is never under a second.
func NextPoll(interval time.Duration, failures int, r float64) time.Duration {
	wait := max(interval, minPoll)
	limit := max(wait, maxPoll)
	for range failures {
		if wait >= limit/2 {
			wait = limit
			break
		}
		wait *= 2
	}
	r = min(max(r, 0), 1)
	return max(minPoll, wait+time.Duration((2*r-1)*jitter*float64(wait)))
}
