package bench_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// firstCommit is what a first sync finds.
const firstCommit = "4f2c7d5b0a1e9c8376d5e4f3a2b1c0d9e8f7a6b5"

// openStore opens a new database, with its schema, that is closed at the test's end.
func openStore(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url})
	if err == nil {
		err = s.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// run lets a part of the daemon work until the function that it returns, or the test's end, stops it.
func run(t testing.TB, part func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// nobody is told by hints.
type nobody struct{}

func (nobody) Publish(context.Context, string) {}

// born is a new profile with its first version and the deployment of it, as a first sync makes them.
func born(name string, now time.Time) (profile.Record, profile.Version, rollout.Decision) {
	r := profile.Record{
		Name: name, Service: name, Environment: profile.Production, ServiceType: profile.Microservice,
		Strategy: profile.DefaultStrategy(profile.Canary), Health: profile.DefaultHealth(profile.Production),
		Origin: profile.OriginGit, Source: "configs", Path: name + ".yaml", DesiredVersion: "1.0.0",
	}
	data := profile.Data{"timeout": "30s", "name": name}
	v := profile.Version{
		Profile: name, Number: "1.0.0", Data: data, Hash: profile.Hash(data), SizeBytes: len(profile.Canonical(data)),
		Source: "configs", ValidatedAt: now, CreatedAt: now, Commit: firstCommit,
	}
	d := rollout.Deployment{
		ID: uuid.NewString(), Profile: name, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending,
		Selector: fleet.Selector{Service: name, Environment: profile.Production}, Strategy: r.Strategy, Health: r.Health,
		Source: "configs", Commit: firstCommit, CreatedAt: now,
	}
	dec := rollout.Decision{Next: d, Changed: true, Facts: []rollout.Fact{{
		Type: rollout.FactCreated, EntityType: "deployment", EntityID: d.ID, Actor: rollout.Daemon, Details: map[string]any{"profile": name},
	}}}
	if status, ok := rollout.StatusOf(d); ok {
		dec.Status = []rollout.Status{status}
	}
	return r, v, dec
}

// firstSync stores what the first sync of a repository of n profiles finds, in its one
// transaction. The first of them waits for a person.
func firstSync(t testing.TB, s *store.Store, n int) (waits string) {
	t.Helper()
	err := s.InTx(t.Context(), func(tx *store.Tx) error {
		now := time.Now()
		if err := tx.MoveHead(t.Context(), "configs", "", firstCommit, ""); err != nil {
			return err
		}
		for i := range n {
			r, v, dec := born(fmt.Sprintf("service-%05d.production", i), now)
			if i == 0 {
				waits, dec.Next.Guard = dec.Next.ID, "its data grew threefold"
			}
			if err := tx.PutProfile(t.Context(), r); err != nil {
				return err
			}
			if err := tx.InsertVersion(t.Context(), v); err != nil {
				return err
			}
			if err := tx.CreateDeployment(t.Context(), dec); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return waits
}

// worksOff runs the engine and the outbox until the first deployments of n profiles are
// completed. It gives how long that took, and a promotion's time when half were done.
func (s *scenario) worksOff(url string) (all, promotion float64) {
	s.Helper()
	db := openStore(s, url)
	waits := firstSync(s, db, s.Profiles)
	engine := rollout.NewEngine(db, nobody{}, rollout.EngineOptions{Owner: "bench"})
	outbox, err := store.NewOutbox(db, store.OutboxOptions{Post: func(context.Context, rollout.Status) error { return nil }})
	if err != nil {
		s.Fatal(err)
	}
	began := time.Now()
	stopOutbox := run(s, outbox.Run)
	stopEngine := run(s, func(ctx context.Context) error { return engine.Run(store.Stepping(ctx)) })
	s.until(db, s.Profiles/2)
	promotion = milliseconds(func() {
		if _, err := engine.Promote(store.Urgent(s.Context()), waits, rollout.Promotion{}, "somebody", "seen"); err != nil {
			s.Error(err)
		}
	})
	s.until(db, s.Profiles)
	all = time.Since(began).Seconds()
	stopEngine()
	stopOutbox()
	return all, promotion
}

// until waits until n deployments are completed.
func (s *scenario) until(db *store.Store, n int) {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, total, err := db.Deployments(s.Context(), store.DeploymentFilter{Status: string(rollout.Completed), Limit: 1})
		if err != nil {
			s.Fatal(err)
		}
		if total >= n {
			return
		}
		select {
		case <-s.Context().Done():
			s.Fatalf("%d of %d deployments are completed", total, n)
		case <-tick.C:
		}
	}
}

func firstDeployments(s *scenario) {
	for _, engine := range []struct{ name, url string }{
		{"SQLite", filepath.Join(s.TempDir(), "sluice.db")},
		{"Postgres", testenv.SharedPostgres(s).CreateDatabase(s, "")},
	} {
		all, promotion := s.worksOff(engine.url)
		s.add(bench.Figure{What: fmt.Sprintf("%d first deployments after a first sync, %s", s.Profiles, engine.name), Unit: "s", Ours: []float64{all}, Goal: 30})
		s.add(bench.Figure{What: "a promotion meanwhile, " + engine.name, Unit: "ms", Ours: []float64{promotion}, Goal: 50})
	}
}
