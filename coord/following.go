package coord

import "sync"

// Following collects the topics with one prefix that are published, each once.
type Following struct {
	// Wake holds at most one pending wake-up. It is never closed.
	Wake <-chan struct{}

	prefix string
	wake   chan struct{}

	mu     sync.Mutex
	topics map[string]struct{}
	all    bool
}

// mostFollowed is how many topics are worth naming.
const mostFollowed = 1000

func newFollowing(prefix string) *Following {
	wake := make(chan struct{}, 1)
	return &Following{Wake: wake, wake: wake, prefix: prefix, topics: map[string]struct{}{}}
}

// Take gives the topics that were published since the last call, without the
// prefix. With all, messages may have been lost, or were too many to be named.
func (f *Following) Take() (topics []string, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for topic := range f.topics {
		topics = append(topics, topic)
	}
	all = f.all
	f.all = false
	clear(f.topics)
	return topics, all
}

// Pending says that the next Take gives something.
func (f *Following) Pending() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all || len(f.topics) > 0
}

func (f *Following) add(topic string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.topics) < mostFollowed {
		f.topics[topic] = struct{}{}
	} else {
		f.all = true
	}
	f.announce()
}

// addAll stands for every topic there is.
func (f *Following) addAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = true
	f.announce()
}

func (f *Following) announce() {
	select {
	case f.wake <- struct{}{}:
	default: // one is pending: it stands for this topic too
	}
}
