package coord

import (
	"context"
	"sync"
	"time"
)

// Minutes is the Limiter of one process. Its memory is bounded, and a flood of
// keys gives nobody a fresh allowance: when there are too many, those that come
// new share one.
type Minutes struct {
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

var _ Limiter = (*Minutes)(nil)

// NewMinutes returns a limiter that remembers at most so many keys.
func NewMinutes(now func() time.Time, most int) *Minutes {
	return &Minutes{now: now, most: most, used: map[string]*minute{}}
}

// Take uses one of key's allowance in its present minute.
func (l *Minutes) Take(_ context.Context, key string, perMinute int) (left int, reset time.Time, ok bool) {
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

// Keys is how many keys are remembered.
func (l *Minutes) Keys() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.used)
}

func (l *Minutes) minuteOf(key string, now time.Time) *minute {
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
func (l *Minutes) sweep(now time.Time) {
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
