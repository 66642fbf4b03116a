package coord

import (
	"context"
	"errors"
	"time"
)

// Fallback shares with other replicas through Redis while it answers, and is
// what one process can be by itself while it does not.
type Fallback struct {
	*Redis // whose Bus wakes this process's subscribers in any case

	locks *Memory
	cache *LRU
}

var (
	_ Locker = (*Fallback)(nil)
	_ Bus    = (*Fallback)(nil)
	_ Cache  = (*Fallback)(nil)
)

// NewFallback returns what goes on without r. cacheBytes bounds what it keeps
// in this process of the cache.
func NewFallback(r *Redis, cacheBytes int) *Fallback {
	return &Fallback{Redis: r, locks: NewMemory(), cache: NewLRU(cacheBytes)}
}

// Lock takes name in this process, and among all replicas when Redis answers.
// It returns ErrHeld or the error of an ended ctx. A lock outlives the loss of
// Redis for this process, and its return.
func (f *Fallback) Lock(ctx context.Context, name string, ttl time.Duration) (unlock func(), err error) {
	unlockOurs, err := f.locks.Lock(ctx, name, ttl)
	if err != nil {
		return nil, err
	}
	unlockAll, err := f.Redis.Lock(ctx, name, ttl)
	switch {
	case err == nil:
		return func() { unlockAll(); unlockOurs() }, nil
	case errors.Is(err, ErrDown):
		return unlockOurs, nil
	default:
		unlockOurs()
		return nil, err
	}
}

// Get looks in this process first: what a hash names does not change.
func (f *Fallback) Get(ctx context.Context, key string) (value []byte, ok bool) {
	if value, ok = f.cache.Get(ctx, key); ok {
		return value, true
	}
	return f.Redis.Get(ctx, key)
}

// Put keeps value in this process and for all replicas.
func (f *Fallback) Put(ctx context.Context, key string, value []byte, ttl time.Duration) {
	f.cache.Put(ctx, key, value, ttl)
	f.Redis.Put(ctx, key, value, ttl)
}

// Limiter counts over all replicas what local lets pass, and leaves it at that
// while Redis does not answer. Since local counts too, it is no use to attack
// Redis, and local's bound on keys bounds those in Redis.
func (f *Fallback) Limiter(local Limiter) Limiter { return sharedLimiter{f.Redis, local} }

type sharedLimiter struct {
	redis *Redis
	local Limiter
}

// Take uses one of key's allowance here and among all replicas.
func (l sharedLimiter) Take(ctx context.Context, key string, perMinute int) (left int, reset time.Time, ok bool) {
	left, reset, ok = l.local.Take(ctx, key, perMinute)
	if !ok {
		return left, reset, false
	}
	leftOfAll, resetOfAll, ok, err := l.redis.take(ctx, key, perMinute)
	if err != nil || ok && left < leftOfAll {
		return left, reset, true
	}
	return leftOfAll, resetOfAll, ok
}
