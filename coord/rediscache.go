package coord

import (
	"context"
	"time"
)

var _ Cache = (*Redis)(nil)

// maxCached is the largest value that is kept or believed to be one: what
// others put there must not fill the memory.
const maxCached = 16 << 20

// Get gives what any replica put under key. A failing Redis has nothing.
func (r *Redis) Get(ctx context.Context, key string) (value []byte, ok bool) {
	err := r.call(ctx, func(ctx context.Context) (err error) {
		value, err = r.client.GetRange(ctx, cacheKey(key), 0, maxCached).Bytes()
		return err
	})
	return value, err == nil && len(value) > 0 && len(value) <= maxCached
}

// Put keeps value for all replicas, or not at all.
func (r *Redis) Put(ctx context.Context, key string, value []byte, ttl time.Duration) {
	if len(value) > maxCached {
		return
	}
	_ = r.call(ctx, func(ctx context.Context) error { // it saves work alone, and call counts failures
		return r.client.Set(ctx, cacheKey(key), value, ttl).Err()
	})
}

func cacheKey(key string) string { return keyPrefix + "cache/" + key }
