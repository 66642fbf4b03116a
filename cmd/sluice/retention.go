package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/store"
)

const (
	retentionInterval = time.Hour
	// retentionSpread keeps replicas that start together from cleaning together,
	// and a start from being slowed by it.
	retentionSpread = 30 * time.Second
)

// retention removes what is old, soon after the start and then every hour.
func retention(db *store.Store, conf settings.Settings, registry prometheus.Registerer, log *slog.Logger) func(context.Context) error {
	policy := store.Retention{Versions: conf.RetentionVersions, Age: time.Duration(conf.RetentionAge), AuditAge: time.Duration(conf.AuditRetention)}
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_retention_removed_total", Help: "Rows that retention removed, by table.",
	}, []string{"table"})
	registry.MustRegister(rows)
	for _, table := range []string{"config_versions", "config_deployments", "config_audit_logs"} {
		rows.WithLabelValues(table)
	}
	return func(ctx context.Context) error {
		next := time.NewTimer(rand.N(retentionSpread))
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-next.C:
			}
			removed, err := db.Retain(ctx, policy)
			for table, n := range removed {
				rows.WithLabelValues(table).Add(float64(n))
			}
			if err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "retention did not end", "error", err)
			}
			if removed.Total() > 0 {
				log.InfoContext(ctx, "old rows were removed", "rows", removed.Total())
			}
			next.Reset(retentionInterval)
		}
	}
}
