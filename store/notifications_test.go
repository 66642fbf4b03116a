package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// hangs is the one target that is told of phases.
const hangs = "hangs"

// routed opens the database again, as a daemon does whose settings tell every
// target of what it lists, and what a profile's settings name under notify.
func (w *world) routed(targets ...string) { w.routedTogether(nil, targets...) }

// routedTogether is routed with targets that are told together. Phases have a channel
// of their own.
func (w *world) routedTogether(together []string, targets ...string) {
	w.t.Helper()
	w.must(w.Close())
	s, err := store.Open(w.t.Context(), store.Options{URL: w.path, Now: w.clock, Connections: 6, Routing: store.Routing{
		Targets: targets, Together: together,
		Facts: []string{rollout.FactStarted, rollout.FactPhase, rollout.FactRollback, rollout.FactHoldBegun, rollout.FactHoldEnded, rollout.FactQuarantined},
		Route: func(n rollout.Notification, settings map[string]any) (told []rollout.Notification) {
			names := slices.DeleteFunc(slices.Clone(targets), func(name string) bool {
				return n.Fact == rollout.FactPhase && name != hangs && !slices.Contains(together, name)
			})
			if n.Fact == rollout.FactPhase {
				n.Channel = "#phases"
			}
			if asked, ok := settings["notify"].(string); ok {
				names = append(names, asked)
			}
			for _, n.Target = range names {
				told = append(told, n)
			}
			return told
		},
	}})
	w.must(err)
	w.Store = s
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

// outside is what notifications are sent to.
type outside struct {
	mu       sync.Mutex
	taken    []rollout.Notification
	standing []rollout.Standing
	tries    map[string][]string // ids by target
	outcomes map[string]int      // by target and outcome
	answer   func(ctx context.Context, n rollout.Notification, try int) error
}

func (o *outside) options() store.OutboxOptions {
	return store.OutboxOptions{Notify: o.take, Notified: func(target string, outcome store.Outcome) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.outcomes == nil {
			o.outcomes = map[string]int{}
		}
		o.outcomes[target+" "+string(outcome)]++
	}}
}

func (o *outside) take(ctx context.Context, n rollout.Notification, now rollout.Standing) error {
	o.mu.Lock()
	if o.tries == nil {
		o.tries = map[string][]string{}
	}
	o.tries[n.Target] = append(o.tries[n.Target], n.ID)
	try := len(o.tries[n.Target])
	o.mu.Unlock()
	if o.answer != nil {
		if err := o.answer(ctx, n, try); err != nil {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken, o.standing = append(o.taken, n), append(o.standing, now)
	return nil
}

// of are the facts that a target took.
func (o *outside) of(target string) (facts []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.taken {
		if n.Target == target {
			facts = append(facts, n.Fact)
		}
	}
	return facts
}

func (o *outside) count(key string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.outcomes[key]
}

func fact(d rollout.Deployment, kind string) rollout.Fact {
	return rollout.Fact{Type: kind, EntityType: "deployment", EntityID: d.ID, Actor: rollout.Daemon,
		Details: map[string]any{"profile": d.Profile, "version": d.Version, "reason": "because"}}
}

// happens stores a decision with the facts.
func (w *world) happens(d rollout.Deployment, facts ...string) {
	w.t.Helper()
	dec := rollout.Decision{Next: w.read(d.ID), Changed: true}
	for _, kind := range facts {
		dec.Facts = append(dec.Facts, fact(d, kind))
	}
	w.must(w.Order(w.t.Context(), dec))
}

func (w *world) allNotified() {
	w.t.Helper()
	w.eventually("every notification is sent", func() bool {
		n, err := w.NotificationsPending(w.t.Context())
		return err == nil && n == 0
	})
}

func TestWhatHappensIsNotified(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.routed("ops", "hook")
		o := &outside{}
		w.outboxWith(o.options())
		d := w.create("1.1.0")
		w.happens(d, rollout.FactStarted, rollout.FactGateFailed) // of the latter nobody asked to hear
		dec := rollout.Decision{Next: w.read(d.ID), Changed: true, Facts: []rollout.Fact{fact(d, rollout.FactRollback), {
			Type: rollout.FactHoldBegun, EntityType: "profile", EntityID: payments, Actor: "ada",
			Details: map[string]any{"pinned": "1.0.0", "refused": "1.1.0", "reason": "sick"},
		}}, Hold: &rollout.Hold{Profile: payments, PinnedVersion: "1.0.0", RefusedVersion: "1.1.0", RefusedHash: d.Hash, DeploymentID: d.ID, CreatedAt: w.clock()}}
		dec.Next.State = rollout.RollingBack
		w.must(w.Order(t.Context(), dec))
		w.allNotified()
		want := []string{rollout.FactHoldBegun, rollout.FactRollback, rollout.FactStarted}
		for _, target := range []string{"ops", "hook"} {
			if got := slices.Sorted(slices.Values(o.of(target))); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("%s was told of %v", target, got)
			}
		}
		for i, n := range o.taken {
			if n.Profile != payments || n.Service != "payment-service" || n.Environment != "Production" || n.Version != "1.1.0" ||
				n.DeploymentID != d.ID || n.Commit != commit || !n.At.Equal(w.clock()) || n.ID == "" {
				t.Errorf("%+v", n)
			}
			if n.Fact == rollout.FactHoldBegun && (n.Previous != "1.0.0" || n.Reason != "sick" || n.Actor != "ada" ||
				!o.standing[i].Held || o.standing[i].Newest.State != rollout.RollingBack) {
				t.Errorf("%+v, %+v", n, o.standing[i])
			}
		}
		w.must(w.ReleaseHold(t.Context(), payments, "ada", "it is well"))
		w.allNotified()
		last, now := o.taken[len(o.taken)-1], o.standing[len(o.standing)-1]
		if last.Fact != rollout.FactHoldEnded || last.Reason != "it is well" || last.DeploymentID != d.ID || now.Held {
			t.Errorf("%+v, %+v", last, now)
		}
	})
}

// What did not happen is not told.
func TestAStaleStepNotifiesNobody(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.routed("ops")
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		w.happens(d) // an order is quicker
		late := rollout.Decision{Next: d, Changed: true, Facts: []rollout.Fact{fact(d, rollout.FactStarted)}}
		if err := w.Step(t.Context(), claim, late); !errors.Is(err, rollout.ErrStale) {
			t.Fatal(err)
		}
		if n, err := w.NotificationsPending(t.Context()); err != nil || n != 0 {
			t.Errorf("%d notifications wait, %v", n, err)
		}
	})
}

// A daemon that dies between the commit and the sending leaves the notification
// to the next one.
func TestANotificationSurvivesItsProcess(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.routed("ops")
		w.happens(w.create("1.1.0"), rollout.FactStarted)
		w.routed("ops")
		o := &outside{}
		w.outboxWith(o.options())
		w.allNotified()
		if got := o.of("ops"); !slices.Equal(got, []string{rollout.FactStarted}) {
			t.Errorf("told of %v", got)
		}
	})
}

// One target that hangs, with a thousand notifications before it, delays
// neither the other targets nor commit statuses nor what anybody stores.
func TestAHangingTargetHurtsNobody(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.routed(hangs, "ops", "hook")
		goOn := make(chan struct{})
		o := &outside{answer: func(ctx context.Context, n rollout.Notification, _ int) error {
			if n.Target == hangs {
				select {
				case <-goOn:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		}}
		f := &forge{}
		opts := o.options()
		opts.Post, opts.PostTimeout = f.post, 5*time.Minute
		d := w.create("1.1.0")
		w.happens(d, rollout.FactPhase)
		w.must(w.raw(`WITH RECURSIVE more (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM more WHERE i < 1000)
			INSERT INTO river_job (args, kind, max_attempts, queue) SELECT args, kind, max_attempts, queue FROM river_job, more`))
		w.outboxWith(opts)
		w.eventually("the target hangs", func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			return len(o.tries[hangs]) > 0
		})
		w.happens(d, slices.Repeat([]string{rollout.FactStarted}, 20)...)
		w.set("sluice/a", rollout.StatusSuccess, "done")
		w.posted()
		w.eventually("the healthy targets are told of what is new", func() bool {
			return len(o.of("ops")) == 20 && len(o.of("hook")) == 20
		})
		if n, err := w.NotificationsPending(t.Context()); err != nil || n < 1020 || len(o.of(hangs)) != 0 {
			t.Errorf("%d notifications wait for the one that hangs, %v", n, err)
		}
		close(goOn)
	})
}

func TestNotificationsAreTriedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.routed("flaky", "busy", "closed", "bug")
		o := &outside{answer: func(_ context.Context, n rollout.Notification, try int) error {
			switch {
			case n.Target == "closed":
				return fmt.Errorf("410 Gone: %w", store.ErrTerminal)
			case try > 1:
				return nil
			case n.Target == "busy":
				return busy{}
			case n.Target == "bug":
				panic("nil map")
			}
			return errors.New("502 Bad Gateway")
		}}
		w.outboxWith(o.options())
		w.happens(w.create("1.1.0"), rollout.FactStarted)
		w.allNotified()
		for _, want := range []string{"flaky retried", "flaky sent", "busy retried", "busy sent", "bug retried", "bug sent", "closed refused"} {
			if o.count(want) != 1 {
				t.Errorf("%s: %d times", want, o.count(want))
			}
		}
		for target, ids := range o.tries {
			if len(slices.Compact(ids)) != 1 {
				t.Errorf("%s was told with the ids %v", target, ids)
			}
		}
		if len(o.tries["closed"]) != 1 {
			t.Error("what was refused for good was tried again")
		}
	})
}

// busy asks to wait a moment.
type busy struct{}

func (busy) Error() string             { return "429 Too Many Requests" }
func (busy) RetryAfter() time.Duration { return 10 * time.Millisecond }

// News of a day ago is no news.
func TestOldNotificationsAreGivenUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.routed("ops")
		w.happens(w.create("1.1.0"), rollout.FactStarted)
		w.advance(24*time.Hour + time.Second)
		o := &outside{}
		w.outboxWith(o.options())
		w.allNotified()
		if o.count("ops expired") != 1 || len(o.tries) != 0 {
			t.Errorf("%v, %v", o.outcomes, o.tries)
		}
	})
}

// A target that only a profile names, and one that left the settings while a
// notification waited for it, are told of once and stop nothing.
func TestNotificationsWithoutATarget(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.must(w.PutProfile(t.Context(), profile.Record{
			Name: payments, Service: "payment-service", Environment: profile.Production, ServiceType: profile.Microservice,
			Strategy: profile.DefaultStrategy(profile.Canary), Health: profile.DefaultHealth(profile.Production),
			Origin: profile.OriginGit, Source: "configs", Settings: map[string]any{"notify": "Nobody At All!"},
		}))
		w.routed("old", "ops")
		w.happens(w.create("1.1.0"), rollout.FactStarted)
		w.routed("ops")
		o := &outside{answer: func(_ context.Context, n rollout.Notification, _ int) error {
			if n.Target != "ops" {
				return store.ErrTerminal
			}
			return nil
		}}
		w.outboxWith(o.options())
		w.allNotified()
		if o.count("ops sent") != 1 || o.count("old refused") != 1 || o.count("Nobody At All! refused") != 1 {
			t.Errorf("%v", o.outcomes)
		}
	})
}

// Damage in the rows that a notification is made of stands in the way of nothing.
func TestCorruptRowsAreNotifiedAsFarAsTheyCanBeRead(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.routed("ops")
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		w.must(w.raw(w.either(`UPDATE config_profiles SET settings = '{'`, `UPDATE config_profiles SET settings = '7'`)))
		w.must(w.raw(`UPDATE config_deployments SET body = ` + w.either(`'{'`, `'7'`)))
		w.must(w.Quarantine(t.Context(), claim, "its row is corrupt"))
		o := &outside{}
		w.outboxWith(o.options())
		w.allNotified()
		if len(o.taken) != 1 || o.taken[0].Fact != rollout.FactQuarantined || o.taken[0].DeploymentID != d.ID || o.taken[0].Profile != payments ||
			!strings.Contains(o.taken[0].Reason, "corrupt") {
			t.Errorf("%+v", o.taken)
		}
	})
}
