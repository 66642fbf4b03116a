package coord

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var _ Tries = (*Redis)(nil)

// try is Lenience.Again for two counts at once: a test holds them against each other. A wait
// that is longer than any of ours comes from another clock, and is none.
var try = redis.NewScript(`
local now, known, forgiven = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
local function held(key, longest)
  local v = redis.call('HMGET', key, 'times', 'last', 'until')
  local t = {key = key, times = tonumber(v[1]) or 0, last = tonumber(v[2]) or 0, till = tonumber(v[3]) or 0}
  if t.till - now > longest then t.till = 0 end
  t.wait = math.max(t.till - now, 0)
  return t
end
local function count(t, tries, shortest, longest)
  if now - t.last > forgiven and now - t.till > forgiven then t.times, t.till = 0, 0 end
  t.times, t.last = t.times + 1, now
  if t.times >= tries then t.till = now + math.min(shortest * 2 ^ math.min(t.times - tries, 10), longest) end
  redis.call('HSET', t.key, 'times', t.times, 'last', t.last, 'until', t.till)
  redis.call('PEXPIRE', t.key, math.max(t.till - now, 0) + forgiven)
end
local a = {tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])}
local b = {tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])}
local wide, narrow = held(KEYS[1], a[3]), held(KEYS[2], b[3])
local wait = narrow.wait
if not known and wide.wait > 0 then wait = wide.wait end
if wait == 0 then
  count(narrow, b[1], b[2], b[3])
  if not known then count(wide, a[1], a[2], a[3]) end
end
return {wide.times, wide.last, wide.till, narrow.times, narrow.last, narrow.till, wait}`)

var right = redis.NewScript(`
redis.call('DEL', KEYS[2])
local times = tonumber(redis.call('HGET', KEYS[1], 'times')) or 0
if times > 0 and times < tonumber(ARGV[1]) then redis.call('HINCRBY', KEYS[1], 'times', -1) end
return 0`)

// triedKeys are where both counts are, in one slot of a cluster. Names are as long as whoever
// made them up liked.
func triedKeys(t Try) []string {
	short := func(name string) string {
		sum := sha256.Sum256([]byte(name))
		return hex.EncodeToString(sum[:16])
	}
	wide := keyPrefix + "tries/{" + short(t.Wide) + "}"
	return []string{wide, wide + "/" + short(t.Narrow)}
}

// Try counts one among all replicas. Its error is ErrDown or that of an ended ctx.
func (r *Redis) Try(ctx context.Context, t Try, now time.Time) (wide, narrow Tried, wait time.Duration, err error) {
	var said []int64
	known := 0
	if t.Known {
		known = 1
	}
	err = r.call(ctx, func(ctx context.Context) error {
		said, err = try.Run(ctx, r.client, triedKeys(t), now.UnixMilli(), known, Forgiven.Milliseconds(),
			t.OfWide.Tries, t.OfWide.Shortest.Milliseconds(), t.OfWide.Longest.Milliseconds(),
			t.OfNarrow.Tries, t.OfNarrow.Shortest.Milliseconds(), t.OfNarrow.Longest.Milliseconds()).Int64Slice()
		if err == nil && len(said) != 7 {
			err = fmt.Errorf("%d numbers of tries, not 7", len(said))
		}
		return err
	})
	if err != nil {
		return wide, narrow, 0, err
	}
	return tried(said[0:3]), tried(said[3:6]), time.Duration(said[6]) * time.Millisecond, nil
}

func tried(said []int64) Tried {
	t := Tried{Times: int(said[0])}
	if said[1] != 0 {
		t.Last = time.UnixMilli(said[1])
	}
	if said[2] != 0 {
		t.Until = time.UnixMilli(said[2])
	}
	return t
}

// Right forgets tries among all replicas. Its error is ErrDown or that of an ended ctx.
func (r *Redis) Right(ctx context.Context, t Try) error {
	return r.call(ctx, func(ctx context.Context) error { return right.Run(ctx, r.client, triedKeys(t), t.OfWide.Tries).Err() })
}
