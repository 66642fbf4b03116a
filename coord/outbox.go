package coord

import "sync"

// outbox holds the topics that other replicas were not told of yet, each once.
type outbox struct {
	ready chan struct{} // holds a token when there may be something to take

	mu     sync.Mutex
	topics []string // in the order that they were published in
	inside map[string]struct{}
	all    bool // there were too many to name
}

// maxOutbox is how many topics are worth naming.
const maxOutbox = 1000

func newOutbox() *outbox {
	return &outbox{ready: make(chan struct{}, 1), inside: map[string]struct{}{}}
}

func (o *outbox) add(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, there := o.inside[topic]; there || o.all {
		return
	}
	if len(o.topics) == maxOutbox {
		o.forget()
	} else {
		o.topics = append(o.topics, topic)
		o.inside[topic] = struct{}{}
	}
	o.announce()
}

// addAll stands for every topic there is.
func (o *outbox) addAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget()
	o.announce()
}

func (o *outbox) forget() {
	o.topics, o.all = nil, true
	clear(o.inside)
}

func (o *outbox) announce() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take empties the outbox, unless it is empty; no topics stand for all of them.
func (o *outbox) take() (topics []string, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	topics, ok = o.topics, o.all || len(o.topics) > 0
	o.topics, o.all = nil, false
	clear(o.inside)
	return topics, ok
}
