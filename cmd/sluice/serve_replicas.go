package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/settings"
)

// coordination is what replicas share, or what one process has by itself.
type coordination struct {
	locker   coord.Locker
	bus      coord.Bus
	cache    coord.Cache                             // nil: each process has its own
	limits   func(local coord.Limiter) coord.Limiter // nil: each process counts for itself
	tries    coord.Tries                             // nil: as limits
	degraded func() map[string]string
	close    func() error
}

// cacheBytes bounds the cache that a process has beside the shared one.
const cacheBytes = 32 << 20

// openCoordination uses Redis where there is one. It need not answer: only a
// setting that makes no sense is an error.
func openCoordination(ctx context.Context, conf settings.Settings, log *slog.Logger, registry prometheus.Registerer) (coordination, error) {
	c := coordination{degraded: func() map[string]string { return nil }, close: func() error { return nil }}
	if conf.RedisURL == "" {
		memory := coord.NewMemory()
		c.locker, c.bus = memory, memory
	} else {
		roots, err := certificates(conf.RedisCAFile)
		if err != nil {
			return coordination{}, fmt.Errorf("redis_ca_file: %w", err)
		}
		redis, err := coord.OpenRedis(ctx, coord.RedisOptions{
			URL: conf.RedisURL.Reveal(), Logger: log.With("component", "redis"), RootCAs: roots, Called: redisMetrics(registry),
		})
		if err != nil {
			return coordination{}, fmt.Errorf("redis_url: %w", err)
		}
		shared := coord.NewFallback(redis, cacheBytes)
		registry.MustRegister(newRedisState(shared))
		c.locker, c.bus, c.cache, c.limits, c.tries, c.close = shared, shared, shared, shared.Limiter, shared, shared.Close
		c.degraded = func() map[string]string {
			if why, is := shared.Degraded(); is {
				return map[string]string{"redis": why}
			}
			return nil
		}
	}
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sluice_coordination_degraded", Help: "1 while what replicas share does not work and each goes on alone.",
	}, func() float64 { return float64(len(c.degraded())) }))
	return c, nil
}

// certificates reads those that a file holds; no file means the system's.
func certificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}
