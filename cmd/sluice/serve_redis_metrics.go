package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/coord"
)

// redisMetrics times the commands that are sent to Redis.
func redisMetrics(registry prometheus.Registerer) func(ctx context.Context, command string, took time.Duration, err error) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_redis_command_duration_seconds", Help: "Time that Redis took for a command.", Buckets: prometheus.ExponentialBuckets(.0002, 4, 8),
	}, []string{"command"})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_redis_command_errors_total", Help: "Commands that Redis did not answer, or refused.",
	}, []string{"command"})
	registry.MustRegister(seconds, failures)
	return func(_ context.Context, command string, took time.Duration, err error) {
		seconds.WithLabelValues(command).Observe(took.Seconds())
		failed := failures.WithLabelValues(command) // from the first command on, so that the first failure is an increase
		if err != nil {
			failed.Inc()
		}
	}
}

// redisState tells whether Redis answers, and of the pool of connections to it,
// when somebody scrapes.
type redisState struct {
	redis *coord.Fallback
	up    *prometheus.Desc
	pool  *prometheus.Desc
	taken *prometheus.Desc
}

func newRedisState(redis *coord.Fallback) redisState {
	return redisState{
		redis: redis,
		up:    prometheus.NewDesc("sluice_redis_up", "1 while Redis answers commands.", nil, nil),
		pool:  prometheus.NewDesc("sluice_redis_pool_connections", "Connections to Redis, by state.", []string{"state"}, nil),
		taken: prometheus.NewDesc("sluice_redis_pool_takes_total",
			"Connections that were asked of the pool: hit, one was free; miss, one was opened; timeout, none came in time.", []string{"outcome"}, nil),
	}
}

// Describe names the metrics.
func (r redisState) Describe(ch chan<- *prometheus.Desc) {
	ch <- r.up
	ch <- r.pool
	ch <- r.taken
}

// Collect reads the state.
func (r redisState) Collect(ch chan<- prometheus.Metric) {
	up := 0.0
	if r.redis.Up() {
		up = 1
	}
	ch <- prometheus.MustNewConstMetric(r.up, prometheus.GaugeValue, up)
	pool := r.redis.Pool()
	ch <- prometheus.MustNewConstMetric(r.pool, prometheus.GaugeValue, float64(pool.Idle), "idle")
	ch <- prometheus.MustNewConstMetric(r.pool, prometheus.GaugeValue, float64(pool.Open-pool.Idle), "in use")
	for outcome, n := range map[string]uint64{"hit": pool.Hits, "miss": pool.Misses, "timeout": pool.Timeouts} {
		ch <- prometheus.MustNewConstMetric(r.taken, prometheus.CounterValue, float64(n), outcome)
	}
}
