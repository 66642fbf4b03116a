package coord_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/testenv"
)

var (
	wideRule   = coord.Lenience{Tries: 12, Shortest: time.Minute, Longest: 15 * time.Minute}
	narrowRule = coord.Lenience{Tries: 4, Shortest: time.Minute, Longest: 15 * time.Minute}
)

// byRule is what both counts say of a try.
func byRule(wide, narrow coord.Tried, known bool, now time.Time) (coord.Tried, coord.Tried, time.Duration) {
	wait := narrow.Until.Sub(now)
	if strangers := wide.Until.Sub(now); !known && strangers > 0 {
		wait = strangers
	}
	if wait > 0 {
		return wide, narrow, wait
	}
	narrow, _ = narrowRule.Again(narrow, now)
	if !known {
		wide, _ = wideRule.Again(wide, now)
	}
	return wide, narrow, 0
}

// What replicas count together they count by the rule that each has by itself.
func TestTriesGoByTheRule(t *testing.T) {
	t.Parallel()
	w := replicas(t, coord.RedisOptions{URL: testenv.NewRedis(t).URL(), Timeout: patience})
	seed := rand.Uint64()
	draw := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // of a test
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	wide, narrow := map[string]coord.Tried{}, map[string]coord.Tried{}
	refused := 0
	for n := range 1500 {
		of := coord.Try{Wide: fmt.Sprint("account ", draw.IntN(2)), OfWide: wideRule, OfNarrow: narrowRule, Known: draw.IntN(8) == 0}
		of.Narrow = of.Wide + fmt.Sprint(" address ", draw.IntN(5))
		replica := []*coord.Fallback{w.a, w.b}[draw.IntN(2)]
		if draw.IntN(12) == 0 {
			if err := replica.Right(t.Context(), of); err != nil {
				t.Fatal(err)
			}
			delete(narrow, of.Narrow)
			if known, ok := wide[of.Wide]; ok && known.Times > 0 && known.Times < wideRule.Tries {
				known.Times--
				wide[of.Wide] = known
			}
		}
		gotWide, gotNarrow, wait, err := replica.Try(t.Context(), of, now)
		if err != nil {
			t.Fatal(err)
		}
		wantWide, wantNarrow, wantWait := byRule(wide[of.Wide], narrow[of.Narrow], of.Known, now)
		if wait != wantWait || gotWide.Times != wantWide.Times && !of.Known || gotNarrow.Times != wantNarrow.Times ||
			!gotNarrow.Until.Equal(wantNarrow.Until) && wantNarrow.Until.After(now) || !gotWide.Until.Equal(wantWide.Until) && wantWide.Until.After(now) {
			t.Fatalf("seed %d, try %d: %+v %+v %s, by the rule %+v %+v %s", seed, n, gotWide, gotNarrow, wait, wantWide, wantNarrow, wantWait)
		}
		wide[of.Wide], narrow[of.Narrow] = wantWide, wantNarrow
		if wait > 0 {
			refused++
		}
		now = now.Add(time.Duration(draw.Int64N(int64(20 * time.Second))).Truncate(time.Millisecond))
		if draw.IntN(60) == 0 {
			now = now.Add(time.Duration(draw.IntN(40)) * time.Minute)
		}
	}
	if refused == 0 {
		t.Errorf("seed %d: none was refused", seed)
	}
	w.healthy(t)
}

// A wait that no clock of ours can have made keeps nobody out, and what somebody
// else keeps under our key is not ours to count.
func TestTriesOfAnotherClock(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	client := raw(t, server.Addr())
	w := replicas(t, coord.RedisOptions{URL: server.URL(), Timeout: patience})
	of := coord.Try{Wide: "account", Narrow: "address", OfWide: wideRule, OfNarrow: narrowRule}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 4 {
		if _, _, wait, err := w.a.Try(t.Context(), of, now.Add(3*time.Hour)); wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
	}
	if _, _, wait, err := w.b.Try(t.Context(), of, now); wait != 0 || err != nil {
		t.Errorf("three hours behind, it waits %s: %v", wait, err)
	}
	keys, err := client.Keys(t.Context(), "sluice:tries/*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	for _, key := range keys {
		if left := client.PTTL(t.Context(), key).Val(); left <= 0 || left > 45*time.Minute {
			t.Errorf("%s is kept for %s", key, left)
		}
		if err := client.Set(t.Context(), key, "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := w.a.Try(t.Context(), of, now); !errors.Is(err, coord.ErrDown) {
		t.Errorf("of somebody else's keys it says %v", err)
	}
	w.healthy(t)
}
