package coord_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/coord/coordtest"
)

// bubble is the harness inside a synctest bubble, where sleeping takes no time.
var bubble = coordtest.Harness{TTL: 15 * time.Second, Pass: time.Sleep, Settle: synctest.Wait}

func TestMemoryLocker(t *testing.T) {
	t.Parallel()
	for _, c := range coordtest.Lockers() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, coord.NewMemory(), bubble) })
		})
	}
}

func TestMemoryBus(t *testing.T) {
	t.Parallel()
	for _, c := range coordtest.Buses() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, coord.NewMemory(), bubble) })
		})
	}
}

func TestMinutes(t *testing.T) {
	t.Parallel()
	for _, c := range coordtest.Limiters() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, coord.NewMinutes(time.Now, 100), bubble) })
		})
	}
}

func TestLRU(t *testing.T) {
	t.Parallel()
	for _, c := range coordtest.Caches() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, coord.NewLRU(1<<20), bubble) })
		})
	}
}

// The cache forgets what was not used for the longest, never the rest, and
// counts bytes, not entries.
func TestLRUIsBounded(t *testing.T) {
	t.Parallel()
	c := coord.NewLRU(10_000)
	has := func(key string) bool { _, ok := c.Get(t.Context(), key); return ok }
	c.Put(t.Context(), "a", make([]byte, 3000), time.Hour)
	c.Put(t.Context(), "b", make([]byte, 3000), time.Hour)
	for range 10 { // the same again takes no more room
		c.Put(t.Context(), "c", make([]byte, 1500), time.Hour)
	}
	if !has("a") || !has("b") || !has("c") {
		t.Fatal("something was forgotten though there is room")
	}
	has("a")
	c.Put(t.Context(), "d", make([]byte, 3000), time.Hour)
	if !has("a") || has("b") || !has("c") || !has("d") {
		t.Error("want b forgotten, and nothing else")
	}
	c.Put(t.Context(), "e", make([]byte, 10_000), time.Hour)
	if has("e") || !has("d") {
		t.Error("a value that never fits took the place of others")
	}
}

func TestMemorySubscribersCostNoGoroutine(t *testing.T) { // counts the process's goroutines: not parallel
	m := coord.NewMemory()
	before := runtime.NumGoroutine()
	for range 1000 {
		m.Subscribe(t.Context(), "p", "q", "r")
	}
	if grown := runtime.NumGoroutine() - before; grown > 100 {
		t.Fatalf("%d goroutines for 1,000 subscribers, want none", grown)
	}
}

// A minute later everybody has a fresh allowance, and the memory is used again.
func TestMinutesForget(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	l := coord.NewMinutes(func() time.Time { return now }, 2)
	for _, step := range []struct {
		key   string
		after time.Duration
		ok    bool
		why   string
	}{
		{"a", 0, true, "a first use"},
		{"a", 0, false, "used up"},
		{"b", 0, true, "another has its own"},
		{"c", 0, true, "who finds no room has the shared one"},
		{"d", 0, false, "which is used up"},
		{"a", 30 * time.Second, false, "half a minute is none"},
		{"a", 30 * time.Second, true, "a minute is over"},
		{"c", 0, true, "room was made"},
	} {
		now = now.Add(step.after)
		if _, _, ok := l.Take(t.Context(), step.key, 1); ok != step.ok {
			t.Errorf("%s: taken %t", step.why, ok)
		}
		if l.Keys() > 2 {
			t.Errorf("%s: %d keys", step.why, l.Keys())
		}
	}
}
