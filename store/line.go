package store

import (
	"context"
	"slices"
	"sync"
)

// line is where those stand who wait for the one connection that writes, in the order in which
// they came. Orders stand before all others.
type line struct {
	mu            sync.Mutex
	busy          bool
	first, others []chan struct{} // each is closed when it is that one's turn
}

// stand waits for the caller's turn. What it returns gives it to the next.
func (l *line) stand(ctx context.Context) (next func(), err error) {
	queue := &l.others
	if urgencyOf(ctx) == orders {
		queue = &l.first
	}
	l.mu.Lock()
	if !l.busy {
		l.busy = true
		l.mu.Unlock()
		return l.next, nil
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return l.next, nil
	case <-ctx.Done():
		l.leave(queue, turn)
		return nil, ctx.Err()
	}
}

// leave takes one who waits no longer out of the queue, or passes the turn on that came in this moment.
func (l *line) leave(queue *[]chan struct{}, turn chan struct{}) {
	l.mu.Lock()
	at := slices.Index(*queue, turn)
	if at >= 0 {
		*queue = slices.Delete(*queue, at, at+1)
	}
	l.mu.Unlock()
	if at < 0 {
		l.next()
	}
}

func (l *line) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&l.first, &l.others} {
		if len(*queue) > 0 {
			close((*queue)[0])
			*queue = slices.Delete(*queue, 0, 1)
			return
		}
	}
	l.busy = false
}
