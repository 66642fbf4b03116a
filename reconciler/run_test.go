package reconciler_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/reconciler"
)

// quietGit is a remote without news: it counts who asks and when.
type quietGit struct {
	reconciler.Git // nothing else is ever asked
	began          time.Time

	mu     sync.Mutex
	asked  []time.Duration
	err    error
	panics bool
}

func (g *quietGit) Head(context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, time.Since(g.began))
	if g.panics {
		panic("hostile")
	}
	return "c0ffee", g.err
}

// heal makes the remote answer.
func (g *quietGit) heal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err, g.panics = nil, false
}

// patrol runs a reconciler over git inside a bubble while do happens.
func patrol(t *testing.T, git *quietGit, do func(r *reconciler.Reconciler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.data.heads["configs"] = "c0ffee"
		git.began = time.Now()
		r, err := reconciler.New(reconciler.Options{
			Source: reconciler.SourceOptions{ID: "configs", Branch: "main", PollInterval: time.Minute},
			Git:    git, Store: store, Rand: func() float64 { return 0.5 },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		do(r)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v, want nil when told to stop", err)
		}
	})
}

func TestRunPolls(t *testing.T) {
	t.Parallel()
	git := &quietGit{}
	patrol(t, git, func(*reconciler.Reconciler) { time.Sleep(3*time.Minute + time.Second) })
	want := []time.Duration{500 * time.Millisecond, 60500 * time.Millisecond, 120500 * time.Millisecond, 180500 * time.Millisecond}
	if len(git.asked) != len(want) {
		t.Fatalf("asked at %v, want %v", git.asked, want)
	}
	for i := range want {
		if git.asked[i] != want[i] {
			t.Errorf("asked at %v, want %v", git.asked, want)
		}
	}
}

func TestRunWakesAtOnceAndOnce(t *testing.T) {
	t.Parallel()
	git := &quietGit{}
	patrol(t, git, func(r *reconciler.Reconciler) {
		time.Sleep(10 * time.Second)
		for range 100 {
			r.Wake()
		}
		synctest.Wait()
	})
	if n := len(git.asked); n < 2 || n > 3 || git.asked[1] != 10*time.Second {
		t.Errorf("asked at %v, want at once and at most twice", git.asked)
	}
}

func TestRunBacksOffWhileItFails(t *testing.T) {
	t.Parallel()
	for name, git := range map[string]*quietGit{
		"an error": {err: gitsource.ErrRemote},
		"a panic":  {panics: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patrol(t, git, func(*reconciler.Reconciler) {
				time.Sleep(8 * time.Minute)
				git.heal()
				time.Sleep(9 * time.Minute)
			})
			var waits []time.Duration
			for i := 1; i < len(git.asked); i++ {
				waits = append(waits, (git.asked[i] - git.asked[i-1]).Round(time.Second))
			}
			if len(waits) < 4 || waits[0] != 2*time.Minute || waits[1] != 4*time.Minute || waits[2] != 8*time.Minute || waits[3] != time.Minute {
				t.Errorf("waited %v, want twice as long after each failure and a minute when it works again", waits)
			}
		})
	}
}

// A webhook that lands here while another replica is at the source must not wait
// for the next poll: the other may have looked before it came.
func TestWokenWhileAnotherReplicaIsAtIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		git, locks, store := &quietGit{}, coord.NewMemory(), newFakeStore()
		store.data.heads["configs"] = "c0ffee"
		r, err := reconciler.New(reconciler.Options{
			Source: reconciler.SourceOptions{ID: "configs", PollInterval: time.Hour}, Git: git, Store: store, Locker: locks,
		})
		if err != nil {
			t.Fatal(err)
		}
		go r.Run(ctx) //nolint:errcheck // it ends with ctx
		time.Sleep(time.Minute)
		synctest.Wait()
		before := len(git.asked)
		unlock, err := locks.Lock(ctx, "source/configs", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		r.Wake()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(git.asked) - before; n != 0 {
			t.Fatalf("the source was looked at %d times although another is at it", n)
		}
		unlock()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := len(git.asked) - before; n != 1 {
			t.Errorf("the source was looked at %d times, want once soon after the other was done", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(git.asked) - before; n != 1 {
			t.Errorf("the source was looked at %d times within a minute, want once", n)
		}
	})
}

// A replica that was killed in the middle of a pass leaves its lock behind.
func TestTheLockOfADeadReplicaEndsSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		locks, store := coord.NewMemory(), newFakeStore()
		store.data.heads["configs"] = "c0ffee"
		dying := &stuckGit{begun: make(chan struct{})}
		options := func(git reconciler.Git) reconciler.Options {
			return reconciler.Options{Source: reconciler.SourceOptions{ID: "configs", PollInterval: time.Second}, Git: git, Store: store, Locker: locks}
		}
		dead, err := reconciler.New(options(dying))
		if err != nil {
			t.Fatal(err)
		}
		go dead.Sync(ctx) //nolint:errcheck // it never comes back, and gives nothing back
		<-dying.begun
		git := &quietGit{}
		alive, err := reconciler.New(options(git))
		if err != nil {
			t.Fatal(err)
		}
		go alive.Run(ctx) //nolint:errcheck // it ends with ctx
		time.Sleep(35 * time.Second)
		synctest.Wait()
		if len(git.asked) == 0 {
			t.Error("the source waits for a replica that is dead")
		}
		cancel()
		synctest.Wait()
	})
}

// stuckGit never answers.
type stuckGit struct {
	reconciler.Git
	begun chan struct{}
}

func (g *stuckGit) Head(ctx context.Context) (string, error) {
	close(g.begun)
	<-ctx.Done()
	return "", ctx.Err()
}

func TestRunStopsInMidPassWithoutAWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := newFakeStore()
		git := &stoppedGit{cancel: cancel}
		r, err := reconciler.New(reconciler.Options{Source: reconciler.SourceOptions{ID: "configs"}, Git: git, Store: store})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		if got, told := store.data.failures["configs"]; told {
			t.Errorf("recorded %q, want nothing of a pass that was told to stop", got)
		}
	})
}

type stoppedGit struct {
	reconciler.Git
	cancel context.CancelFunc
}

func (g *stoppedGit) Head(ctx context.Context) (string, error) {
	g.cancel()
	return "", ctx.Err()
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs"}, Git: &quietGit{}, Store: newFakeStore(),
	}
	if _, err := reconciler.New(good); err != nil {
		t.Fatalf("New: %v", err)
	}
	for name, spoil := range map[string]func(*reconciler.Options){
		"no id":                  func(o *reconciler.Options) { o.Source.ID = "" },
		"no git":                 func(o *reconciler.Options) { o.Git = nil },
		"no store":               func(o *reconciler.Options) { o.Store = nil },
		"an unknown hold policy": func(o *reconciler.Options) { o.Source.HoldPolicy = "never" },
		"a negative interval":    func(o *reconciler.Options) { o.Source.PollInterval = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := good
			spoil(&opts)
			if _, err := reconciler.New(opts); !errors.Is(err, reconciler.ErrOptions) {
				t.Errorf("New: %v, want ErrOptions", err)
			}
		})
	}
}

// A flood of webhooks makes one pass a second, and one after the last of them.
func TestAFloodOfWakesIsSpaced(t *testing.T) {
	t.Parallel()
	git := &quietGit{}
	patrol(t, git, func(r *reconciler.Reconciler) {
		time.Sleep(10 * time.Second)
		for range 3000 { // three seconds of it
			r.Wake()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		r.Wake() // alone again, and at once
		synctest.Wait()
	})
	want := []time.Duration{500 * time.Millisecond, 10 * time.Second, 11 * time.Second, 12 * time.Second, 13 * time.Second, 23 * time.Second}
	if !slices.Equal(git.asked, want) {
		t.Errorf("%d passes, want 6, the first at %v, want %v", len(git.asked), git.asked[:min(len(git.asked), 10)], want)
	}
}

// What was asked for is looked at after it was asked, however soon after another
// look that was.
func TestTheLastWakeIsNotLost(t *testing.T) {
	t.Parallel()
	git := &quietGit{}
	patrol(t, git, func(r *reconciler.Reconciler) {
		time.Sleep(10 * time.Second)
		r.Wake()
		time.Sleep(300 * time.Millisecond)
		r.Wake()
		time.Sleep(30 * time.Second)
	})
	want := []time.Duration{500 * time.Millisecond, 10 * time.Second, 11 * time.Second}
	if !slices.Equal(git.asked, want) {
		t.Errorf("asked at %v, want %v", git.asked, want)
	}
}
