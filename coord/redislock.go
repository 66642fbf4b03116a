package coord

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/redis/go-redis/v9"
)

var _ Locker = (*Redis)(nil)

// Lock takes name for ttl among all replicas. It returns ErrHeld, ErrDown or
// the error of an ended ctx. unlock leaves a later holder's lock alone.
func (r *Redis) Lock(ctx context.Context, name string, ttl time.Duration) (unlock func(), err error) {
	key := keyPrefix + "lock/" + name
	mutex := r.locks.NewMutex(key, redsync.WithExpiry(ttl), redsync.WithTries(1),
		// redsync gives up after a share of the ttl; what bounds a call is ctx.
		redsync.WithTimeoutFactor(max(1, float64(r.timeout)/float64(ttl))))
	held := false
	err = r.call(ctx, func(ctx context.Context) error {
		err := mutex.LockContext(ctx)
		if held = taken(err); !held {
			return err
		}
		freed, err := foreign.Run(ctx, r.client, []string{key}, 2*ttl.Milliseconds()).Bool()
		if err != nil || !freed {
			return err
		}
		err = mutex.LockContext(ctx)
		if held = taken(err); held {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", name, err)
	case held:
		return nil, ErrHeld
	}
	return func() { r.unlock(ctx, mutex) }, nil
}

// foreign frees a lock that none of ours can be: it ends never or far too late,
// since the server's clock was set back or somebody wrote it by hand. Without
// this it would keep everybody out until then.
var foreign = redis.NewScript(`
local left = redis.call('PTTL', KEYS[1])
if left == -1 or left > tonumber(ARGV[1]) then return redis.call('DEL', KEYS[1]) end
return 0`)

// unlock tries once: what it does not give back, the ttl does.
func (r *Redis) unlock(ctx context.Context, mutex *redsync.Mutex) {
	_ = r.call(context.WithoutCancel(ctx), func(ctx context.Context) error { // call counts failures
		_, err := mutex.UnlockContext(ctx)
		if taken(err) || errors.Is(err, redsync.ErrLockAlreadyExpired) {
			return nil // it is another's by now, or nobody's
		}
		return err
	})
}

func taken(err error) bool {
	_, is := errors.AsType[*redsync.ErrTaken](err)
	return is
}
