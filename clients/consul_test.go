package clients_test

import (
	"slices"
	"testing"
	"time"

	consul "github.com/hashicorp/consul/api"
)

// Consul's own client lists, reads and waits as it does there, and is refused to write.
func TestConsulClient(t *testing.T) {
	s := newStage(t, "consul")
	c, err := consul.NewClient(&consul.Config{Address: s.address(), Token: s.readers[2].token})
	s.must(err)
	kv := c.KV()

	keys, _, err := kv.Keys(shop+"/", "/", nil)
	s.must(err)
	if want := []string{shop + "/checkout/", shop + "/greeting"}; !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	pairs, meta, err := kv.List(shop+"/checkout", &consul.QueryOptions{AllowStale: true})
	s.must(err)
	if len(pairs) != 3 || pairs[1].Key != shop+"/checkout/hosts/0" || string(pairs[1].Value) != "a" || meta.LastIndex == 0 {
		t.Errorf("listed %v under %d", pairs, meta.LastIndex)
	}
	absent, meta, err := kv.Get(shop+"/not-there", nil)
	s.must(err)
	if absent != nil || meta.LastIndex == 0 || !meta.KnownLeader {
		t.Errorf("what is not there is %v under %+v", absent, meta)
	}

	first, meta, err := kv.Get(shop+"/greeting", nil)
	s.must(err)
	waited := make(chan *consul.KVPair, 1)
	index := meta.LastIndex
	go func() {
		pair := first
		for string(pair.Value) == "hello" { // whatever else is written of the profile wakes it too
			next, meta, err := kv.Get(shop+"/greeting", &consul.QueryOptions{WaitIndex: index, WaitTime: time.Minute})
			if err != nil || meta.LastIndex <= index {
				t.Errorf("waited: index %d after %d, %v", meta.LastIndex, index, err)
				break
			}
			pair, index = next, meta.LastIndex
		}
		waited <- pair
	}()
	for _, r := range s.readers[:2] {
		s.must(s.admin.Deregister(t.Context(), r.id)) // what no instance has to prove completes at once
	}
	s.until(s.merge("Greet by the time of day", "good morning"), "Completed")
	if pair := <-waited; string(pair.Value) != "good morning" {
		t.Errorf("waited for %s", pair.Value)
	}

	if _, err := kv.Put(&consul.KVPair{Key: shop + "/greeting", Value: []byte("mine")}, nil); err == nil {
		t.Error("a key was written")
	}
	stranger, err := consul.NewClient(&consul.Config{Address: s.address()})
	s.must(err)
	if _, _, err := stranger.KV().Get(shop+"/greeting", nil); err == nil {
		t.Error("a key was read without a token")
	}
}
