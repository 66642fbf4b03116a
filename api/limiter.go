package api

import (
	"sync"
	"time"
)

// limiter counts what each key did in the present minute. Its memory is
// bounded: when there are too many keys, the oldest minute is forgotten first.
type limiter struct {
	now  func() time.Time
	mu   sync.Mutex
	used map[string]*minute
}

type minute struct {
	start time.Time
	count int
}

const maxKeys = 20_000

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, used: map[string]*minute{}}
}

// take uses one of key's allowance. left is what remains until reset.
func (l *limiter) take(key string, perMinute int) (left int, reset time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	m := l.used[key]
	if m == nil || now.Sub(m.start) >= time.Minute {
		if m == nil && len(l.used) >= maxKeys {
			l.forget(now)
		}
		m = &minute{start: now}
		l.used[key] = m
	}
	reset = m.start.Add(time.Minute)
	if m.count >= perMinute {
		return 0, reset, false
	}
	m.count++
	return perMinute - m.count, reset, true
}

// forget drops what is over, and when nothing is, everything: a flood of keys
// must not cost memory without end, and those that are forgotten begin anew.
func (l *limiter) forget(now time.Time) {
	for key, m := range l.used {
		if now.Sub(m.start) >= time.Minute {
			delete(l.used, key)
		}
	}
	if len(l.used) >= maxKeys {
		clear(l.used)
	}
}
