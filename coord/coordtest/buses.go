package coordtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
)

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
			if open := receive(t, c); open {
				t.Fatal("a wake-up after the context ended, want a closed channel")
			}
			b.Publish(t.Context(), "p")
			h.Settle()
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
		{"who follows is told which topics of a prefix there were, each once", func(t *testing.T, b coord.Bus, h Harness) {
			f := b.Follow(t.Context(), "p/")
			h.Settle()
			f.Take() // a bus that just came up says that there may have been any
			for range 3 {
				b.Publish(t.Context(), "p/one")
				b.Publish(t.Context(), "p/two")
				b.Publish(t.Context(), "q/three")
			}
			h.Settle()
			woken(t, f.Wake, "after messages")
			topics, all := f.Take()
			slices.Sort(topics)
			if !slices.Equal(topics, []string{"one", "two"}) || all {
				t.Errorf("took %v, all %v", topics, all)
			}
			if topics, all := f.Take(); len(topics) > 0 || all {
				t.Errorf("took %v, all %v again", topics, all)
			}
		}},
		{"more topics than are worth naming are all of them", func(t *testing.T, b coord.Bus, h Harness) {
			f := b.Follow(t.Context(), "p/")
			h.Settle()
			for i := range 5000 {
				b.Publish(t.Context(), fmt.Sprint("p/", i))
			}
			h.Settle()
			if topics, all := f.Take(); !all || len(topics) > 1000 {
				t.Errorf("took %d topics, all %v", len(topics), all)
			}
		}},
		{"nobody follows longer than its context", func(t *testing.T, b coord.Bus, h Harness) {
			ctx, cancel := context.WithCancel(t.Context())
			f := b.Follow(ctx, "p/")
			cancel()
			h.Settle()
			f.Take()
			b.Publish(t.Context(), "p/one")
			h.Settle()
			if topics, all := f.Take(); len(topics) > 0 || all {
				t.Errorf("took %v, all %v", topics, all)
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
