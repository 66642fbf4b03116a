package client

import (
	"context"
	"errors"
	"sync"
)

// Watcher brings a Go service its configuration. All its watches share one instance: one stream, one
// heartbeat.
type Watcher struct {
	session *Session

	mu     sync.Mutex
	users  int
	stop   context.CancelFunc
	ended  chan struct{}
	closed bool
}

// ErrClosed is returned by Watch after Close.
var ErrClosed = errors.New("watcher is closed")

// NewWatcher checks the options and takes the state directory; it does not connect. It returns
// ErrStateInUse when another process holds the directory.
func NewWatcher(opts SessionOptions) (*Watcher, error) {
	s, err := NewSession(opts)
	if err != nil {
		return nil, err
	}
	return &Watcher{session: s}, nil
}

// Watch calls apply with the profile's configuration when it starts and at each change, one call at
// a time, until ctx ends, whose error it returns. While the server is away at the start, apply gets
// the last known good configuration (Config.Cached) if a StateDir holds one.
//
// An error of apply refuses the configuration: it is reported with its text as the reason, counts
// against the deployment, and the service is expected to go on with what it had. A refused
// configuration that stays assigned is offered again after a while.
func (w *Watcher) Watch(ctx context.Context, profile string, apply func(Config) error) error {
	if err := w.enter(); err != nil {
		return err
	}
	defer w.exit()
	return w.session.Watch(ctx, profile, func(_ context.Context, c Config) error { return apply(c) })
}

// enter connects for the first watch. The connection belongs to all watches, not to the context of
// the one that came first.
func (w *Watcher) enter() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	if w.users++; w.users > 1 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w.stop, w.ended = cancel, ended
	go func() {
		defer close(ended)
		_ = w.session.Run(ctx) // ends with ctx alone, and says nothing else
	}()
	return nil
}

// exit disconnects after the last watch.
func (w *Watcher) exit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users--; w.users > 0 {
		return
	}
	w.stop()
	<-w.ended
	if w.closed {
		w.session.Close()
	}
}

// Close gives the state directory back once the last watch has ended. No watch can start after it.
func (w *Watcher) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	if w.users == 0 {
		w.session.Close()
	}
}
