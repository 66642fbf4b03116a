package client

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// healthTimeout bounds the measuring before a heartbeat.
const healthTimeout = 5 * time.Second

// heartbeats reports until ctx ends: at once, then when the server asked for the next one, and when
// a configuration was just applied. The answers carry what is assigned, so that a stream that is
// stuck somewhere costs one interval and no more.
func (s *Session) heartbeats(ctx context.Context, id identity) {
	every := s.bound(time.Duration(id.HeartbeatSeconds) * time.Second)
	c := s.instance(id)
	failures := 0
	for {
		var wait time.Duration
		res, err := s.heartbeat(ctx, c, id)
		switch {
		case ctx.Err() != nil:
			return
		case lostIdentity(err):
			s.lose(id, err)
			return
		case err != nil:
			if failures == 0 {
				s.log.WarnContext(ctx, "heartbeat failed, trying again", "error", err)
			}
			wait = max(min(every, Backoff(failures, rand.Float64())), min(askedToWait(err), maxRetryAfter))
			failures++
		default:
			failures = 0
			s.hears(nil)
			every = s.bound(time.Duration(res.NextHeartbeatMillis) * time.Millisecond)
			wait = every
			if len(res.Assignments) > 0 {
				s.deliver(id, wire.Assignments{Assignments: res.Assignments}, false)
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-s.beat:
			t.Stop()
		case <-t.C:
		}
	}
}

func (s *Session) heartbeat(ctx context.Context, c *Client, id identity) (wire.HeartbeatResponse, error) {
	measure, cancel := context.WithTimeout(ctx, healthTimeout)
	h, sent := s.opts.Health(measure)
	cancel()
	res, err := c.Heartbeat(ctx, id.ID, h)
	if sent != nil && (err == nil || (permanent(err) && !lostIdentity(err))) {
		sent() // what was refused would be refused again; better to lose it than all that follows
	}
	return res, err
}

func (s *Session) bound(d time.Duration) time.Duration {
	return min(max(or(d, 30*time.Second), s.opts.MinHeartbeat), s.opts.MaxHeartbeat)
}
