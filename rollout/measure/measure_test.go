package measure_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/rollout/measure"
)

// canary stands for what must never be repeated.
const (
	canary = "canary-5f1e0c"
	secret = canary + "-secret-of-the-smoke-tests"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func measurer(t *testing.T, opts measure.Options) *measure.Measurer {
	t.Helper()
	if opts.Prometheus.Timeout == 0 {
		opts.Prometheus.Timeout = 3 * time.Second
	}
	m, err := measure.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// one asks a single thing.
func one(ctx context.Context, m *measure.Measurer, ask rollout.Ask) rollout.Measurement {
	return m.Measure(ctx, []rollout.Ask{ask})[0]
}

// serve starts a server whose handler is given.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// hanging answers nothing until the other side gives up.
func hanging(_ http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err == nil { // only then is it seen that the other side has gone
		<-r.Context().Done()
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	type seen struct {
		provider string
		failed   bool
	}
	told := make(chan seen, 3)
	m := measurer(t, measure.Options{Measured: func(provider string, took time.Duration, failed bool) {
		if took <= 0 {
			t.Errorf("%s took %s", provider, took)
		}
		told <- seen{provider, failed}
	}})
	asks := []rollout.Ask{
		{Name: "q", Provider: "prometheus", Query: "up"},
		{Name: "w", Provider: "webhook", Query: "smoke"},
		{Name: rollout.ProbeMetric, Provider: rollout.ProbeProvider, Query: "/healthz"},
	}
	out := m.Measure(t.Context(), asks)
	for i, want := range []string{"this server cannot ask prometheus", "knows no gate smoke: add it to the setting gates", ""} {
		if out[i].Name != asks[i].Name || !strings.Contains(out[i].Err, want) || want == "" && out[i].Err != "" {
			t.Errorf("%s: %+v", asks[i].Name, out[i])
		}
	}
	failed := map[string]bool{}
	for range asks {
		s := <-told
		failed[s.provider] = s.failed
	}
	if !failed["prometheus"] || !failed["webhook"] || failed[rollout.ProbeProvider] {
		t.Errorf("told %v", failed)
	}
}

func TestWhoHangsEndsWithTheContext(t *testing.T) {
	t.Parallel()
	hang := serve(t, hanging)
	host, port := split(t, hang)
	m := measurer(t, measure.Options{
		Prometheus: measure.PrometheusOptions{URL: hang.URL}, ProbeNetworks: loopback,
		Gates: []measure.Gate{{Name: "smoke", URL: hang.URL, Secret: secret}},
	})
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan []rollout.Measurement)
	go func() {
		asked <- m.Measure(ctx, []rollout.Ask{
			{Name: "q", Provider: "prometheus", Query: "up"},
			{Name: "w", Provider: "webhook", Query: "smoke"},
			{Name: "p", Provider: rollout.ProbeProvider, Query: "/", Probed: []rollout.Probed{{Hostname: host, Port: port, Updated: true}}},
		})
	}()
	cancel()
	for _, m := range <-asked {
		if m.Err == "" {
			t.Errorf("%s was answered: %+v", m.Name, m)
		}
	}
}
