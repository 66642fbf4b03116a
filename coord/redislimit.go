package coord

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redis/redis_rate/v10"
)

// take uses one of key's allowance among all replicas. Its error is ErrDown or
// that of an ended ctx.
func (r *Redis) take(ctx context.Context, key string, perMinute int) (left int, reset time.Time, ok bool, err error) {
	var res *redis_rate.Result
	err = r.call(ctx, func(ctx context.Context) error {
		res, err = r.rates.Allow(ctx, key, redis_rate.PerMinute(perMinute))
		if err == nil && implausible(res) {
			err = r.rates.Reset(ctx, key)
		}
		return err
	})
	switch {
	case err != nil:
		return 0, time.Time{}, false, err
	case implausible(res):
		return 0, time.Time{}, false, fmt.Errorf("%w with sense: a limit that lasts %s", ErrDown, res.ResetAfter)
	case res.Allowed == 0:
		return 0, time.Now().Add(res.RetryAfter), false, nil
	default:
		return res.Remaining, time.Now().Add(res.ResetAfter), true, nil
	}
}

// implausible says that the count is none of ours: the server's clock was set
// back, or somebody wrote it by hand. It would refuse everything for long.
func implausible(res *redis_rate.Result) bool {
	return res.ResetAfter < 0 || res.ResetAfter > 2*time.Minute // below zero: beyond what a Duration holds
}
