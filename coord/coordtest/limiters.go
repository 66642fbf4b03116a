package coordtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
)

// Limiters lists the rules of a coord.Limiter. Limits are so low that a case
// ends before one more is allowed.
func Limiters() []Case[coord.Limiter] {
	return []Case[coord.Limiter]{
		{"so many are allowed and no more", func(t *testing.T, l coord.Limiter, _ Harness) {
			for want := 2; want >= 0; want-- {
				if left, _, ok := l.Take(t.Context(), "a", 3); !ok || left != want {
					t.Fatalf("Take: %t, %d left, want %d", ok, left, want)
				}
			}
			for range 3 {
				if left, _, ok := l.Take(t.Context(), "a", 3); ok || left != 0 {
					t.Fatalf("Take of what is used up: %t, %d left", ok, left)
				}
			}
		}},
		{"another key has its own", func(t *testing.T, l coord.Limiter, _ Harness) {
			l.Take(t.Context(), "a", 1)
			if _, _, ok := l.Take(t.Context(), "b", 1); !ok {
				t.Fatal("b is refused for what a did")
			}
		}},
		{"reset is within the minute that comes", func(t *testing.T, l coord.Limiter, _ Harness) {
			for i := range 4 {
				before := time.Now()
				_, reset, _ := l.Take(t.Context(), "a", 2)
				if after := time.Now(); reset.Before(before) || reset.After(after.Add(time.Minute)) {
					t.Fatalf("Take %d at %s: reset at %s", i, before, reset)
				}
			}
		}},
		{"after reset there is more", func(t *testing.T, l coord.Limiter, h Harness) {
			const perMinute = 60
			for used := 0; ; used++ {
				_, reset, ok := l.Take(t.Context(), "a", perMinute)
				if ok {
					continue
				}
				if used < perMinute {
					t.Fatalf("refused after %d of %d", used, perMinute)
				}
				h.Pass(time.Until(reset) + 50*time.Millisecond)
				break
			}
			if _, _, ok := l.Take(t.Context(), "a", perMinute); !ok {
				t.Fatal("refused after reset")
			}
		}},
		{"of many at once so many are allowed", func(t *testing.T, l coord.Limiter, _ Harness) {
			var allowed atomic.Int32
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					if _, _, ok := l.Take(t.Context(), "a", 5); ok {
						allowed.Add(1)
					}
				})
			}
			wg.Wait()
			if allowed.Load() != 5 {
				t.Fatalf("%d of 16 were allowed, want 5", allowed.Load())
			}
		}},
	}
}
