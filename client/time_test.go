package client_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeserver"
)

// simulated runs a session against a fake in simulated time. It begins when body waits for the first
// time: what body prepares is there before.
func simulated(t *testing.T, change func(*client.SessionOptions), c *calls, body func(f *fakeserver.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := fakeserver.Offline(t)
		opts := options(f, "")
		opts.HTTPClient = &http.Client{Transport: f.Transport()}
		if change != nil {
			change(&opts)
		}
		s, err := client.NewSession(opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		waits := time.After(1)
		wg.Go(func() { _ = s.Watch(ctx, "", func(_ context.Context, cfg client.Config) error { return c.take(cfg) }) })
		wg.Go(func() { <-waits; _ = s.Run(ctx) })
		body(f)
		cancel()
		wg.Wait()
		s.Close()
	})
}

func TestSilentStreamFallsBackToLongPolls(t *testing.T) {
	t.Parallel()
	c := newCalls(nil)
	simulated(t, func(o *client.SessionOptions) { o.MaxHeartbeat, o.MinHeartbeat = time.Hour, time.Hour }, c, func(f *fakeserver.Server) {
		start := time.Now()
		f.Update(func() { f.Silent = true })
		f.Until("a poll", func() bool { return f.Polls > 0 })
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("changed over after %s", took)
		}
		f.Assign(assigned("1.0.0", 1, 1))
		f.UntilAck(1, true)
		f.Update(func() { f.Silent = false })
		<-time.After(11 * time.Minute) // simulated: streams are tried again
		f.Assign(assigned("1.0.1", 2, 2))
		f.UntilAck(2, true)
		f.Until("another stream", func() bool { return f.Streams > 1 })
	})
	c.want(t, "1.0.0, 1.0.1")
}

// A server that stops says when to come back, and that is when its reader comes
// back: never at once, and to the same URL, behind which is another server then.
func TestReconnectHintIsKeptTo(t *testing.T) {
	t.Parallel()
	for hint, most := range map[int]time.Duration{1: 500 * time.Millisecond, 20_000: 20 * time.Second} {
		simulated(t, nil, newCalls(nil), func(f *fakeserver.Server) {
			f.Update(func() { f.Hint = hint })
			f.Assign(assigned("1.0.0", 1, 1))
			f.Until("a first stream", func() bool { return f.Streams == 1 })
			start := time.Now()
			f.Until("another stream", func() bool { return f.Streams == 2 })
			if took := time.Since(start); took < max(200*time.Millisecond, time.Duration(hint)*time.Millisecond) || took > most+time.Millisecond {
				t.Errorf("asked to come back after %d ms, it came after %s", hint, took)
			}
		})
	}
}

func TestSilenceOfALiveStreamEndsIt(t *testing.T) {
	t.Parallel()
	simulated(t, nil, newCalls(nil), func(f *fakeserver.Server) {
		f.Assign(assigned("1.0.0", 1, 1))
		f.UntilAck(1, true)
		<-time.After(50 * time.Second) // simulated: the fake sends no keep-alives
		f.Until("another stream", func() bool { return f.Streams == 2 && f.Polls == 0 })
	})
}

func TestHeartbeatCoversForAStuckStream(t *testing.T) {
	t.Parallel()
	c := newCalls(nil)
	simulated(t, nil, c, func(f *fakeserver.Server) {
		f.Update(func() { f.Silent, f.HeartbeatGap = true, 1000 })
		f.Assign(assigned("1.0.0", 1, 1))
		start := time.Now()
		f.UntilAck(1, true)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestRefusedConfigurationIsTriedAgainWhileItStays(t *testing.T) {
	t.Parallel()
	tries := 0
	c := newCalls(func(client.Config) error {
		if tries++; tries < 3 {
			return errors.New("not up yet")
		}
		return nil
	})
	simulated(t, nil, c, func(f *fakeserver.Server) {
		f.Assign(assigned("1.0.0", 1, 1))
		start := time.Now()
		f.UntilAck(1, true)
		if took := time.Since(start); took < 45*time.Second || took > 60*time.Second {
			t.Errorf("accepted after %s, want 15 s and 30 s between the tries", took)
		}
	})
	c.want(t, "1.0.0, 1.0.0, 1.0.0")
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	var taken, asked atomic.Uint64
	health := func(context.Context) (wire.Health, func()) {
		n := asked.Add(1)
		return wire.Health{Status: "Healthy", Requests: &n}, func() { taken.Store(n) }
	}
	simulated(t, func(o *client.SessionOptions) { o.Health = health }, newCalls(nil), func(f *fakeserver.Server) {
		f.Until("a heartbeat at once", func() bool { return len(f.Beats) == 1 })
		f.Update(func() { f.RefuseBeats = 2 })
		start := time.Now()
		f.Until("the next one", func() bool { return len(f.Beats) == 2 })
		if took := time.Since(start); took < 34*time.Second || took > 35*time.Second {
			t.Errorf("the second heartbeat came after %s, want 30 s and twice the 2 s asked for", took)
		}
		synctest.Wait()
		if asked.Load() != 4 || taken.Load() != 4 {
			t.Errorf("asked %d times, last taken %d; want 4 and 4", asked.Load(), taken.Load())
		}
		f.Update(func() { f.HeartbeatGap = 5000 })
		<-time.After(31 * time.Second)
		start = time.Now()
		f.Update(func() { f.Beats = nil })
		f.Until("quick heartbeats", func() bool { return len(f.Beats) == 4 })
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("four heartbeats took %s, want 5 s each", took)
		}
	})
}

func TestHeartbeatThatIsRefusedForGoodIsDropped(t *testing.T) {
	t.Parallel()
	var asked, dropped atomic.Int64
	health := func(context.Context) (wire.Health, func()) {
		asked.Add(1)
		return wire.Health{Status: "Healthy"}, func() { dropped.Add(1) }
	}
	simulated(t, func(o *client.SessionOptions) { o.Health = health }, newCalls(nil), func(f *fakeserver.Server) {
		f.Update(func() { f.RefuseBeats, f.RefuseStatus = 1000, http.StatusBadRequest })
		<-time.After(time.Minute)
		synctest.Wait()
		if asked.Load() < 3 || dropped.Load() < asked.Load()-1 {
			t.Errorf("dropped %d of %d", dropped.Load(), asked.Load())
		}
		f.Until("one registration", func() bool { return len(f.Registers) == 1 })
	})
}

func TestHeartbeatIntervalIsBounded(t *testing.T) {
	t.Parallel()
	for _, gap := range []int{-1, 0, 1, 1 << 40} {
		simulated(t, func(o *client.SessionOptions) {
			o.MinHeartbeat, o.MaxHeartbeat = 10*time.Second, 20*time.Second
		}, newCalls(nil), func(f *fakeserver.Server) {
			f.Update(func() { f.HeartbeatGap = gap })
			<-time.After(201 * time.Second)
			f.Until("heartbeats", func() bool { return len(f.Beats) >= 10 && len(f.Beats) <= 22 })
		})
	}
}

func TestRegistrationIsRefused(t *testing.T) {
	t.Parallel()
	simulated(t, func(o *client.SessionOptions) { o.RegistrationToken = "wrong" }, newCalls(nil), func(f *fakeserver.Server) {
		<-time.After(5 * time.Minute)
		f.Until("patience", func() bool { return f.Refused >= 5 && f.Refused <= 11 })
	})
}

func TestBackoffGrowsFromQuickToSpread(t *testing.T) {
	t.Parallel()
	if got := client.Backoff(0, 0); got != 200*time.Millisecond {
		t.Errorf("first pause begins at %s", got)
	}
	if got := client.Backoff(-1, 0.999); got >= 500*time.Millisecond {
		t.Errorf("first pause ends at %s", got)
	}
	sum := time.Duration(0)
	for n := range 4 {
		sum += client.Backoff(n, 0.999)
	}
	if sum > 3500*time.Millisecond {
		t.Errorf("four pauses take up to %s", sum)
	}
	for n := 9; n < 100; n += 30 {
		if lo, hi := client.Backoff(n, 0), client.Backoff(n, 0.999999); lo != 30*time.Second || hi > 60*time.Second || hi < 59*time.Second {
			t.Errorf("pause %d is %s to %s", n, lo, hi)
		}
	}
	for n := range 12 {
		if client.Backoff(n, 0.5) > client.Backoff(n+1, 0.5) {
			t.Errorf("pause %d is longer than the next", n)
		}
	}
}
