package api

import (
	"context"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/store"
)

// watermark wakes every watch stream when any assignment changed, also when the
// message that said so was lost: one look at the store a second serves all
// streams of the process.
type watermark struct {
	store *store.Store

	mu      sync.Mutex
	next    int
	waiting map[int]chan struct{}
	running bool
	wake    chan struct{}
}

// AnyProfileTopic is the message that some profile's assignments changed.
const AnyProfileTopic = "profiles"

const markInterval = time.Second

func newWatermark(s *store.Store) *watermark {
	return &watermark{store: s, waiting: map[int]chan struct{}{}, wake: make(chan struct{}, 1)}
}

// subscribe gives a channel that holds at most one pending wake-up, until ctx ends.
func (m *watermark) subscribe(ctx context.Context, bus coord.Bus) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan struct{}, 1)
	id := m.next
	m.next++
	m.waiting[id] = ch
	context.AfterFunc(ctx, func() { m.leave(id) })
	if !m.running {
		m.running = true
		go m.run(bus)
	}
	return ch
}

func (m *watermark) leave(id int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.waiting, id)
	if len(m.waiting) == 0 {
		select {
		case m.wake <- struct{}{}: // nobody waits any more: run ends
		default:
		}
	}
}

// run lives as long as anybody waits.
func (m *watermark) run(bus coord.Bus) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	messages := bus.Subscribe(ctx, AnyProfileTopic)
	tick := time.NewTicker(markInterval)
	defer tick.Stop()
	last := int64(-1)
	for {
		heard := false
		select {
		case <-messages:
			heard = true
		case <-tick.C:
		case <-m.wake:
		}
		if m.done() {
			return
		}
		if mark, err := m.store.GenerationMark(ctx); err == nil && mark != last {
			last, heard = mark, true
		}
		if heard {
			m.tell()
		}
	}
}

func (m *watermark) done() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) > 0 {
		return false
	}
	m.running = false
	return true
}

func (m *watermark) tell() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ch := range m.waiting {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
