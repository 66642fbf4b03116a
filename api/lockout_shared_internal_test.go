package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/testenv"
)

// Tries at one replica are tries at all of them, and stay so where Redis goes.
func TestReplicasLockTogether(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var all [3]*lockout
	for i := range all {
		redis, err := coord.OpenRedis(t.Context(), coord.RedisOptions{URL: server.URL(), Timeout: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { redis.Close() })
		all[i] = newLockout(func() time.Time { return now }, redis)
	}
	try := func(n int, account, address string) time.Duration {
		return all[n%3].begin(t.Context(), account, address, false)
	}
	for n := range 10 {
		if wait := try(n, "ann", "a"); wait != 0 {
			t.Fatalf("try %d waits %s", n+1, wait)
		}
	}
	for n := range 3 {
		if wait := try(n, "ann", "a"); wait != time.Minute {
			t.Errorf("after ten tries at three replicas, replica %d has it wait %s", n, wait)
		}
	}
	if wait := try(0, "ann", "elsewhere"); wait != 0 {
		t.Errorf("another address waits %s", wait)
	}
	for n := range 9 {
		try(n, "bob", "a")
	}
	all[1].right(t.Context(), "bob", "a")
	for n := range 9 {
		if wait := try(n, "bob", "a"); wait != 0 {
			t.Errorf("after the right password, try %d waits %s", n+1, wait)
		}
	}
	for n := range 100 {
		try(n, "admin", fmt.Sprint(n))
	}
	for n, l := range all {
		if wait := l.begin(t.Context(), "admin", "new", false); wait != time.Minute || !l.shut("admin") {
			t.Errorf("after a hundred strangers at three replicas, replica %d has one wait %s", n, wait)
		}
		if wait := l.begin(t.Context(), "admin", "home", true); wait != 0 {
			t.Errorf("replica %d has admin at home wait %s", n, wait)
		}
	}

	server.Kill(t)
	for n := range 3 {
		if wait := try(n, "ann", "a"); wait != time.Minute {
			t.Errorf("without Redis, replica %d has it wait %s", n, wait)
		}
		if wait := try(n, "new", "a"); wait != 0 {
			t.Errorf("without Redis, nobody signs in at replica %d for %s", n, wait)
		}
	}
	if wait := try(0, "bob", "a"); wait != 0 {
		t.Errorf("the tenth try waits %s", wait)
	}
}
