package coord

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// LRU is the Cache of one process: it keeps what was used last, up to a number
// of bytes.
type LRU struct {
	most int

	mu    sync.Mutex
	items *simplelru.LRU[string, cached]
	size  int
}

type cached struct {
	value []byte
	until time.Time
}

// entryCost is about what an entry takes beside its key and value.
const entryCost = 200

var _ Cache = (*LRU)(nil)

// NewLRU returns a cache of at most so many bytes.
func NewLRU(most int) *LRU {
	l := &LRU{most: most}
	// The only error is a size below one; the bound that counts is the bytes'.
	l.items, _ = simplelru.NewLRU(math.MaxInt, func(key string, c cached) { l.size -= cost(key, c.value) })
	return l
}

func cost(key string, value []byte) int { return len(key) + len(value) + entryCost }

// Get gives what was put under key, unless its time is over or others took its place.
func (l *LRU) Get(_ context.Context, key string) (value []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.items.Get(key)
	if !ok {
		return nil, false
	}
	if !time.Now().Before(c.until) {
		l.items.Remove(key)
		return nil, false
	}
	return c.value, true
}

// Put keeps value, and forgets what was not used for the longest. A value that
// is larger than the whole cache is not kept.
func (l *LRU) Put(_ context.Context, key string, value []byte, ttl time.Duration) {
	if cost(key, value) > l.most {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items.Remove(key) // its eviction gives the bytes of the value before back
	l.items.Add(key, cached{value: value, until: time.Now().Add(ttl)})
	l.size += cost(key, value)
	for l.size > l.most {
		l.items.RemoveOldest()
	}
}
