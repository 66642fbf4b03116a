package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// settings are what the small service reads from its configuration file: the
// effective data of its profile, as the agent writes it.
type settings struct {
	Timeout    string `json:"timeout"`
	MaxRetries int    `json:"maxRetries"`

	timeout time.Duration
}

// service is one instance of a small HTTP service. It answers each request by
// asking a slow upstream, and gives up after the configured timeout: a timeout
// shorter than the upstream needs is valid, and hurts.
type service struct {
	name     string
	file     string
	listener net.Listener
	server   *http.Server
	settings atomic.Pointer[settings]

	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  prometheus.Histogram
}

// newService listens on a free loopback port. It reads file, if it is there
// already, and again at every POST /-/reload.
func newService(name, file string) (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for service %s: %w", name, err)
	}
	s := &service{name: name, file: file, listener: listener, registry: prometheus.NewRegistry()}
	s.settings.Store(&settings{Timeout: "1s", timeout: time.Second})
	s.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Requests answered, by status code.",
	}, []string{"code"})
	s.latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time to answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
	})
	s.registry.MustRegister(s.requests, s.latency)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /work", s.work)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("POST /-/reload", s.reload)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	if err := s.read(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, listener.Close())
	}
	return s, nil
}

func (s *service) url() string { return "http://" + s.listener.Addr().String() }

func (s *service) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// run serves until ctx ends.
func (s *service) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.server.Shutdown(bounded) != nil {
			s.server.Close() //nolint:errcheck // what was not answered by now is cut off; Serve returns either way
		}
	})
	defer stop()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", s.name, err)
	}
	return nil
}

// read takes the settings from the file, or says why it will not.
func (s *service) read() error {
	raw, err := os.ReadFile(s.file)
	if err != nil {
		return fmt.Errorf("read configuration of %s: %w", s.name, err)
	}
	var next settings
	if err := json.Unmarshal(raw, &next); err != nil {
		return fmt.Errorf("parse configuration of %s: %w", s.name, err)
	}
	if next.timeout, err = time.ParseDuration(next.Timeout); err != nil {
		return fmt.Errorf("configuration of %s: timeout: %w", s.name, err)
	}
	s.settings.Store(&next)
	return nil
}

func (s *service) reload(w http.ResponseWriter, _ *http.Request) {
	if err := s.read(); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// work answers one request: 200 when the upstream was quick enough, 504 when
// the configured timeout came first.
func (s *service) work(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	timeout := s.settings.Load().timeout
	upstream := upstreamTime()
	code := http.StatusOK
	if upstream > timeout {
		upstream, code = timeout, http.StatusGatewayTimeout
	}
	select {
	case <-time.After(upstream):
	case <-r.Context().Done():
		return
	}
	s.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	s.latency.Observe(time.Since(start).Seconds())
	w.WriteHeader(code)
}

// upstreamTime draws how long the upstream needs: log-normal, median 12 ms,
// one request in a few thousand above 200 ms.
func upstreamTime() time.Duration {
	return time.Duration(12 * math.Exp(0.75*rand.NormFloat64()) * float64(time.Millisecond))
}
