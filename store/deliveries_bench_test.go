package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/store"
)

// BenchmarkDeliveries keeps webhooks that 64 connections bring.
func BenchmarkDeliveries(b *testing.B) {
	for engine, url := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(b.TempDir(), "sluice.db") },
		"postgres": func() string { return testenv.SharedPostgres(b).CreateDatabase(b, "") },
	} {
		b.Run(engine, func(b *testing.B) {
			s, err := store.Open(b.Context(), store.Options{URL: url()})
			if err == nil {
				err = s.Migrate(b.Context())
			}
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			inbox, done := store.NewDeliveryWriter(s), make(chan error)
			go func() { done <- inbox.Run(ctx) }()
			var n atomic.Int64
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					d := store.Delivery{Forge: "github", ID: fmt.Sprint(n.Add(1)), Source: "configs", Event: "push"}
					if _, err := inbox.Record(ctx, d); err != nil {
						b.Error(err)
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
			stop()
			if err := <-done; err != nil {
				b.Error(err)
			}
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
