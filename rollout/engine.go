package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/spans"
)

// EngineOptions are what an engine may be told. The zero value of each field
// has a meaning.
type EngineOptions struct {
	Owner   string        // unique to this process: two of one name would share their claims
	Workers int           // steps at the same time; 8 when 0
	Lease   time.Duration // of a claim, by the database's clock; 15 s when 0
	MaxIdle time.Duration // how long it sleeps at the most; 1 s when 0
	Logger  *slog.Logger
	Metrics EngineMetrics
	// Measurer asks the providers outside; nil: whoever needs one is held with an error.
	Measurer Measurer
	Reach    Reach // whom it can ask
	// Fail is called at the crash points of tests: K5 versions were assigned and
	// not yet published, K6 the gate was read and nothing stored, K7 a promotion
	// was stored and not yet published, K8 a rollback was stored and not yet
	// published, K9 a final state was stored, K11 a claim was decided. K6/NAME is
	// that of one profile.
	Fail func(point string)
}

// EngineMetrics are told what happens. Every field may be nil.
type EngineMetrics struct {
	Claimed  func(took time.Duration, n int)     // so many due deployments
	Stepped  func(took time.Duration, err error) // one step; ErrStale is no failure
	Panicked func(deploymentID string)           // a step panicked
	RollBack func(d Deployment)                  // a rollback began, inside d or as d
	Checked  func(profileName string, o Outcome) // a gate check
}

// maxAttempts is how many claims in a row may fail to store a step before the
// deployment is set aside.
const maxAttempts = 5

// Engine steps deployments. Any number of engines may run on one store.
type Engine struct {
	store Store
	pub   Publisher
	opts  EngineOptions
	wake  chan struct{}
	steps sync.WaitGroup // under way, those that ask aside too
}

// NewEngine returns an engine that does nothing until Run or an order.
func NewEngine(store Store, pub Publisher, opts EngineOptions) *Engine {
	if opts.Workers <= 0 {
		opts.Workers = 8
	}
	if opts.Lease <= 0 {
		opts.Lease = 15 * time.Second
	}
	if opts.MaxIdle <= 0 {
		opts.MaxIdle = time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Fail == nil {
		opts.Fail = func(string) {}
	}
	return &Engine{store: store, pub: pub, opts: opts, wake: make(chan struct{}, 1)}
}

// Wake makes the engine look for due deployments now. It never blocks.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run steps deployments as they fall due until ctx ends. It then waits for the
// steps under way and hands its claims back. After a step that stored nothing it
// rests, longer each time, so that a database that is down for a moment does not
// use up the attempts of every deployment.
func (e *Engine) Run(ctx context.Context) error {
	defer func() {
		e.steps.Wait() // ctx has ended, and with it whatever is asked aside
		e.handBack(ctx)
	}()
	failures, woken := 0, false
	for ctx.Err() == nil {
		switch stepped, failed := e.pass(ctx); {
		case failed:
			e.wait(ctx, min(firstPause<<min(failures, 10), longestPause), nil)
			failures++
		case stepped > 0:
			failures, woken = 0, false // what was just stepped may be due again
		default:
			failures = 0
			if woken { // for nothing, and perhaps again and again
				e.wait(ctx, lookGap, nil)
			}
			woken = e.sleep(ctx)
		}
	}
	return nil
}

// How long the engine pauses after a pass that failed.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
)

func (e *Engine) handBack(ctx context.Context) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := e.store.ReleaseClaims(bounded, e.opts.Owner); err != nil {
		e.opts.Logger.WarnContext(ctx, "claims were not handed back; they end with their lease", "error", err)
		return
	}
	e.opts.Logger.InfoContext(ctx, "claims handed back")
}

// pass claims what is due and steps it: as many goroutines as there are workers,
// each with its share of the claims. It answers how many there were, and whether
// anything went wrong. It does not wait for those that ask a provider outside:
// one that hangs delays nobody else.
func (e *Engine) pass(ctx context.Context) (stepped int, failed bool) {
	began := time.Now()
	claims, err := e.store.ClaimDue(ctx, e.opts.Owner, e.opts.Lease, e.opts.Workers*mostTogether)
	if err != nil {
		if ctx.Err() == nil {
			e.opts.Logger.ErrorContext(ctx, "due deployments could not be claimed", "error", err)
		}
		return 0, true
	}
	if e.opts.Metrics.Claimed != nil {
		e.opts.Metrics.Claimed(time.Since(began), len(claims))
	}
	if len(claims) > 0 {
		e.opts.Fail("K11")
	}
	var group sync.WaitGroup
	var trouble atomic.Bool
	for _, share := range shares(claims, e.opts.Workers) {
		group.Add(1)
		aside := sync.OnceFunc(group.Done)
		e.steps.Go(func() {
			defer aside()
			if !e.stepShare(ctx, share, aside) {
				trouble.Store(true)
			}
		})
	}
	group.Wait()
	return len(claims), trouble.Load()
}

// lookGap is the least time from a look that found nothing to the next: each instance of a
// large fleet that acknowledges wakes the engine, also while the deployment rests.
const lookGap = 10 * time.Millisecond

// sleep waits until something is due, somebody wakes the engine, or MaxIdle has passed. It
// answers whether somebody did.
func (e *Engine) sleep(ctx context.Context) (woken bool) {
	idle := e.opts.MaxIdle
	due, ok, err := e.store.NextDue(ctx)
	if err == nil && ok {
		if now, err := e.store.Now(ctx); err == nil {
			idle = min(idle, max(due.Sub(now), lookGap))
		}
	}
	return e.wait(ctx, idle, e.wake)
}

func (e *Engine) wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (woken bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
		return true
	case <-timer.C:
	}
	return false
}

// stepSafely keeps one deployment's trouble away from the others. It answers
// whether there was none, and calls aside when nobody need wait for it any more.
func (e *Engine) stepSafely(ctx context.Context, claim Claim, aside func()) (fine bool) {
	log := e.opts.Logger.With("deployment", claim.DeploymentID)
	if claim.Attempts > maxAttempts {
		reason := fmt.Sprintf("set aside after %d attempts that stored nothing; see the log for %s", claim.Attempts-1, claim.DeploymentID)
		if err := e.store.Quarantine(ctx, claim, reason); err != nil {
			log.ErrorContext(ctx, "deployment could not be set aside", "error", err)
			return false
		}
		return true
	}
	start := time.Now()
	defer e.panicked(ctx, claim)
	return e.stepped(ctx, claim, start, e.step(ctx, claim, aside))
}

// panicked, deferred, keeps a panic of one step from the others.
func (e *Engine) panicked(ctx context.Context, claim Claim) {
	cause := recover()
	if cause == nil {
		return
	}
	e.opts.Logger.ErrorContext(ctx, "step panicked", "deployment", claim.DeploymentID, "panic", fmt.Sprint(cause), "attempt", claim.Attempts)
	if e.opts.Metrics.Panicked != nil {
		e.opts.Metrics.Panicked(claim.DeploymentID)
	}
}

// stepped tells how a step ended, and answers whether that was no failure.
func (e *Engine) stepped(ctx context.Context, claim Claim, start time.Time, err error) (fine bool) {
	log := e.opts.Logger.With("deployment", claim.DeploymentID)
	if e.opts.Metrics.Stepped != nil {
		e.opts.Metrics.Stepped(time.Since(start), err)
	}
	switch {
	case err == nil || ctx.Err() != nil:
		log.DebugContext(ctx, "step done", "took", time.Since(start).Round(time.Millisecond).String())
		return true
	case errors.Is(err, ErrStale):
		log.DebugContext(ctx, "another was quicker; looking again", "error", err)
		return true
	default:
		log.ErrorContext(ctx, "step failed", "error", err, "attempt", claim.Attempts)
		return false
	}
}

// Step decides about one claimed deployment and stores the decision. Where that
// needs an answer from outside it asks first, for some seconds at the most. It
// returns ErrStale when the deployment changed meanwhile.
func (e *Engine) Step(ctx context.Context, claim Claim) error {
	return e.step(ctx, claim, func() {})
}

func (e *Engine) step(ctx context.Context, claim Claim, aside func()) error {
	t, err := e.decide(ctx, claim)
	if err != nil {
		return err
	}
	ctx = spans.With(ctx, t.read.Span())
	if asks := t.asks(); len(asks) > 0 {
		aside()
		defer e.Wake() // what is stored late may be due soon
		measurements := e.measure(ctx, asks)
		if ctx.Err() != nil { // stopped: that nobody answered says nothing
			return e.leave(ctx, claim, t.read, t.now)
		}
		if t, err = e.decideWith(ctx, claim, measurements); err != nil {
			return err
		}
	}
	e.judged(t)
	if err := e.store.Step(ctx, claim, t.dec); err != nil {
		return fmt.Errorf("store the step of deployment %s: %w", t.read.ID, err)
	}
	e.storedStep(ctx, t)
	return nil
}

// decided is a claimed deployment as it was read, and what was decided of it.
type decided struct {
	claim Claim
	began time.Time
	read  Deployment
	snap  Snapshot
	now   time.Time // of the database
	dec   Decision
}

func (e *Engine) decide(ctx context.Context, claim Claim) (t decided, err error) {
	return e.decideWith(ctx, claim, nil)
}

// decideWith decides with what providers outside have answered.
func (e *Engine) decideWith(ctx context.Context, claim Claim, measurements []Measurement) (t decided, err error) {
	t.claim, t.began = claim, time.Now()
	var unread *step
	readings := func(d Deployment, now time.Time) func(Snapshot) []Reading {
		return func(snap Snapshot) []Reading {
			snap.Measurements = measurements
			unread, t.dec = decideUnread(d, snap, now)
			return unread.readings()
		}
	}
	if t.read, t.snap, t.now, err = e.readWith(ctx, claim.DeploymentID, readings); err != nil {
		return t, err
	}
	t.snap.Measurements = measurements
	switch {
	case unread == nil: // there are no targets to read samples of
		t.dec = Decide(t.read, t.snap, t.now)
	case len(unread.needs) > 0: // otherwise it is decided
		t.dec = unread.again(t.snap)
	}
	return t, nil
}

func (t decided) asks() []Ask { return Asks(t.read, t.snap, t.dec, t.now) }

// judged is the point where the gate was read and nothing is stored.
func (e *Engine) judged(t decided) {
	if len(t.dec.Checks) > 0 {
		e.opts.Fail("K6")
		e.opts.Fail("K6/" + t.read.Profile)
	}
}

func (e *Engine) storedStep(ctx context.Context, t decided) {
	tellStep(t.read, t.dec, t.began, time.Now())
	e.stored(ctx, t.read, t.dec)
}

// leave gives a step up that a stop cut short: it is no failed attempt, and due
// again for whoever comes next.
func (e *Engine) leave(ctx context.Context, claim Claim, d Deployment, now time.Time) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := e.store.Step(bounded, claim, Decision{Next: d, Wake: now}); err != nil {
		return fmt.Errorf("leave the step of deployment %s: %w", d.ID, err)
	}
	return nil
}

// longestAsk ends what is asked aside. It is never more than a third of the
// lease: the rest is for reading, storing and for clocks that differ.
const longestAsk = 5 * time.Second

func (e *Engine) measure(ctx context.Context, asks []Ask) []Measurement {
	if e.opts.Measurer == nil {
		measurements := make([]Measurement, len(asks))
		for i, ask := range asks {
			measurements[i] = Measurement{Ask: ask, Err: "this server asks nobody outside"}
		}
		return measurements
	}
	ctx, cancel := context.WithTimeout(ctx, min(longestAsk, e.opts.Lease/3))
	defer cancel()
	return e.opts.Measurer.Measure(ctx, asks)
}

// stored tells everybody who waits for what was just stored.
func (e *Engine) stored(ctx context.Context, before Deployment, dec Decision) {
	next := dec.Next
	switch {
	case before.State != RollingBack && next.State == RollingBack:
		e.opts.Fail("K8")
	case next.State.Final():
		e.opts.Fail("K9")
	case next.Phase > before.Phase:
		e.opts.Fail("K7")
	case len(dec.Assign) > 0:
		e.opts.Fail("K5")
	}
	if dec.Changed {
		e.pub.Publish(ctx, next.Profile)
	}
	e.tell(ctx, before, dec)
}

// rollsBack says that a rollback began: the deployment turned round, or it is one
// that was just made.
func rollsBack(before, next Deployment) bool {
	return before.State != RollingBack && next.State == RollingBack || before.ID == "" && next.Kind == Rollback
}

func (e *Engine) tell(ctx context.Context, before Deployment, dec Decision) {
	next, m := dec.Next, e.opts.Metrics
	if m.Checked != nil {
		for _, check := range dec.Checks {
			m.Checked(next.Profile, check.Verdict.Outcome)
		}
	}
	if m.RollBack != nil && rollsBack(before, next) {
		m.RollBack(next)
	}
	if before.State != next.State || before.Phase != next.Phase {
		e.opts.Logger.InfoContext(ctx, "deployment moved", "deployment", next.ID, "profile", next.Profile,
			"version", next.Version, "from", string(before.State), "to", string(next.State), "phase", next.Phase+1, "why", next.Explanation)
	}
}
