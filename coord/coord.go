// Package coord lets replicas wake each other, keep out of each other's way and
// share what is cheap to lose. Nothing here is ever needed for correctness: a
// lost message or a stolen lock costs time only, and a cache is never believed.
package coord

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrHeld is returned when somebody else holds the lock.
	ErrHeld = errors.New("the lock is held by another")
	// ErrDown is returned when the server that replicas share does not answer.
	ErrDown = errors.New("redis does not answer")
)

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
	// Follow names the topics with a prefix that were published, for one who
	// cares for many of them and asks for each. It ends with ctx.
	Follow(ctx context.Context, prefix string) *Following
}

// Cache keeps data that its key names by hash. Who takes something out of it
// checks the hash: anybody may have put it there.
type Cache interface {
	// Get gives what was put under key. The caller does not change it.
	Get(ctx context.Context, key string) (value []byte, ok bool)
	// Put keeps value for at most ttl, or not at all: a cache may forget.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration)
}

// Limiter counts what each key does in a minute.
type Limiter interface {
	// Take uses one of key's allowance. left is what remains of it. reset is
	// when the allowance is whole again or, where ok is false, when to try again.
	Take(ctx context.Context, key string, perMinute int) (left int, reset time.Time, ok bool)
}
