package api

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/store"
)

// watermark tells the watch streams of the instances whose assignments changed,
// also when the message that said so was lost: one look at the store serves all
// streams of the process, brings what is new to each, and a change of one profile
// wakes no stream of another.
type watermark struct {
	store *store.Store
	bus   coord.Bus
	log   *slog.Logger
	// delivery makes what is sent of what the store says was given.
	delivery func(ctx context.Context, of fleet.Assignment) (*delivery, error)
	// sweepEvery is how often it is looked whether the instances are still registered.
	sweepEvery time.Duration

	mu      sync.Mutex
	waiting map[string][]*waiter // by instance, the oldest first
	streams int
	running bool
	idle    chan struct{}
}

// waiter is one stream or poll of an instance.
type waiter struct {
	marks *watermark
	id    string
	wake  chan struct{} // holds at most one pending wake-up
	over  chan struct{} // closed when newer streams of the same instance took its place

	news   deliveries // what was given since it was taken; under the watermark's mutex
	unsure bool       // there may be more than news: all of it is to be read
}

const (
	markInterval = time.Second
	// markGap is the least time between two looks: many changes at once are
	// looked at together.
	markGap = 10 * time.Millisecond
	// streamsPerInstance is how many of its streams are served. A line that
	// broke without a word is still open here when its instance connects again.
	streamsPerInstance = 4
)

func newWatermark(a *API) *watermark {
	return &watermark{
		store: a.opts.Store, bus: a.opts.Bus, log: a.log, delivery: a.delivery, sweepEvery: a.opts.KeepAlive,
		waiting: map[string][]*waiter{}, idle: make(chan struct{}, 1),
	}
}

// subscribe waits for changes of the instance's assignments, until ctx ends.
func (m *watermark) subscribe(ctx context.Context, instanceID string) *waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &waiter{marks: m, id: instanceID, wake: make(chan struct{}, 1), over: make(chan struct{})}
	m.waiting[instanceID] = append(m.waiting[instanceID], w)
	m.streams++
	if mine := m.waiting[instanceID]; len(mine) > streamsPerInstance {
		close(mine[0].over)
		m.remove(instanceID, mine[0])
	}
	context.AfterFunc(ctx, func() { m.leave(instanceID, w) })
	if !m.running {
		m.running = true
		go m.run()
	}
	return w
}

// again says that all of it is to be read at the next look.
func (w *waiter) again() {
	w.marks.mu.Lock()
	defer w.marks.mu.Unlock()
	w.unsure = true
}

// look is what the instance should run now, which has set, and what of that is
// fresh: by what it was told of, or, where that may not be all, by reading it.
func (w *waiter) look(ctx context.Context, a *API, set deliveries) (whole, fresh deliveries, err error) {
	w.marks.mu.Lock()
	news, unsure := w.news, w.unsure
	w.news, w.unsure = nil, false
	w.marks.mu.Unlock()
	if !unsure {
		whole, fresh = set.with(news)
		return whole, fresh, nil
	}
	read, err := a.current(ctx, w.id)
	if err != nil {
		w.again()
		return set, nil, err
	}
	read, _ = read.with(news) // which may have come after the reading
	if read.older(set) {
		return set, nil, nil
	}
	return read, read.since(set), nil
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
func (m *watermark) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changed := m.bus.Follow(ctx, profileTopics)
	tick := time.NewTicker(markInterval)
	defer tick.Stop()
	sweep := time.NewTicker(m.sweepEvery)
	defer sweep.Stop()
	var seen map[string]int64 // nil until the first look, which does not know what changed
	for ok := true; ok; ok = !m.done() {
		var err error
		switch names, all := changed.Take(); {
		case seen == nil:
			seen, err = m.begin(ctx)
		case all || len(names) == 0:
			err = m.catchUp(ctx, seen)
		default:
			err = m.tell(ctx, seen, names)
		}
		if err != nil { // the store is asked again at the next tick: seen is as it was
			m.log.DebugContext(ctx, "what changed was not read", "error", err)
		}
		<-time.After(markGap)
		select {
		case <-changed.Wake:
		case <-tick.C:
		case <-sweep.C:
			m.sweep(ctx)
		case <-m.idle:
		}
	}
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

// begin reads where every profile is. Whoever waits already may have read before.
func (m *watermark) begin(ctx context.Context) (seen map[string]int64, err error) {
	if seen, err = look(ctx, m.store.Generations); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mine := range m.waiting {
		unsure(mine)
	}
	return seen, nil
}

// catchUp tells of what changed without a message: one number says whether
// anything did.
func (m *watermark) catchUp(ctx context.Context, seen map[string]int64) error {
	now, err := look(ctx, m.store.GenerationMark)
	if err != nil || now == sum(seen) {
		return err
	}
	fresh, err := look(ctx, m.store.Generations)
	if err != nil {
		return err
	}
	for name := range seen { // those that are deleted count no more
		if _, there := fresh[name]; !there {
			delete(seen, name)
		}
	}
	var changed []string
	for name, generation := range fresh {
		if seen[name] != generation {
			changed = append(changed, name)
		}
	}
	return m.tell(ctx, seen, changed)
}

func sum(generations map[string]int64) (all int64) {
	for _, generation := range generations {
		all += generation
	}
	return all
}

// tell brings to the streams what was given of some profiles since they were
// seen, and sees them.
func (m *watermark) tell(ctx context.Context, seen map[string]int64, names []string) error {
	before := make(map[string]int64, len(names))
	for _, name := range names {
		before[name] = seen[name]
	}
	since, generations, err := m.givenSince(ctx, before)
	if err != nil {
		return err
	}
	for _, one := range since {
		m.bring(ctx, one)
	}
	for name, generation := range generations {
		seen[name] = max(seen[name], generation)
	}
	return nil
}

func (m *watermark) givenSince(ctx context.Context, before map[string]int64) ([]store.Given, map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return m.store.GivenSince(ctx, before)
}

// bring gives the streams of some instances what these were given. Where it
// cannot be made, each has to see for itself.
func (m *watermark) bring(ctx context.Context, given store.Given) {
	d, err := look(ctx, func(ctx context.Context) (*delivery, error) { return m.delivery(ctx, given.Assignment) })
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range given.Instances {
		if err != nil {
			unsure(m.waiting[id])
			continue
		}
		for _, w := range m.waiting[id] {
			w.news = append(w.news, d)
			w.nudge()
		}
	}
}

// sweep makes those look who wait for an instance that is not registered any
// more: it was removed behind this process's back.
func (m *watermark) sweep(ctx context.Context) {
	m.mu.Lock()
	waiting := make([]string, 0, len(m.waiting))
	for id := range m.waiting {
		waiting = append(waiting, id)
	}
	m.mu.Unlock()
	registered, err := look(ctx, m.store.InstanceIDs)
	if err != nil {
		return // nobody knows: the next sweep may
	}
	for _, id := range waiting {
		if !registered[id] {
			m.doubt(id)
		}
	}
}

// doubt makes the streams of an instance read what it should run.
func (m *watermark) doubt(instanceID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	unsure(m.waiting[instanceID])
}

func unsure(waiters []*waiter) {
	for _, w := range waiters {
		w.unsure = true
		w.nudge()
	}
}

func (w *waiter) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // one is pending: it stands for this news too
	}
}
