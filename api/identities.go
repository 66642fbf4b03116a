package api

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/sluicehq/sluice/fleet"
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
	held   *simplelru.LRU[string, identity]
	hashes map[string]string // by instance
}

type identity struct {
	instance fleet.Instance
	until    time.Time
}

// keptIdentity is longer than a long poll waits: the next one is not to look up
// again who asks, ten thousand at once after a change.
const keptIdentity = 2 * time.Minute

// mostIdentities is how many instances are remembered, several replicas' worth.
const mostIdentities = 1 << 15

func newIdentities(life time.Duration, now func() time.Time) *identities {
	k := &identities{life: life, now: now, hashes: map[string]string{}}
	held, err := simplelru.NewLRU(mostIdentities, func(_ string, a identity) { delete(k.hashes, a.instance.ID) })
	if err != nil {
		panic(err) // of a size below one
	}
	k.held = held
	return k
}

func (k *identities) get(hash []byte) (fleet.Instance, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.held.Get(string(hash))
	if !ok || k.now().After(a.until) {
		return fleet.Instance{}, false
	}
	return a.instance, true
}

func (k *identities) put(hash []byte, i fleet.Instance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held.Add(string(hash), identity{i, k.now().Add(k.life)})
	k.hashes[i.ID] = string(hash)
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
