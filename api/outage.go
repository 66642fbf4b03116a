package api

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// outage tells the log of a database that fails requests: the first one at
// once, and then how many there were once a minute. A whole fleet asks.
type outage struct {
	log *slog.Logger

	mu     sync.Mutex
	told   time.Time
	failed int
}

const outageEvery = time.Minute

// note counts one failure.
func (o *outage) note(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed++
	if time.Since(o.told) < outageEvery {
		return
	}
	o.log.ErrorContext(ctx, "the database fails requests", "failed_since_last_told", o.failed, "error", err)
	o.told, o.failed = time.Now(), 0
}
