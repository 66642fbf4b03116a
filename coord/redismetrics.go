package coord

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// timed tells what it is of every command.
type timed func(ctx context.Context, command string, took time.Duration, err error)

// DialHook leaves dialling as it is.
func (t timed) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook times one command.
func (t timed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmd)
		t(ctx, cmd.FullName(), time.Since(began), failure(err))
		return err
	}
}

// ProcessPipelineHook times many commands that are sent as one.
func (t timed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmds)
		t(ctx, "pipeline", time.Since(began), failure(err))
		return err
	}
}

// failure leaves out what is an answer: that there is nothing at the key, or that
// the server does not know a script yet, which is then sent whole.
func failure(err error) error {
	if errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "NOSCRIPT") {
		return nil
	}
	return err
}

// Pool is what the pool of connections counts.
type Pool struct {
	Open, Idle             int
	Hits, Misses, Timeouts uint64 // a connection was free, was not, and did not come in time
}

// Pool counts now.
func (r *Redis) Pool() Pool {
	s := r.client.PoolStats()
	return Pool{
		Open: int(s.TotalConns), Idle: int(s.IdleConns),
		Hits: uint64(s.Hits), Misses: uint64(s.Misses), Timeouts: uint64(s.Timeouts),
	}
}

// Up says that commands are answered.
func (r *Redis) Up() bool { return !r.outage.down() }
