package coordtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
)

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
			began := time.Now()
			mustLockFor(t, l, "a", h.TTL)
			h.Pass(h.TTL / 2)
			_, err := l.Lock(t.Context(), "a", h.TTL)
			if time.Since(began) < h.TTL && !errors.Is(err, coord.ErrHeld) {
				t.Fatalf("Lock(a) before its time is over: error %v, want ErrHeld", err)
			}
			h.Pass(2 * h.TTL)
			mustLock(t, l, "a")
		}},
		{"a late unlock does not take the lock from its next holder", func(t *testing.T, l coord.Locker, h Harness) {
			unlock := mustLockFor(t, l, "a", h.TTL)
			h.Pass(2 * h.TTL)
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

// ttl is of locks that a case does not outlive.
const ttl = time.Minute

func mustLock(t *testing.T, l coord.Locker, name string) (unlock func()) {
	t.Helper()
	return mustLockFor(t, l, name, ttl)
}

func mustLockFor(t *testing.T, l coord.Locker, name string, ttl time.Duration) (unlock func()) {
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
