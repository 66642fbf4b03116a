package api

import (
	"context"
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
	// delivery makes what is sent of what the store says was given.
	delivery func(ctx context.Context, of fleet.Assignment, known []byte) (*delivery, error)
	// sweepEvery is how often it is looked which instances are registered, and swept is told.
	sweepEvery time.Duration
	swept      func(registered map[string]bool)

	mu      sync.Mutex
	seats   map[string]*seat // by instance
	streams int
	failing error // why the last look at the store brought nothing
	running bool
	drained bool
	atEnd   int // how many waited when it was drained
	idle    chan struct{}
	changed *coord.Following // nil while nobody waits
	rounds  rounds
}

// rounds are those of run that tell of messages.
type rounds struct {
	begun, over int
	end         chan struct{} // closed when one ends
}

// seat is what is known of one instance here. It stays for a while when nobody
// waits, so that the next poll of its instance finds what the last one was told.
type seat struct {
	waiting []*waiter // the oldest first
	set     deliveries
	doubts  int64 // rises whenever set may not be all there is
	sure    bool  // set is what the instance should run
	left    time.Time
}

// waiter is one stream or poll of an instance.
type waiter struct {
	marks *watermark
	id    string
	seat  *seat
	wake  chan struct{} // holds at most one pending wake-up
	over  chan struct{} // closed when it left, when newer streams of its instance took its place, and at the server's end
}

const (
	markInterval = time.Second
	// markGap is the least time between two looks: many changes at once are
	// looked at together.
	markGap = 10 * time.Millisecond
	// streamsPerInstance is how many of its streams are served. A line that
	// broke without a word is still open here when its instance connects again.
	streamsPerInstance = 4
	// keptSeat is how long a seat waits for its instance's next poll.
	keptSeat = time.Minute
)

func newWatermark(a *API) *watermark {
	return &watermark{
		store: a.opts.Store, bus: a.opts.Bus, delivery: a.delivery, sweepEvery: a.opts.KeepAlive, swept: a.instances.keep,
		seats: map[string]*seat{}, idle: make(chan struct{}, 1), rounds: rounds{end: make(chan struct{})},
	}
}

// join waits for changes of the instance's assignments until leave, or until over is closed.
func (m *watermark) join(instanceID string) *waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.seats[instanceID]
	if p == nil {
		p = &seat{}
		m.seats[instanceID] = p
	}
	w := &waiter{marks: m, id: instanceID, seat: p, wake: make(chan struct{}, 1), over: make(chan struct{})}
	if m.drained {
		close(w.over)
		return w
	}
	p.waiting = append(p.waiting, w)
	m.streams++
	if len(p.waiting) > streamsPerInstance {
		m.remove(p.waiting[0])
	}
	if !m.running {
		m.running = true
		go m.run()
	}
	return w
}

// settle waits until this process has told of all that it heard before: who asks after an answer to
// somebody else finds what that answer said.
func (w *waiter) settle(ctx context.Context) {
	until, end := w.marks.untold()
	if end == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	for end != nil {
		select {
		case <-end:
		case <-w.over:
			return
		case <-ctx.Done():
			return // its seat has what was told last
		}
		end = w.marks.ending(until)
	}
}

// untold is the round with which all is told that was heard until now, and the end of the one that
// comes before it or is it; nil when there is nothing to tell.
func (m *watermark) untold() (until int, end <-chan struct{}) {
	m.mu.Lock()
	until = m.rounds.begun
	if m.changed != nil && m.changed.Pending() {
		until++
	}
	m.mu.Unlock()
	return until, m.ending(until)
}

// ending is closed at the end of a round that leads to another; nil when that one is over.
func (m *watermark) ending(until int) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rounds.over >= until {
		return nil
	}
	return m.rounds.end
}

// take begins a round with what there is to tell of, if anything.
func (m *watermark) take() (names []string, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if names, all = m.changed.Take(); all || len(names) > 0 {
		m.rounds.begun++
	}
	return names, all
}

// told ends the round, if there is one.
func (m *watermark) told() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rounds.over == m.rounds.begun {
		return
	}
	m.rounds.over = m.rounds.begun
	close(m.rounds.end)
	m.rounds.end = make(chan struct{})
}

// look is what the instance should run now: what its seat has, or, where that
// may not be all, what the store says.
func (w *waiter) look(ctx context.Context, a *API) (deliveries, error) {
	m, p := w.marks, w.seat
	m.mu.Lock()
	set, sure, doubts := p.set, p.sure, p.doubts
	m.mu.Unlock()
	if sure {
		return set, nil
	}
	read, err := a.current(ctx, w.id)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// What was brought meanwhile may be newer than the reading, and never older than what it replaces.
	p.set, _ = read.with(p.set.givenIn(read))
	p.sure = p.doubts == doubts
	return p.set, nil
}

func (m *watermark) leave(w *waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(w)
	if m.streams == 0 {
		m.rest()
	}
}

// rest ends run: nobody waits any more.
func (m *watermark) rest() {
	select {
	case m.idle <- struct{}{}:
	default:
	}
}

// remove is the end of a waiter, once.
func (m *watermark) remove(w *waiter) {
	i := slices.Index(w.seat.waiting, w)
	if i < 0 {
		return
	}
	close(w.over)
	m.streams--
	w.seat.waiting = slices.Delete(w.seat.waiting, i, i+1)
	w.seat.left = time.Now()
}

// drain ends all that wait, now and later.
func (m *watermark) drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drained, m.atEnd = true, m.streams
	for _, p := range m.seats {
		for _, w := range slices.Clone(p.waiting) {
			m.remove(w)
		}
	}
	m.rest()
}

// ended says that the server stops, and how many waited when it did.
func (m *watermark) ended() (readers int, yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.atEnd, m.drained
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
	m.follow(changed)
	tick := time.NewTicker(markInterval)
	defer tick.Stop()
	sweep := time.NewTicker(m.sweepEvery)
	defer sweep.Stop()
	var seen map[string]int64 // nil until the first look, which does not know what changed
	for ok := true; ok; ok = !m.done() {
		var err error
		var news []*waiter
		switch names, all := m.take(); {
		case seen == nil:
			seen, err = m.begin(ctx)
		case all || len(names) == 0:
			news, err = m.catchUp(ctx, seen)
		default:
			news, err = m.tell(ctx, seen, names)
		}
		m.saw(err) // the store is asked again at the next tick: seen is as it was
		m.told()
		for _, w := range news { // when the mutex is free again: each takes it at once
			w.nudge()
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
	m.running, m.changed = false, nil
	clear(m.seats) // nobody keeps them up to date
	return true
}

func (m *watermark) follow(changed *coord.Following) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed = changed
}

func (m *watermark) saw(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = err
}

// blind is why the last look at the store brought nothing, nil when it did.
func (m *watermark) blind() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failing
}

// begin reads where every profile is. Whoever waits already may have read before.
func (m *watermark) begin(ctx context.Context) (seen map[string]int64, err error) {
	if seen, err = look(ctx, answerWithin, m.store.Generations); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.seats {
		p.doubt()
	}
	return seen, nil
}

// catchUp tells of what changed without a message: one number says whether
// anything did.
func (m *watermark) catchUp(ctx context.Context, seen map[string]int64) (news []*waiter, err error) {
	now, err := look(ctx, answerWithin, m.store.GenerationMark)
	if err != nil || now == sum(seen) {
		return nil, err
	}
	fresh, err := look(ctx, answerWithin, m.store.Generations)
	if err != nil {
		return nil, err
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

// tell brings to the seats what was given of some profiles since they were
// seen, and sees them. It lists who waits there.
func (m *watermark) tell(ctx context.Context, seen map[string]int64, names []string) (news []*waiter, err error) {
	before := make(map[string]int64, len(names))
	for _, name := range names {
		before[name] = seen[name]
	}
	since, generations, err := m.givenSince(ctx, before)
	if err != nil {
		return nil, err
	}
	for _, one := range since {
		news = append(news, m.bring(ctx, one)...)
	}
	for name, generation := range generations {
		seen[name] = max(seen[name], generation)
	}
	return news, nil
}

func (m *watermark) givenSince(ctx context.Context, before map[string]int64) ([]store.Given, map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return m.store.GivenSince(ctx, before, inlineLimit)
}

// bring gives the seats of some instances what these were given. Where it
// cannot be made, each has to see for itself.
func (m *watermark) bring(ctx context.Context, given store.Given) (waiting []*waiter) {
	d, err := look(ctx, answerWithin, func(ctx context.Context) (*delivery, error) { return m.delivery(ctx, given.Assignment, given.Data) })
	return m.give(given.Instances, d, err)
}

// give puts a delivery onto the seats of some instances, or doubts them where
// there is none for a reason, and lists who waits there.
func (m *watermark) give(instances []string, d *delivery, err error) (waiting []*waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	waiting = make([]*waiter, 0, len(instances))
	for _, id := range instances {
		p := m.seats[id]
		if p == nil {
			continue
		}
		if err != nil {
			p.sure = false
			p.doubts++
		} else {
			p.set, _ = p.set.with(deliveries{d})
		}
		waiting = append(waiting, p.waiting...)
	}
	return waiting
}

// sweep makes those look who wait for an instance that is not registered any
// more: it was removed behind this process's back.
func (m *watermark) sweep(ctx context.Context) {
	here := m.tidy()
	registered, err := look(ctx, answerWithin, m.store.InstanceIDs)
	if err != nil {
		return // nobody knows: the next sweep may
	}
	m.swept(registered)
	for _, id := range here {
		if !registered[id] {
			m.doubt(id)
		}
	}
}

// tidy gives up the seats that nobody came back to, and lists the others.
func (m *watermark) tidy() (here []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, p := range m.seats {
		if len(p.waiting) == 0 && time.Since(p.left) > keptSeat {
			delete(m.seats, id)
			continue
		}
		here = append(here, id)
	}
	return here
}

// doubt has what an instance should run read again.
func (m *watermark) doubt(instanceID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.seats[instanceID]; p != nil {
		p.doubt()
	}
}

func (p *seat) doubt() {
	p.sure = false
	p.doubts++
	p.nudge()
}

func (p *seat) nudge() {
	for _, w := range p.waiting {
		w.nudge()
	}
}

func (w *waiter) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // one is pending: it stands for this too
	}
}
