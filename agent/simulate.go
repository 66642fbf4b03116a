package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// Simulation is many instances in one process, each with a stream, heartbeats and acknowledgements of
// its own as a real one has, and no program behind them: for trying a server and a strategy before
// services depend on it.
type Simulation struct {
	// Session describes each instance; its host name is followed by the instance's number. Health and
	// StateDir are the simulation's own: the instances are deregistered at the end.
	Session   client.SessionOptions
	Profile   string // the first one assigned when empty
	Instances int
	Behaviour Behaviour   // while no condition holds
	When      []Condition // the first that holds of what an instance applied
	Ramp      time.Duration
	// Progress gets a line whenever the instances run something else; nil for none.
	Progress io.Writer
}

// Bounds of a simulation.
const (
	maxSimulated  = 100_000
	perSecond     = 500 // instances that start, unless Ramp says otherwise
	progressEvery = time.Second
)

// Simulate runs the instances until ctx ends, and then returns nil. It returns an error for options
// that cannot work; a server that is away is tried again by each instance, as ever.
func Simulate(ctx context.Context, s Simulation) error {
	if s.Instances < 1 || s.Instances > maxSimulated {
		return fmt.Errorf("simulate: %d instances: want 1 to %d", s.Instances, maxSimulated)
	}
	if s.Ramp <= 0 {
		s.Ramp = time.Duration(s.Instances) * time.Second / perSecond
	}
	if s.Session.Logger == nil {
		s.Session.Logger = slog.Default()
	}
	if s.Session.Hostname == "" {
		s.Session.Hostname = "simulated"
	}
	s.Session.StateDir = ""
	if s.Session.HTTPClient == nil {
		s.Session.HTTPClient = manyStreams()
	}
	told := &census{running: map[string]int{}, of: s.Instances, out: s.Progress}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait() // after the cancel: the last thing they do is to deregister
	defer cancel()
	pause := time.NewTicker(max(time.Microsecond, s.Ramp/time.Duration(s.Instances)))
	defer pause.Stop()
	wg.Go(func() { told.tell(ctx) })
	for n := range s.Instances {
		one, err := s.instance(n, told)
		if err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
		wg.Go(func() { one.run(ctx, s.Profile) })
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
	<-ctx.Done()
	return nil
}

// manyStreams is a client whose idle connections are enough for the calls of many instances.
func manyStreams() *http.Client {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return &http.Client{}
	}
	t = t.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 512
	return &http.Client{Transport: t}
}

// simulated is one instance.
type simulated struct {
	session *client.Session
	told    *census
	of      Simulation

	mu      sync.Mutex
	does    Behaviour
	runs    string    // version
	counted time.Time // until when tally counts
	tally   tally     // that no heartbeat has brought to the server
	random  *rand.Rand
}

func (s Simulation) instance(n int, told *census) (*simulated, error) {
	one := &simulated{told: told, of: s, does: s.Behaviour, counted: time.Now(), random: rand.New(rand.NewPCG(uint64(n), 1))} //nolint:gosec // not for secrets
	opts := s.Session
	opts.Hostname = fmt.Sprintf("%s-%05d", s.Session.Hostname, n+1)
	opts.Labels, opts.Metadata = maps.Clone(opts.Labels), maps.Clone(opts.Metadata)
	opts.Health = one.health
	session, err := client.NewSession(opts)
	if err != nil {
		return nil, err
	}
	one.session = session
	return one, nil
}

func (one *simulated) run(ctx context.Context, profile string) {
	defer one.session.Close()
	var wg sync.WaitGroup
	wg.Go(func() { _ = one.session.Run(ctx) }) // ends with ctx alone, and says nothing else
	if err := one.session.Watch(ctx, profile, one.apply); err != nil && !errors.Is(err, context.Canceled) {
		one.of.Session.Logger.ErrorContext(ctx, "simulated instance does not watch", "error", err)
	}
	wg.Wait()
}

// apply takes a configuration as long as the behaviour says, or refuses it.
func (one *simulated) apply(ctx context.Context, c client.Config) error {
	does := one.of.Behaviour
	for _, condition := range one.of.When {
		if condition.holds(c.Data) {
			does = condition.Behaviour
			break
		}
	}
	t := time.NewTimer(does.Reload)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	if does.Refuse != "" {
		return errors.New(does.Refuse)
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.count()
	one.told.moved(one.runs, c.Version)
	one.does, one.runs = does, c.Version
	return nil
}

// count brings the tally up to date.
func (one *simulated) count() {
	now := time.Now()
	one.tally.count(one.does, now.Sub(one.counted), one.random)
	one.counted = now
}

// health is what the instance counted since the last heartbeat that the server took.
func (one *simulated) health(context.Context) (wire.Health, func()) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.count()
	told := one.tally
	return told.health(one.does.Health), func() {
		one.mu.Lock()
		defer one.mu.Unlock()
		one.tally.without(told)
	}
}

// census counts which versions the instances run.
type census struct {
	mu      sync.Mutex
	running map[string]int
	changed bool
	of      int
	out     io.Writer
}

func (c *census) moved(from, to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from != "" {
		if c.running[from]--; c.running[from] == 0 {
			delete(c.running, from)
		}
	}
	c.running[to]++
	c.changed = true
}

// tell writes a line whenever something changed, at most once in progressEvery.
func (c *census) tell(ctx context.Context) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if line := c.line(); line != "" && c.out != nil {
			fmt.Fprintln(c.out, line)
		}
	}
}

// line is "" when nothing changed since the last one.
func (c *census) line() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.changed {
		return ""
	}
	c.changed = false
	total, parts := 0, []string{}
	for _, version := range slices.Sorted(maps.Keys(c.running)) {
		total += c.running[version]
		parts = append(parts, fmt.Sprintf("%s on %d", version, c.running[version]))
	}
	return fmt.Sprintf("%d of %d instances run a version: %s", total, c.of, strings.Join(parts, ", "))
}
