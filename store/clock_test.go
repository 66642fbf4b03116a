package store_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// apart opens a migrated database whose clock is that far from this machine's.
func apart(t *testing.T, interval string) *world {
	t.Helper()
	server := testenv.SharedPostgres(t)
	url := server.CreateDatabase(t, "")
	if err := open(t, url).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, driver: "pgx", path: url, Store: open(t, testenv.ShiftClock(t, url, interval)), now: time.Now()}
	w.furnish()
	return w
}

// What replicas agree on by time goes by the database's clock, however wrong
// their own are: leases, and when a status is posted again.
func TestOnlyTheClockOfTheDatabaseCounts(t *testing.T) {
	t.Parallel()
	for interval, off := range map[string]time.Duration{"1 hour": time.Hour, "-1 hour": -time.Hour} {
		t.Run(interval, func(t *testing.T) {
			t.Parallel()
			w := apart(t, interval)
			now, err := w.Now(t.Context())
			w.must(err)
			for what, clock := range map[string]time.Time{"asked": now, "counted on": w.Clock()} {
				if wrong := time.Until(clock) - off; wrong.Abs() > time.Minute {
					t.Errorf("the clock as %s is %s from where it should be", what, wrong)
				}
			}

			d := w.create("1.1.0")
			w.claimOne("a")
			if again := w.claim("b"); len(again) != 0 {
				t.Errorf("a second replica claimed %+v under the first one's lease", again)
			}
			w.must(w.raw(`UPDATE config_deployments SET lease_until = lease_until - interval '16 seconds' WHERE deployment_id = $1`, d.ID))
			w.claimOne("b")

			var mu sync.Mutex
			var tries []time.Time
			f := &forge{answer: func(s rollout.Status, try int) error {
				if s.Context != "sluice/x" {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				tries = append(tries, time.Now())
				if try < 3 {
					return errors.New("the forge is away")
				}
				return nil
			}}
			w.set("sluice/x", rollout.StatusSuccess, "done")
			w.set("sluice/y", rollout.StatusSuccess, "done")
			// Another replica is at this one: until it is done, this one looks again in a moment.
			w.must(w.raw(`UPDATE commit_statuses SET posting_until = now() + $1::interval + interval '1 second' WHERE context = 'sluice/y'`, interval))
			w.outboxWith(store.OutboxOptions{Post: f.post})
			w.posted()
			mu.Lock()
			defer mu.Unlock()
			if len(tries) != 3 {
				t.Fatalf("the status was tried %d times, want 3", len(tries))
			}
			if first, second := tries[1].Sub(tries[0]), tries[2].Sub(tries[1]); first < 900*time.Millisecond || second < 1900*time.Millisecond {
				t.Errorf("it was tried again after %s and %s, want later and later", first, second)
			}
		})
	}
}

// The shifted clock is that of the store's statements: otherwise the test above
// proves nothing.
func TestAShiftedClockIsSeen(t *testing.T) {
	t.Parallel()
	w := apart(t, "1 hour")
	w.create("1.1.0")
	if n := w.rows(`config_deployments WHERE created_at > now() + interval '59 minutes'`); n != 1 {
		t.Error("the deployment was not made by the shifted clock")
	}
	w.set("sluice/x", rollout.StatusSuccess, "done")
	if n := w.rows(`river_job WHERE scheduled_at > now() + interval '59 minutes'`); n == 0 || strings.Contains(w.path, "search_path") {
		t.Error("the job was not made by the shifted clock")
	}
}
