package api_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// pollOnce is a poll of an instance that has something else than it is assigned. It does not reach the
// store: who asks and what it should run are known.
func pollOnce(t *testing.T) func() {
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", profile.Data{"timeout": "30s"})
	one := w.register("one")
	w.complete("1.0.0", one)
	// Somebody waits, so that what the instance should run is kept.
	two := w.register("two")
	w.next(w.events(two.token, "/instances/"+two.id+"/watch", "assignments"))
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/instances/"+one.id+"/configs", http.NoBody)
	req.Header.Set("Authorization", "Bearer "+one.token)
	req.Header.Set("Prefer", "wait=50")
	return func() {
		answer := unkept{header: http.Header{}}
		w.api.Handler().ServeHTTP(&answer, req)
		if answer.status != 200 || answer.bytes == 0 {
			t.Fatalf("answered %d with %d bytes", answer.status, answer.bytes)
		}
	}
}

// unkept is an answer that nobody reads.
type unkept struct {
	header        http.Header
	status, bytes int
}

func (u *unkept) Header() http.Header { return u.header }

func (u *unkept) WriteHeader(status int) { u.status = status }

func (u *unkept) Write(b []byte) (int, error) { u.bytes += len(b); return len(b), nil }

func (u *unkept) SetReadDeadline(time.Time) error { return nil }

// Ten thousand instances ask at once after a change: each of their polls allocates little.
func TestAPollAllocatesLittle(t *testing.T) {
	poll := pollOnce(t)
	const budget = 32    // 26, and 30 under the race detector, which has pools forget
	least := math.Inf(1) // of a few: what else the process does is counted too
	for range 5 {
		least = min(least, testing.AllocsPerRun(200, poll))
	}
	if least > budget {
		t.Errorf("a poll takes %v allocations, want at most %d", least, budget)
	}
}
