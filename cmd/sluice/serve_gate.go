package main

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/rollout/measure"
)

// openMeasurer is whom the gate asks beside the heartbeats. It connects to
// nobody: a Prometheus that is down holds the deployments that ask it, and
// neither the start nor /readyz.
func openMeasurer(conf settings.Settings, log *slog.Logger, registry prometheus.Registerer) (*measure.Measurer, rollout.Reach, error) {
	networks, err := prefixes("probe_networks", conf.ProbeNetworks)
	if err != nil {
		return nil, rollout.Reach{}, err
	}
	reach := rollout.Reach{Prometheus: conf.PrometheusURL != ""}
	gates := make([]measure.Gate, len(conf.Gates))
	for i, gate := range conf.Gates {
		gates[i] = measure.Gate{Name: gate.Name, URL: gate.URL.Reveal(), Secret: gate.Secret.Reveal()}
		reach.Gates = append(reach.Gates, gate.Name)
	}
	for _, hook := range conf.TrafficHooks {
		reach.TrafficHooks = append(reach.TrafficHooks, hook.Name)
	}
	measurer, err := measure.New(measure.Options{
		Prometheus: measure.PrometheusOptions{
			URL: conf.PrometheusURL.Reveal(), Token: conf.PrometheusToken.Reveal(), Timeout: conf.PrometheusTimeout,
		},
		ProbeNetworks: networks, Gates: gates, Logger: log.With("component", "measurer"), Measured: measureMetrics(registry),
	})
	return measurer, reach, err
}

// measureMetrics counts what providers are asked.
func measureMetrics(registry prometheus.Registerer) func(provider string, took time.Duration, failed bool) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_gate_measure_seconds", Help: "Time that a provider took to answer the gate.",
		Buckets: prometheus.ExponentialBuckets(.005, 2.5, 9),
	}, []string{"provider"})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_gate_measure_errors_total", Help: "Questions of the gate that a provider did not answer.",
	}, []string{"provider"})
	registry.MustRegister(seconds, failures)
	for _, provider := range []string{profile.ProviderPrometheus, profile.ProviderWebhook, rollout.ProbeProvider} {
		seconds.WithLabelValues(provider)
		failures.WithLabelValues(provider)
	}
	return func(provider string, took time.Duration, failed bool) {
		seconds.WithLabelValues(provider).Observe(took.Seconds())
		if failed {
			failures.WithLabelValues(provider).Inc()
		}
	}
}
