package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/internal/telemetry"
	"github.com/sluicehq/sluice/reconciler"
)

// noSource is where versions come from that are made by API.
const noSource = ""

// passBuckets are those of everything that talks to a Git server.
var passBuckets = prometheus.ExponentialBuckets(.002, 3, 10)

// sourceMetrics counts what the reconcilers do.
func sourceMetrics(registry prometheus.Registerer, conf settings.Settings, validated func(context.Context, time.Duration)) reconciler.Metrics {
	syncs := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_source_sync_duration_seconds", Help: "Time of one pass over a source.", Buckets: passBuckets,
	}, []string{"source", "outcome"})
	succeeded := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_source_last_success_timestamp_seconds", Help: "When this daemon last synced the source, or found it in sync, in seconds since 1970.",
	}, []string{"source"})
	lag := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_source_lag_seconds", Help: "Age of the oldest commit that is not synced yet; 0 when in sync.",
	}, []string{"source"})
	versions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_config_versions_total", Help: "Versions made, by the source that they came from; those of the API come from none.",
	}, []string{"source"})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_config_validation_failures_total", Help: "Files that a sync refused.",
	}, []string{"source"})
	panics := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_source_panics_total", Help: "Passes over a source that panicked.",
	}, []string{"source"})
	pulls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_pull_requests_pass_duration_seconds", Help: "Time of one pass over a source's open pull requests.", Buckets: passBuckets,
	}, []string{"source", "outcome"})
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_pull_request_checks_total", Help: "Pull requests checked.",
	}, []string{"source"})
	registry.MustRegister(syncs, succeeded, lag, versions, failures, panics, pulls, checks)
	versions.WithLabelValues(noSource)
	for _, src := range conf.Sources {
		syncs.WithLabelValues(src.ID, "error")
		lag.WithLabelValues(src.ID)
		for _, counter := range []*prometheus.CounterVec{versions, failures, panics, checks} {
			counter.WithLabelValues(src.ID)
		}
	}
	return reconciler.Metrics{
		SyncDone: func(ctx context.Context, source string, took time.Duration, err error) {
			telemetry.Observe(ctx, syncs.WithLabelValues(source, outcomeOf(err)), took.Seconds())
			if err == nil {
				succeeded.WithLabelValues(source).SetToCurrentTime()
			}
		},
		PullsDone: func(source string, took time.Duration, checked int, err error) {
			pulls.WithLabelValues(source, outcomeOf(err)).Observe(took.Seconds())
			checks.WithLabelValues(source).Add(float64(checked))
		},
		Lag:                func(source string, d time.Duration) { lag.WithLabelValues(source).Set(d.Seconds()) },
		VersionsMade:       func(source string, n int) { versions.WithLabelValues(source).Add(float64(n)) },
		ValidationFailures: func(source string, n int) { failures.WithLabelValues(source).Add(float64(n)) },
		Panicked:           func(source string) { panics.WithLabelValues(source).Inc() },
		Validated:          validated,
	}
}

// gitMetrics times what mirrors do.
func gitMetrics(registry prometheus.Registerer, conf settings.Settings) func(source string) gitsource.Metrics {
	fetches := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_git_fetch_duration_seconds", Help: "Time to fetch a branch or a pull request from a source.", Buckets: passBuckets,
	}, []string{"source", "outcome"})
	repacks := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_git_repack_duration_seconds", Help: "Time to join the packs of a source's mirror.", Buckets: passBuckets,
	}, []string{"source", "outcome"})
	registry.MustRegister(fetches, repacks)
	for _, src := range conf.Sources {
		fetches.WithLabelValues(src.ID, "error")
		repacks.WithLabelValues(src.ID, "ok")
		repacks.WithLabelValues(src.ID, "error")
	}
	return func(source string) gitsource.Metrics {
		return gitsource.Metrics{
			Fetched: func(ctx context.Context, took time.Duration, err error) {
				telemetry.Observe(ctx, fetches.WithLabelValues(source, outcomeOf(err)), took.Seconds())
			},
			Repacked: func(took time.Duration, err error) {
				repacks.WithLabelValues(source, outcomeOf(err)).Observe(took.Seconds())
			},
		}
	}
}
