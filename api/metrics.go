package api

import (
	"context"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicehq/sluice/store"
)

type metrics struct {
	requests    *prometheus.HistogramVec
	streams     prometheus.Gauge
	reload      prometheus.Histogram
	propagation prometheus.Histogram
	signIns     *prometheus.CounterVec
	handler     echo.HandlerFunc
}

func newMetrics(registry *prometheus.Registry, s *store.Store) *metrics {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_http_request_duration_seconds", Help: "Time to answer, by route and status; for streams, how long they lasted.",
			Buckets: prometheus.ExponentialBuckets(.001, 3, 9),
		}, []string{"method", "route", "status"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_watch_streams", Help: "Open watch streams of instances.",
		}),
		reload: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_config_reload_duration_seconds", Help: "Time that instances took to apply a version.",
			Buckets: prometheus.ExponentialBuckets(.005, 2, 12),
		}),
	}
	m.propagation = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sluice_propagation_seconds", Help: "Time from the creation of a deployment until an instance applied its version.",
		Buckets: prometheus.ExponentialBuckets(.05, 3, 12),
	})
	m.signIns = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_sign_ins_total", Help: "Sign-ins of people: signed in, refused, or locked after too many wrong passwords.",
	}, []string{"outcome"})
	registry.MustRegister(m.requests, m.signIns, m.streams, m.reload, m.propagation, newStock(s))
	m.handler = echo.WrapHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	return m
}

// stock tells what is in the store when somebody scrapes. It looks at most
// every few seconds, whoever asks.
type stock struct {
	store *store.Store
	descs map[string]*prometheus.Desc

	mu   sync.Mutex
	at   time.Time
	seen store.Stock
	ok   bool
}

const (
	stockAge    = 5 * time.Second
	stockWithin = 2 * time.Second
)

func newStock(s *store.Store) *stock {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &stock{store: s, descs: map[string]*prometheus.Desc{
		"up":         desc("sluice_database_up", "1 while the database answers."),
		"refused":    desc("sluice_database_refused_writes_total", "Writes that met a full or read-only disk of the database."),
		"configs":    desc("sluice_configs", "Profiles that are not retired."),
		"holds":      desc("sluice_holds", "Profiles on hold."),
		"frozen":     desc("sluice_frozen", "1 while a freeze is in force."),
		"inProgress": desc("sluice_deployments_in_progress", "Deployments that have not ended."),
		"outbox":     desc("sluice_outbox_pending", "Commit statuses and comments that wait to be posted."),
		"notifying":  desc("sluice_notifications_pending", "Notifications that wait to be sent."),
		"instances":  desc("sluice_instances", "Registered instances by the health they report.", "status"),
		"failed":     desc("sluice_source_error", "1 while the source's last sync failed.", "source"),
	}}
}

// Describe names the metrics.
func (k *stock) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range k.descs {
		ch <- d
	}
}

// Collect reads the store, or what was read a moment ago. When the store does
// not answer that is all there is to tell, and the scrape goes on without.
func (k *stock) Collect(ch chan<- prometheus.Metric) {
	seen, ok := k.look()
	gauge := func(name string, value int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(k.descs[name], prometheus.GaugeValue, float64(value), labels...)
	}
	gauge("up", oneIf(ok))
	refused, _ := k.store.Refused()
	ch <- prometheus.MustNewConstMetric(k.descs["refused"], prometheus.CounterValue, float64(refused))
	if !ok {
		return
	}
	gauge("configs", seen.Profiles)
	gauge("holds", seen.Holds)
	gauge("frozen", oneIf(seen.Frozen))
	gauge("inProgress", seen.Deployments)
	gauge("outbox", seen.Outbox)
	gauge("notifying", seen.Notifications)
	for status, n := range seen.Instances {
		gauge("instances", n, status)
	}
	for source, failed := range seen.SourceFailed {
		gauge("failed", oneIf(failed), source)
	}
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// look asks once for all who scrape meanwhile, and a store that did not answer
// not again for a while: a scrape waits for it no longer than stockWithin.
func (k *stock) look() (store.Stock, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.at) < stockAge {
		return k.seen, k.ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), stockWithin)
	defer cancel()
	seen, err := k.store.Stock(ctx)
	k.seen, k.ok, k.at = seen, err == nil, time.Now()
	return k.seen, k.ok
}
