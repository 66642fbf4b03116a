package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/store"
)

// watermark wakes the watch streams of the instances whose assignments changed,
// also when the message that said so was lost: one look at the store a second
// serves all streams of the process, and a change of one profile wakes no
// stream of another.
type watermark struct {
	store *store.Store

	mu      sync.Mutex
	waiting map[string][]*waiter // by instance, the oldest first
	streams int
	running bool
	failing bool // the last look at the store brought nothing
	idle    chan struct{}
}

// waiter is one stream or poll of an instance.
type waiter struct {
	wake chan struct{} // holds at most one pending wake-up
	over chan struct{} // closed when newer streams of the same instance took its place
}

// AnyProfileTopic is the message that some profile's assignments changed.
const AnyProfileTopic = "profiles"

const (
	markInterval = time.Second
	// markGap is the least time between two looks: many changes at once are
	// looked at together.
	markGap = 10 * time.Millisecond
	// streamsPerInstance is how many of its streams are served. A line that
	// broke without a word is still open here when its instance connects again.
	streamsPerInstance = 4
)

func newWatermark(s *store.Store) *watermark {
	return &watermark{store: s, waiting: map[string][]*waiter{}, idle: make(chan struct{}, 1)}
}

// subscribe waits for changes of the instance's assignments, until ctx ends.
func (m *watermark) subscribe(ctx context.Context, bus coord.Bus, instanceID string) *waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &waiter{wake: make(chan struct{}, 1), over: make(chan struct{})}
	m.waiting[instanceID] = append(m.waiting[instanceID], w)
	m.streams++
	if mine := m.waiting[instanceID]; len(mine) > streamsPerInstance {
		close(mine[0].over)
		m.remove(instanceID, mine[0])
	}
	context.AfterFunc(ctx, func() { m.leave(instanceID, w) })
	if !m.running {
		m.running = true
		go m.run(bus)
	}
	return w
}

func (m *watermark) leave(instanceID string, w *waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(instanceID, w)
	if m.streams == 0 {
		select {
		case m.idle <- struct{}{}: // nobody waits any more: run ends
		default:
		}
	}
}

func (m *watermark) remove(instanceID string, w *waiter) {
	mine := m.waiting[instanceID]
	i := slices.Index(mine, w)
	if i < 0 {
		return
	}
	m.streams--
	if mine = slices.Delete(mine, i, i+1); len(mine) == 0 {
		delete(m.waiting, instanceID)
		return
	}
	m.waiting[instanceID] = mine
}

// readers is how many streams and polls are open.
func (m *watermark) readers() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.streams
}

// run lives as long as anybody waits.
func (m *watermark) run(bus coord.Bus) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	messages := bus.Subscribe(ctx, AnyProfileTopic)
	tick := time.NewTicker(markInterval)
	defer tick.Stop()
	mark := int64(-1)
	var seen map[string]int64
	for {
		select {
		case <-messages:
		case <-tick.C:
		case <-m.idle:
		}
		if m.done() {
			return
		}
		// A store that does not answer is asked again at the next tick.
		now, err := look(ctx, m.store.GenerationMark)
		m.saw(err)
		if err != nil || now == mark {
			continue
		}
		if fresh, err := look(ctx, func(ctx context.Context) (map[string]int64, error) { return m.look(ctx, seen) }); err == nil {
			mark, seen = now, fresh
		}
		<-time.After(markGap)
	}
}

func (m *watermark) saw(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = err != nil
}

// blind says that the store did not answer when it was looked at last.
func (m *watermark) blind() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failing
}

func (m *watermark) done() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams > 0 {
		return false
	}
	m.running = false
	return true
}

// look wakes the instances of the profiles that changed since seen was read.
func (m *watermark) look(ctx context.Context, seen map[string]int64) (map[string]int64, error) {
	fresh, err := m.store.Generations(ctx)
	if err != nil {
		return nil, err
	}
	if seen == nil { // the first look does not know what changed
		m.tellAll()
		return fresh, nil
	}
	var changed []string
	for name, generation := range fresh {
		if seen[name] != generation {
			changed = append(changed, name)
		}
	}
	instances, err := m.store.InstancesOf(ctx, changed...)
	if err != nil {
		return nil, err
	}
	m.tell(instances...)
	return fresh, nil
}

// tell wakes the streams of some instances.
func (m *watermark) tell(instances ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range instances {
		wakeAll(m.waiting[id])
	}
}

func (m *watermark) tellAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mine := range m.waiting {
		wakeAll(mine)
	}
}

func wakeAll(waiters []*waiter) {
	for _, w := range waiters {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}
