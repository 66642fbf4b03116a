package api

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// hints wakes the clients that wait by the protocols of other servers: one subscription and one look
// at the store serve all of the process. They are told that something changed, not what; each then
// looks for its own index in the view that was read for all of them.
type hints struct {
	store    *store.Store
	bus      coord.Bus
	draining <-chan struct{}

	mu      sync.Mutex
	waiting map[chan struct{}]struct{}
	running bool
	last    *view // nil while nobody waits
	idle    chan struct{}
}

// view is where all profiles were at one moment. It never changes.
type view struct {
	stable map[string]store.Standing
	// given is of the generations of a service in an environment: an instance's assignments are what
	// they were as long as that is.
	given map[serving]uint64
}

type serving struct {
	service     string
	environment profile.Environment
}

// hintGap is the least time between two views: many changes at once are looked at together.
const hintGap = 100 * time.Millisecond

// newView is that of all profiles, which are in the order of their names.
func newView(standings []store.Standing) *view {
	v := &view{stable: make(map[string]store.Standing, len(standings)), given: map[serving]uint64{}}
	for _, one := range standings {
		at, h := serving{one.Service, one.Environment}, fnv.New64a()
		fmt.Fprintf(h, "%x %s %d", v.given[at], one.Profile, one.Generation)
		v.given[at] = h.Sum64()
		if one.Version != "" && !one.Retired {
			v.stable[one.Profile] = one
		}
	}
	return v
}

func (v *view) has(name string) bool {
	_, ok := v.stable[name]
	return ok
}

// names are those that somebody may see, sorted.
func (v *view) names(by caller) []string {
	names := []string{}
	for name, s := range v.stable {
		if by.reads(s) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// view is the newest one, nil where there is none.
func (h *hints) view() *view {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
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
		select {
		case <-messages:
		case <-tick.C:
		case <-h.idle:
		case <-h.draining:
			h.endAll()
		}
		if h.done() {
			return
		}
		// A store that does not answer is asked again at the next tick.
		now, err := look(ctx, answerWithin, h.mark)
		if err != nil || now == seen {
			continue
		}
		standings, err := look(ctx, answerWithin, h.store.Standings)
		if err != nil {
			continue
		}
		seen = now
		h.tell(newView(standings))
		<-time.After(hintGap)
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

// tell wakes everybody who waits.
func (h *hints) tell(v *view) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = v
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
	h.running, h.last = false, nil
	return true
}
