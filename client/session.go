package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/profile"
)

// SessionOptions describes an instance: what it is, whom it asks, and how it reports.
type SessionOptions struct {
	// Server is the server's URL.
	Server string
	// RegistrationToken allows to register; RegistrationTokenFile names a file that holds it and is
	// read at each registration.
	RegistrationToken     string
	RegistrationTokenFile string

	// Service and Environment (Development, Staging or Production) say which profiles are for the
	// instance; Labels narrow it where a profile asks for labels.
	Service, Environment string
	Labels               map[string]string
	// Metadata is passed on; "group" is blue or green for BlueGreen deployments.
	Metadata map[string]string
	// Hostname is the machine's own name when empty. Port is where the service listens, 0 for none.
	Hostname string
	Port     int
	// ServiceVersion is the version of the service itself, so that a report can name it.
	ServiceVersion string

	// StateDir keeps the instance's identity and the last known good configuration over restarts.
	// It holds secrets, is readable by its owner only, and belongs to one process at a time. When
	// empty, nothing is kept, and the instance is deregistered at the end.
	StateDir string
	// Deregister ends the instance at the end of Run even with a StateDir.
	Deregister bool

	// Health says how the instance does, just before each heartbeat; nil reports Unknown, with which
	// no gate passes. sent, unless nil, is called once the server took the report.
	Health func(ctx context.Context) (h wire.Health, sent func())
	// MinHeartbeat and MaxHeartbeat bound the interval that the server asks for; 200 ms and 60 s
	// when 0.
	MinHeartbeat, MaxHeartbeat time.Duration
	// StartTimeout is how long the server may take to say what is assigned before the last known good
	// configuration is used; 3 s when 0. A refused connection does not wait for it.
	StartTimeout time.Duration

	// Bootstrap is where to start from when the server does not answer within StartTimeout and the
	// profile has no last known good configuration.
	Bootstrap Bootstrap

	HTTPClient *http.Client // as in Options
	UserAgent  string       // as in Options
	// Logger takes what happens; slog.Default when nil. Neither tokens nor data are logged.
	Logger *slog.Logger
}

func (o SessionOptions) withDefaults() (SessionOptions, error) {
	if o.Service == "" || o.Environment == "" {
		return o, errors.New("session: service and environment are required")
	}
	switch profile.Environment(o.Environment) {
	case profile.Development, profile.Staging, profile.Production:
	default: // the server would refuse it at each try
		return o, fmt.Errorf("session: environment %q: want Development, Staging or Production", o.Environment)
	}
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return o, fmt.Errorf("session: host name: %w", err)
		}
		o.Hostname = name
	}
	if o.Health == nil {
		o.Health = func(context.Context) (wire.Health, func()) { return wire.Health{Status: "Unknown"}, nil }
	}
	o.MinHeartbeat = or(o.MinHeartbeat, 200*time.Millisecond)
	o.MaxHeartbeat = max(or(o.MaxHeartbeat, time.Minute), o.MinHeartbeat)
	o.StartTimeout = or(o.StartTimeout, 3*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Session is one instance's connection to the server. Run keeps it up; Watch, while Run works,
// brings a profile's configuration to a callback.
type Session struct {
	opts    SessionOptions
	client  *Client
	request wire.RegisterRequest
	state   state
	release func()
	log     *slog.Logger

	beat     chan struct{} // asks for a heartbeat now
	away     chan struct{} // closed when the server did not answer in time at the start
	awayOnce sync.Once

	bootstrap *bootstrap  // nil for none
	silent    atomic.Bool // nothing of the server's is heard, or was yet

	mu    sync.Mutex
	id    identity
	lost  context.CancelCauseFunc // ends what id is used for
	slots map[*slot]struct{}
	last  *wire.Assignments // newest whole set, for callbacks that come later
}

// NewSession checks the options and takes the state directory; it does not connect. It returns
// ErrStateInUse when another process holds the directory. Close gives it back.
func NewSession(opts SessionOptions) (*Session, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := New(Options{Server: opts.Server, HTTPClient: opts.HTTPClient, UserAgent: opts.UserAgent})
	if err != nil {
		return nil, err
	}
	bootstrap, err := newBootstrap(opts.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	st, release, err := openState(opts.StateDir)
	if err != nil {
		return nil, err
	}
	s := &Session{opts: opts, client: c, state: st, release: release, log: opts.Logger,
		beat: make(chan struct{}, 1), away: make(chan struct{}), slots: map[*slot]struct{}{}, bootstrap: bootstrap}
	s.silent.Store(true)
	s.request = wire.RegisterRequest{ServiceName: opts.Service, Hostname: opts.Hostname, Port: opts.Port,
		Environment: opts.Environment, Version: opts.ServiceVersion,
		Labels: maps.Clone(opts.Labels), Metadata: maps.Clone(opts.Metadata)}
	return s, nil
}

// Close gives the state directory back, after Run and every Watch have ended.
func (s *Session) Close() { s.release() }

// Watch calls apply with the profile's configuration as it is assigned, until ctx ends, whose error
// it returns. An error of apply is reported to the server as a refusal with its text as the reason;
// the service is then expected to run what it ran before, and the callback may be called with the
// same configuration again after a while. The empty profile means the first one that is assigned.
// Run must work meanwhile.
func (s *Session) Watch(ctx context.Context, profile string, apply func(context.Context, Config) error) error {
	if profile == "" {
		if kept := s.state.profiles(); len(kept) > 0 {
			profile = kept[0]
		}
	} else if !validName(profile) {
		return fmt.Errorf("watch: %q is not the name of a profile", profile)
	}
	if profile == "" && s.bootstrap != nil {
		s.log.WarnContext(ctx, "no profile is named: which one is assigned only the server can say, and no bootstrap snapshot is looked for")
	}
	sl := &slot{session: s, log: s.log, apply: apply, profile: profile, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	s.slots[sl] = struct{}{}
	last := s.last
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.slots, sl)
		s.mu.Unlock()
	}()
	if last != nil {
		sl.offer(last.Assignments, true)
	}
	return sl.run(ctx)
}

// Run registers the instance, or goes on as the one it was, and keeps its stream and its heartbeats
// going until ctx ends. It returns ctx's error; whatever else happens is logged and tried again.
func (s *Session) Run(ctx context.Context) error {
	start := time.AfterFunc(s.opts.StartTimeout, s.markAway)
	defer start.Stop()
	failures := 0
	for ctx.Err() == nil {
		id, err := s.register(ctx)
		if err == nil {
			err = s.serve(ctx, id, &failures)
		}
		if ctx.Err() != nil {
			break
		}
		s.hears(err)
		s.markAway()
		if id.ID != "" {
			s.log.WarnContext(ctx, "server does not know this instance any more: registering again", "instance", id.ID)
			s.forget(id)
		} else {
			s.log.ErrorContext(ctx, "registration failed, trying again", "server", s.client.Server(), "error", err)
		}
		if id.ID == "" && permanent(err) {
			failures = max(failures, len(pauses)-1) // it will hardly be answered differently
		}
		if sleep(ctx, pauseFor(err, failures)) != nil {
			break
		}
		failures++
	}
	s.leave(ctx)
	return ctx.Err()
}

// pauseFor is the pause before the next attempt, at least what the server asked for.
func pauseFor(err error, failures int) time.Duration {
	return max(Backoff(failures, rand.Float64()), min(askedToWait(err), time.Minute))
}

// register returns the identity at hand, the one on disk, or a new one.
func (s *Session) register(ctx context.Context) (identity, error) {
	if id := s.current(); id.ID != "" {
		return id, nil
	}
	kept, err := s.state.identity()
	if err != nil {
		s.log.ErrorContext(ctx, "kept identity is not readable", "error", err)
	}
	if kept.fits(s.client.Server(), s.request) {
		s.become(kept)
		return kept, nil
	}
	token, err := s.registrationToken()
	if err != nil {
		return identity{}, err
	}
	res, err := s.client.WithToken(token).Register(ctx, s.request)
	switch {
	case IsStatus(err, http.StatusUnauthorized) && token == "":
		return identity{}, fmt.Errorf("no registration token is given: %w", err)
	case IsStatus(err, http.StatusUnauthorized):
		return identity{}, fmt.Errorf("the server does not know this registration token: %w", err)
	case err != nil:
		return identity{}, err
	}
	s.hears(nil)
	id := identity{Server: s.client.Server(), Request: s.request, ID: res.ID, Token: res.Token,
		HeartbeatSeconds: res.HeartbeatSeconds}
	if err := s.state.saveIdentity(id); err != nil {
		s.log.ErrorContext(ctx, "identity not kept: a restart will be another instance", "error", err)
	}
	s.log.InfoContext(ctx, "instance registered", "instance", id.ID, "service", s.request.ServiceName,
		"environment", s.request.Environment)
	s.become(id)
	if kept.ID != "" && kept.Server == id.Server { // described differently: another instance
		if err := s.instance(kept).Deregister(ctx, kept.ID); err != nil && !lostIdentity(err) {
			s.log.WarnContext(ctx, "former instance not deregistered", "instance", kept.ID, "error", err)
		}
	}
	return id, nil
}

func (s *Session) registrationToken() (string, error) {
	if s.opts.RegistrationTokenFile == "" {
		return s.opts.RegistrationToken, nil
	}
	raw, err := os.ReadFile(s.opts.RegistrationTokenFile)
	if err != nil {
		return "", fmt.Errorf("registration token: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// serve receives and heartbeats as id until ctx ends or the server does not know it any more.
func (s *Session) serve(ctx context.Context, id identity, failures *int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	s.lost = cancel
	s.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { s.heartbeats(ctx, id) })
	r := receiver{session: s, client: s.instance(id), id: id, heard: func() { *failures = 0 }}
	r.run(ctx)
	wg.Wait()
	return context.Cause(ctx)
}

// leave ends the instance where nobody will come back as it.
func (s *Session) leave(ctx context.Context) {
	id := s.current()
	if id.ID == "" || (s.state.dir != "" && !s.opts.Deregister) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := s.instance(id).Deregister(ctx, id.ID); err != nil {
		s.log.WarnContext(ctx, "instance not deregistered", "instance", id.ID, "error", err)
	}
	s.forget(id)
}

func (s *Session) current() identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

func (s *Session) become(id identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = id
}

func (s *Session) instance(id identity) *Client { return s.client.WithToken(id.Token) }

// lose ends the use of an identity that the server does not know.
func (s *Session) lose(id identity, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id.ID == id.ID && s.lost != nil {
		s.lost(err)
	}
}

func (s *Session) forget(id identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id.ID != id.ID {
		return
	}
	s.id, s.last = identity{}, nil
	for sl := range s.slots {
		sl.forget()
	}
	if err := s.state.dropIdentity(); err != nil {
		s.log.Error("lost identity not removed", "error", err)
	}
}

// deliver hands a set of assignments to the callbacks. whole says that the set is all there is.
func (s *Session) deliver(id identity, set wire.Assignments, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id.ID != id.ID {
		return
	}
	if whole {
		s.last = &set
	}
	for sl := range s.slots {
		sl.offer(set.Assignments, whole)
	}
}

// fetch returns the assignment's configuration, checked against its hash. Errors wrap ErrHash when
// it does not match.
func (s *Session) fetch(ctx context.Context, id identity, a wire.Assignment) (Config, error) {
	data, hash, delivered := []byte(a.Data), a.Hash, ""
	if len(data) == 0 {
		ctx, span := spans.Start(ctx, "config.fetch")
		raw, opened, err := s.instance(id).assignmentData(ctx, id.ID, a)
		spans.End(span, err)
		if err != nil {
			if lostIdentity(err) {
				s.lose(id, err)
			}
			return Config{}, err
		}
		data = raw
		if opened != "" {
			hash, delivered = opened, opened
		}
	}
	canonical, err := verify(data, hash)
	if err != nil {
		return Config{}, fmt.Errorf("%s %s: %w", a.ConfigName, a.Version, err)
	}
	cfg := configOf(a, canonical)
	cfg.DeliveredHash = delivered
	return cfg, nil
}

func (s *Session) markAway() { s.awayOnce.Do(func() { close(s.away) }) }

// hears notes whether a call was answered, by Sluice and not by what stands before it: an answer
// that refuses is one too. What waits for a silent server to be away looks again.
func (s *Session) hears(err error) {
	e, ok := errors.AsType[*APIError](err)
	silent := err != nil && (!ok || e.Code == "" || e.Status >= http.StatusInternalServerError)
	if was := s.silent.Swap(silent); was || !silent {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for sl := range s.slots {
		sl.poke()
	}
}

func (s *Session) isAway() bool {
	select {
	case <-s.away:
		return true
	default:
		return false
	}
}

func (s *Session) beatNow() {
	select {
	case s.beat <- struct{}{}:
	default:
	}
}

// Profiles lists the profiles that the server assigned when it was last heard.
func (s *Session) Profiles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return nil
	}
	var names []string
	for _, a := range s.last.Assignments {
		names = append(names, a.ConfigName)
	}
	return slices.Sorted(slices.Values(names))
}
