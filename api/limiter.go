package api

import (
	"sync"
	"time"
)

// limiter counts what each key did in its present minute. Its memory is
// bounded, and a flood of keys gives nobody a fresh allowance: when there are
// too many, those that come new share one.
type limiter struct {
	now  func() time.Time
	most int

	mu     sync.Mutex
	used   map[string]*minute
	shared minute // of the keys that there is no room for
	swept  time.Time
}

type minute struct {
	start time.Time
	count int
}

// How many keys are remembered: 10,000 instances at several doors, and as many
// addresses of strangers as come in a minute.
const (
	maxCallers   = 200_000
	maxStrangers = 20_000
)

func newLimiter(now func() time.Time, most int) *limiter {
	return &limiter{now: now, most: most, used: map[string]*minute{}}
}

// take uses one of key's allowance. left is what remains until reset.
func (l *limiter) take(key string, perMinute int) (left int, reset time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	m := l.minuteOf(key, now)
	if now.Sub(m.start) >= time.Minute {
		*m = minute{start: now}
	}
	reset = m.start.Add(time.Minute)
	if m.count >= perMinute {
		return 0, reset, false
	}
	m.count++
	return perMinute - m.count, reset, true
}

func (l *limiter) minuteOf(key string, now time.Time) *minute {
	if m := l.used[key]; m != nil {
		return m
	}
	if len(l.used) >= l.most {
		l.sweep(now)
	}
	if len(l.used) >= l.most {
		return &l.shared
	}
	m := &minute{start: now}
	l.used[key] = m
	return m
}

// sweep forgets the minutes that are over; at most once a second, or a flood
// would make every request look at every key.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for key, m := range l.used {
		if now.Sub(m.start) >= time.Minute {
			delete(l.used, key)
		}
	}
}
