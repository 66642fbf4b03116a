package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/snapshot"
	"github.com/sluicehq/sluice/snapshot/publish"
	"github.com/sluicehq/sluice/store"
)

// openSnapshots reads the key and looks at no place: one that is away keeps neither the
// daemon from starting nor a rollout from going on.
func openSnapshots(conf settings.Settings, db *store.Store, locker coord.Locker, log *slog.Logger, registry prometheus.Registerer) (
	run func(context.Context) error, err error,
) {
	c := conf.Snapshots
	places := map[string]publish.Place{}
	if c.Directory != "" {
		places["directory"] = publish.NewDirectory(c.Directory)
	}
	if c.S3.Endpoint != "" {
		roots, err := certificates(c.S3.CAFile)
		if err != nil {
			return nil, fmt.Errorf("snapshots.s3.ca_file: %w", err)
		}
		if places["s3"], err = publish.NewS3(publish.S3Options{
			Endpoint: c.S3.Endpoint, Bucket: c.S3.Bucket, Prefix: c.S3.Prefix, Region: c.S3.Region,
			AccessKey: c.S3.AccessKey.Reveal(), SecretKey: c.S3.SecretKey.Reveal(), RootCAs: roots,
		}); err != nil {
			return nil, fmt.Errorf("snapshots.s3: %w", err)
		}
	}
	if len(places) == 0 {
		return func(context.Context) error { return nil }, nil
	}
	key, err := snapshot.ParsePrivateKey(c.SigningKey.Reveal())
	if err != nil {
		return nil, fmt.Errorf("snapshots.signing_key: %w", err)
	}
	made := snapshotMetrics(registry, time.Duration(c.MaxAge))
	return func(ctx context.Context) error {
		var group errgroup.Group
		for name, place := range places {
			w := publish.New(publish.Options{
				Name: name, Place: place, Versions: db, Key: key, MaxAge: time.Duration(c.MaxAge), Interval: c.Interval,
				Locker: locker, Logger: log.With("component", "snapshots"), Report: made(name),
			})
			group.Go(func() error { return w.Run(ctx) })
		}
		return group.Wait()
	}, nil
}

// snapshotMetrics tell of passes over a place. They are times and no ages: of several
// replicas only one makes a pass, and the newest time is the one that counts.
func snapshotMetrics(registry prometheus.Registerer, maxAge time.Duration) func(place string) func(publish.Pass) {
	files := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_snapshots_total", Help: "Bootstrap snapshots that were written, removed, or could not be, by where they are kept.",
	}, []string{"place", "outcome"})
	oldest := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_snapshot_oldest_timestamp_seconds", Help: "When the oldest bootstrap snapshot was written that this daemon saw at its last pass, by where it is kept; 0 for none.",
	}, []string{"place"})
	refusedAt := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_snapshot_max_age_seconds", Help: "Age at which instances refuse a bootstrap snapshot, by where it is kept.",
	}, []string{"place"})
	complete := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_snapshots_complete_timestamp_seconds", Help: "When this daemon last left all bootstrap snapshots as they should be, by where they are kept; 0 for never.",
	}, []string{"place"})
	registry.MustRegister(files, oldest, refusedAt, complete)
	return func(place string) func(publish.Pass) {
		written, removed, failed := files.WithLabelValues(place, "written"), files.WithLabelValues(place, "removed"), files.WithLabelValues(place, "failed")
		complete.WithLabelValues(place)
		oldest.WithLabelValues(place)
		refusedAt.WithLabelValues(place).Set(maxAge.Seconds())
		return func(p publish.Pass) {
			written.Add(float64(p.Written))
			removed.Add(float64(p.Removed))
			failed.Add(float64(p.Failed))
			if !p.Oldest.IsZero() {
				oldest.WithLabelValues(place).Set(float64(p.Oldest.Unix()))
			}
			if p.Err == nil {
				complete.WithLabelValues(place).SetToCurrentTime()
			}
		}
	}
}
