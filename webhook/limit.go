package webhook

import (
	"net/netip"
	"sync"
	"time"
)

// counter counts in minutes of each key's own. Its memory is bounded: keys that
// there is no room for share one count, so that a flood of keys gives nobody a
// fresh one.
type counter struct {
	now  func() time.Time
	most int // keys

	mu    sync.Mutex
	used  map[string]tally
	swept time.Time
}

type tally struct {
	since time.Time
	count int
}

func newCounter(now func() time.Time, most int) *counter {
	return &counter{now: now, most: most, used: map[string]tally{}}
}

// shared is the key of those that there is no room for.
const shared = ""

// count is how often key was added in its minute, and how long that lasts yet.
func (c *counter) count(key string) (n int, left time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, t := c.of(key)
	return t.count, t.since.Add(time.Minute).Sub(c.now())
}

// add counts one more of key, unless that were more than most; it says how
// long the minute lasts yet.
func (c *counter) add(key string, most int) (ok bool, left time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, t := c.of(key)
	left = t.since.Add(time.Minute).Sub(c.now())
	if t.count >= most {
		return false, left
	}
	t.count++
	c.used[key] = t
	return true, left
}

// of is the tally of key in its present minute, and the key that it is under.
func (c *counter) of(key string) (string, tally) {
	now := c.now()
	t, known := c.used[key]
	if !known && len(c.used) >= c.most {
		c.sweep(now)
		if len(c.used) >= c.most {
			key = shared
			t, known = c.used[key]
		}
	}
	if !known || now.Sub(t.since) >= time.Minute {
		t = tally{since: now}
	}
	return key, t
}

// sweep forgets the minutes that are over; at most once a second.
func (c *counter) sweep(now time.Time) {
	if now.Sub(c.swept) < time.Second {
		return
	}
	c.swept = now
	for key, t := range c.used {
		if now.Sub(t.since) >= time.Minute {
			delete(c.used, key)
		}
	}
}

// addressOf names where a request comes from. One subscriber has a whole /64 of
// IPv6 addresses, so they count as one.
func addressOf(remote string) string {
	address, err := netip.ParseAddr(remote)
	if err != nil {
		port, err := netip.ParseAddrPort(remote)
		if err != nil {
			return "unknown"
		}
		address = port.Addr()
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return address.String()
}
