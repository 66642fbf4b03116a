package api

import (
	"fmt"
	"testing"
	"time"
)

// A clock that the test moves, and a lock-out by it.
func lockoutAt(now *time.Time) *lockout { return newLockout(func() time.Time { return *now }, nil) }

func TestTheWaitGrowsAndEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := lockoutAt(&now)
	for n := range 10 {
		if wait := l.begin(t.Context(), "ann", "a", false); wait != 0 {
			t.Fatalf("try %d waits %s", n+1, wait)
		}
	}
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		for range 3 { // those that are refused make it no longer
			if wait := l.begin(t.Context(), "ann", "a", false); wait != want {
				t.Fatalf("waits %s, want %s", wait, want)
			}
		}
		if wait := l.begin(t.Context(), "ann", "elsewhere", false); wait != 0 {
			t.Errorf("another address waits %s", wait)
		}
		if wait := l.begin(t.Context(), "bob", "a", false); wait != 0 {
			t.Errorf("another account waits %s", wait)
		}
		l.right(t.Context(), "ann", "elsewhere")
		l.right(t.Context(), "bob", "a")
		now = now.Add(want)
		if wait := l.begin(t.Context(), "ann", "a", false); wait != 0 {
			t.Fatalf("after the wait it waits %s", wait)
		}
	}
	now = now.Add(31 * time.Minute)
	for n := range 10 {
		if wait := l.begin(t.Context(), "ann", "a", false); wait != 0 {
			t.Fatalf("forgiven, try %d waits %s", n+1, wait)
		}
	}
	l.right(t.Context(), "ann", "a")
	if wait := l.begin(t.Context(), "ann", "a", false); wait != 0 {
		t.Errorf("after the right password it waits %s", wait)
	}
}

// Strangers shut an account to strangers for a while, and never to its user.
func TestStrangersLockNobodyOut(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := lockoutAt(&now)
	for n := range 100 {
		if wait := l.begin(t.Context(), "admin", fmt.Sprint(n), false); wait != 0 {
			t.Fatalf("stranger %d waits %s", n, wait)
		}
	}
	if wait := l.begin(t.Context(), "admin", "new", false); wait != time.Minute || !l.shut("admin") {
		t.Errorf("the next stranger waits %s", wait)
	}
	if wait := l.begin(t.Context(), "admin", "home", true); wait != 0 {
		t.Errorf("admin at home waits %s", wait)
	}
	for range 9 {
		l.begin(t.Context(), "admin", "home", true)
	}
	if wait := l.begin(t.Context(), "admin", "home", true); wait != time.Minute {
		t.Errorf("home has no limit of its own: %s", wait)
	}
	now = now.Add(15*time.Minute + 1)
	if wait := l.begin(t.Context(), "admin", "new", false); wait != 0 {
		t.Errorf("a stranger waits %s for ever", wait)
	}
}

// Made-up names without end take bounded memory, and get nobody who has to wait
// a new try.
func TestAFloodOfNames(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := lockoutAt(&now)
	for range 11 {
		l.begin(t.Context(), "admin", "attacker", false)
	}
	for n := range 3 * maxTried {
		l.begin(t.Context(), fmt.Sprint("user", n), "attacker", false)
	}
	if len(l.pairs) > maxTried+1 || len(l.accounts) > maxTried+1 {
		t.Errorf("%d and %d are remembered", len(l.pairs), len(l.accounts))
	}
	if wait := l.begin(t.Context(), "admin", "attacker", false); wait == 0 {
		t.Error("the flood gave new tries")
	}
	if wait := l.begin(t.Context(), "fresh", "fresh", false); wait == 0 {
		t.Error("the flood's overflow has no limit")
	}
	now = now.Add(time.Hour)
	if wait := l.begin(t.Context(), "fresh", "fresh", false); wait != 0 {
		t.Errorf("long after the flood a new one waits %s", wait)
	}
	if l.begin(t.Context(), "fresh2", "fresh", false); len(l.pairs) > 10 {
		t.Errorf("%d are remembered long after the flood", len(l.pairs))
	}
}
