package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

const (
	// passLimit bounds one pass, and how long its lock outlives a daemon that died. What is left
	// is done by the next one.
	passLimit = 5 * time.Minute
	// atOnce is how many files are read or written at the same time.
	atOnce = 8
	// maxFailures ends a pass: a place that failed so often is down, and is not hammered.
	maxFailures = 20
	// slowest bounds the pause after passes that failed.
	slowest = 15 * time.Minute
	// farewell is how long the end of the daemon waits for a pass that does not end.
	farewell = 2 * time.Second
)

// Place is where files are kept. A mark changes when a file's content does.
type Place interface {
	// Files lists the snapshots that are there, by file name, with their marks.
	Files(ctx context.Context) (map[string]string, error)
	// Read returns a file, of which no more than snapshot.MaxSize bytes and one are wanted.
	Read(ctx context.Context, file string) ([]byte, error)
	// Write replaces a file as a whole: who reads it meanwhile sees the old or the new one.
	Write(ctx context.Context, file string, content []byte) (mark string, err error)
	// Remove takes a file away; it is no error that it is not there.
	Remove(ctx context.Context, file string) error
}

// Versions tells which versions are stable, and what they are.
type Versions interface {
	StableVersions(ctx context.Context) ([]profile.Stable, error)
	Version(ctx context.Context, name, number string) (profile.Version, error)
}

// Options say what is kept where. All fields are needed but Locker, Now and Report.
type Options struct {
	Name     string // of the place, in logs and metrics
	Place    Place
	Versions Versions
	Key      snapshot.PrivateKey
	MaxAge   time.Duration // at which instances refuse a snapshot; it is signed anew at a third of it
	Interval time.Duration // between two passes
	Locker   coord.Locker  // saves replicas from doing the same work; nil for none
	Logger   *slog.Logger
	Now      func() time.Time
	Report   func(Pass) // called after each pass that was made
}

// Pass is what one pass came to.
type Pass struct {
	Written, Removed, Failed int
	// Oldest is when the oldest snapshot was written that is there and should be; zero for none.
	Oldest time.Time
	// Err is why the place is not yet as it should be, nil when it is.
	Err error
}

// Writer keeps one place. Its Run is for one goroutine.
type Writer struct {
	opts  Options
	known map[string]kept // by file
}

// New returns a Writer; it does not look at the place yet.
func New(opts Options) *Writer {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Report == nil {
		opts.Report = func(Pass) {}
	}
	return &Writer{opts: opts, known: map[string]kept{}}
}

// Run makes passes until ctx ends, and then returns nil. A pass that hangs in a system call, as
// with a network drive whose server is gone, does not keep the daemon from ending.
func (w *Writer) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.passes(ctx)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-time.After(farewell):
		w.opts.Logger.WarnContext(ctx, "the place of the snapshots does not answer: going without it", "place", w.opts.Name)
	}
	return nil
}

func (w *Writer) passes(ctx context.Context) {
	failures := 0
	next := time.NewTimer(rand.N(min(w.opts.Interval, 2*time.Second))) // replicas that start together do not look together
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		p, made := w.locked(ctx)
		if ctx.Err() != nil {
			return
		}
		if made {
			w.opts.Report(p)
			w.tell(ctx, p, failures)
			if failures++; p.Err == nil {
				failures = 0
			}
		}
		next.Reset(pause(w.opts.Interval, failures))
	}
}

// pause doubles with each failure in a row.
func pause(interval time.Duration, failures int) time.Duration {
	return max(interval, min(interval<<min(failures, 10), slowest))
}

// tell logs what changed: a place that is as it should be, or as broken as before, is not
// worth a line each time.
func (w *Writer) tell(ctx context.Context, p Pass, failures int) {
	log := w.opts.Logger.With("place", w.opts.Name)
	switch {
	case p.Err != nil:
		log.ErrorContext(ctx, "snapshots are not all as they should be, trying again", "written", p.Written, "failed", p.Failed, "in_a_row", failures+1, "error", p.Err)
	case failures > 0:
		log.InfoContext(ctx, "snapshots are as they should be again", "written", p.Written, "removed", p.Removed)
	case p.Written+p.Removed > 0:
		log.InfoContext(ctx, "snapshots were brought up to date", "written", p.Written, "removed", p.Removed)
	}
}

// locked makes a pass unless another daemon makes one.
func (w *Writer) locked(ctx context.Context) (p Pass, made bool) {
	ctx, cancel := context.WithTimeout(ctx, passLimit)
	defer cancel()
	if w.opts.Locker != nil {
		unlock, err := w.opts.Locker.Lock(ctx, "snapshots/"+w.opts.Name, passLimit)
		switch {
		case err == nil:
			defer unlock()
		case errors.Is(err, coord.ErrHeld):
			return Pass{}, false
		default: // the lock only saves work
			w.opts.Logger.WarnContext(ctx, "no lock, writing snapshots without", "place", w.opts.Name, "error", err)
		}
	}
	return w.contained(ctx), true
}

// contained turns a panic of a pass into its error.
func (w *Writer) contained(ctx context.Context) (p Pass) {
	defer func() {
		if v := recover(); v != nil {
			w.opts.Logger.ErrorContext(ctx, "writing snapshots panicked", "panic", v, "stack", string(debug.Stack()))
			p.Err = fmt.Errorf("panic: %v", v)
		}
	}()
	return w.Pass(ctx)
}

// Pass looks at the place once and writes what is wrong with it.
func (w *Writer) Pass(ctx context.Context) Pass {
	want, err := w.opts.Versions.StableVersions(ctx)
	if err != nil {
		return Pass{Err: err}
	}
	files, err := w.opts.Place.Files(ctx)
	if err != nil {
		return Pass{Err: fmt.Errorf("list the snapshots in %s: %w", w.opts.Name, err)}
	}
	t := &tally{known: w.known}
	w.look(ctx, want, files, t)
	now := w.opts.Now()
	todo := compare(now, w.opts.MaxAge, want, t.known)
	t.each(ctx, len(todo.write), func(ctx context.Context, i int) error {
		return w.write(ctx, todo.write[i], now, t)
	})
	t.each(ctx, len(todo.remove), func(ctx context.Context, i int) error {
		return w.remove(ctx, todo.remove[i], t)
	})
	t.pass.Oldest = oldest(want, t.known)
	return t.pass
}

// look reads the files of which the mark is another one than when they were seen last, and
// forgets those that are gone.
func (w *Writer) look(ctx context.Context, want []profile.Stable, files map[string]string, t *tally) {
	for file := range t.known {
		if _, there := files[file]; !there {
			delete(t.known, file)
		}
	}
	var unseen []profile.Stable
	for _, v := range want {
		file := snapshot.FileName(v.Profile)
		mark, there := files[file]
		k, seen := t.known[file]
		switch {
		case !there || seen && k.mark == mark:
		case v.Retired:
			t.known[file] = kept{mark: mark} // whatever it says, it goes
		default:
			unseen = append(unseen, v)
		}
	}
	t.each(ctx, len(unseen), func(ctx context.Context, i int) error {
		name := unseen[i].Profile
		file := snapshot.FileName(name)
		raw, err := w.opts.Place.Read(ctx, file)
		if err != nil {
			return fmt.Errorf("read %s in %s: %w", file, w.opts.Name, err)
		}
		// One that does not verify is written anew: by another key, by somebody else, or half of one.
		s, err := snapshot.Verify(raw, snapshot.Rules{Profile: name, Keys: []snapshot.PublicKey{w.opts.Key.Public()}, Now: w.opts.Now()})
		if err != nil {
			w.opts.Logger.InfoContext(ctx, "snapshot is to be written anew", "place", w.opts.Name, "profile", name, "reason", err)
		}
		s.Data = nil
		t.saw(file, kept{mark: files[file], snap: s})
		return nil
	})
}

func (w *Writer) write(ctx context.Context, v profile.Stable, now time.Time, t *tally) error {
	version, err := w.opts.Versions.Version(ctx, v.Profile, v.Version)
	if err != nil {
		return err
	}
	s := snapshot.Snapshot{Profile: v.Profile, Service: v.Service, Environment: v.Environment, Labels: v.Targets.Labels,
		Version: v.Version, Hash: v.Hash, Data: version.Data, WrittenAt: now.UTC().Truncate(time.Second)}
	content, err := snapshot.Sign(s, w.opts.Key)
	if err != nil {
		return err
	}
	file := snapshot.FileName(v.Profile)
	mark, err := w.opts.Place.Write(ctx, file, content)
	if err != nil {
		return fmt.Errorf("write %s in %s: %w", file, w.opts.Name, err)
	}
	s.Data = nil
	t.saw(file, kept{mark: mark, snap: s})
	t.count(func(p *Pass) { p.Written++ })
	return nil
}

func (w *Writer) remove(ctx context.Context, file string, t *tally) error {
	if err := w.opts.Place.Remove(ctx, file); err != nil {
		return fmt.Errorf("remove %s in %s: %w", file, w.opts.Name, err)
	}
	t.count(func(p *Pass) { p.Removed++ })
	t.forget(file)
	return nil
}

// tally is what the goroutines of one pass come to.
type tally struct {
	mu    sync.Mutex
	known map[string]kept
	pass  Pass
}

func (t *tally) saw(file string, k kept) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[file] = k
}

func (t *tally) forget(file string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, file)
}

func (t *tally) count(change func(*Pass)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.pass)
}

// failed notes an error, and says whether the pass has had enough of them. The first one is
// the one that is told.
func (t *tally) failed(err error) (enough bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass.Failed++
	if t.pass.Err == nil {
		t.pass.Err = err
	}
	return t.pass.Failed >= maxFailures
}

// each does a step n times, some at once. One that fails keeps no other from being tried,
// until there were too many.
func (t *tally) each(ctx context.Context, n int, step func(ctx context.Context, i int) error) {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range n {
		if t.gaveUp() {
			break
		}
		g.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = step(ctx, i)
			}
			if err != nil {
				t.failed(err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // what failed is in the tally
}

func (t *tally) gaveUp() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pass.Failed >= maxFailures
}
