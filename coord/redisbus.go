package coord

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

var _ Bus = (*Redis)(nil)

// busChannel carries the messages of all topics: replicas care for nearly all
// of them, and so one subscription serves all subscribers of a process.
const busChannel = keyPrefix + "bus"

// Publish wakes the subscribers of this process at once, and those of others
// as soon as Redis lets it. It waits for nobody.
func (r *Redis) Publish(ctx context.Context, topic string) {
	r.local.Publish(ctx, topic)
	r.outbox.add(topic)
}

// Subscribe gives a channel that carries at most one pending wake-up of any of
// topics, and is closed when ctx ends. After messages may have been lost, all
// channels get a wake-up.
func (r *Redis) Subscribe(ctx context.Context, topics ...string) <-chan struct{} {
	return r.local.Subscribe(ctx, topics...)
}

// Follow collects the topics with prefix, until ctx ends.
func (r *Redis) Follow(ctx context.Context, prefix string) *Following {
	return r.local.Follow(ctx, prefix)
}

// message is what replicas tell each other. It is a hint, whoever wrote it.
type message struct {
	From   string   `json:"from"`
	Topics []string `json:"topics,omitempty"` // none: anything may have changed
}

// send brings the outbox to the others. What could not be told is told as
// "anything may have changed" later.
func (r *Redis) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.outbox.ready:
		}
		topics, ok := r.outbox.take()
		if !ok {
			continue
		}
		m := message{From: r.name, Topics: topics}
		err := r.call(ctx, func(ctx context.Context) error {
			text, err := json.Marshal(m)
			if err != nil {
				return err
			}
			return r.client.Publish(ctx, busChannel, text).Err()
		})
		if err != nil {
			r.outbox.addAll()
			if !pause(ctx, r.timeout) {
				return
			}
		}
	}
}

// listen keeps the one subscription of this process.
func (r *Redis) listen(ctx context.Context) {
	for {
		err := r.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		r.outage.failed(messages, time.Now(), err)
		if !pause(ctx, r.timeout) {
			return
		}
	}
}

// follow subscribes, and returns when the subscription is lost. A connection
// on which nothing comes, not even the answer to a ping, is lost too.
func (r *Redis) follow(ctx context.Context) error {
	sub := r.client.Subscribe(ctx, busChannel)
	end := func() { _ = sub.Close() } // it is lost, or not needed any more
	defer end()
	defer context.AfterFunc(ctx, end)()
	silence := 10 * r.timeout
	var silent atomic.Bool
	dead := time.AfterFunc(silence, func() { silent.Store(true); end() })
	defer dead.Stop()
	ping := time.AfterFunc(3*r.timeout, func() { _ = sub.Ping(ctx) })
	defer ping.Stop()
	for {
		got, err := sub.Receive(ctx)
		if err != nil && silent.Load() {
			return fmt.Errorf("nothing came for %s", silence)
		} else if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		dead.Reset(silence)
		ping.Reset(3 * r.timeout)
		switch got := got.(type) {
		case *redis.Subscription:
			r.outage.works(messages)
			r.local.publishAll() // what was said before this moment is lost
		case *redis.Message:
			r.receive(ctx, got.Payload)
		}
	}
}

// receive wakes the subscribers of this process. Its own messages it told them
// already.
func (r *Redis) receive(ctx context.Context, text string) {
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.From == r.name {
		return // not one of ours
	}
	if len(m.Topics) == 0 {
		r.local.publishAll()
	}
	for _, topic := range m.Topics {
		r.local.Publish(ctx, topic)
	}
}
