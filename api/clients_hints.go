package api

import (
	"context"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/store"
)

// hints wakes the clients that wait by the protocols of other servers: one subscription and one look
// at the store a second serve all of the process. They are told that something changed, not what:
// each looks at its own index, which is one small read.
type hints struct {
	store    *store.Store
	bus      coord.Bus
	draining <-chan struct{}

	mu      sync.Mutex
	waiting map[chan struct{}]struct{}
	running bool
	idle    chan struct{}
}

func newHints(s *store.Store, bus coord.Bus, draining <-chan struct{}) *hints {
	return &hints{store: s, bus: bus, draining: draining, waiting: map[chan struct{}]struct{}{}, idle: make(chan struct{}, 1)}
}

// subscribe gives a channel that is closed when ctx ends or the server is about to stop.
func (h *hints) subscribe(ctx context.Context) <-chan struct{} {
	wake := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting[wake] = struct{}{}
	context.AfterFunc(ctx, func() { h.leave(wake) })
	if !h.running {
		h.running = true
		go h.run()
	}
	return wake
}

// leave ends a subscription, once.
func (h *hints) leave(wake chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.waiting[wake]; !ok {
		return
	}
	delete(h.waiting, wake)
	close(wake)
	if len(h.waiting) == 0 {
		select {
		case h.idle <- struct{}{}: // nobody waits any more: run ends
		default:
		}
	}
}

// run lives as long as anybody waits.
func (h *hints) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	messages := h.bus.Subscribe(ctx, AnyProfileTopic)
	tick := time.NewTicker(markInterval)
	defer tick.Stop()
	var seen mark
	for {
		told := false
		select {
		case <-messages:
			told = true
		case <-tick.C:
		case <-h.idle:
		case <-h.draining:
			h.endAll()
		}
		if h.done() {
			return
		}
		// A store that does not answer is asked again at the next tick.
		now, err := look(ctx, h.mark)
		if told || err == nil && now != seen {
			h.wakeAll()
		}
		if err == nil {
			seen = now
		}
	}
}

// mark changes whenever what anybody should run does.
type mark struct {
	generations int64
	written     time.Time
}

func (h *hints) mark(ctx context.Context) (m mark, err error) {
	if m.generations, err = h.store.GenerationMark(ctx); err != nil {
		return m, err
	}
	m.written, err = h.store.ProfilesChangedAt(ctx)
	return m, err
}

func (h *hints) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for wake := range h.waiting {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// endAll lets everybody answer with what there is.
func (h *hints) endAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for wake := range h.waiting {
		delete(h.waiting, wake)
		close(wake)
	}
}

func (h *hints) done() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) > 0 {
		return false
	}
	h.running = false
	return true
}
