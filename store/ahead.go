package store

import (
	"context"
	"sync"
	"time"
)

// mostLetBy is how long one piece of other work lets orders by: under a storm of them it still
// gets on, and no instance is taken for silent.
const mostLetBy = 50 * time.Millisecond

// ahead says whether a person's order is under way in this process. Whatever can wait lets it by:
// it would take the processor, the locks and the database from who has not got the time.
type ahead struct {
	mu     sync.Mutex
	orders int
	over   chan struct{} // closed when the last of them is
}

// begin says that an order is under way, until end is called.
func (a *ahead) begin() (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders++; a.orders == 1 {
		a.over = make(chan struct{})
	}
	return sync.OnceFunc(a.end)
}

func (a *ahead) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders--; a.orders == 0 {
		close(a.over)
	}
}

// underWay is closed when no order is under way any more; nil while there is none.
func (a *ahead) underWay() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders == 0 {
		return nil
	}
	return a.over
}

// letBy waits while orders are under way, unless ctx is of one of them, and not for long.
func (a *ahead) letBy(ctx context.Context) {
	over := a.underWay()
	if over == nil || urgencyOf(ctx) == orders {
		return
	}
	timer := time.NewTimer(mostLetBy)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// LetBy waits while orders are under way, and not for long, unless ctx is of one of them.
func (s *Store) LetBy(ctx context.Context) { s.ahead.letBy(ctx) }

// Ahead lets what is Urgent go ahead of whatever can wait, until done is called. For
// other work it does nothing.
func (s *Store) Ahead(ctx context.Context) (done func()) {
	if urgencyOf(ctx) != orders {
		return func() {}
	}
	return s.ahead.begin()
}
