package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const chat = "chat"

// channel takes messages of many events.
type channel struct {
	outside

	mu       sync.Mutex
	messages [][]rollout.Notification // that were taken
	tries    int
	answer   func(ctx context.Context, try int) error
}

func (c *channel) options() store.OutboxOptions {
	opts := c.outside.options()
	opts.NotifyTogether = func(ctx context.Context, all []rollout.Notification) error {
		c.mu.Lock()
		c.tries++
		try := c.tries
		c.mu.Unlock()
		if c.answer != nil {
			if err := c.answer(ctx, try); err != nil {
				return err
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.messages = append(c.messages, all)
		return nil
	}
	return opts
}

// told are the facts in the messages, in the order in which they came.
func (c *channel) told() (facts []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, all := range c.messages {
		for _, n := range all {
			facts = append(facts, n.Fact)
		}
	}
	return facts
}

// rollbacksWait leaves n notifications of rollbacks for the channel, a second apart.
func (w *world) rollbacksWait(n int) rollout.Deployment {
	w.t.Helper()
	w.routedTogether([]string{chat}, chat, "ops")
	d := w.create("1.1.0")
	for range n {
		w.advance(time.Second)
		w.happens(d, rollout.FactRollback)
	}
	return d
}

func TestWhatWaitsIsToldTogether(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.happens(w.rollbacksWait(30), rollout.FactPhase)
		c := &channel{}
		w.outboxWith(c.options())
		w.allNotified()
		if got := c.told(); len(c.messages) != 2 || len(got) != 31 {
			t.Errorf("%d events in %d messages, want the 30 of one channel in one and the other alone: %v", len(got), len(c.messages), got)
		}
		seen := map[string]bool{}
		for _, all := range c.messages {
			for i, n := range all {
				if seen[n.ID] || n.Channel != all[0].Channel || i > 0 && n.At.Before(all[i-1].At) {
					t.Errorf("%s of %s at %s is told again, in another channel or too late", n.Fact, n.Channel, n.At)
				}
				seen[n.ID] = true
			}
		}
		if n := c.count("chat sent"); n != 31 {
			t.Errorf("%d are counted as sent", n)
		}
		if got := c.of("ops"); len(got) != 30 {
			t.Errorf("a target that is told of each was told of %d", len(got))
		}
	})
}

// wants is how long a target asks to wait.
type wants time.Duration

func (wants) Error() string               { return "429" }
func (w wants) RetryAfter() time.Duration { return time.Duration(w) }

func TestATargetThatIsBusyLosesNothing(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"that fails": errors.New("503"), "that says when": wants(2 * time.Second)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.rollbacksWait(5)
				c := &channel{answer: func(_ context.Context, try int) error {
					if try == 1 {
						return failure
					}
					return nil
				}}
				w.outboxWith(c.options())
				w.eventually("the first attempt", func() bool { return c.count("chat retried") == 1 })
				w.allNotified()
				if got := c.told(); len(got) != 5 {
					t.Errorf("told of %d, want each of 5 once", len(got))
				}
			})
		})
	}
}

func TestATargetThatRefusesIsNotAskedForEach(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.rollbacksWait(5)
		c := &channel{answer: func(context.Context, int) error { return fmt.Errorf("no such channel: %w", store.ErrTerminal) }}
		w.outboxWith(c.options())
		w.allNotified()
		if c.tries != 1 || c.count("chat refused") != 5 {
			t.Errorf("asked %d times, %d refused; want once for all five", c.tries, c.count("chat refused"))
		}
	})
}

// A process that dies with the message on its way leaves all of it to the next one.
func TestWhatWasTakenAlongSurvivesItsProcess(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.rollbacksWait(5)
		begun := make(chan struct{})
		dying := &channel{answer: func(ctx context.Context, _ int) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}}
		opts := dying.options()
		opts.PostTimeout = 2 * time.Second
		stop := w.outboxWith(opts)
		<-begun
		stop()
		c := &channel{}
		w.outboxWith(c.options())
		ids := map[string]bool{}
		w.eventually("all five are told", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, n := range slices.Concat(c.messages...) {
				ids[n.ID] = true
			}
			return len(ids) == 5
		})
		w.allNotified()
	})
}
