package api

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// answerBuckets have the figures that requests are held to among their bounds.
var answerBuckets = []float64{.001, .0025, .005, .01, .02, .05, .1, .2, .5, 1, 2.5, 5, 10}

type metrics struct {
	requests    *prometheus.HistogramVec
	inFlight    prometheus.Gauge
	panics      prometheus.Counter
	streams     prometheus.Gauge
	followers   prometheus.Gauge
	reload      prometheus.Histogram
	propagation prometheus.Histogram
	signIns     *prometheus.CounterVec
	handler     echo.HandlerFunc
}

// The outcomes of sign-ins.
const (
	signedIn = "signed in"
	refused  = "refused"
	locked   = "locked"
)

func newMetrics(registry *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_http_request_duration_seconds", Help: "Time to answer, by route and status; for streams, how long they lasted.",
			Buckets: answerBuckets,
		}, []string{"method", "route", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_http_requests_in_flight", Help: "Requests that are being answered, open streams among them.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_http_panics_total", Help: "Requests whose handling panicked.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_watch_streams", Help: "Open watch streams of instances.",
		}),
		followers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_event_streams", Help: "Open event streams of people and tools that follow a deployment.",
		}),
		reload: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_config_reload_duration_seconds", Help: "Time that instances took to apply a version.",
			Buckets: prometheus.ExponentialBuckets(.005, 2, 12),
		}),
	}
	m.propagation = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sluice_propagation_seconds",
		Help: "Time from when this daemon saw the source's branch at a commit, or without a commit from a deployment's creation, until an instance applied the version; " +
			"waits of the strategy are part of it.",
		Buckets: prometheus.ExponentialBuckets(.05, 3, 12),
	})
	m.signIns = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_sign_ins_total", Help: "Sign-ins of people: signed in, refused, or locked after too many wrong passwords.",
	}, []string{"outcome"})
	for _, outcome := range []string{signedIn, refused, locked} {
		m.signIns.WithLabelValues(outcome)
	}
	registry.MustRegister(m.requests, m.inFlight, m.panics, m.signIns, m.streams, m.followers, m.reload, m.propagation)
	// Exemplars are told only to those who ask for OpenMetrics.
	m.handler = echo.WrapHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry, EnableOpenMetrics: true}))
	return m
}

// validated times a check of data against a schema.
func (a *API) validated(ctx context.Context, began time.Time) {
	if a.opts.Validated != nil {
		a.opts.Validated(ctx, time.Since(began))
	}
}

// counted holds the gauge up until what it returns is called.
func counted(gauge prometheus.Gauge) (done func()) {
	gauge.Inc()
	return gauge.Dec
}
