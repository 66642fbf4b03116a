package api

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// identities remembers for a moment which instance has a token, by the token's hash.
// A fleet says who it is thousands of times a second, and an instance never gets
// another token. What is kept of an instance is what it registered with; how it
// does is read from the store.
//
// One that was removed by another process passes the door until somebody looked
// which instances there are; what it does finds nothing of it in the store.
type identities struct {
	life time.Duration
	now  func() time.Time

	mu     sync.Mutex
	held   *simplelru.LRU[tokenHash, identity]
	hashes map[string]tokenHash // by instance
}

type tokenHash [sha256.Size]byte

// identity is an instance as a caller, which all its requests share.
type identity struct {
	caller *caller
	until  time.Time
}

// keptIdentity is longer than a long poll waits: the next one is not to look up
// again who asks, ten thousand at once after a change.
const keptIdentity = 2 * time.Minute

// mostIdentities is how many instances are remembered, several replicas' worth.
const mostIdentities = 1 << 15

func newIdentities(life time.Duration, now func() time.Time) *identities {
	k := &identities{life: life, now: now, hashes: map[string]tokenHash{}}
	held, err := simplelru.NewLRU(mostIdentities, func(_ tokenHash, a identity) { delete(k.hashes, a.caller.instance.ID) })
	if err != nil {
		panic(err) // of a size below one
	}
	k.held = held
	return k
}

// get is nil for one who has to be looked up.
func (k *identities) get(hash tokenHash) *caller {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.held.Get(hash)
	if !ok || k.now().After(a.until) {
		return nil
	}
	return a.caller
}

func (k *identities) put(hash tokenHash, by *caller) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held.Add(hash, identity{by, k.now().Add(k.life)})
	k.hashes[by.instance.ID] = hash
}

// forget has an instance looked up at its next request.
func (k *identities) forget(instanceID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if hash, ok := k.hashes[instanceID]; ok {
		k.held.Remove(hash)
	}
}

// keep forgets all instances but those that are registered.
func (k *identities) keep(registered map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, hash := range k.hashes {
		if !registered[id] {
			k.held.Remove(hash)
		}
	}
}
