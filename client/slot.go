package client

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/spans"
)

// maxReason bounds the reason of a refusal in bytes, as the server keeps no more.
const maxReason = 2 << 10

// What judge says of an assignment.
type verdict int

const (
	take     verdict = iota // apply it
	adopt                   // the same content for the same group runs already: only acknowledge the new generation
	settled                 // known and answered
	older                   // a generation before the newest one known: refused
	conflict                // a known generation with other content: refused
)

// known is what judge needs to know of a profile.
type known struct {
	seen     int64 // newest generation told of by this identity, 0 for none
	seenHash string
	answered bool  // this process has tried the newest generation and knows the outcome
	running  *good // what this process applied, nil before the first
}

// judge decides what to do with an assignment.
func judge(k known, a wire.Assignment) verdict {
	switch {
	case a.Generation < k.seen:
		return older
	case a.Generation == k.seen && k.seenHash != "" && a.Hash != k.seenHash:
		return conflict
	case a.Generation == k.seen && k.answered:
		return settled
	case k.running != nil && k.running.DeliveredHash == "" && k.running.fits(a):
		return adopt
	default:
		return take
	}
}

// fits says that g is the content and the group of an assignment.
func (g good) fits(a wire.Assignment) bool {
	return g.Hash == a.Hash && g.Version == a.Version && g.ActiveGroup == a.ActiveGroup
}

// slot brings one profile's assignments to its callback, one after the other.
type slot struct {
	session *Session
	log     *slog.Logger
	apply   func(context.Context, Config) error

	mu      sync.Mutex
	profile string           // "" until the first assignment names it
	desired *wire.Assignment // newest offered
	rival   *wire.Assignment // of its generation with other content: to be refused in the open
	absent  bool             // the server was heard, and assigns nothing
	wake    chan struct{}

	fetching context.CancelFunc // ends the fetching of a bootstrap snapshot, nil while there is none

	// Owned by run.
	rec      record
	loaded   bool
	answered bool
	running  *good
	ack      *wire.AppliedRequest // to be sent
	trace    string               // traceparent of what ack answers
	ackFails int                  // attempts to send it that failed
	conflict string               // hash that was refused as a conflict
	failures int                  // in a row, of whatever is tried again
	started  *wire.SnapshotStart  // the bootstrap snapshot that was started from, until the server knows
	retry    <-chan time.Time
}

// offer gives the slot its part of what the server assigns. whole says that the set is all there is.
func (sl *slot) offer(set []wire.Assignment, whole bool) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	found := false
	set = slices.SortedFunc(slices.Values(set), func(a, b wire.Assignment) int {
		return strings.Compare(a.ConfigName, b.ConfigName)
	})
	for _, a := range set {
		if !validName(a.ConfigName) || (sl.profile != "" && a.ConfigName != sl.profile) {
			continue
		}
		found = true
		sl.profile = a.ConfigName
		if d := sl.desired; d == nil || a.Generation > d.Generation {
			sl.desired, sl.rival = &a, nil
		} else if a.Generation < d.Generation {
			sl.log.Info("older assignment refused", "profile", a.ConfigName, "version", a.Version,
				"generation", a.Generation, "newest", d.Generation)
		} else if a.Hash != d.Hash {
			sl.rival = &a // what is answered to a heartbeat meanwhile must not hide it
		} else if len(d.Data) == 0 {
			sl.desired = &a
		}
		break
	}
	if whole {
		if !found && !sl.absent {
			sl.log.Info("nothing is assigned: waiting for a profile of this instance's service, environment and labels", "profile", cmp.Or(sl.profile, "any"))
		}
		sl.absent = !found
	}
	if sl.fetching != nil && found {
		sl.fetching()
	}
	sl.poke()
}

// forget drops what another identity was told.
func (sl *slot) forget() {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.desired = nil
}

func (sl *slot) poke() {
	select {
	case sl.wake <- struct{}{}:
	default:
	}
}

func (sl *slot) view() (profile string, desired, rival *wire.Assignment, absent bool) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return sl.profile, sl.desired, sl.rival, sl.absent
}

// run works until ctx ends.
func (sl *slot) run(ctx context.Context) error {
	away := sl.session.away
	for {
		sl.step(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sl.wake:
		case <-away:
			away = nil
		case <-sl.retry:
			sl.retry = nil
		}
	}
}

// step does what can be done now, and sets a time to come back when something is left.
func (sl *slot) step(ctx context.Context) {
	profile, desired, rival, absent := sl.view()
	if !sl.load(profile) {
		return
	}
	if desired == nil {
		away := sl.session.isAway()
		switch {
		case sl.running != nil || !absent && !away:
		case sl.rec.Good != nil:
			sl.startCached(ctx, profile)
		case !absent:
			sl.startSnapshot(ctx, profile)
		}
		return
	}
	id := sl.session.current()
	if id.ID == "" {
		return // its assignment went with it; the next identity brings its own
	}
	if sl.rec.Instance != id.ID {
		sl.rec.Instance, sl.rec.Seen, sl.rec.SeenHash, sl.answered, sl.ack = id.ID, 0, "", false, nil
	}
	sl.take(ctx, id, *desired)
	sl.flush(ctx, id)
	if rival != nil {
		sl.take(ctx, id, *rival)
		sl.flush(ctx, id)
	}
}

// load reads what is remembered, once the profile is known.
func (sl *slot) load(profile string) bool {
	if profile == "" {
		return false
	}
	if sl.loaded {
		return true
	}
	rec, err := sl.session.state.record(profile)
	if err != nil {
		sl.log.Error("last known good configuration is lost", "profile", profile, "error", err)
	}
	sl.rec, sl.loaded = rec, true
	return true
}

// startCached applies the last known good configuration while the server is away or assigns none.
func (sl *slot) startCached(ctx context.Context, profile string) {
	g := sl.rec.Good
	if sl.retry != nil {
		return
	}
	cfg := g.config(profile)
	sl.log.WarnContext(ctx, "server is away or assigns nothing: starting from the last known good configuration",
		"profile", profile, "version", cfg.Version, "generation", cfg.Generation)
	ctx, span := startReload(ctx, cfg.Profile, cfg.Version, cfg.Generation)
	err := sl.try(ctx, cfg)
	spans.End(span, err)
	if err != nil {
		sl.log.ErrorContext(ctx, "last known good configuration refused", "profile", profile, "version", cfg.Version, "error", err)
		sl.later(retryPause(sl.failures))
		return
	}
	sl.failures = 0
	sl.running = g
	sl.answered = sl.rec.Seen == g.Generation
	if sl.answered && !g.Acked {
		sl.ack, sl.trace = acknowledge(profile, *g, 0), spans.Format(ctx)
	}
}

func (sl *slot) take(ctx context.Context, id identity, a wire.Assignment) {
	ctx = spans.With(ctx, a.TraceParent)
	k := known{seen: sl.rec.Seen, seenHash: sl.rec.SeenHash, answered: sl.answered, running: sl.running}
	v := judge(k, a)
	if sl.retry != nil && a.Generation == sl.rec.Seen {
		return // its next try has a time
	}
	log := sl.log.With("profile", a.ConfigName, "version", a.Version, "generation", a.Generation)
	switch v {
	case settled:
		return
	case older:
		log.InfoContext(ctx, "older assignment refused", "newest", k.seen)
		return
	case conflict:
		if sl.conflict == a.Hash {
			return
		}
		sl.conflict = a.Hash
		log.ErrorContext(ctx, "assignment refused: the generation is known with other content")
		sl.ack = refuse(a, fmt.Sprintf("generation %d is known with hash %s", a.Generation, shortHash(k.seenHash)), 0)
		sl.trace = a.TraceParent
		return
	}
	if a.Generation > sl.rec.Seen {
		sl.rec.Seen, sl.rec.SeenHash, sl.failures = a.Generation, a.Hash, 0
		sl.ack = nil // what was to be said of the generation before is of no interest any more
	}
	sl.retry, sl.answered = nil, false
	if v == adopt {
		g := *sl.running
		g.Generation, g.DeploymentID, g.Acked = a.Generation, a.DeploymentID, false
		sl.succeed(ctx, g, a.ConfigName, 0)
		return
	}
	sl.session.beatNow() // closes the span of time that the configuration before answers for
	sl.reload(ctx, id, a, log)
}

func (sl *slot) succeed(ctx context.Context, g good, profile string, took time.Duration) {
	sl.failures = 0
	sl.rec.replace(&g)
	sl.running, sl.answered = &g, true
	sl.ack, sl.trace = acknowledge(profile, g, took), spans.Format(ctx)
	sl.save(profile)
	sl.session.beatNow()
}

// fail reports a refusal. The assignment is tried again as long as it stays: what was in its way, a
// full disk or a service that was just starting, may pass.
func (sl *slot) fail(ctx context.Context, a wire.Assignment, err error, took time.Duration) {
	sl.ack, sl.trace = refuse(a, err.Error(), took), spans.Format(ctx)
	sl.save(a.ConfigName)
	sl.later(retryPause(sl.failures))
	sl.session.beatNow()
}

func (sl *slot) save(profile string) {
	if err := sl.session.state.saveRecord(profile, sl.rec); err != nil {
		sl.log.Error("last known good configuration not kept", "profile", profile, "error", err)
	}
}

func (sl *slot) later(wait time.Duration) {
	sl.failures++
	sl.answered = false
	sl.retry = time.After(wait)
}

// retryPause grows from 15 s to 5 min, so that a reload that hurts is not repeated often.
func retryPause(failures int) time.Duration {
	return min(15*time.Second<<min(failures, 5), 5*time.Minute)
}

// flush sends the acknowledgement that is due.
func (sl *slot) flush(ctx context.Context, id identity) {
	if sl.ack == nil || ctx.Err() != nil {
		return
	}
	ack := *sl.ack
	ack.Snapshot = sl.started
	ctx = spans.With(ctx, sl.trace)
	err := sl.session.instance(id).applied(ctx, id.ID, ack, false)
	switch {
	case err == nil:
	case lostIdentity(err):
		sl.session.lose(id, err)
		return
	case permanent(err): // a newer generation was assigned meanwhile, for example
		sl.log.WarnContext(ctx, "acknowledgement not taken", "profile", ack.ConfigName, "version", ack.Version, "error", err)
	default:
		if sl.ackFails == 0 {
			sl.log.WarnContext(ctx, "acknowledgement not delivered, trying again", "profile", ack.ConfigName, "error", err)
		}
		time.AfterFunc(pauseFor(err, sl.ackFails), sl.poke)
		sl.ackFails++
		return
	}
	sl.ack, sl.ackFails, sl.started = nil, 0, nil
	if g := sl.rec.Good; ack.OK && g != nil && g.Generation == ack.Generation && !g.Acked {
		g.Acked = true
		sl.save(ack.ConfigName)
	}
}

func acknowledge(profile string, g good, took time.Duration) *wire.AppliedRequest {
	return &wire.AppliedRequest{ConfigName: profile, Version: g.Version, Hash: g.Hash, Generation: g.Generation,
		OK: true, DurationMs: took.Milliseconds()}
}

func refuse(a wire.Assignment, reason string, took time.Duration) *wire.AppliedRequest {
	return &wire.AppliedRequest{ConfigName: a.ConfigName, Version: a.Version, Hash: a.Hash, Generation: a.Generation,
		DurationMs: took.Milliseconds(), Error: clip(reason)}
}

// clip cuts a reason to what is kept of one, between runes.
func clip(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ") // joined errors stand on lines
	if len(s) <= maxReason {
		return s
	}
	cut := maxReason - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
