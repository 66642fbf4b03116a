package coord

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Memory is the Locker and the Bus of one process. Its methods are safe for
// concurrent use.
type Memory struct {
	mu     sync.Mutex
	locks  map[string]*hold
	topics map[string]map[*subscriber]struct{}
	// followers are asked by prefix: there are few, one for a process's streams.
	followers map[*Following]struct{}
}

// hold is one taken lock; its address tells it from a later one of the same name.
type hold struct{ until time.Time }

type subscriber struct {
	wake   chan struct{}
	topics []string
}

var (
	_ Locker = (*Memory)(nil)
	_ Bus    = (*Memory)(nil)
)

// NewMemory returns a Memory that knows no locks and no subscribers.
func NewMemory() *Memory {
	return &Memory{
		locks:  make(map[string]*hold),
		topics: make(map[string]map[*subscriber]struct{}),

		followers: make(map[*Following]struct{}),
	}
}

// Lock takes name for ttl, or returns ErrHeld, or the error of an ended ctx.
// unlock gives the lock back once; it does nothing when ttl has passed and
// another took it.
func (m *Memory) Lock(ctx context.Context, name string, ttl time.Duration) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if held, ok := m.locks[name]; ok && now.Before(held.until) {
		return nil, ErrHeld
	}
	mine := &hold{until: now.Add(ttl)}
	m.locks[name] = mine
	return func() { m.unlock(name, mine) }, nil
}

func (m *Memory) unlock(name string, mine *hold) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] == mine {
		delete(m.locks, name)
	}
}

// Publish wakes every subscriber of topic that has no wake-up pending yet.
func (m *Memory) Publish(_ context.Context, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wakeAll(m.topics[topic])
	for f := range m.followers {
		if rest, ok := strings.CutPrefix(topic, f.prefix); ok {
			f.add(rest)
		}
	}
}

// publishAll wakes every subscriber of anything.
func (m *Memory) publishAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, subscribers := range m.topics {
		wakeAll(subscribers)
	}
	for f := range m.followers {
		f.addAll()
	}
}

func wakeAll(subscribers map[*subscriber]struct{}) {
	for s := range subscribers {
		select {
		case s.wake <- struct{}{}:
		default: // one is pending: it stands for this message too
		}
	}
}

// Subscribe gives a channel that carries at most one pending wake-up of any of
// topics, and is closed when ctx ends. No goroutine waits behind it.
func (m *Memory) Subscribe(ctx context.Context, topics ...string) <-chan struct{} {
	s := &subscriber{wake: make(chan struct{}, 1), topics: topics}
	m.mu.Lock()
	for _, topic := range topics {
		if m.topics[topic] == nil {
			m.topics[topic] = make(map[*subscriber]struct{})
		}
		m.topics[topic][s] = struct{}{}
	}
	m.mu.Unlock()
	context.AfterFunc(ctx, func() { m.unsubscribe(s) })
	return s.wake
}

// Follow collects the topics with prefix, until ctx ends.
func (m *Memory) Follow(ctx context.Context, prefix string) *Following {
	f := newFollowing(prefix)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.followers[f] = struct{}{}
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.followers, f)
	})
	return f
}

func (m *Memory) unsubscribe(s *subscriber) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, topic := range s.topics {
		delete(m.topics[topic], s)
		if len(m.topics[topic]) == 0 {
			delete(m.topics, topic)
		}
	}
	close(s.wake) // under the mutex, so that no Publish sends on it
}
