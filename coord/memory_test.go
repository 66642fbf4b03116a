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
var bubble = coordtest.Harness{Pass: time.Sleep, Settle: synctest.Wait}

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
