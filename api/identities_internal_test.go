package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
)

func hashed(name string, i int) tokenHash { return tokenHash(HashToken(fmt.Sprint(name, i))) }

func TestIdentities(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k := newIdentities(time.Minute, func() time.Time { return now })
	for i := range 3 {
		k.put(hashed("hash-", i), &caller{instance: &fleet.Instance{ID: fmt.Sprint("i-", i)}})
	}
	has := func(what string, want ...bool) {
		t.Helper()
		for i, yes := range want {
			if got := k.get(hashed("hash-", i)); (got != nil) != yes || yes && got.instance.ID != fmt.Sprint("i-", i) {
				t.Errorf("%s: instance %d is known as %+v", what, i, got)
			}
		}
	}
	has("at first", true, true, true)
	k.forget("i-1")
	has("after one was removed here", true, false, true)
	k.keep(map[string]bool{"i-2": true})
	has("after one was removed elsewhere", false, false, true)
	now = now.Add(time.Minute + 1)
	has("after their time", false, false, false)
	for i := range mostIdentities + 10 {
		k.put(hashed("many-", i), &caller{instance: &fleet.Instance{ID: fmt.Sprint("m-", i)}})
	}
	if len(k.hashes) != mostIdentities || k.held.Len() != mostIdentities {
		t.Errorf("%d and %d are kept", len(k.hashes), k.held.Len())
	}
}
