package coord

import (
	"log/slog"
	"sync"
	"time"
)

// part is what of Redis may be lost by itself.
type part int

const (
	commands part = 1 << iota
	messages
)

// outage knows whether Redis answers. While it does not, nobody waits for it:
// one prober finds out when it is back. An outage is logged once.
type outage struct {
	log *slog.Logger
	ask chan struct{} // asks the prober to look

	mu        sync.Mutex
	lost      part
	since     time.Time
	recovered time.Time // when commands were last found to work again
}

func newOutage(log *slog.Logger) *outage {
	return &outage{log: log, ask: make(chan struct{}, 1)}
}

// down says that commands are not worth trying.
func (o *outage) down() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost&commands != 0
}

// failed tells of something that began at a time and did not work out. What
// began before Redis was back says nothing of how it is now.
func (o *outage) failed(p part, began time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.ask <- struct{}{}:
	default:
	}
	if p == commands && began.Before(o.recovered) {
		return
	}
	if o.lost == 0 {
		o.since = time.Now()
		o.log.Warn("redis does not answer: this process goes on alone", "error", err)
	}
	o.lost |= p
}

// works tells that a part is there.
func (o *outage) works(p part) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost&p == 0 {
		return
	}
	if p == commands {
		o.recovered = time.Now()
	}
	if o.lost &^= p; o.lost == 0 {
		o.log.Info("redis answers again", "after", time.Since(o.since).Round(time.Millisecond).String())
	}
}

// degraded says what is missing, for people. It names no address.
func (o *outage) degraded() (why string, is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.lost&commands != 0:
		return "redis does not answer: locks and rate limits are this process's own, changes are found by polling", true
	case o.lost != 0:
		return "no messages from redis: changes are found by polling", true
	default:
		return "", false
	}
}
