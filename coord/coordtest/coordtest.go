// Package coordtest is the conformance suite of coord's interfaces: every
// implementation passes it, the in-process one and those behind a server.
package coordtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
)

// Harness is what the suite needs beside the implementation. Time and delivery
// are the implementation's own: fake inside a bubble, real against a server.
type Harness struct {
	Pass   func(d time.Duration) // lets d pass on the clock that TTLs are measured by
	Settle func()                // returns when all that was published is delivered
}

// Case is one rule of the suite, to be run in a bubble or a subtest of the caller's choice.
type Case[T any] struct {
	Name string
	Run  func(t *testing.T, impl T, h Harness)
}

// Lockers lists the rules of a coord.Locker.
func Lockers() []Case[coord.Locker] {
	return []Case[coord.Locker]{
		{"a lock is held by one", func(t *testing.T, l coord.Locker, _ Harness) {
			mustLock(t, l, "a")
			mustBeHeld(t, l, "a")
		}},
		{"another name is another lock", func(t *testing.T, l coord.Locker, _ Harness) {
			mustLock(t, l, "a")
			mustLock(t, l, "b")
		}},
		{"unlock gives it back at once", func(t *testing.T, l coord.Locker, _ Harness) {
			mustLock(t, l, "a")()
			mustLock(t, l, "a")
		}},
		{"the ttl gives it back", func(t *testing.T, l coord.Locker, h Harness) {
			mustLock(t, l, "a")
			h.Pass(ttl - time.Second)
			mustBeHeld(t, l, "a")
			h.Pass(2 * time.Second)
			mustLock(t, l, "a")
		}},
		{"a late unlock does not take the lock from its next holder", func(t *testing.T, l coord.Locker, h Harness) {
			unlock := mustLock(t, l, "a")
			h.Pass(ttl + time.Second)
			mustLock(t, l, "a")
			unlock()
			mustBeHeld(t, l, "a")
		}},
		{"unlock twice is harmless", func(t *testing.T, l coord.Locker, _ Harness) {
			unlock := mustLock(t, l, "a")
			unlock()
			mustLock(t, l, "a")
			unlock()
			mustBeHeld(t, l, "a")
		}},
		{"an ended context takes nothing", func(t *testing.T, l coord.Locker, _ Harness) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := l.Lock(ctx, "a", ttl); err == nil || errors.Is(err, coord.ErrHeld) {
				t.Fatalf("Lock with an ended context: error %v, want the context's", err)
			}
			mustLock(t, l, "a")
		}},
		{"of many at once one wins", func(t *testing.T, l coord.Locker, _ Harness) {
			var won atomic.Int32
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					if _, err := l.Lock(t.Context(), "a", ttl); err == nil {
						won.Add(1)
					} else if !errors.Is(err, coord.ErrHeld) {
						t.Errorf("Lock: %v", err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d holders of one lock, want 1", won.Load())
			}
		}},
	}
}

const ttl = 15 * time.Second

func mustLock(t *testing.T, l coord.Locker, name string) (unlock func()) {
	t.Helper()
	unlock, err := l.Lock(t.Context(), name, ttl)
	if err != nil {
		t.Fatalf("Lock(%s): %v", name, err)
	}
	return unlock
}

func mustBeHeld(t *testing.T, l coord.Locker, name string) {
	t.Helper()
	if _, err := l.Lock(t.Context(), name, ttl); !errors.Is(err, coord.ErrHeld) {
		t.Fatalf("Lock(%s): error %v, want ErrHeld", name, err)
	}
}

// Buses lists the rules of a coord.Bus.
func Buses() []Case[coord.Bus] {
	return []Case[coord.Bus]{
		{"a message wakes every subscriber of its topic", func(t *testing.T, b coord.Bus, h Harness) {
			one, two := b.Subscribe(t.Context(), "p"), b.Subscribe(t.Context(), "p", "q")
			h.Settle()
			b.Publish(t.Context(), "p")
			h.Settle()
			woken(t, one, "first")
			woken(t, two, "second")
		}},
		{"and nobody else", func(t *testing.T, b coord.Bus, h Harness) {
			other := b.Subscribe(t.Context(), "q")
			h.Settle()
			b.Publish(t.Context(), "p")
			h.Settle()
			quiet(t, other)
		}},
		{"many messages become one", func(t *testing.T, b coord.Bus, h Harness) {
			c := b.Subscribe(t.Context(), "p", "q")
			h.Settle()
			for range 100 {
				b.Publish(t.Context(), "p")
				b.Publish(t.Context(), "q")
			}
			h.Settle()
			woken(t, c, "after 200 messages")
			quiet(t, c)
			b.Publish(t.Context(), "p")
			h.Settle()
			woken(t, c, "after one more")
		}},
		{"a topic named twice wakes once", func(t *testing.T, b coord.Bus, h Harness) {
			c := b.Subscribe(t.Context(), "p", "p")
			h.Settle()
			b.Publish(t.Context(), "p")
			h.Settle()
			woken(t, c, "")
			quiet(t, c)
		}},
		{"the channel closes with its context", func(t *testing.T, b coord.Bus, h Harness) {
			ctx, cancel := context.WithCancel(t.Context())
			c := b.Subscribe(ctx, "p")
			still := b.Subscribe(t.Context(), "p")
			h.Settle()
			cancel()
			h.Settle()
			b.Publish(t.Context(), "p")
			h.Settle()
			if open := receive(t, c); open {
				t.Fatal("a wake-up after the context ended, want a closed channel")
			}
			woken(t, still, "the subscriber that stayed")
		}},
		{"an ended context gives a closed channel", func(t *testing.T, b coord.Bus, h Harness) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			c := b.Subscribe(ctx, "p")
			h.Settle()
			if receive(t, c) {
				t.Fatal("a wake-up, want a closed channel")
			}
		}},
		{"publishing and leaving at once is safe", func(t *testing.T, b coord.Bus, h Harness) {
			var wg sync.WaitGroup
			for i := range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				c := b.Subscribe(ctx, "p", fmt.Sprint("q", i))
				wg.Go(func() { b.Publish(t.Context(), "p") })
				wg.Go(cancel)
				wg.Go(func() {
					for range c { // until it is closed
					}
				})
			}
			wg.Wait()
		}},
	}
}

// patience bounds the wait for what must come.
const patience = 10 * time.Second

func receive(t *testing.T, c <-chan struct{}) (open bool) {
	t.Helper()
	select {
	case _, open = <-c:
		return open
	case <-time.After(patience):
		t.Fatal("nothing came")
		return false
	}
}

func woken(t *testing.T, c <-chan struct{}, who string) {
	t.Helper()
	if !receive(t, c) {
		t.Fatalf("%s: the channel is closed, want a wake-up", who)
	}
}

func quiet(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case _, open := <-c:
		t.Fatalf("a wake-up (channel open: %v), want none", open)
	default:
	}
}
