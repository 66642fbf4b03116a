package coord

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisOptions are what OpenRedis needs.
type RedisOptions struct {
	URL string // see parseRedisURL

	Logger  *slog.Logger
	RootCAs *x509.CertPool // who signs the certificates of rediss://; the system's when nil
	// Called is told of each command that was sent; it may be nil.
	Called func(ctx context.Context, command string, took time.Duration, err error)
	// Timeout bounds each call, whatever happens; 1 s when 0. The prober and
	// the subscription measure their patience by it too.
	Timeout time.Duration
}

// Redis is the Locker, the Bus and the Cache of all replicas that use the same
// server. Nothing in it is trusted and all of it may be lost. While it does not
// answer, calls return ErrDown at once: see Fallback.
type Redis struct {
	client  redis.UniversalClient
	timeout time.Duration
	outage  *outage
	name    string // of this process, so that it knows its own messages

	locks  *redsync.Redsync
	rates  *redis_rate.Limiter
	local  *Memory // the subscribers of this process
	outbox *outbox

	stop    context.CancelFunc
	running sync.WaitGroup
}

// keyPrefix is before every key, so that an ACL can say ~sluice:* and &sluice:*.
const keyPrefix = "sluice:"

// quiet keeps go-redis from writing to stderr: what matters of it is in the errors.
var quiet = sync.OnceFunc(logging.Disable)

// OpenRedis returns what talks to the Redis of a URL, until Close. The only
// error is a URL that makes no sense, and holds no part of it: a server that
// does not answer is waited for in the background.
func OpenRedis(ctx context.Context, opts RedisOptions) (*Redis, error) {
	universal, err := parseRedisURL(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("the Redis URL %w", err)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Timeout <= 0 {
		opts.Timeout = time.Second
	}
	if universal.TLSConfig != nil {
		universal.TLSConfig.RootCAs = opts.RootCAs
	}
	quiet()
	client := redis.NewUniversalClient(bounded(universal, opts.Timeout))
	if opts.Called != nil {
		client.AddHook(timed(opts.Called))
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Redis{
		client: client, timeout: opts.Timeout, outage: newOutage(opts.Logger), name: rand.Text(),
		locks: redsync.New(goredis.NewPool(client)), rates: redis_rate.NewLimiter(prefixed{client}),
		local: NewMemory(), outbox: newOutbox(), stop: stop,
	}
	for _, part := range []func(context.Context){r.probe, r.listen, r.send} {
		r.running.Go(func() { part(running) })
	}
	return r, nil
}

// bounded sees to it that no call takes long: no retries, for what fails is
// done without Redis, and every wait ends.
func bounded(o *redis.UniversalOptions, timeout time.Duration) *redis.UniversalOptions {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PipelinePoolSize = -1
	o.DisableIdentity = true // CLIENT SETINFO is what mixed up answers once (CVE-2025-29923)
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}

// Close ends what runs in the background and the connections.
func (r *Redis) Close() error {
	r.stop()
	err := r.client.Close()
	r.running.Wait()
	return err
}

// Degraded says what does not work just now, in words for people.
func (r *Redis) Degraded() (why string, is bool) { return r.outage.degraded() }

// call does one thing with Redis in bounded time, or not at all while it is
// known to be down. Its error is ErrDown, redis.Nil or that of an ended ctx.
func (r *Redis) call(ctx context.Context, work func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.outage.down() {
		return ErrDown
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := work(limited)
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case strings.Contains(err.Error(), "WRONGTYPE"): // somebody else's value under our key
	default:
		r.outage.failed(commands, began, err)
	}
	return fmt.Errorf("%w: %w", ErrDown, err)
}

// probe looks whether Redis is back, as long as it is not.
func (r *Redis) probe(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.outage.ask:
		}
		for {
			began := time.Now()
			err := r.try(ctx)
			if err == nil {
				r.outage.works(commands)
				break
			}
			r.outage.failed(commands, began, err)
			if !pause(ctx, r.timeout) {
				return
			}
		}
	}
}

// try does what the others do: a server that is read-only, full, or that allows
// less than they need is down, and stays so until all of it works.
func (r *Redis) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Set(ctx, keyPrefix+"probe", r.name, r.timeout).Err(); err != nil {
		return err
	}
	if err := r.client.Publish(ctx, keyPrefix+"probe", "").Err(); err != nil {
		return err
	}
	return r.client.Eval(ctx, "return redis.call('DEL', KEYS[1])", []string{keyPrefix + "probe"}).Err()
}

// pause waits about so long, and returns false when ctx ends before.
func pause(ctx context.Context, about time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(about/2 + mathrand.N(about)): // replicas do not come back all at once
		return true
	}
}

// prefixed puts our prefix before the keys of scripts that choose their own.
type prefixed struct{ redis.UniversalClient }

// Eval runs a script on our keys.
func (p prefixed) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return p.UniversalClient.Eval(ctx, script, ours(keys), args...)
}

// EvalSha runs a script that the server knows on our keys.
func (p prefixed) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	return p.UniversalClient.EvalSha(ctx, sha1, ours(keys), args...)
}

// Del removes our keys.
func (p prefixed) Del(ctx context.Context, keys ...string) *redis.IntCmd {
	return p.UniversalClient.Del(ctx, ours(keys)...)
}

func ours(keys []string) []string {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = keyPrefix + key
	}
	return out
}
