package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// BenchmarkFirstSync stores what the first sync of a repository of 1,000 new
// profiles finds, in its one transaction.
func BenchmarkFirstSync(b *testing.B) {
	const profiles = 1000
	for b.Loop() {
		b.StopTimer()
		s, err := store.Open(b.Context(), store.Options{URL: filepath.Join(b.TempDir(), "sluice.db")})
		if err == nil {
			err = s.Migrate(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := s.InTx(b.Context(), func(tx *store.Tx) error { return firstSync(b, tx, profiles) }); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(profiles*b.N)/b.Elapsed().Seconds(), "profiles/s")
}

func firstSync(b *testing.B, tx *store.Tx, profiles int) error {
	ctx := b.Context()
	if err := tx.MoveHead(ctx, "configs", "", commit, ""); err != nil {
		return err
	}
	for i := range profiles {
		name := fmt.Sprintf("service-%d.production", i)
		r := profile.Record{Name: name, Service: name, Environment: profile.Production, ServiceType: profile.Microservice,
			Strategy: profile.DefaultStrategy(profile.Canary), Health: profile.DefaultHealth(profile.Production),
			Origin: profile.OriginGit, Source: "configs", Path: name + ".yaml", DesiredVersion: "1.0.0"}
		data := profile.Data{"timeout": "30s", "n": fmt.Sprint(i)}
		v := profile.Version{Profile: name, Number: "1.0.0", Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now(), Commit: commit}
		d := rollout.Deployment{ID: uuid.NewString(), Profile: name, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending,
			Selector: fleet.Selector{Service: name, Environment: profile.Production}, Strategy: r.Strategy, Health: r.Health,
			Source: "configs", Commit: commit}
		status, _ := rollout.StatusOf(d)
		dec := rollout.Decision{Next: d, Changed: true, Status: []rollout.Status{status},
			Facts: []rollout.Fact{{Type: rollout.FactCreated, EntityType: "deployment", EntityID: d.ID, Actor: rollout.Daemon}}}
		for _, write := range []func() error{
			func() error { return tx.PutProfile(ctx, r) },
			func() error { return tx.InsertVersion(ctx, v) },
			func() error { return tx.CreateDeployment(ctx, dec) },
		} {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return nil
}
