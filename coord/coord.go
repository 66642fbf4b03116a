// Package coord lets replicas wake each other and keep out of each other's
// way. Nothing here is ever needed for correctness: a lost message or a stolen
// lock costs time only.
package coord

import (
	"context"
	"errors"
	"time"
)

// ErrHeld is returned when somebody else holds the lock.
var ErrHeld = errors.New("the lock is held by another")

// Locker gives locks that only save wasted work.
type Locker interface {
	// Lock takes name for ttl without waiting, or returns ErrHeld. The lock is
	// given back by unlock or when ttl has passed.
	Lock(ctx context.Context, name string, ttl time.Duration) (unlock func(), err error)
}

// Bus carries "profile P changed" from whoever changed it to every watch stream.
type Bus interface {
	// Publish never waits for a subscriber.
	Publish(ctx context.Context, topic string)
	// Subscribe gives a channel that holds at most one pending wake-up: many
	// messages become one. It is closed when ctx ends.
	Subscribe(ctx context.Context, topics ...string) <-chan struct{}
}
